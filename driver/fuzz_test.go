package driver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"example.com/eventdriver/driver"
)

// A typed handler is given what encoding/json decodes, of content that is one JSON
// value and nothing else; any other content is a permanent error.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"item":"book","n":9007199254740993}`))
	f.Add([]byte(`{"item":1}`))
	f.Add([]byte(`{} {}`))
	f.Add([]byte("\ufeff{}"))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		type order struct {
			Item string
			N    json.Number
			Any  any
		}
		var got *order
		pipeline := driver.New(driver.JSON(func(_ context.Context, _ string, in order) error { got = &in; return nil }))
		err := pipeline.Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: content})
		var want order
		d := json.NewDecoder(bytes.NewReader(content))
		d.UseNumber()
		fits := json.Valid(content) && d.Decode(&want) == nil
		if fits != (err == nil) || fits != (got != nil) || err != nil && !driver.IsPermanent(err) {
			t.Fatalf("%q: %v, given %+v; want it accepted: %v", content, err, got, fits)
		}
		if fits && (got.Item != want.Item || got.N != want.N) {
			t.Errorf("%q: %+v, want %+v", content, got, want)
		}
	})
}
