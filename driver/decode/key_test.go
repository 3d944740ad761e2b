package decode_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func TestKeyOrder(t *testing.T) {
	e := eventtest.Event(eventtest.PubSubType, eventtest.PubSubSource, []byte(`{"message": {"messageId": "1", "orderingKey": "ordering",
		"data": "eyJvcmRlciI6IHsiaWQiOiA0Mn19", "attributes": {"key": "attribute"}}}`)) // {"order": {"id": 42}}
	e.SetExtension("partitionkey", "partition")
	in := decoder(t, decode.KeyPointer("/order/id"))
	expect := func(want string) {
		t.Helper()
		m, err := in.Message(t.Context(), e)
		if m.Key != want || (want == "") != errors.Is(err, driver.ErrNoKey) {
			t.Errorf("key %q, %v; want %q", m.Key, err, want)
		}
	}
	expect("42")
	in = decoder(t, decode.KeyPointer("/order/number"))
	expect("") // where the pointer is, and nowhere else
	in = zero
	expect("k")
	e.SetExtension("key", "")
	expect("partition")
	e.SetExtension("partitionkey", nil)
	expect("attribute")
	e.DataEncoded = []byte(`{"message": {"orderingKey": "ordering", "attributes": {"key": ""}}}`)
	expect("ordering")
	e.DataEncoded = []byte(`{"message": {}}`)
	e.SetSubject("subject")
	expect("")
	e.SetType("com.example.order")
	expect("subject")
	e.SetSubject("")
	expect("")
}

func TestNoKeyNamesTheRemedy(t *testing.T) {
	e := eventtest.Event(eventtest.StorageType, eventtest.StorageSource, eventtest.Sample(t, "storage/StorageObjectData-simple.json"))
	e.SetExtension("key", nil)
	m, err := zero.Message(t.Context(), e)
	if driver.ReasonOf(err) != driver.ReasonNoKey || !errors.Is(err, driver.ErrNoKey) {
		t.Fatalf("%v, want a rejection for want of a key", err)
	}
	for _, part := range []string{"id-1", eventtest.StorageType, "some-bucket", `Pub/Sub attribute "key"`, `extension "key"`, "KEY_POINTER"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not mention %s", err, part)
		}
	}
	if m.ID != "id-1" || m.Source != "some-bucket" {
		t.Errorf("beside the error there is %+v; want what is known", m)
	}
}

// keyAt returns the key that pointer finds in content.
func keyAt(t testing.TB, pointer, content string) string {
	t.Helper()
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource("s")
	e.SetType("t")
	e.DataEncoded = []byte(content)
	anything := decode.Content(map[string]decode.ContentKind{"s": decode.ContentBytes})
	m, err := decoder(t, decode.KeyPointer(pointer), anything).Message(t.Context(), &e)
	if err != nil && !errors.Is(err, driver.ErrNoKey) {
		t.Fatal(err)
	}
	return m.Key
}

func TestKeyPointer(t *testing.T) {
	for _, c := range []struct{ pointer, content, want string }{
		{"/order/id", `{"order": {"id": "A1"}}`, "A1"},
		{"/order/id", ` { "order" : { "id" : 9007199254740993 } } `, "9007199254740993"},
		{"/n", `{"n": 1.50}`, "1.50"},
		{"/n", `{"n": -1e2}`, "-1e2"},
		{"/n", `{"n": "42"}`, "42"},
		{"/n", `{"n": true}`, ""},
		{"/n", `{"n": null}`, ""},
		{"/n", `{"n": {}}`, ""},
		{"/n", `{"n": ["x"]}`, ""},
		{"/n", `{"n": ""}`, ""},
		{"/N", `{"n": "x"}`, ""},
		{"/n", `{"n": "a", "n": "b"}`, "b"}, // the last, as for encoding/json
		{"/n", `{"n": "a", "n": {}}`, ""},
		{"/n/m", `{"n": {"m": "a"}, "n": {}}`, ""}, // the last n has no m
		{"/n/m", `{"n": {"m": "a"}, "n": {"m": "b", "x": {"m": "c"}}, "m": "d"}`, "b"},
		{"/n", `{"\u006e": "escaped"}`, "escaped"},
		{"/é", `{"\u00e9": "escaped"}`, "escaped"},
		{"/\"}", `{"\"}": "quoted", "x": "\\"}`, "quoted"},
		{"/b", "\t{ \"a\" : [ { } , [ ] , \"]}\" , -1.5e3 , true , null ] ,\r\n\"b\" : \"x\" } ", "x"},
		{"/a/0/0/b", `{"a":[[{"a":0,"b":"x"}]]}`, "x"},
		{"/a/10", `{"a":[0,1,2,3,4,5,6,7,8,9,"ten"]}`, "ten"},
		{"/a/1", `{"a": ["x", "y"]}`, "y"},
		{"/a/2", `{"a": ["x", "y"]}`, ""},
		{"/a/-", `{"a": ["x"]}`, ""},
		{"/a/00", `{"a": ["x"]}`, ""},
		{"/a/+0", `{"a": ["x"]}`, ""},
		{"/a/-1", `{"a": ["x"]}`, ""},
		{"/a/b", `{"a": "x"}`, ""},
		{"", `"whole"`, "whole"},
		{"", ` 7 `, "7"},
		{"/", `{"": "empty name"}`, "empty name"},
		{"/a~1b", `{"a/b": "x"}`, "x"},
		{"/m~0n", `{"m~n": "x"}`, "x"},
		{"/~01", `{"~1": "x"}`, "x"}, // not "/"
		{"/k", `{"k": "caf\u00e9 \ud83d\ude00 \\ud800 \ufffd"}`, "café 😀 \\ud800 \ufffd"},
		{"/k", `{"k": "\ud800"}`, ""}, // decoded, it would meet "\ud801"
		{"/k", `{"k": "\ud800\u0041"}`, ""},
		{"/k", `{"k": "\udc00"}`, ""},
		{"/k", "{\"k\": \"\xff\"}", ""},
		{"/k", `{"k": "x"`, ""},
		{"/k", `{"k": "x"} y`, ""},
		{"/k", ``, ""},
		{"/k", "\x00", ""},
	} {
		if got := keyAt(t, c.pointer, c.content); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.pointer, c.content, got, c.want)
		}
	}
}

func TestKeyPointerIsValidated(t *testing.T) {
	for _, bad := range []string{"order", "order/id", "#/order", "/a~", "/a~2b", "/~~", "$.order"} {
		if _, err := decode.New(decode.KeyPointer(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// The pointer costs one pass over the content, however many tokens it has: nothing is copied or
// decoded on the way.
func TestKeyPointerReadsContentOnce(t *testing.T) {
	const depth, size = 500, 4 << 20
	deep := strings.Repeat(`{"a":`, depth) + `{"x":"` + strings.Repeat("x", size) + `","k":"key"}` + strings.Repeat(`}`, depth)
	many := `{"k":"first"` + strings.Repeat(`,"k":"other"`, size/12) + `,"k":"key"}`
	for _, c := range []struct{ pointer, content string }{
		{strings.Repeat("/a", depth) + "/k", deep},
		{"/k", many},
	} {
		before := eventtest.Allocated()
		if key := keyAt(t, c.pointer, c.content); key != "key" {
			t.Errorf("found %q", key)
		}
		// keyAt itself makes one copy.
		if n := eventtest.Allocated() - before; n > 3*size/2 {
			t.Errorf("%d bytes of JSON, %d tokens: allocated %d bytes", len(c.content), strings.Count(c.pointer, "/"), n)
		}
	}
}

// The search for the key ends with the context, and the event can be retried.
func TestKeyPointerHonoursTheContext(t *testing.T) {
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource("s")
	e.SetType("t")
	e.DataEncoded = []byte(`{"a":["` + strings.Repeat(`","`, 2<<20) + `"],"k":"key"}`)
	ctx := &endingContext{Context: t.Context(), looks: 3}
	m, err := decoder(t, decode.KeyPointer("/k")).Message(ctx, &e)
	if !errors.Is(err, context.DeadlineExceeded) || driver.IsPermanent(err) || m.Key != "" {
		t.Errorf("key %q, %v; want the deadline's error, to be tried again", m.Key, err)
	}
}

// endingContext ends after it was looked at a number of times.
type endingContext struct {
	context.Context
	looks int
}

func (c *endingContext) Err() error {
	if c.looks--; c.looks < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// A source with a pointer has its key there and nowhere else; other sources have it outside of the
// content.
func TestKeyPointerDoesNotFallThrough(t *testing.T) {
	of := func(opts ...decode.Option) *decode.Decoder { return decoder(t, opts...) }
	each := decode.KeyPointers(map[string]string{"event1": "/order/id", "event2": "/id"})
	for _, c := range []struct {
		in            *decode.Decoder
		source, data  string
		key, mentions string
	}{
		{of(each), "event1", `{"order":{"id":7},"id":8}`, "7", ""},
		{of(each), "event2", `{"order":{"id":7},"id":8}`, "8", ""},
		{of(each), "event3", `{"order":{"id":7},"id":8}`, "beside", ""},
		{of(each), "event1", `{"id":8}`, "", `"/order/id"`},
		{of(each), "event2", `{"id":null}`, "", `"/id"`},
		{of(each), "event2", `{"id":""}`, "", `"/id"`},
		{of(each), "event2", `{"id":"\ud800"}`, "", `"/id"`},
		{of(each), "event2", `{"id":["8"]}`, "", `"/id"`},
		{of(each), "event2", ``, "", `"/id"`},
		{of(decode.KeyPointer("/n"), each), "event1", `{"order":{"id":7},"n":9}`, "7", ""},
		{of(decode.KeyPointer("/n"), each), "event1", `{"n":9}`, "", `"/order/id"`},
		{of(decode.KeyPointer("/n"), each), "event3", `{"n":9}`, "9", ""},
		{of(decode.KeyPointer("/n"), each), "event3", `{}`, "", `"/n"`},
		{of(decode.KeyPointer("/n")), "event1", `{}`, "", `"/n"`},
		{of(each, decode.SourceAliases(map[string][]string{"event1": {"shop"}})), "shop", `{"order":{"id":7}}`, "7", ""},
	} {
		e := eventtest.Event("com.example", c.source, []byte(c.data))
		e.SetExtension("key", "beside")
		e.SetExtension("partitionkey", "beside")
		e.SetSubject("beside")
		m, err := c.in.Message(t.Context(), e)
		if m.Key != c.key || (c.key == "") != errors.Is(err, driver.ErrNoKey) {
			t.Errorf("%s, %s: key %q, %v; want %q", c.source, c.data, m.Key, err, c.key)
		}
		if c.key == "" && (driver.ReasonOf(err) != driver.ReasonNoKey || !strings.Contains(err.Error(), "KEY_POINTER is "+c.mentions)) {
			t.Errorf("%s, %s: %v; want no-key that names %s", c.source, c.data, err, c.mentions)
		}
	}
	if _, err := decode.New(decode.KeyPointers(map[string]string{"event1": "id"})); err == nil || !strings.Contains(err.Error(), `"event1"`) {
		t.Errorf("a bad pointer: %v", err)
	}
}
