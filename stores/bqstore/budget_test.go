package bqstore_test

import (
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
	"example.com/eventdriver/stores/bqstore"
)

// TestBudget counts the requests of a join of three events that arrive one after
// another. What docs/bigquery.md states is this.
func TestBudget(t *testing.T) {
	s := settings(t)
	ready(t, s)
	target, err := url.Parse("http://" + emulator())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	counts := make(map[string]int)
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path[strings.Index(r.URL.Path, "/projects/"):]
		mu.Lock()
		counts[r.Method+" "+strings.Split(path, "/")[3]]++
		mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	store, err := bqstore.New(t.Context(), s, option.WithEndpoint(proxy.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	warm, err := store.Acquire(t.Context(), "warm", time.Hour)
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
	want := map[string]int{"POST jobs": 5, "GET queries": 5, "POST queries": 8, "GET datasets": 5}
	for kind, n := range want {
		if counts[kind] != n {
			t.Errorf("%d of %s, want %d", counts[kind], kind, n)
		}
	}
	if len(counts) != len(want) {
		t.Errorf("a join sends %v, want %v", counts, want)
	}
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// TestDocumentedQueries runs each query of docs/bigquery.md.
func TestDocumentedQueries(t *testing.T) {
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
