package memstore_test

import (
	"maps"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// An event that comes again may have other attributes. Those that came first are kept, and returned.
func TestLookReturnsTheAttributesThatAreKept(t *testing.T) {
	long := strings.Repeat("x", 1000)
	all := []map[string]string{nil, {}, {"": ""}, {"a": ""}, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "1", "c": "2"},
		{"a": "1", "b": "2", "c": "3"}, {"a": long, long: "1"}, {"a": long + "y", long: "1"}}
	for _, kept := range all {
		for _, again := range all {
			store := memstore.New()
			m := driver.Message{ID: "1", Key: "k", Source: "s", MediaType: "text/plain", Content: []byte("c"), Attributes: kept}
			if err := store.Persist(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			m.Attributes = again
			found, _, err := store.KeepAndLook(t.Context(), m, []string{"s"})
			if err != nil || len(found) != 1 || !maps.Equal(found[0].Attributes, kept) || found[0].ID != "1" || found[0].MediaType != "text/plain" {
				t.Errorf("kept with %.50v, came again with %.50v: found %.200v, %v", kept, again, found, err)
			}
		}
	}
}

// The contents that a look returns share one piece of memory.
func TestContentsOfALookAreApart(t *testing.T) {
	store, sources := memstore.New(), []string{"a", "b", "c"}
	var found []driver.Message
	for _, source := range sources {
		var err error
		if found, _, err = store.KeepAndLook(t.Context(), driver.Message{Key: "k", Source: source, Content: []byte(source)}, sources); err != nil {
			t.Fatal(err)
		}
	}
	_ = append(found[0].Content, "more"...)
	if string(found[1].Content) != "b" {
		t.Errorf("append to one content changed another to %q", found[1].Content)
	}
}
