package serve

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/operate/keys"
)

// TestMain lets this program be the process of an instance, too.
func TestMain(m *testing.M) {
	if id := os.Getenv(instanceVariable); id != "" {
		exitWith(runInstance(id, eventdriver.EntryPoint{}))
	}
	os.Exit(m.Run())
}

// effects judges the runs of the business, and calls a function after each.
type effects struct {
	after func(run int)

	mu     sync.Mutex
	runs   int
	tokens map[string][]int64 // of the runs of each key
}

// Process implements [driver.Handler].
func (e *effects) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	claim, _ := driver.ClaimFrom(ctx)
	e.mu.Lock()
	e.tokens[in.Key] = append(e.tokens[in.Key], claim.Token)
	e.runs++
	run := e.runs
	e.mu.Unlock()
	e.after(run)
	return next.Call(ctx, in)
}

// judge returns how many runs were repeats, and what is wrong: a repeat though the run before it
// neither failed, as one does that outlives its lease, nor was cut off, as a takeover after it says.
// An instance that was frozen just before it acts does so when it is thawed, after its successor; then its run fails.
func (e *effects) judge(journal *records.Journal) (repeats int, wrong []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, tokens := range e.tokens {
		of := journal.OfKey(key)
		inOrder := slices.Sorted(slices.Values(tokens))
		for i, again := range inOrder[1:] {
			repeats++
			if first := inOrder[i]; first == again || !failed(of, first) && !takenOver(of, first, again) {
				wrong = append(wrong, fmt.Sprintf("%s ran with token %d, and again with %d", key, first, again))
			}
		}
		for i, token := range tokens[1:] {
			if token < tokens[i] && !failed(of, token) {
				wrong = append(wrong, fmt.Sprintf("%s ran with token %d after %d", key, token, tokens[:i+1]))
			}
		}
	}
	return repeats, wrong
}

// failed says whether there is a record that the run with a token failed.
func failed(of []records.Record, token int64) bool {
	return slices.ContainsFunc(of, func(r records.Record) bool {
		return r.Kind == records.Run && tokenOf(r) == token && r.Message == "the run fails"
	})
}

// takenOver says whether there is a record of a takeover after the run with the token first, up to again.
func takenOver(of []records.Record, first, again int64) bool {
	return slices.ContainsFunc(of, func(r records.Record) bool {
		return r.Kind == records.Run && first < tokenOf(r) && tokenOf(r) <= again && r.Attributes["takeover"] == true
	})
}

func tokenOf(r records.Record) int64 {
	number, _ := r.Attributes["token"].(float64)
	return int64(number)
}

// Instances are killed and frozen while orders go through, and answers of the store are lost.
// Nothing is lost, and no order is run twice but where its first run was cut off.
func TestNothingIsLostWhenInstancesDie(t *testing.T) {
	prove.Only(t, "claims of instances that were killed run out after up to 20 s")
	const orders = 30
	var local *local
	harm := map[int]func() error{
		3:  func() error { return local.Fleet.Kill("1") },
		6:  func() error { return local.Fleet.Freeze("2") },
		9:  func() error { local.Troubles.LoseStoreAnswers("", 5); return nil },
		12: func() error { local.Troubles.FailHandler("", 3); local.Troubles.PanicHandler("", 2); return nil },
		15: func() error { return local.Fleet.Thaw("2") },
		18: func() error { return local.Fleet.Kill("3") },
		20: func() error { return local.Fleet.Start("3") },
	}
	var harming sync.Mutex
	due := slices.Sorted(maps.Keys(harm))
	e := &effects{tokens: make(map[string][]int64), after: func(run int) {
		if harm[run] == nil {
			return
		}
		harming.Lock()
		defer harming.Unlock()
		for len(due) > 0 && due[0] <= run { // in their order, though runs overtake each other
			if err := harm[due[0]](); err != nil {
				t.Errorf("at run %d: %v", due[0], err)
			}
			due = due[1:]
		}
	}}
	s := story()
	s.here["LEASE"] = "3s"
	log, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	local, err = start(t.Context(), options{addr: "127.0.0.1:0", publishAddr: "127.0.0.1:0", store: "gcs", instances: 3, demo: true}, e, s,
		newPrinter(log, false))
	if err != nil {
		t.Fatal(err)
	}
	publishOrders(t, local, orders)
	local.waitForEvents(t.Context())
	open, err := standing(t.Context(), local)
	if err != nil {
		t.Error(err)
	}
	if err := local.stop(); err != nil {
		t.Error(err)
	}
	repeats, wrong := e.judge(local.Records)
	if len(e.tokens) != orders || open != 0 || len(wrong) != 0 {
		text, _ := os.ReadFile(log.Name())
		t.Errorf("%d orders were run, want %d; %d are not done; wrong: %q\n%s", len(e.tokens), orders, open, wrong, text)
	}
	t.Logf("%d orders, %d runs, %d of them since the run before was cut off", len(e.tokens), e.runs, repeats)
}

func publishOrders(t *testing.T, l *local, orders int) {
	t.Helper()
	var all []events.Event
	for i := range orders {
		key := fmt.Sprintf("order-%d", i)
		for _, topic := range []string{"event1", "event2", "event3", "event2"} {
			all = append(all, event(topic, key))
		}
	}
	if _, err := l.Events.PublishAll(all); err != nil {
		t.Fatal(err)
	}
}

// standing returns how many keys are not done.
func standing(ctx context.Context, l *local) (open int, err error) {
	k, err := l.Keys()
	if err != nil {
		return 0, err
	}
	list, err := k.Waiting(ctx, keys.Query{})
	if list.Seen == 0 {
		return 0, fmt.Errorf("no key was seen, %w", err)
	}
	return list.Found, err
}

// TestStopRestoresTheEnvironment: a second run in one process does not ask the emulator of the first.
func TestStopRestoresTheEnvironment(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	for range 2 {
		l := &local{settings: story()}
		if err := l.startStore(t.Context(), eventdriver.StoreGCS); err != nil {
			t.Fatal(err)
		}
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" {
			t.Errorf("STORAGE_EMULATOR_HOST=%s", host)
		}
	}
}
