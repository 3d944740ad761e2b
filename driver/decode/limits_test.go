package decode_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

// A content may have many members. An event with many attributes is rejected before they are
// decoded, which takes many times their memory.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`"id":"first"`)
	for i := range 200_000 {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	b.WriteString(`,"id":"k"`)
	members := b.String()
	r := eventtest.Binary("{" + members + "}")
	r.Header.Del("Ce-Key")
	if m := message(t, decoder(t, decode.KeyPointer("/id")), r); m.Key != "k" {
		t.Errorf("key %q, want that of the last member", m.Key)
	}
	for name, r := range map[string]*http.Request{
		"structured": eventtest.Request([]byte(eventtest.Structured(","+members)), "Content-Type", "application/cloudevents+json"),
		"push":       eventtest.Request([]byte(`{"message":{"attributes":{`+members+`}}}`), "Content-Type", "application/json"),
	} {
		before := eventtest.Allocated()
		_, err := rejection(t, r)
		if n := (eventtest.Allocated() - before) / uint64(len(members)); n > 8 || !strings.Contains(err.Error(), "attributes") {
			t.Errorf("%s: refusing it allocated %d times its size: %v", name, n, err)
		}
	}
}

// Attributes are bounded together: they would be copied from one map to the next.
func TestManyBytesOfAttributes(t *testing.T) {
	for length, want := range map[int]driver.Reason{decode.MaxContext - 100: "", decode.MaxContext: driver.ReasonUndecodable} {
		value := strings.Repeat("x", length)
		for name, r := range map[string]*http.Request{
			"push":       eventtest.Request(eventtest.Push(`{"key":"k","a":"`+value+`"}`, "1")),
			"structured": eventtest.Request([]byte(eventtest.Structured(`,"a":"`+value+`"`)), "Content-Type", "application/cloudevents+json"),
		} {
			if _, err := read(t, zero, r); driver.ReasonOf(err) != want || (err == nil) != (want == "") {
				t.Errorf("%s with %d bytes: %.200v; want %q", name, length, err, want)
			}
		}
	}
}
