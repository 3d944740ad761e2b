package driver_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"example.com/eventdriver/driver"
)

// Sources may differ in case alone. encoding/json takes any of them for a struct's field.
func TestJSONTellsMembersApartByCase(t *testing.T) {
	type order struct {
		Event1 json.RawMessage `json:"event1"`
		Event2 struct{ A, B int }
		Other  *string `json:"-"`
	}
	for content, want := range map[string]order{
		`{"EVENT1":1,"event1":2}`:                              {Event1: json.RawMessage("2")},
		`{"event1":2,"EVENT1":1,"Event1":[3]}`:                 {Event1: json.RawMessage("2")},
		`{"EVENT1":1}`:                                         {Event1: json.RawMessage("1")}, // as ever
		`{"event1":"<>","EVENT1":0,"Event2":{"A":1}}`:          {Event1: json.RawMessage(`"<>"`), Event2: struct{ A, B int }{A: 1}},
		`{"Event2":{"A":1},"event2":{"B":2},"x":1,"X":2}`:      {Event2: struct{ A, B int }{A: 1}},
		`{"event2":{"B":2},"Event2":{"A":1},"EVENT2":"other"}`: {Event2: struct{ A, B int }{A: 1}},
	} {
		var got order
		h := driver.JSON(func(_ context.Context, _ string, in order) error { got = in; return nil })
		if err := driver.New(h).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte(content)}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v; want %+v", content, got, err, want)
		}
	}
}
