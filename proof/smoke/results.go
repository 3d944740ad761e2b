package smoke

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/letters"
)

// result is something that must come. It returns what is missing of it; "": nothing.
type result struct {
	name    string
	missing func(context.Context) (string, error)
}

// await waits until all results are there.
func (t *trial) await(ctx context.Context) error {
	t.say("# waits %v at most until %d orders are processed, and the event without a key is dead-lettered", t.Within, len(t.orders))
	t.say("# as these say:\n+ %s\n+ %s\n+ %s", t.operator("why order-1"), t.operator("letters list"), shown("gcloud", t.actedFor()))
	if t.DryRun {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.Within)
	defer cancel()
	state, config, err := t.open(ctx)
	if err != nil {
		return err
	}
	results := []result{
		{"orders", func(ctx context.Context) (string, error) { return t.unprocessed(ctx, state, config) }},
		{"dead letters", t.unlettered},
	}
	if business, err := os.ReadFile(filepath.Join(t.Root, "orders.go")); err == nil && strings.Contains(string(business), acted) {
		results = append(results, result{"log", t.acted})
	}
	return errors.Join(t.all(ctx, results), state.Close())
}

// all waits for one result after another, until the context ends. Meanwhile a failure only delays: roles may take a
// while to be known.
func (t *trial) all(ctx context.Context, results []result) error {
	for _, r := range results {
		if err := t.one(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		t.say("%s: complete", r.name)
	}
	return nil
}

func (t *trial) one(ctx context.Context, r result) error {
	lacking := "nothing was looked at in time"
	for ctx.Err() == nil {
		missing, err := r.missing(ctx)
		switch {
		case errors.As(err, &wrong{}):
			return err
		case err == nil && missing == "":
			return nil
		case ctx.Err() == nil: // else the end of the time cut the look off
			if lacking = missing; err != nil {
				lacking = strings.TrimSpace(missing + "\n" + err.Error())
			}
			t.say("%s: not yet", r.name)
		}
		select {
		case <-time.After(t.Pause):
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("after %v this is missing:\n%s\nLook further with:\n  %s\n  %s", t.Within, lacking, t.operator("waiting"),
		t.operator("tail --since=1h"))
}

// wrong is a result that no waiting makes right.
type wrong struct{ error }

// open opens the stores that the deployed function has.
func (t *trial) open(ctx context.Context) (*eventdriver.State, eventdriver.Config, error) {
	google, err := deployed.Connect(ctx, t.Endpoint)
	if err != nil {
		return nil, eventdriver.Config{}, err
	}
	variables, _, err := google.Variables(ctx, t.target())
	if err != nil {
		return nil, eventdriver.Config{}, err
	}
	config, err := deployed.ConfigOf(t.name, variables)
	if err != nil {
		return nil, config, err
	}
	state, err := eventdriver.OpenState(ctx, config)
	return state, config, err
}

// unprocessed says of each order that is not completed how it stands.
func (t *trial) unprocessed(ctx context.Context, state *eventdriver.State, config eventdriver.Config) (string, error) {
	store, err := state.Inspector()
	if err != nil {
		return "", err
	}
	look, lines := keys.Function{Store: store, Join: config.Join()}, []string(nil)
	for _, o := range t.orders {
		a, err := look.Why(ctx, o.key)
		if err != nil {
			return strings.Join(lines, "\n"), err
		}
		if a.State != joiner.Done {
			lines = append(lines, fmt.Sprintf("%s is not completed, but %s: %s", o, a.State, a.Next))
		}
	}
	return strings.Join(lines, "\n"), nil
}

// unlettered says that there is no dead letter of the event without a key. Others are wrong.
func (t *trial) unlettered(ctx context.Context) (missing string, err error) {
	box, err := letters.OpenSubscription(ctx, "projects/"+t.Project+"/subscriptions/"+t.name+"-dead-letters")
	if err != nil {
		return "", err
	}
	list, err := letters.Find(ctx, box, letters.Query{Limit: 10})
	err = errors.Join(err, box.Close())
	poison := 0
	for _, l := range list.Letters {
		if l.Reason != driver.ReasonNoKey {
			return "", wrong{fmt.Errorf("the event %s of %s, of the source %s, is dead-lettered as %s", l.ID, l.Key, l.Source, l.Reason)}
		}
		poison++
	}
	if poison == 0 {
		missing = "the event without a key is not among the dead letters"
	}
	return missing, err
}

// acted is what the sample business logs once it has acted. Another one is not looked at.
const acted = "order processed"

// acted reads in the log for which orders the business has acted, and for which more than once.
func (t *trial) acted(ctx context.Context) (missing string, err error) {
	text, err := t.execute(ctx, "gcloud", t.actedFor()...)
	if err != nil {
		return "", err
	}
	runs := make(map[string]int)
	for _, key := range strings.Fields(text) {
		runs[key]++
	}
	var lacking []string
	for _, o := range t.orders {
		switch runs[o.key] {
		case 0:
			lacking = append(lacking, o.String())
		case 1:
		default:
			return "", wrong{fmt.Errorf("%s was processed %d times", o, runs[o.key])}
		}
	}
	if len(lacking) == 0 {
		return "", nil
	}
	return fmt.Sprintf("no line %q of %s", acted, strings.Join(lacking, ", ")), nil
}

// actedFor are the arguments of gcloud that list the keys for which the business has acted.
func (t *trial) actedFor() []string {
	return []string{"logging", "read", fmt.Sprintf(`resource.labels.service_name="%s" AND jsonPayload.message="%s"`, t.name, acted),
		"--project=" + t.Project, "--freshness=1d", "--limit=1000", "--format=value(jsonPayload.key)"}
}
