package convert_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// overdue returns a pipeline that joins event1 and event2 until a deadline, with what dead-letters
// behind the cache, and the contents that the business was given.
func overdue(s drivertest.Store, letters driver.DeadLetterStore, limit int64, business func(driver.Message) error) *driver.Pipeline {
	return driver.New(
		joiner.New(joiner.MatchAll("event1", "event2"), s, joiner.Deadline(time.Hour)),
		cache.New(s),
		convert.DeadLetterSwept(letters, limit),
		convert.DeadLetterIncomplete(letters, limit),
		driver.Named("business", driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error { return business(in) })),
	)
}

func sweep(ctx context.Context, p *driver.Pipeline) error {
	return p.Process(driver.WithSweep(ctx, time.Now().Add(-2*time.Hour)), driver.Message{Key: "k"})
}

func of(source string) driver.Message {
	return driver.Message{ID: source, Key: "k", Source: source, Content: []byte(`"` + source + `"`)}
}

func notCalled(driver.Message) error { return errors.New("the business is called") }

func TestDeadLetterOfAnIncompleteJoin(t *testing.T) {
	for limit, want := range map[int64]string{
		1 << 20: `{"v":1,"events":[{"id":"event1","key":"k","source":"event1","content":"\"event1\""}]}` + "\n",
		10:      `{"event1":"event1"}`,
	} {
		store := memstore.New()
		p := overdue(store, store, limit, notCalled)
		if err := p.Process(t.Context(), of("event1")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := sweep(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		letters := store.DeadLetters()
		if len(letters) != 1 {
			t.Fatalf("%d letters, want one", len(letters))
		}
		d := letters[0]
		about := d.Reason == driver.ReasonIncomplete && strings.HasSuffix(d.Error, "it lacks the events of event2")
		of := d.Key == "k" && d.ID == "composed-event/k" && d.Source == joiner.ComposedSource && !d.Time.IsZero()
		has := string(d.Body) == want && slices.Equal(d.Header["Content-Type"], []string{"application/json"})
		if !about || !of || !has {
			t.Errorf("limit %d: the letter is %+v, body %s", limit, d, d.Body)
		}
		if k, err := store.Inspect(t.Context(), "k"); err != nil || k.Claim("").Done == nil || k.Claim("").Done.Outcome != driver.OutcomeExpired {
			t.Errorf("the key is %+v, %v; want it expired", k, err)
		}
	}
}

// TestIncompleteJoinIsSentAgain sends the letter of an incomplete join again, with its
// event, to a function that has neither.
func TestIncompleteJoinIsSentAgain(t *testing.T) {
	store := memstore.New()
	p := overdue(store, store, 1<<20, notCalled)
	if err := errors.Join(p.Process(t.Context(), of("event1")), sweep(t.Context(), p)); err != nil {
		t.Fatal(err)
	}
	var acted []string
	fresh := overdue(memstore.New(), memstore.New(), 1<<20, func(in driver.Message) error { acted = append(acted, string(in.Content)); return nil })
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, fresh, quiet)
	if w := serve(handler, again(store.DeadLetters()[0])); w.Code != http.StatusAccepted {
		t.Fatal(w.Code, w.Body)
	}
	if err := fresh.Process(t.Context(), of("event2")); err != nil || !slices.Equal(acted, []string{`{"event1":"event1","event2":"event2"}`}) {
		t.Errorf("acted on %q, %v", acted, err)
	}
}

// TestIncompleteJoinOfALongKeyIsSentAgain: the ID of the joined message is longer than that of an event may be.
func TestIncompleteJoinOfALongKeyIsSentAgain(t *testing.T) {
	store, fresh := memstore.New(), memstore.New()
	event := of("event1")
	event.Key = strings.Repeat("é", decode.MaxName/2)
	p := overdue(store, store, 1<<20, notCalled)
	ctx := driver.WithSweep(t.Context(), time.Now().Add(-2*time.Hour))
	if err := errors.Join(p.Process(t.Context(), event), p.Process(ctx, driver.Message{Key: event.Key})); err != nil {
		t.Fatal(err)
	}
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, overdue(fresh, fresh, 1<<20, notCalled), quiet)
	if w := serve(handler, again(store.DeadLetters()[0])); w.Code != http.StatusAccepted {
		t.Error(w.Code, w.Body)
	}
}

// TestIncompleteJoinsOfOneRun: of several joins in one run, each letter has the events of its own.
func TestIncompleteJoinsOfOneRun(t *testing.T) {
	store := memstore.New()
	branch := func(source string) driver.Handler {
		p := driver.New(
			joiner.New(joiner.MatchAll(source, "never"), store, joiner.Name("of-"+source), joiner.Deadline(time.Hour)),
			cache.New(store, cache.Scope(source)),
			convert.DeadLetterIncomplete(store, 1<<20),
		)
		return driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
			return p.Process(ctx, in)
		})
	}
	for _, source := range []string{"a", "b"} {
		if err := store.Persist(t.Context(), of(source)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sweep(t.Context(), driver.New(driver.Parallel(branch("a"), branch("b")))); err != nil {
		t.Fatal(err)
	}
	letters := store.DeadLetters()
	for _, d := range letters {
		if want := fmt.Sprintf(`"id":%q`, strings.TrimPrefix(d.Source, "of-")); !strings.Contains(string(d.Body), want) {
			t.Errorf("the letter of the join %s has %s", d.Source, d.Body)
		}
	}
	if len(letters) != 2 {
		t.Errorf("%d letters, want 2", len(letters))
	}
}

// TestIncompleteJoinWhoseLetterIsNotStored: the key is not completed, and the next sweep tries again.
func TestIncompleteJoinWhoseLetterIsNotStored(t *testing.T) {
	for name, down := range map[string]error{"for now": errors.New("down"), "for good": driver.Permanent(errors.New("too large"))} {
		store := memstore.New()
		faults := drivertest.NewFaults(store)
		faults.Hook(func(c drivertest.Call) drivertest.Fault {
			if c.Op == drivertest.OpAddDeadLetter && c.N == 1 {
				return drivertest.Fault{Before: drivertest.FailWith(down)}
			}
			return drivertest.Fault{}
		})
		p := overdue(store, faults, 1<<20, notCalled)
		if err := p.Process(t.Context(), of("event1")); err != nil {
			t.Fatal(err)
		}
		if err := sweep(t.Context(), p); err == nil || driver.IsPermanent(err) {
			t.Errorf("%s: %v, want a failure to be tried again", name, err)
		}
		if err := sweep(t.Context(), p); err != nil || len(store.DeadLetters()) != 1 {
			t.Errorf("%s: %d letters, %v", name, len(store.DeadLetters()), err)
		}
	}
}

// TestSweepWithoutMemory: there is no letter until the memory is enough for one that can be sent again.
func TestSweepWithoutMemory(t *testing.T) {
	for name, sources := range map[string][]string{"incomplete": {"event1"}, "rejected": {"event1", "event2"}} {
		store, runs := memstore.New(), 0
		account := new(eventtest.Account)
		fill := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
			if runs++; runs == 1 {
				account.Most = account.Grown
			}
			return next.Call(ctx, in)
		})
		reject := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
			return driver.Permanent(errors.New("no such customer"))
		})
		p := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), store, joiner.Deadline(time.Hour)), cache.New(store), fill,
			convert.DeadLetterSwept(store, 1<<20), convert.DeadLetterIncomplete(store, 1<<20), reject)
		for _, source := range sources {
			if err := store.Persist(t.Context(), of(source)); err != nil {
				t.Fatal(err)
			}
		}
		for try := range 2 {
			err := sweep(driver.WithMemory(t.Context(), account), p)
			if short := errors.Is(err, driver.ErrNoMemory) && !driver.IsPermanent(err); short != (try == 0) || len(store.DeadLetters()) != try {
				t.Errorf("%s, sweep %d: %v, %d letters", name, try+1, err, len(store.DeadLetters()))
			}
			*account = eventtest.Account{}
		}
		for _, d := range store.DeadLetters() {
			if !strings.Contains(string(d.Body), `"source":"event1"`) {
				t.Errorf("%s: the letter can't be sent again: %s", name, d.Body)
			}
		}
	}
}

// TestSweepThatFailsForGood has the business reject a join that a sweep found.
func TestSweepThatFailsForGood(t *testing.T) {
	store := memstore.New()
	down := errors.New("down")
	failure := down
	p := overdue(store, store, 1<<20, func(driver.Message) error { return failure })
	for _, source := range []string{"event1", "event2"} {
		if err := p.Process(t.Context(), of(source)); err != nil && !errors.Is(err, down) {
			t.Fatal(err)
		}
	}
	if err := sweep(t.Context(), p); !errors.Is(err, down) || len(store.DeadLetters()) != 0 {
		t.Errorf("%d letters, %v; want none of a failure that may pass", len(store.DeadLetters()), err)
	}
	failure = driver.Reject(driver.ReasonTooOld, errors.New("no such customer"))
	if err := sweep(t.Context(), p); driver.ReasonOf(err) != driver.ReasonTooOld {
		t.Error(err)
	}
	if err := sweep(t.Context(), p); !errors.Is(err, driver.ErrMarked) {
		t.Errorf("the next sweep: %v; want the key left alone", err)
	}
	letters := store.DeadLetters()
	if len(letters) != 1 || letters[0].Reason != driver.ReasonTooOld || letters[0].Handler != "business" || !strings.Contains(letters[0].Error, "no such customer") ||
		!strings.Contains(string(letters[0].Body), `"source":"event2"`) {
		t.Errorf("letters %+v", letters)
	}
	if err := p.Process(t.Context(), of("event1")); driver.ReasonOf(err) != driver.ReasonTooOld || len(store.DeadLetters()) != 1 {
		t.Errorf("an event: %v, %d letters; want its caller to write the second", err, len(store.DeadLetters()))
	}
}

// An order whose parcel is never sent is dead-lettered once, with what is there.
func ExampleDeadLetterIncomplete() {
	store := memstore.New()
	pipeline := driver.New(
		joiner.New(joiner.MatchAll("order", "parcel"), store, joiner.Deadline(time.Hour)),
		cache.New(store),
		convert.DeadLetterIncomplete(store, 32<<20),
		driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("the business is not called") }),
	)
	ctx := context.Background()
	fmt.Println(pipeline.Process(ctx, driver.Message{Key: "order-1", Source: "order", Content: []byte(`1`)}))

	firstKept := time.Now().Add(-2 * time.Hour) // as the store says
	fmt.Println(pipeline.Process(driver.WithSweep(ctx, firstKept), driver.Message{Key: "order-1"}))
	for _, d := range store.DeadLetters() {
		fmt.Println(d.Reason, d.Key, d.Error)
	}
	// Output:
	// <nil>
	// <nil>
	// incomplete order-1 the deadline of the join has passed, and it lacks the events of parcel
}

// No event is delivered in a sweep, so a handler writes the letter of what it rejects.
func ExampleDeadLetterSwept() {
	store := memstore.New()
	reject := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		return driver.Permanent(errors.New("no such customer"))
	})
	pipeline := driver.New(joiner.New(joiner.MatchAll("order"), store), cache.New(store), convert.DeadLetterSwept(store, 32<<20), reject)
	order := driver.Message{Key: "order-1", Source: "order", Content: []byte(`1`)}
	if err := store.Persist(context.Background(), order); err != nil { // and its function crashed then
		fmt.Println(err)
	}
	err := pipeline.Process(driver.WithSweep(context.Background(), time.Now()), driver.Message{Key: "order-1"})
	fmt.Println(err)
	fmt.Println(len(store.DeadLetters()), "letter")
	// Output:
	// handler 4: order "order-1": no such customer
	// 1 letter
}
