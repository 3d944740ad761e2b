package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/sweepjob"
)

func newSweep(g *globals) *cobra.Command {
	ch := &changing{globals: g}
	c := &cobra.Command{
		Use:   "sweep",
		Short: "Have the function process now what is due: overdue joins, and orders that nobody acts upon",
		Long: "sweep has Cloud Scheduler run the job that calls the function's /sweep, which works from anywhere. The\n" +
			"sweep ends the joins whose deadline has passed, and processes those that are complete, that nobody acts\n" +
			"upon and that changed more than five minutes ago, or were released or reopened by an operator.\n\n" +
			"It does not wait for the sweep: tail shows the line sweep with its report.",
		Example: "  eventdriver sweep --service=orders --region=europe-west1 --project=my-project --yes",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return g.open(c.Context(), func(f function) error { return ch.sweep(c.Context(), f) })
		},
	}
	ch.flags(c)
	return c
}

// swept is what sweep prints for programs.
type swept struct {
	sweepjob.Job
	Started bool `json:"started"` // false: in a dry run
}

func (c *changing) sweep(ctx context.Context, f function) error {
	job, err := c.sweepJob(ctx, f)
	if err != nil {
		return fails(err)
	}
	paused := ""
	if job.Paused {
		paused = ", though it is paused"
	}
	may, err := c.may(ctx, fmt.Sprintf("run the job %s, which calls %s%s", plain(job.Name), plain(job.URI), paused))
	if err != nil {
		return err
	}
	if may {
		if err := c.start(ctx, f, job); err != nil {
			return fails(err)
		}
	}
	switch {
	case c.json:
		return c.printJSON(swept{job, may})
	case !may:
		return nil
	}
	return c.printText(fmt.Sprintf("started: %s calls %s\nIts report is the line sweep of the function's log: eventdriver tail\n",
		plain(job.Name), plain(job.URI)))
}

// sweepJob returns the job that calls the function's /sweep. The error says what to do.
func (c *changing) sweepJob(ctx context.Context, f function) (sweepjob.Job, error) {
	if f.google == nil {
		return sweepjob.Job{}, errors.New("only the function can sweep: name its --service and --region, or send POST /sweep " +
			"to where it runs, as in curl -X POST http://127.0.0.1:8080/sweep")
	}
	ctx, cancel := context.WithTimeout(ctx, settingsWithin)
	defer cancel()
	job, err := sweepjob.Find(ctx, f.google, c.target)
	if errors.Is(err, sweepjob.ErrNone) {
		return job, fmt.Errorf("%w: deploy it with a sweep_schedule other than none; or send POST %s/sweep from where its ingress lets you in", err, f.url)
	}
	return job, err
}

// start has Cloud Scheduler run the job.
func (c *changing) start(ctx context.Context, f function, job sweepjob.Job) error {
	return c.carryOut(ctx, f, operation{action: "sweep", about: []any{"job", job.Name},
		do: func(ctx context.Context) ([]any, error) { return nil, job.Run(ctx, c.endpoint) }})
}

// changed is what a command that has changed a key prints for programs.
type changed struct {
	Key   string        `json:"key"`
	State joiner.State  `json:"state"`
	Next  string        `json:"next"`            // what happens next, or what to do
	Sweep *sweepjob.Job `json:"sweep,omitempty"` // that was started; nil: none was
	Why   string        `json:"why,omitempty"`   // none was
}

// haveItRun starts a sweep that runs a key which was released or reopened, if that can be.
func (c *changing) haveItRun(ctx context.Context, f function, key string) (says changed, err error) {
	if says, err = c.stands(ctx, f, key); err != nil {
		return says, fails(fmt.Errorf("the key was changed, and no sweep was started: %w", err))
	}
	if says.State == joiner.Complete {
		job, err := c.sweepFor(ctx, f)
		if err != nil {
			says.Why = err.Error()
		} else {
			says.Sweep, says.Next = &job, "The sweep that was started runs it: look again with why."
		}
	}
	return says, nil
}

// stands says how a key stands that was changed.
func (c *changing) stands(ctx context.Context, f function, key string) (changed, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	k, err := f.keys()
	if err != nil {
		return changed{}, err
	}
	a, err := k.Why(ctx, key)
	return changed{Key: key, State: a.State, Next: a.Next}, err
}

// told prints what became of a key that was opened: for programs, all.
func (c *changing) told(says changed, all any) error {
	if c.json {
		return c.printJSON(all)
	}
	text := fmt.Sprintf("%s: %s\n%s\n", plain(says.Key), says.State, plain(says.Next))
	if says.Why != "" {
		text += "No sweep was started: " + says.Why + "\n"
	}
	return c.printText(text)
}

// aboutRun is what help says of commands that have a key run.
const aboutRun = "Then it has Cloud Scheduler start a sweep, which runs the key: see sweep. Where that can't be, the key's\n" +
	"next delivery runs it: send one of its letters, or publish one of its events again."

// addNoSweep adds the flag that leaves the sweep out.
func (c *changing) addNoSweep(command *cobra.Command) {
	command.Flags().BoolVar(&c.alone, "no-sweep", false, "start no sweep")
}

var (
	errUnwanted = errors.New("--no-sweep")
	errPaused   = errors.New("its job is paused; the command sweep starts it all the same")
)

// sweepFor starts a sweep, unless it is not wanted.
func (c *changing) sweepFor(ctx context.Context, f function) (job sweepjob.Job, err error) {
	if c.alone {
		return job, errUnwanted
	}
	if job, err = c.sweepJob(ctx, f); err != nil {
		return job, err
	}
	if job.Paused {
		return job, errPaused
	}
	return job, c.start(ctx, f, job)
}
