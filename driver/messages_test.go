package driver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
	"example.com/eventdriver/stores/memstore"
)

// shipment is what the handler called ship wants.
type shipment struct {
	Event1 json.RawMessage   `json:"event1"`
	Event2 struct{ Qty int } `json:"event2"`
}

// TestMessages has the complete texts that the person on call reads, of failures in a
// pipeline as users build it: each fact once, the handler first.
func TestMessages(t *testing.T) {
	ok := driver.JSON(func(context.Context, string, shipment) error { return nil })
	fail := func(err error) driver.Handler {
		return driver.JSON(func(context.Context, string, shipment) error { return err })
	}
	const qty1, qty2 = `{"qty":1}`, `{"qty":2}`
	for _, c := range []struct {
		name   string
		ship   driver.Handler
		events []string // content of event1, then of event2, and again; only the last fails
		fault  func(*drivertest.Faults)
		opts   []cache.Option
		event  driver.Message // what is sent last, where that is neither
		looks  bool           // the store is a driver.KeepLooker
		want   string
	}{
		{name: "a field of another type", ship: ok, events: []string{`1`, `"two"`},
			want: `ship: order "k": event2: got string, want object`},
		{name: "a field of another type, further in", ship: ok, events: []string{`1`, `{"qty":"two"}`},
			want: `ship: order "k": event2.Qty: got string, want number`},
		{name: "the handler fails", ship: fail(errors.New("no truck")), events: []string{`1`, qty1},
			want: `ship: order "k": no truck`},
		{name: "the handler panics", ship: driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("no map") }),
			events: []string{`1`, qty1}, want: `ship: order "k": panic: no map`},
		{name: "several branches", events: []string{`1`, qty1},
			ship: driver.Parallel(driver.Named("mail", fail(errors.New("bounced"))), fail(errors.New("no truck")), ok),
			want: `mail: order "k": bounced; branch 2: order "k": no truck`},
		{name: "no key", event: driver.Message{ID: "7", Source: "event1"},
			want: `joiner: source "event1", event "7": the event has no key`},
		{name: "a source that nobody waits for", event: driver.Message{ID: "7", Key: "k", Source: "event9"},
			want: `joiner: key "k", event "7": source "event9" is not one of those joined, ["event1" "event2"]: give it an alias, or send it elsewhere`},
		{name: "other content", events: []string{`1`, qty1, `1`, qty2}, ship: ok,
			want: `joiner: event "4": memstore: persist: key "k", source "event2": other content is stored already, of event "2"`},
		{name: "the store fails", events: []string{`1`}, fault: failWith(drivertest.OpPersist, errors.New("503 back end down")),
			want: `joiner: event "1": drivertest: before Persist 1, key "k", source "event1": 503 back end down`},
		{name: "the store fails that looks in the same call", events: []string{`1`}, looks: true,
			fault: failWith(drivertest.OpKeepAndLook, errors.New("503 back end down")),
			want:  `joiner: event "1": drivertest: before KeepAndLook 1, key "k", source "event1": 503 back end down`},
		{name: "other content, and the store looks in the same call", events: []string{`1`, qty1, `1`, qty2}, ship: ok, looks: true,
			want: `joiner: event "4": memstore: persist: key "k", source "event2": other content is stored already, of event "2"`},
		{name: "a look at another event fails", events: []string{`1`}, fault: failWith(drivertest.OpLookUp, errors.New("503 back end down")),
			want: `joiner: source "event1", event "1": drivertest: before LookUp 2, key "k", source "event2": 503 back end down`},
		{name: "held by another instance", events: []string{`1`, qty1}, ship: ok, opts: []cache.Option{cache.WaitOnHeld(0)}, fault: heldByAnother,
			want: `cache: memstore: acquire: key "k": held by another until 2000-01-01T00:01:00Z (token 1)`},
		{name: "completed before", events: []string{`1`, qty1, `1`}, ship: ok, opts: []cache.Option{cache.FailOnDone()},
			want: `cache: order "k": already completed`},
		{name: "the completion is refused", events: []string{`1`, qty1}, ship: ok, fault: failWith(drivertest.OpComplete, driver.ErrLost),
			want: `cache: processed, but not recorded as completed: drivertest: before Complete 1, key "k": claim lost`},
		{name: "the outcome of the run before is unknown", events: []string{`1`, qty1}, ship: ok,
			opts: []cache.Option{cache.QuarantineOnExpiry(nil), cache.WaitOnHeld(time.Hour)}, fault: heldByAnother,
			want: `cache: key "k", token 2: whether the holder before this token acted is unknown; find out before it is processed again`},
		{name: "the request runs out of time", events: []string{`1`, qty1}, ship: driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
			time.Sleep(2 * time.Hour)
			return nil
		}), want: `key "k", source "event2", event "2": context deadline exceeded before the handlers were done`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := drivertest.NewFaults(struct{ drivertest.Store }{memstore.New()})
				if c.looks {
					store = drivertest.NewFaults(memstore.New())
				}
				if c.fault != nil {
					c.fault(store)
				}
				p := driver.New(
					transformer.New(transformer.EraseContentFromSources("event9")),
					joiner.New(joiner.MatchAll("event1", "event2"), store, joiner.OnConflict(joiner.Reject)),
					cache.New(store, append(c.opts, cache.Lease(time.Minute))...),
					driver.Named("ship", orOK(c.ship)),
				)
				var err error
				for i, content := range c.events {
					if err != nil {
						t.Fatalf("event %d fails: %v", i, err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					err = p.Process(ctx, driver.Message{ID: fmt.Sprint(i + 1), Key: "k", Source: fmt.Sprint("event", i%2+1), Content: []byte(content)})
				}
				if c.event.ID != "" {
					err = p.Process(t.Context(), c.event)
				}
				if fmt.Sprint(err) != c.want {
					t.Errorf("it says\n\t%v\nwant\n\t%s", err, c.want)
				}
				time.Sleep(2 * time.Hour) // whoever was left behind ends
			})
		})
	}
}

func orOK(h driver.Handler) driver.Handler {
	if h == nil {
		return driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil })
	}
	return h
}

// failWith has each call of op fail.
func failWith(op drivertest.Op, err error) func(*drivertest.Faults) {
	return func(store *drivertest.Faults) {
		store.Hook(func(c drivertest.Call) drivertest.Fault {
			if c.Op != op {
				return drivertest.Fault{}
			}
			return drivertest.Fault{Before: drivertest.FailWith(err)}
		})
	}
}

// heldByAnother has another instance hold the key for a minute, and crash.
func heldByAnother(store *drivertest.Faults) {
	_, _ = store.Acquire(context.Background(), driver.NewClaim("k"), time.Minute)
}

type truck struct{}

func (*truck) Process(context.Context, driver.Message, driver.Next) error { return errBroken }

var errBroken = errors.New("broken")

// TestHandlerNames: a name that was given, the handler's own, or else its place and type.
func TestHandlerNames(t *testing.T) {
	goOn := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error { return next.Call(ctx, in) })
	store := memstore.New()
	for want, h := range map[string]driver.Handler{
		"ship":                          driver.Named("ship", new(truck)),
		"handler 2 (driver_test.truck)": new(truck),
		"handler 2":                     fails(errBroken),
		"joiner":                        joiner.New(joiner.MatchAll("a"), store),
		"joiner orders":                 joiner.New(joiner.MatchAll("a"), store, joiner.Name("orders")),
		"cache":                         cache.New(store, cache.KeyFrom(func(driver.Message) string { return "" })),
		"cache mail":                    cache.New(store, cache.Scope("mail"), cache.KeyFrom(func(driver.Message) string { return "" })),
		"transformer":                   transformer.New(func(m driver.Message) (driver.Message, error) { return m, errBroken }),
		"branch 1":                      driver.Parallel(fails(errBroken)),
	} {
		err := driver.New(goOn, h).Process(t.Context(), driver.Message{Key: "k", Source: "unknown"})
		if e, ok := errors.AsType[*driver.Error](err); !ok || e.Handler != want {
			t.Errorf("%v is located at %+v, want %q", err, e, want)
		}
	}
}

func TestNamedNeedsANameAndAHandler(t *testing.T) {
	for name, h := range map[string]driver.Handler{"": new(truck), "ship": nil} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Named(%q, %v) returned", name, h)
				}
			}()
			driver.Named(name, h)
		}()
	}
}
