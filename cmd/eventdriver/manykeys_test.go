package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/operate/keys"
)

// manyKeys answers the lists of a bucket with many keys, whose objects are those of a few in a stand-in,
// under other names. That stand-in is too slow for 100,000 keys.
type manyKeys struct {
	names    []string // ordered
	metadata map[string]json.RawMessage
	requests atomic.Int64
}

// newManyKeys has keys that are done, and between them keys that wait for event3.
func newManyKeys(t *testing.T, b bucket, all, waiting int) *manyKeys {
	t.Helper()
	b.persist(t, "done", "event1", "event2", "event3")
	if err := b.store.Complete(t.Context(), b.claim(t, "done"), driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}
	m := &manyKeys{metadata: make(map[string]json.RawMessage)}
	names, err := b.server.Names("bucket")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, name := range names {
		_, kind, _ := strings.Cut(name, "/done/")
		attrs, err := b.server.Attrs("bucket", name)
		if err != nil {
			t.Fatal(err)
		}
		m.metadata[kind], _ = json.Marshal(attrs.Metadata) // a map of strings
		kinds = append(kinds, kind)
	}
	for i := range all {
		key := fmt.Sprintf("order-%06d", i)
		folder := fmt.Sprintf("orders/%02x/%s/", sha256.Sum256([]byte(key))[0], key)
		for _, kind := range kinds {
			if isWaiting := i%(all/waiting) == 0; !isWaiting || kind == "events/event1" || kind == "events/event2" {
				m.names = append(m.names, folder+kind)
			}
		}
	}
	slices.Sort(m.names)
	return m
}

func (m *manyKeys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	query := r.URL.Query()
	prefix, begin := query.Get("prefix"), max(query.Get("startOffset"), query.Get("pageToken"), query.Get("prefix"))
	if !strings.HasSuffix(r.URL.Path, "/o") || r.Method != http.MethodGet {
		http.Error(w, "the stand-in lists, and no more", http.StatusNotImplemented)
		return
	}
	end := cmp.Or(query.Get("endOffset"), "~")
	answer := struct {
		NextPageToken string           `json:"nextPageToken,omitempty"`
		Items         []map[string]any `json:"items"`
	}{}
	first, _ := slices.BinarySearch(m.names, begin)
	for _, name := range m.names[first:] {
		if name >= end || !strings.HasPrefix(name, prefix) {
			break
		}
		if len(answer.Items) == 1000 { // as Cloud Storage
			answer.NextPageToken = name
			break
		}
		kind := strings.Join(strings.Split(name, "/")[3:], "/")
		answer.Items = append(answer.Items, map[string]any{"name": name, "timeCreated": "2026-01-02T03:04:05.123Z", "metadata": m.metadata[kind]})
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// TestHundredThousandKeys finds the keys that wait for one event among many that are done, and says in how
// many requests.
func TestHundredThousandKeys(t *testing.T) {
	prove.Only(t, "it lists half a million objects")
	const all, waiting = 100_000, 1000
	b := newBucket(t)
	many := newManyKeys(t, b, all, waiting)
	server := httptest.NewServer(many)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))

	var l keys.List
	out := expectCall(t, b, found, nil, "waiting", "--for=event3", "--json")
	if err := json.Unmarshal([]byte(out), &l); err != nil || l.Found != waiting || l.Seen != all || len(l.Counts) != 1 {
		t.Errorf("found %d of %d, %+v, %v", l.Found, l.Seen, l.Counts, err)
	}
	lists := many.requests.Swap(0)
	expectCall(t, b, found, []string{"It waits for event3"}, "why", "order-000000")
	looks := many.requests.Load()
	if looks > 3 || lists > 1000 {
		t.Errorf("waiting took %d requests, why %d", lists, looks)
	}
	t.Logf("keys: %d of %d found in %d requests, why in %d", l.Found, l.Seen, lists, looks)
}
