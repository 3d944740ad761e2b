package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/doctor"
)

// readWithin bounds reading a deployment.
const readWithin = 2 * time.Minute

func newDoctor(g *globals) *cobra.Command {
	severity := string(doctor.Cost)
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find what makes a deployment lose orders, or process them twice",
		Long:  doctorAbout(),
		Example: "  eventdriver doctor --service=orders --region=europe-west1 --project=my-project\n" +
			"  eventdriver doctor --service=orders --region=europe-west1 --json | jq '.findings[].remedy'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := g.check(); err != nil {
				return err
			}
			if g.target.Project == "" {
				return errNoProject
			}
			least, err := doctor.ParseSeverity(severity)
			if err != nil {
				return fmt.Errorf("--severity: %w", err)
			}
			return g.doctor(c.Context(), least)
		},
	}
	c.Flags().StringVar(&severity, "severity", severity, "the least `severity` of what is printed and counts: error, "+
		"warning or cost")
	_ = c.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions( // the flag is there
		[]cobra.Completion{string(doctor.Error), string(doctor.Warning), string(doctor.Cost)},
		cobra.ShellCompDirectiveNoFileComp))
	return c
}

func doctorAbout() string {
	var b strings.Builder
	b.WriteString("doctor compares what is deployed with what the function needs: the service and its revisions,\n" +
		"triggers, subscriptions, topics, the bucket or dataset, and who may use them. It changes nothing,\n" +
		"and reads no event. What it may not read it reports, too.\n\n" +
		"A finding says what is wrong with which resource, what that does to orders, and the remedy. An\n" +
		"error loses or doubles orders, a warning does so under some circumstances, a cost is only money.\n" +
		"Without --service, it looks at the stores and topics alone. Exit code 1: there are findings.\n\nChecks:\n")
	for _, check := range doctor.Checks() {
		fmt.Fprintf(&b, "  %-13s %s\n", check.Name, check.About)
	}
	b.WriteString("\nThese roles on the project are enough:\n")
	for _, role := range deployed.Roles() {
		fmt.Fprintf(&b, "  %s\n", role)
	}
	fmt.Fprintf(&b, "and %s on a bucket that earlier revisions used, to count the keys that wait there.",
		deployed.RoleOfBucket)
	return b.String()
}

// report is what doctor prints for programs.
type report struct {
	Target   string           `json:"target"`
	Checks   int              `json:"checks"`
	Findings []doctor.Finding `json:"findings"`
}

func (g *globals) doctor(ctx context.Context, least doctor.Severity) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	google, err := deployed.Connect(ctx, g.endpoint)
	if err != nil {
		return fails(err)
	}
	d, err := google.Read(ctx, g.target, g.variables())
	if err != nil {
		return fails(err)
	}
	r := report{Target: g.target.String(), Checks: len(doctor.Checks()), Findings: []doctor.Finding{}}
	if g.target.Service == "" {
		r.Target = "the settings in the environment"
	}
	for _, finding := range doctor.Examine(d) {
		if finding.Severity.AtLeast(least) {
			r.Findings = append(r.Findings, finding)
		}
	}
	if err := g.print(r); err != nil {
		return err
	}
	if len(r.Findings) > 0 {
		return outcome{code: found}
	}
	return nil
}

func (g *globals) print(r report) error {
	if g.json {
		return g.printJSON(r)
	}
	var b strings.Builder
	counts := make(map[doctor.Severity]int)
	for _, f := range r.Findings {
		counts[f.Severity]++
		fmt.Fprintf(&b, "%s  %s  %s\n  %s\n  why:    %s\n  remedy: %s\n\n",
			strings.ToUpper(string(f.Severity)), f.Check, f.Resource, f.Problem, f.Why, f.Remedy)
	}
	fmt.Fprintf(&b, "%s: %d checks, %d errors, %d warnings, %d costs\n",
		r.Target, r.Checks, counts[doctor.Error], counts[doctor.Warning], counts[doctor.Cost])
	return g.printText(b.String())
}
