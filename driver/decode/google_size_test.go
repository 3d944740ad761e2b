package decode_test

import (
	"bytes"
	"errors"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

// The memory for decoding an event is counted before, and bounded. Beyond what is counted, decoding
// allocates no more than a few times the body; and the race detector adds some, since it makes
// pools drop their buffers.
func TestExpansionIsBounded(t *testing.T) {
	const copies, fixed, most = 2, 1 << 20, 50 << 20
	for _, n := range []int{95_000, 110_000} { // MaxValues is 100,000
		for format, shapes := range map[string]map[string]func(int) []byte{"protobuf": eventtest.ProtobufShapes, "json": eventtest.JSONShapes} {
			for name, shape := range shapes {
				data := shape(n)
				a := &eventtest.Account{}
				before := eventtest.Allocated()
				m, err := zero.Message(driver.WithMemory(t.Context(), a), googleEvent(eventtest.FirestoreType, "application/"+format, data))
				took := int64(eventtest.Allocated() - before)
				if took > a.Grown*9/8+copies*int64(len(data))+fixed || a.Grown > most {
					t.Errorf("%s, %d times %s, %d bytes: allocated %d bytes, of which %d were counted", format, n, name, len(data), took, a.Grown)
				}
				if err != nil && driver.ReasonOf(err) != driver.ReasonTooLarge {
					t.Errorf("%s, %d times %s: %v", format, n, name, err)
				}
				if format == "protobuf" && err == nil && (a.Grown < int64(len(m.Content)) || len(m.Content) > int(decode.DefaultContentLimit)) {
					t.Errorf("%s, %d times %s: a content of %d bytes, and %d were counted", format, n, name, len(m.Content), a.Grown)
				}
				if format == "json" && err != nil {
					t.Errorf("%s, %d times %s: %v; want it taken as it is", format, n, name, err)
				}
			}
		}
	}
}

// A Storage event has fewer shapes.
func TestStorageExpansionIsBounded(t *testing.T) {
	const n = 110_000
	for format, data := range map[string][]byte{
		"json":     []byte(`{"metadata":` + eventtest.JSONMembers(n, `""`) + `}`),
		"protobuf": bytes.Repeat(eventtest.Field(21, eventtest.Field(1, []byte("x"))), n),
	} {
		before := eventtest.Allocated()
		_, err := zero.Message(t.Context(), googleEvent(eventtest.StorageType, "application/"+format, data))
		if took := int(eventtest.Allocated() - before); took > len(data) || (err == nil) != (format == "json") {
			t.Errorf("%s of %d bytes: allocated %d, %v", format, len(data), took, err)
		}
	}
}

// An event for which no memory is free now is not rejected.
func TestExpansionWaitsForMemory(t *testing.T) {
	for format, data := range map[string][]byte{"protobuf": eventtest.ProtobufShapes["nulls"](1000), "json": eventtest.JSONShapes["nulls"](1000)} {
		for most, want := range map[int64]bool{1000: false, 10 << 20: true} {
			ctx := driver.WithMemory(t.Context(), &eventtest.Account{Most: most})
			_, err := zero.Message(ctx, googleEvent(eventtest.FirestoreType, "application/"+format, data))
			if (err == nil) != want || err != nil && (!errors.Is(err, driver.ErrNoMemory) || driver.IsPermanent(err)) {
				t.Errorf("%s with %d bytes: %v", format, most, err)
			}
		}
	}
}

// The limit is that of the configuration.
func TestContentLimit(t *testing.T) {
	event := googleEvent(eventtest.FirestoreType, "application/protobuf", eventtest.ProtobufShapes["a string of NULs"](10_000))
	for limit, want := range map[int64]driver.Reason{0: "", 1 << 20: "", 50_000: driver.ReasonTooLarge} {
		m, err := decoder(t, decode.ContentLimit(limit)).Message(t.Context(), event)
		if driver.ReasonOf(err) != want || (err == nil) != (want == "") || err == nil && len(m.Content) < 60_000 {
			t.Errorf("limit %d: %d bytes, %v; want %q", limit, len(m.Content), err, want)
		}
	}
}

// googleEvent returns an event with a key, whose data has that content type.
func googleEvent(eventType, contentType string, data []byte) *cloudevents.Event {
	e := eventtest.Event(eventType, "s", data)
	e.SetDataContentType(contentType)
	return e
}
