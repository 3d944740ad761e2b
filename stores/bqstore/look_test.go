package bqstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// TestLookSettlesADispute: for another source of the key somebody has agreed on a content, and
// somebody else has not. KeepAndLook has a slot keep that content.
func TestLookSettlesADispute(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	step := steps(t, s, "event2")
	step("proposed", "a", "of a", "{}")
	step("agreed", "a", "of a", "{}")
	step("proposed", "b", "of b", "{}")
	step("disputed", "b", "of b", "{}")
	mine := driver.Message{Key: "order-1", Source: "event1", Content: []byte("mine")}
	messages, missing, err := store.KeepAndLook(t.Context(), mine, []string{"event1", "event2"})
	if err != nil || len(missing) > 0 || len(messages) != 2 || string(messages[0].Content) != "mine" || string(messages[1].Content) != "of a" {
		t.Fatalf("%v, missing %q, %v; want both events", messages, missing, err)
	}
	if slots := keptSlots(t, s, "event2"); len(slots) != 1 || slots[0] != 1 {
		t.Errorf("slots %v were taken, want the first", slots)
	}
}

// TestListDecidedSettlesADispute: what is read as decided is decided for good.
func TestListDecidedSettlesADispute(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	const source = "base64:!decided/any"
	step := steps(t, s, source)
	for _, row := range [][2]string{{"proposed", "a"}, {"agreed", "a"}, {"proposed", "b"}, {"disputed", "b"}} {
		sources := map[string]string{"a": `["x","y"]`, "b": `["x","y","z"]`}[row[1]]
		step(row[0], row[1], sources, fmt.Sprintf(`{"sources":%q}`, sources))
	}
	_, decided, err := store.ListDecided(t.Context(), "order-1", "any")
	if err != nil || !slices.Equal(decided, []string{"x", "y"}) {
		t.Errorf("decided %q, %v; want what was agreed on", decided, err)
	}
	if slots := keptSlots(t, s, source); len(slots) != 1 || slots[0] != 1 {
		t.Errorf("slots %v were taken, want the first", slots)
	}
}

// steps returns a function that appends a row towards what is kept of a source of order-1.
func steps(t *testing.T, s bqstore.Settings, source string) func(kind, writer, content, attributes string) {
	t.Helper()
	inserter := client(t, s).Dataset("orders").Table("events").Inserter()
	return func(kind, writer, content, attributes string) {
		t.Helper()
		digest := sha256.Sum256([]byte(content))
		row := rowOfForm{"key": "order-1", "source": source, "kind": kind, "seq": 0, "writer": writer,
			"digest": hex.EncodeToString(digest[:]), "event_id": writer, "content": []byte{}, "attributes": attributes,
			"created_at": time.Now().UTC().Truncate(time.Microsecond)}
		if kind == "agreed" {
			row["content"] = []byte(content)
		}
		if err := inserter.Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
}

// keptSlots returns the slots of a source of order-1 that decided.
func keptSlots(t *testing.T, s bqstore.Settings, source string) (slots []int64) {
	t.Helper()
	rows, err := client(t, s).Query("SELECT seq FROM `" + s.Project() + ".orders.events` WHERE source = '" + source +
		"' AND kind = 'kept'").Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for row := (struct{ Seq int64 }{}); rows.Next(&row) == nil; {
		slots = append(slots, row.Seq)
	}
	return slots
}

// measuring counts the bytes that are received in answer to queries.
type measuring struct{ received atomic.Int64 }

func (m *measuring) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		response.Body = &measured{response.Body, m}
	}
	return response, err
}

type measured struct {
	io.ReadCloser
	by *measuring
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.by.received.Add(int64(n))
	return n, err
}

// TestContentsAreReadOnce: the contents of a key are received when all of its events are there,
// once, and not those of the event that is kept.
func TestContentsAreReadOnce(t *testing.T) {
	server, store := on(t)
	const size = 1 << 20
	event := func(source string) driver.Message {
		return driver.Message{Key: "order-1", Source: source, Content: make([]byte, size)}
	}
	if err := store.Persist(t.Context(), event("event1")); err != nil {
		t.Fatal(err)
	}
	m := new(measuring)
	look := func(source string) (messages []driver.Message, received int64) {
		m.received.Store(0)
		messages, _, err := measuredStore(t, server, m).KeepAndLook(t.Context(), event(source), []string{"event1", "event2", "event3"})
		if err != nil {
			t.Fatal(err)
		}
		return messages, m.received.Load()
	}
	if messages, received := look("event2"); messages != nil || received > size/2 {
		t.Errorf("%d messages and %d bytes while one is missing", len(messages), received)
	}
	if messages, received := look("event3"); len(messages) != 3 || received > 2*size*4/3+size/2 {
		t.Errorf("%d messages and %d bytes; want those of the two others in base64", len(messages), received)
	}
}

func measuredStore(t *testing.T, server *fake.Server, m *measuring) *bqstore.Store {
	t.Helper()
	store, err := bqstore.New(t.Context(), bqstore.Config("project", "orders").WithLocation("EU"), option.WithEndpoint("http://"+server.Host()),
		option.WithHTTPClient(&http.Client{Transport: m}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}
