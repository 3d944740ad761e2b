package smoke

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/doctor"
)

// doctor looks for what is wrong with the deployment. What only costs money is no failure.
func (t *trial) doctor(ctx context.Context) error {
	t.say("+ %s", t.operator("doctor"))
	if t.DryRun {
		return nil
	}
	google, err := deployed.Connect(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	d, err := google.Read(ctx, t.target(), nil)
	if err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	wrong := 0
	for _, f := range doctor.Examine(d) {
		t.say("%s  %s  %s\n  %s\n  remedy: %s", strings.ToUpper(string(f.Severity)), f.Check, f.Resource, f.Problem, f.Remedy)
		if f.Severity.AtLeast(doctor.Warning) {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("doctor has %d findings", wrong)
	}
	t.say("doctor: nothing is wrong")
	return nil
}

// budget is the row of docs/design.md on joins of three events: operations of Class A and B, and dollars.
var budget = regexp.MustCompile(`(?m)^\| 3 \| any \| (\d+) \| (\d+) \| ([0-9.]+) \|`)

// cost says what the orders have cost, as docs/design.md has it, and what shows the rest.
func (t *trial) cost() error {
	page := filepath.Join(t.Root, "docs", "design.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	found := budget.FindSubmatch(text)
	if found == nil {
		return errors.New("docs/design.md does not say what a join costs")
	}
	joins := len(t.orders)
	a, b := number(found[1])*joins, number(found[2])*joins
	million, err := strconv.ParseFloat(string(found[3]), 64)
	if err != nil {
		return err
	}
	events := joins * len(sources)
	t.say("cost, by docs/design.md: %d orders in Cloud Storage take %d Class A and %d Class B operations, $%.6f; %d duplicates"+
		" read a little more.", joins, a, b, million/1e6*float64(joins), events*(copies-1))
	t.say("Deploying costs more: a build of some minutes, and storage of the image. The requests, by their status:")
	t.say("  %s", shown("gcloud", t.requests()))
	return nil
}

// requests are the arguments of gcloud that list the answers of the function.
func (t *trial) requests() []string {
	return []string{"logging", "read", fmt.Sprintf(`resource.labels.service_name="%s" AND httpRequest.status>0`, t.name),
		"--project=" + t.Project, "--freshness=1d", "--format=value(httpRequest.status)"}
}

func number(digits []byte) int {
	n, _ := strconv.Atoi(string(digits)) // the pattern finds digits only
	return n
}
