package bqstore_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// step is what a writer has appended to a place before it died.
type step struct {
	writer, kind string
	sealed       bool
}

func (s step) append(t *testing.T, of bqstore.Settings, source string) {
	t.Helper()
	row := rowOfForm{"form": 1, "key": "order-1", "source": source, "kind": s.kind, "seq": 0, "writer": s.writer, "digest": "d",
		"event_id": "", "content": []byte{}, "attributes": "{}", "created_at": time.Now().UTC().Truncate(time.Microsecond)}
	if s.sealed {
		row["form"], row["digest"] = 2, "sealed"
	} else if s.kind == "agreed" {
		row["content"] = []byte("1")
	}
	if err := client(t, of).Dataset("orders").Table("events").Inserter().Put(t.Context(), bigquery.ValueSaver(row)); err != nil {
		t.Fatal(err)
	}
}

// TestWritersOfAnEventAndItsSealDied: whoever reads comes to the end that one of the two may have been told.
func TestWritersOfAnEventAndItsSealDied(t *testing.T) {
	for name, place := range map[string]struct {
		steps        []step
		kept, sealed bool
	}{
		"a seal was proposed":     {[]step{{"a", "proposed", true}}, false, false},
		"the seal is agreed on":   {[]step{{"a", "proposed", true}, {"b", "proposed", false}, {"a", "agreed", true}, {"b", "disputed", false}}, false, true},
		"the event is agreed on":  {[]step{{"a", "proposed", true}, {"b", "proposed", false}, {"a", "disputed", true}, {"b", "agreed", false}}, true, false},
		"neither is agreed on":    {[]step{{"a", "proposed", true}, {"b", "proposed", false}, {"a", "disputed", true}, {"b", "disputed", false}}, false, false},
		"the seal had no dispute": {[]step{{"a", "proposed", true}, {"a", "agreed", true}, {"b", "proposed", false}}, false, true},
	} {
		for _, first := range []string{"LookUp", "LookUpByKey", "ListSourcesByKey", "ListDecided", "Inspect"} {
			t.Run(name+", "+first, func(t *testing.T) {
				s := settings(t)
				store := ready(t, s)
				for _, step := range place.steps {
					step.append(t, s, "event1")
				}
				for i, method := range slices.Compact([]string{first, "LookUp", "LookUpByKey", "ListSourcesByKey", "ListDecided", "Inspect"}) {
					kept, sealed, err := standing(t, store, method)
					if err != nil || kept != place.kept || sealed != (place.sealed && method != "LookUpByKey" && method[:4] != "List") {
						t.Errorf("call %d, %s: kept %v, sealed %v, %v", i, method, kept, sealed, err)
					}
				}
			})
		}
	}
}

// standing returns what a method says of event1 of order-1.
func standing(t *testing.T, store *bqstore.Store, method string) (kept, sealed bool, err error) {
	var sources []string
	switch method {
	case "LookUp":
		_, err = store.LookUp(t.Context(), "order-1", "event1")
		sealed = errors.Is(err, driver.ErrSealed)
		if err == nil {
			return true, false, nil
		}
		if sealed || errors.Is(err, driver.ErrNotFound) {
			err = nil
		}
	case "LookUpByKey":
		var messages []driver.Message
		messages, err = store.LookUpByKey(t.Context(), "order-1")
		kept = len(messages) == 1 && string(messages[0].Content) == "1"
		return kept, false, err
	case "ListSourcesByKey":
		sources, err = store.ListSourcesByKey(t.Context(), "order-1")
	case "ListDecided":
		sources, _, err = store.ListDecided(t.Context(), "order-1", "join")
	case "Inspect":
		var k driver.KeyState
		if k, err = store.Inspect(t.Context(), "order-1"); errors.Is(err, driver.ErrNotFound) {
			err = nil
		}
		sources, sealed = k.Sources(), len(k.Sealed) == 1
	}
	return len(sources) == 1, sealed, err
}

// TestSealsWhoseAnswersAreLost: answers to appends are lost while events and their seals come at once. All are told the
// same of a place.
func TestSealsWhoseAnswersAreLost(t *testing.T) {
	server, store := on(t)
	var mu sync.Mutex
	appends := 0
	server.OnRequest(func(r fake.Request) fake.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != "tabledata.insertAll" {
			return fake.Fault{}
		}
		if appends++; appends%3 == 1 {
			return fake.Fault{Served: true, Status: 503, Reason: "backendError"}
		}
		return fake.Fault{}
	})
	for i := range 4 {
		m := driver.Message{Key: fmt.Sprint("order-", i), Source: "event1", Content: []byte("1")}
		told := make([]bool, 4)
		var callers sync.WaitGroup
		for c := range told {
			callers.Go(func() {
				for {
					var err error
					if c%2 == 0 {
						told[c], err = store.Seal(t.Context(), m.Key, m.Source)
					} else {
						err = store.Persist(t.Context(), m)
						told[c] = errors.Is(err, driver.ErrSealed)
					}
					if err == nil || told[c] || t.Context().Err() != nil {
						return
					}
				}
			})
		}
		callers.Wait()
		_, err := store.LookUp(t.Context(), m.Key, m.Source)
		if sealed := errors.Is(err, driver.ErrSealed); slices.Contains(told, !sealed) || !sealed && err != nil {
			t.Errorf("%s: the callers were told %v, and it is %v", m.Key, told, err)
		}
	}
}
