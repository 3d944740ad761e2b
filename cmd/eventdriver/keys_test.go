package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/stores/bqstore"
	"example.com/eventdriver/stores/gcsstore"
)

// bucket is a function's environment, its bucket, and the store in it.
type bucket struct {
	environ []string
	server  *gcs.Server
	store   *gcsstore.Store
}

func newBucket(t *testing.T) bucket {
	t.Helper()
	server := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", server.Host())
	store, err := gcsstore.New(t.Context(), gcsstore.Config("bucket").WithFolder("orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return bucket{[]string{"GOOGLE_CLOUD_PROJECT=p", "GCS_BUCKET=bucket", "GCS_FOLDER=orders", "EVENT_SOURCES=event1,event2,event3"},
		server, store}
}

// persist keeps an event of each of the sources.
func (b bucket) persist(t *testing.T, key string, sources ...string) {
	t.Helper()
	for _, source := range sources {
		m := driver.Message{ID: source + "-id", Key: key, Source: source, Content: []byte(`{"n":1}`), MediaType: "application/json"}
		if err := b.store.Persist(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// claim claims a key.
func (b bucket) claim(t *testing.T, key string) driver.Claim {
	t.Helper()
	c, err := b.store.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// expectCall runs the command, and checks its exit code and what it prints.
func expectCall(t *testing.T, b bucket, code int, says []string, args ...string) (out string) {
	t.Helper()
	got, out, errs := call(t, b.environ, args...)
	if got != code {
		t.Errorf("%q: exit code %d, want %d: %s%s", args, got, code, out, errs)
	}
	for _, text := range says {
		if !strings.Contains(out+errs, text) {
			t.Errorf("%q: it does not say %q: %s%s", args, text, out, errs)
		}
	}
	return out
}

// TestWhy: a screen for each state, in three requests at most.
func TestWhy(t *testing.T) {
	b := newBucket(t)
	all := []string{"event1", "event2", "event3"}
	b.persist(t, "waits", "event1", "event2")
	for _, key := range []string{"complete", "held", "failed", "done"} {
		b.persist(t, key, all...)
	}
	b.claim(t, "held")
	letter := driver.DeadLetter{Key: "failed", Reason: driver.ReasonPermanent, Source: "event3", ID: "event3-id", Body: []byte("secret")}
	if err := errors.Join(
		b.store.Release(t.Context(), b.claim(t, "failed"), driver.Released{Mark: driver.MarkFailed}),
		b.store.AddDeadLetter(t.Context(), letter),
		b.store.Complete(t.Context(), b.claim(t, "done"), driver.OutcomeProcessed)); err != nil {
		t.Fatal(err)
	}
	for key, c := range map[string]struct {
		code int
		says []string
	}{
		"waits": {found, []string{"waits: waiting", "event1  present", "event3  MISSING", "application/json", "event2-id",
			"It waits for event3", "claim: none"}},
		"complete": {found, []string{"complete: complete", "All events are there"}},
		"held":     {fine, []string{"held: held", "claim: held, token", "lease until"}},
		"failed":   {found, []string{"failed: failed", "claim: released as failed", "permanent-error", "no retry can help"}},
		"done":     {fine, []string{"done: done", "completed: processed", "Nothing happens any more"}},
		"unknown":  {found, []string{"unknown: none", "Nothing is kept"}},
		"\x1b[2J":  {found, []string{`"\x1b[2J": none`}},
	} {
		t.Run(key, func(t *testing.T) {
			b.server.Reset()
			out := expectCall(t, b, c.code, c.says, "why", key)
			if n := len(b.server.Requests()); n > 3 || strings.ContainsAny(out, "\x1b") {
				t.Errorf("%d requests, %q", n, out)
			}
			var a keys.Answer
			if err := json.Unmarshal([]byte(expectCall(t, b, c.code, nil, "why", key, "--json")), &a); err != nil || a.Key != key {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// TestWhyIsOneScreen: problems come first, and of many letters the last.
func TestWhyIsOneScreen(t *testing.T) {
	a := keys.Answer{Key: "order-1", State: "failed", Next: "Do this.", Problems: []string{"an object is corrupt"}}
	for _, source := range []string{"event1", "event2", "event3"} {
		a.Sources = append(a.Sources, keys.Source{Name: source})
	}
	for i := range 100 {
		a.Letters = append(a.Letters, keys.Letter{Ref: fmt.Sprint("letter-", i)})
	}
	text := describe(a, time.Now())
	if n := strings.Count(text, "\n"); n > 24 || !strings.HasPrefix(text, "order-1: failed\n\nproblem: an object is corrupt\n") ||
		!strings.Contains(text, "letter-99 ") || !strings.Contains(text, "and 92 before them") || !strings.HasSuffix(text, "\nDo this.\n") {
		t.Errorf("%d lines: %s", n, text)
	}
}

// TestTheCursorIsOneWord: what the command prints can be pasted into a shell.
func TestTheCursorIsOneWord(t *testing.T) {
	text := describeList(keys.List{Cursor: "spans;3a%2F:64;it's"}, time.Now())
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+text[strings.Index(text, "--cursor="):]).Output()
	if err != nil || string(out) != "--cursor=spans;3a%2F:64;it's" {
		t.Errorf("a shell takes %q for %q, %v", text, out, err)
	}
}

// slow is a store whose listing gets on, and sees no key until the time is over.
type slow struct{ driver.Inspector }

func (slow) ListKeys(ctx context.Context, _ driver.KeyQuery) (driver.KeyPage, error) {
	<-ctx.Done()
	return driver.KeyPage{Next: "spans;7"}, ctx.Err()
}

// TestCursorWithoutKeys: where to go on is said also where no key was seen yet.
func TestCursorWithoutKeys(t *testing.T) {
	var out, errs strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	g := &globals{surroundings: surroundings{out: &out, err: &errs}}
	err := g.waiting(ctx, keys.Function{Store: slow{}}, keys.Query{})
	if err == nil || !strings.HasSuffix(err.Error(), "go on with --cursor='spans;7'") {
		t.Errorf("%v, which should end with the cursor", err)
	}
}

func TestWaiting(t *testing.T) {
	b := newBucket(t)
	for i := range 30 {
		b.persist(t, fmt.Sprint("order-", i), "event1", "event2")
	}
	b.persist(t, "half", "event1")
	b.persist(t, "done", "event1", "event2")
	if err := b.store.Complete(t.Context(), b.claim(t, "done"), driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}
	expectCall(t, b, found, []string{"30    waiting  event3\n", "1     waiting  event2, event3\n",
		"31 of 32 keys are not completed"}, "waiting")
	expectCall(t, b, found, []string{"1 of 32"}, "waiting", "--for=event2")
	expectCall(t, b, fine, []string{"0 of "}, "waiting", "--older-than=1h")
	expectCall(t, b, failed, []string{"--within is over", "no page was listed"}, "waiting", "--within=1ns")
	for _, flag := range []string{"--within=-1s", "--older-than=-1h", "--limit=-1"} {
		expectCall(t, b, usage, []string{"must not be negative"}, "waiting", flag)
	}
	expectCall(t, b, usage, []string{"must not be negative"}, "letters", "list", "--limit=-1")
	expectCall(t, b, usage, []string{"must not be negative"}, "purge", "order-1", "--settle=-10s")
	if text := describeList(keys.List{Cursor: "spans;00%2F:64"}, time.Now()); !strings.Contains(text, "--cursor='spans;00%2F:64'\n") {
		t.Errorf("a shell would not read the cursor as it is: %s", text)
	}
	expectCall(t, b, usage, []string{"does not join"}, "waiting", "--for=event9")
	var l keys.List
	out := expectCall(t, b, found, nil, "waiting", "--json", "--limit=2")
	if err := json.Unmarshal([]byte(out), &l); err != nil || l.Found != 31 || len(l.Oldest) != 2 || l.Cursor != "" {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestKeysOfAService: the settings are those of the revision that gets the events.
func TestKeysOfAService(t *testing.T) {
	b := newBucket(t)
	b.persist(t, "order-1", "event1")
	const service = "/v2/projects/p/locations/r/services/orders"
	apis := googleapis.New(t, map[string]any{
		service: map[string]any{"name": service[4:], "template": map[string]any{"containers": []any{map[string]any{"env": []any{
			map[string]any{"name": "EVENT_SOURCES", "value": "event1,event7"}, map[string]any{"name": "GCS_BUCKET", "value": "bucket"}}}}}},
		service + "/revisions": map[string]any{},
	})
	b.environ = []string{"GCS_BUCKET=another"} // that of the machine
	expectCall(t, b, found, []string{"It waits for event7"},
		"why", "order-1", "--service=orders", "--region=r", "--project=p", "--endpoint="+apis.URL)
}

// TestStoreThatCannotBeLookedAt: the error says why.
func TestStoreThatCannotBeLookedAt(t *testing.T) {
	b := newBucket(t)
	b.environ = append(b.environ, "EVENT_STORE=memory")
	expectCall(t, b, failed, []string{"only the function's own process"}, "why", "order-1")
}

// onEachStore runs a test with all in Cloud Storage, with the events in BigQuery, and with all there.
func onEachStore(t *testing.T, test func(t *testing.T, b bucket)) {
	for name, stores := range map[string][]string{"Cloud Storage": nil, "events in BigQuery": {"EVENT_STORE=bigquery"},
		"BigQuery": {"EVENT_STORE=bigquery", "CLAIM_STORE=bigquery"}} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			t.Setenv("BIGQUERY_EMULATOR_HOST", bigquery.New(t).Host())
			tables, err := bqstore.New(t.Context(), bqstore.Config("my-project", "orders").WithLocation("EU"))
			if err != nil {
				t.Fatal(err)
			}
			defer tables.Close()
			if err := tables.EnsureTables(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.environ = append(b.environ, "BIGQUERY_DATASET=orders", "BIGQUERY_PROJECT=my-project", "BIGQUERY_LOCATION=EU")
			b.environ = append(b.environ, stores...)
			test(t, b)
		})
	}
}

// TestKeysThatLookAlike: two keys that differ by a blank are two rows of waiting, and why can be asked for each.
func TestKeysThatLookAlike(t *testing.T) {
	b := newBucket(t)
	b.persist(t, "order-1", "event1")
	b.persist(t, "order-1 ", "event1")
	expectCall(t, b, found, []string{`"order-1 "  waiting`, "order-1     waiting"}, "waiting")
	expectCall(t, b, found, []string{`"order-1 ": waiting`}, "why", "order-1 ")
}
