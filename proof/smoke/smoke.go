// Package smoke tries the real thing: it applies an example of Terraform's under a name of its own, publishes orders
// and an event that can never succeed, waits for what must come of them, and takes everything down again. It needs
// terraform, gcloud and the credentials of both. Nothing that is deployed imports it.
package smoke

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/eventdriver/operate/deployed"
)

// Options say what is tried. Project and Root must be set; the other zero values are the defaults.
type Options struct {
	Project string
	Region  string // "": europe-west1
	Example string // of Examples; "": orders
	Root    string // the folder of the clone
	Keep    bool   // take nothing down
	DryRun  bool   // print what would be done, and do nothing
	Yes     bool   // do not ask
	// Within is how long the results may take to come, and Pause the time between two looks; 0: 15 minutes, 10 s.
	Within, Pause time.Duration
	// Endpoint is where a stand-in serves all of Google's APIs; "": Google.
	Endpoint string
	In       io.Reader // who is asked
	Out      io.Writer // what is done, and what the commands print
}

// Examples returns those of terraform/examples that need nothing but a project.
func Examples() []string { return []string{"orders", "bigquery"} }

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Project == "":
		return errors.New("no project is named, as in make smoke PROJECT=my-project-123")
	case !slices.Contains(Examples(), o.Example):
		return fmt.Errorf("the example must be one of %s; it is %q", strings.Join(Examples(), ", "), o.Example)
	case o.Within < 0 || o.Pause < 0:
		return errors.New("times must not be negative")
	}
	return nil
}

// trial is one run.
type trial struct {
	Options
	name   string // of the function, and the beginning of all other names
	folder string // Terraform's, with its state; relative to Root
	orders []order
}

// Run tries an example. When the context ends it takes down what it has made, as it does after each failure; the error
// says what was wrong.
func Run(ctx context.Context, o Options) error {
	t, err := begin(o)
	if err != nil {
		return err
	}
	if err := t.ask(ctx); err != nil {
		return err
	}
	if err := t.prepare(); err != nil {
		return err
	}
	if err := t.terraform(ctx, "init", "-input=false", "-no-color"); err != nil {
		return errors.Join(err, t.forget()) // nothing was made
	}
	err = t.try(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		t.say("\nsmoke: FAILED: %v", err)
	}
	return errors.Join(err, t.end(ctx))
}

// begin returns a trial with a name that no other has.
func begin(o Options) (*trial, error) {
	if o.Region == "" {
		o.Region = "europe-west1"
	}
	if o.Example == "" {
		o.Example = "orders"
	}
	if o.Within == 0 {
		o.Within = 15 * time.Minute
	}
	if o.Pause == 0 {
		o.Pause = 10 * time.Second
	}
	name := "smoke-" + strings.ToLower(rand.Text()[:6])
	o.Out = &shared{to: o.Out}
	return &trial{Options: o, name: name, folder: filepath.Join("bin", "smoke", name), orders: everyOrder()}, o.Check()
}

// ask has a person agree.
func (t *trial) ask(ctx context.Context) error {
	t.say("This makes the function %s in %s, %s, from terraform/examples/%s, and takes it down again. It takes a quarter"+
		" of an hour, and costs some cents.", t.name, t.Project, t.Region, t.Example)
	if t.Yes || t.DryRun {
		return nil
	}
	t.say("To go on, type the project's ID:")
	typed := make(chan string, 1)
	go func() { // after an interruption it ends with the process
		line, _ := bufio.NewReader(t.In).ReadString('\n') // at the end of the input there is no ID
		typed <- strings.TrimSpace(line)
	}()
	select {
	case id := <-typed:
		if id == t.Project {
			return nil
		}
	case <-ctx.Done():
	}
	return errors.New("nothing was done, as the project's ID was not typed")
}

// try does all that is between Terraform's init and its destroy.
func (t *trial) try(ctx context.Context) error {
	if err := t.apply(ctx); err != nil {
		return err
	}
	topics, err := t.topics(ctx)
	if err != nil {
		return err
	}
	if err := t.publish(ctx, topics); err != nil {
		return err
	}
	if err := t.await(ctx); err != nil {
		return err
	}
	if err := t.doctor(ctx); err != nil {
		return err
	}
	return t.cost()
}

// attempts is how often Terraform applies and destroys: in a new project, Google's service agents take minutes to appear.
const attempts = 3

func (t *trial) apply(ctx context.Context) (err error) {
	return t.again(ctx, func() error { return t.terraform(ctx, "apply", "-input=false", "-auto-approve", "-no-color") })
}

// again calls do until it succeeds, with a pause of some looks before each repetition.
func (t *trial) again(ctx context.Context, do func() error) (err error) {
	for i := range attempts {
		if i > 0 {
			t.say("once more, in a moment")
			select {
			case <-time.After(3 * t.Pause):
			case <-ctx.Done():
				return err
			}
		}
		if err = do(); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// end takes down what was made, also after an interruption. Another one stops it.
func (t *trial) end(ctx context.Context) error {
	if t.Keep {
		t.say("\nsmoke: %s is left. Look at it, and take it down:\n  %s\n  %s", t.name, t.operator("doctor"), t.byHand())
		return nil
	}
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := t.again(ctx, func() error { return t.terraform(ctx, "destroy", "-input=false", "-auto-approve", "-no-color") })
	if err != nil {
		return fmt.Errorf("%s could not be taken down: %w\nIt costs little while no events come. Take it down by hand, in %s:\n  %s",
			t.name, err, t.Root, t.byHand())
	}
	return t.forget()
}

func (t *trial) byHand() string { return "terraform -chdir=" + t.folder + " destroy" }

// operator returns a command of cmd/eventdriver about the function.
func (t *trial) operator(command string) string {
	return fmt.Sprintf("go run ./cmd/eventdriver %s --service=%s --region=%s --project=%s", command, t.name, t.Region, t.Project)
}

func (t *trial) target() deployed.Target {
	return deployed.Target{Project: t.Project, Region: t.Region, Service: t.name}
}

func (t *trial) say(format string, args ...any) { fmt.Fprintf(t.Out, format+"\n", args...) }
