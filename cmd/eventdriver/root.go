package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/eventdriver/operate/deployed"
)

// The exit codes, which help explains.
const (
	fine   = 0
	found  = 1
	usage  = 2
	failed = 3

	interrupted = 130 // as shells say it of SIGINT
)

const about = `eventdriver looks at a deployed function, and changes what it keeps of a key.

--service, --region and --project name the function's Cloud Run service. Its settings are
then those of the revision that gets the events, read from Cloud Run with the application
default credentials (gcloud auth application-default login). Without --service, the settings
are the function's variables in this process's environment: see docs/configuration.md.

Exit codes:
  0  done, and nothing is wrong
  1  something is wrong with what was looked at, or waits
  2  the command line is wrong
  3  the command failed: nothing can be said
  130  it was ended by Ctrl-C, or by SIGTERM`

// surroundings are what a command has of its process.
type surroundings struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// variables returns the environment, by name.
func (s surroundings) variables() map[string]string {
	all := make(map[string]string)
	for _, variable := range s.environ {
		name, value, _ := strings.Cut(variable, "=")
		all[name] = value
	}
	return all
}

// outcome is how a command ended that was called rightly: all other errors are about the
// command line.
type outcome struct {
	code int
	err  error // nil: the command has said it
}

func (o outcome) Error() string {
	if o.err == nil {
		return fmt.Sprint("exit code ", o.code)
	}
	return o.err.Error()
}

// fails returns the outcome of a command that could not do its work.
func fails(err error) error { return outcome{failed, err} }

// run runs the command that args name, and returns the exit code.
func run(ctx context.Context, args []string, s surroundings) int {
	root := newRoot(s)
	root.SetArgs(args)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	var o outcome
	switch {
	case err == nil:
		return fine
	case !errors.As(err, &o):
		fmt.Fprintf(s.err, "eventdriver: %v\nSee: eventdriver help\n", err)
		return usage
	case o.err != nil:
		fmt.Fprintf(s.err, "eventdriver: %v\n%s", o.err, advice(o.err))
	}
	if o.code == failed && ctx.Err() != nil {
		return interrupted
	}
	return o.code
}

// globals are the flags of all commands.
type globals struct {
	surroundings
	target   deployed.Target
	json     bool
	endpoint string
}

func newRoot(s surroundings) *cobra.Command {
	g := &globals{surroundings: s}
	root := &cobra.Command{
		Use: "eventdriver", Short: "Look at a deployed function", Long: about, Version: version(),
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: checkCommandLine,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&g.target.Service, "service", "", "the function's Cloud Run `service`")
	flags.StringVar(&g.target.Region, "region", "", "the service's `region`, as in europe-west1")
	flags.StringVar(&g.target.Project, "project", s.variables()["GOOGLE_CLOUD_PROJECT"], "the service's `project`")
	flags.BoolVar(&g.json, "json", false, "print JSON, for programs")
	flags.StringVar(&g.endpoint, "endpoint", "", "a `URL` at which a stand-in serves Google's APIs, without credentials, but "+
		"for those of the stores and Pub/Sub, which the variables of their emulators name")
	root.AddCommand(newDoctor(g), newWhy(g), newWaiting(g), newLetters(g),
		newRelease(g), newComplete(g), newReplace(g), newPurge(g), newRerun(g), newSweep(g), newTail(g), newNew(g))
	root.SetFlagErrorFunc(orArgument)
	sayUse(root)
	return root
}

// sayUse has mistakes in the arguments of a command, and of those below it, say how it is called.
func sayUse(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return fmt.Errorf("%w: %s", err, c.UseLine())
			}
			return nil
		}
	}
	for _, below := range c.Commands() {
		sayUse(below)
	}
}

// positional finds the arguments in how a command is used.
var positional = regexp.MustCompile(`( [A-Z]+…?)+`)

// orArgument says of a flag that a command does not have how to give an argument that looks like one.
func orArgument(c *cobra.Command, err error) error {
	arguments := positional.FindString(c.Use)
	if !strings.HasPrefix(err.Error(), "unknown") || arguments == "" {
		return err
	}
	return fmt.Errorf("%w; an argument that begins with a dash goes behind the flags and --, as in %s [flags] --%s",
		err, c.CommandPath(), arguments)
}

// notNegative are the flags that are numbers and lengths of time: less than 0 means nothing for them.
var notNegative = []string{"limit", "older-than", "settle", "since", "within"}

// notEmpty are the flags that are texts, by which a command chooses what it looks at, where, or as whom.
var notEmpty = []string{"cursor", "endpoint", "for", "from", "key", "project", "region", "service", "severity",
	"subscription", "token", "topic", "url"}

// checkCommandLine refuses what means nothing for any command. A variable of a shell that is not set, as in
// --key="$KEY", must not have the command look at all keys.
func checkCommandLine(c *cobra.Command, args []string) error {
	if strings.HasPrefix(c.Name(), cobra.ShellCompRequestCmd) {
		return nil // what is to be completed may be empty
	}
	if slices.Contains(args, "") {
		return fmt.Errorf("an argument is empty: %s", c.UseLine())
	}
	for _, name := range notEmpty {
		if f := c.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			return fmt.Errorf("--%s is empty: give it a value, or leave it out", name)
		}
	}
	for _, name := range notNegative {
		if f := c.Flags().Lookup(name); f != nil && strings.HasPrefix(f.Value.String(), "-") {
			return fmt.Errorf("--%s must not be negative, as %s is", name, f.Value)
		}
	}
	return checkNames(c)
}

// names are the flags that become parts of the paths of requests, by how they are spelled.
var names = map[string]*regexp.Regexp{
	"service": regexp.MustCompile(`^[a-z0-9-]+$`),
	"region":  regexp.MustCompile(`^[a-z0-9-]+$`),
	"project": regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z0-9-]+$`),
}

// checkNames refuses what can't be a name or an address: a full name or an URL for a short name, mostly.
func checkNames(c *cobra.Command) error {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if f := c.Flags().Lookup(name); f != nil && f.Changed && !names[name].MatchString(f.Value.String()) {
			return fmt.Errorf("--%s must be a name alone, of small letters, digits and hyphens; it is %q", name, f.Value)
		}
	}
	if f := c.Flags().Lookup("endpoint"); f != nil && f.Changed && addressIn(f.Value.String()) == nil {
		return fmt.Errorf("--endpoint must be a URL, as in http://127.0.0.1:8080; it is %q", f.Value)
	}
	return nil
}

// addressIn returns the address in a text; nil: nothing can be called there over HTTP.
func addressIn(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil
	}
	return u
}

// version returns that of the module, as far as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// errNoProject is about a command that asks for something of a project.
var errNoProject = errors.New("--project, or the variable GOOGLE_CLOUD_PROJECT, must name the project")

// check says what is wrong with the flags that name the target.
func (g *globals) check() error {
	t := g.target
	switch {
	case t.Service == "" && t.Region != "":
		return errors.New("--region is given without --service, which names the Cloud Run service")
	case t.Service != "" && t.Region == "":
		return fmt.Errorf("--service needs --region: gcloud run services list --filter=metadata.name=%s shows it",
			t.Service)
	case t.Service != "" && t.Project == "":
		return errNoProject
	case t.Service == "" && !g.hasSettings():
		return errors.New("give --service and --region, or set the function's variables, as in GCS_BUCKET")
	}
	return nil
}

// hasSettings says whether the environment says where the function keeps its state.
func (g *globals) hasSettings() bool {
	v := g.variables()
	return v["GCS_BUCKET"] != "" || v["BIGQUERY_DATASET"] != ""
}

// printJSON writes a value for programs.
func (g *globals) printJSON(v any) error {
	e := json.NewEncoder(g.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fails(err)
	}
	return nil
}

// printText writes a text for people.
func (g *globals) printText(text string) error {
	if _, err := io.WriteString(g.out, text); err != nil {
		return fails(err)
	}
	return nil
}
