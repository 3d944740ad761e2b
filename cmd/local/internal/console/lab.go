package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
)

// event is one to publish.
type event struct {
	Source     string            `json:"source"`
	Key        string            `json:"key"`
	Content    string            `json:"content"`
	Attributes map[string]string `json:"attributes"`
}

// published are the IDs of events, in the order of the request.
type published struct {
	IDs []string `json:"ids"`
}

// publish publishes events at once, in any order.
func (c *Console) publish(_ context.Context, r request) (any, error) {
	all := make([]events.Event, len(r.Events))
	for i, e := range r.Events {
		all[i] = events.Event{Topic: e.Source, Key: e.Key, Content: []byte(e.Content), Attributes: e.Attributes}
	}
	ids, err := c.lab.Events.PublishAll(all)
	return published{ids}, err
}

func (c *Console) duplicate(_ context.Context, r request) (any, error) {
	return done{"The event is delivered again, as it was."}, c.lab.Events.Duplicate(r.ID)
}

func (c *Console) hold(_ context.Context, r request) (any, error) {
	c.lab.Events.HoldBack(r.Source, r.Key)
	return done{"From now on these events are held back."}, nil
}

func (c *Console) letGo(_ context.Context, r request) (any, error) {
	return done{"What was held back is published."}, c.lab.Events.LetGo(r.Source, r.Key)
}

// last returns the event that was published last for a source.
func (c *Console) last(w http.ResponseWriter, r *http.Request) {
	e, ok := c.lab.Events.Last(r.URL.Query().Get("source"))
	if !ok {
		fail(w, fmt.Errorf("nothing was published for that source: %w", driver.ErrNotFound))
		return
	}
	answer(w, http.StatusOK, shown(driver.Message{ID: e.ID, Key: e.Key, Source: e.Topic, Content: e.Content, Attributes: e.Attributes}))
}

// longestTrouble bounds how long something hangs.
const longestTrouble = time.Hour

func (c *Console) trouble(_ context.Context, r request) (any, error) {
	lasts := time.Duration(min(max(r.Seconds, 0), longestTrouble.Seconds()) * float64(time.Second))
	times := r.Times
	if times < 1 {
		times = trouble.Until
	}
	switch t := c.lab.Troubles; r.Kind {
	case trouble.Fail:
		t.FailHandler(r.Key, times)
	case trouble.Panic:
		t.PanicHandler(r.Key, times)
	case trouble.Hang:
		t.HangHandler(r.Key, lasts, times)
	case trouble.Lose:
		if r.Operation != "" && !slices.Contains(trouble.Operations(), r.Operation) {
			return nil, driver.Permanent(fmt.Errorf("the store is never asked to %q, but to do one of %q",
				r.Operation, trouble.Operations()))
		}
		t.LoseStoreAnswers(r.Operation, times)
	case trouble.Slow:
		t.SlowStore(lasts)
	default:
		return nil, driver.Permanent(fmt.Errorf("there is no trouble %q", r.Kind))
	}
	return done{"The trouble is made."}, nil
}

func (c *Console) clear(context.Context, request) (any, error) {
	c.lab.Troubles.Clear()
	return done{"All troubles are cleared."}, nil
}

func (c *Console) instance(_ context.Context, r request) (any, error) {
	fleet := c.lab.Fleet
	do, known := map[string]func(string) error{"kill": fleet.Kill, "freeze": fleet.Freeze, "thaw": fleet.Thaw, "start": fleet.Start}[r.Do]
	if !known {
		return nil, driver.Permanent(fmt.Errorf("nothing that can be done to an instance is called %q", r.Do))
	}
	return done{fmt.Sprintf("Instance %s: %s.", r.ID, r.Do)}, do(r.ID)
}

// swept is what a sweep has done.
type swept struct {
	Report eventdriver.SweepReport `json:"report"`
}

// sweepWithin bounds how long the page waits for a sweep.
const sweepWithin = 2 * time.Minute

func (c *Console) sweep(ctx context.Context, _ request) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepWithin)
	defer cancel()
	report, err := c.lab.Sweep(ctx)
	c.watch.touch("")
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the sweep goes on, and takes more than %v: %w", sweepWithin, err)
	}
	return swept{report}, err
}
