package gcsstore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
)

// BenchmarkListKeys finds the keys that wait for an event among 100,000, in a stand-in for
// Cloud Storage that has as many objects as the store would write for them, returns 1,000 at
// most of them at once, and takes 50 ms for that. Run it by
//
//	go test ./stores/gcsstore -run '^$' -bench ListKeys -benchtime 1x
func BenchmarkListKeys(b *testing.B) {
	const keys, waiting = 100_000, 1000
	stand := newListed(keys, waiting)
	server := httptest.NewServer(stand)
	defer server.Close()
	s, err := New(b.Context(), Config("bucket"), option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		stand.lists.Store(0)
		pages, found := 0, 0
		for q := (driver.KeyQuery{Open: true}); ; {
			page, err := s.ListKeys(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			pages++
			found += len(page.Keys)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if found != waiting {
			b.Errorf("found %d keys, want %d", found, waiting)
		}
		b.ReportMetric(float64(pages), "pages")
	}
	b.ReportMetric(float64(len(stand.names)), "objects")
	b.ReportMetric(float64(stand.lists.Load()), "lists")
	b.ReportMetric(float64(keys)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

// stored answers lists of objects that are made up, by their names.
type stored struct {
	names    []string          // ordered
	metadata map[string][]byte // by the ends of the names, as JSON
	lists    atomic.Int64
}

// perPage is how long a list takes.
const perPage = 50 * time.Millisecond

// newListed has the objects of keys of three events each, all processed, but for those that
// wait for one of them.
func newListed(keys, waiting int) *stored {
	m := driver.Message{ID: driver.NewOwner(), Content: make([]byte, 1000), MediaType: "application/json",
		Time: time.Now()}
	s := &stored{metadata: make(map[string][]byte)}
	for kind, metadata := range map[string]map[string]string{
		"event1": describe(m), "event2": describe(m), "event3": describe(m),
		"claim": record{token: 1, owner: driver.NewOwner(), ttl: time.Minute, write: newWrite()}.metadata(),
		"done": {fieldState: stateDone, fieldToken: "1", fieldOwner: driver.NewOwner(),
			fieldOutcome: string(driver.OutcomeProcessed), fieldForm: "1"},
	} {
		s.metadata[kind], _ = json.Marshal(metadata)
	}
	for i := range keys {
		c := driver.Claim{Key: fmt.Sprintf("order-%08d", i)}
		s.names = append(s.names, layout{}.event(c.Key, "event1"), layout{}.event(c.Key, "event2"))
		if i%(keys/waiting) > 0 {
			s.names = append(s.names, layout{}.event(c.Key, "event3"), layout{}.claim(c), layout{}.done(c))
		}
	}
	slices.Sort(s.names)
	return s
}

func (s *stored) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lists.Add(1)
	time.Sleep(perPage)
	query := r.URL.Query()
	first, _ := slices.BinarySearch(s.names, max(query.Get("startOffset"), query.Get("pageToken")))
	end, _ := slices.BinarySearch(s.names, query.Get("endOffset"))
	last := min(first+mostListed, end)
	w.Header().Set("Content-Type", "application/json")
	next := ""
	if last < end {
		next = s.names[last]
	}
	fmt.Fprintf(w, `{"nextPageToken": %q, "items": [`, next)
	for i, name := range s.names[first:last] {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		kind := name[strings.LastIndexByte(name, '/')+1:]
		fmt.Fprintf(w, `{"name": %q, "timeCreated": "2026-01-02T03:04:05.123Z", "metadata": %s}`, name, s.metadata[kind])
	}
	fmt.Fprint(w, "]}")
}
