package bqstore_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/stores/bqstore"
)

// TestBudget counts the requests of a join of three events that arrive one after
// another. What docs/bigquery.md states is this.
//
// The floor for what the stores promise is not far below these 16. Each event has to be
// written, and the others looked for after that, or a join could be missed: 6. A slot takes a
// job, and its result, or two could hold a key (claim) or a duplicate run again (completion): 4.
// The other 6 are the votes, and the look after each. Without them two contents of one source
// that are written at once could both be taken for kept, by different instances.
func TestBudget(t *testing.T) {
	want := map[string]int{"POST insertAll": 6, "POST queries": 6, "POST jobs": 2, "GET queries": 2}
	if fake.OnEmulator() {
		delete(want, "GET queries") // its jobs are done when they are begun
	}
	if got := requests(t, settings(t)); !maps.Equal(got, want) {
		t.Errorf("a join sends %v, want %v", got, want)
	}
}

// requests counts the requests of a join by their kind.
func requests(t *testing.T, s bqstore.Settings) map[string]int {
	ready(t, s)
	var mu sync.Mutex
	counts := make(map[string]int)
	count := func(kind string) {
		mu.Lock()
		defer mu.Unlock()
		counts[kind]++
	}
	proxy := counting(t, count)
	store, err := bqstore.New(t.Context(), s, option.WithEndpoint(proxy.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	warm, err := store.Acquire(t.Context(), driver.NewClaim("warm"), time.Hour)
	if err == nil {
		err = store.Persist(t.Context(), driver.Message{Key: warm.Key, Source: "up"})
	}
	if err != nil {
		t.Fatal(err)
	}
	clear(counts)
	sources := []string{"event1", "event2", "event3"}
	pipeline := driver.New(joiner.New(joiner.MatchAll(sources...), store), cache.New(store))
	for _, source := range sources {
		if err := pipeline.Process(t.Context(), driver.Message{Key: "order-1", Source: source, Content: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	return counts
}

// counting is a server that tells of each request and passes it on to the emulator.
func counting(t *testing.T, count func(kind string)) *httptest.Server {
	target, err := url.Parse("http://" + emulator())
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path[strings.Index(r.URL.Path, "/projects/"):]
		parts := strings.Split(path, "/")
		what := parts[3]
		if len(parts) > 5 { // "", projects, p, datasets, d, tables, t, insertAll
			what = "table"
		}
		if len(parts) > 7 {
			what = parts[7]
		}
		count(r.Method + " " + what)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// TestDocumentedQueries runs each query of docs/bigquery.md.
func TestDocumentedQueries(t *testing.T) {
	if !fake.OnEmulator() {
		t.Skip(prove.Left + "queries for people need the SQL of BigQuery's emulator")
	}
	s := settings(t)
	store := ready(t, s)
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/bigquery.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := sqlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("docs/bigquery.md has no SQL")
	}
	for _, block := range blocks {
		sql := strings.ReplaceAll(block[1], "PROJECT.DATASET", s.Project()+".orders")
		if _, err := client(t, s).Query(sql).Read(t.Context()); err != nil {
			t.Errorf("%v\n%s", err, sql)
		}
	}
}
