package convert_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// TestObserve: each delivery is told once, with its verdict, and an observer that panics changes no answer.
func TestObserve(t *testing.T) {
	full := admission.New(0)
	grant, err := full.Admit(t.Context(), full.Largest())
	if err != nil {
		t.Fatal(err)
	}
	defer grant.Release()
	failure := func(err error) *driver.Pipeline { return failing(func(driver.Message) error { return err }) }
	large := strings.Repeat("x", admission.Small)
	for _, c := range []struct {
		verdict convert.Verdict
		p       convert.Processor
		body    io.Reader
		gate    *admission.Gate
		letters driver.DeadLetterStore
		status  int
		reason  driver.Reason
	}{
		{convert.Processed, failure(nil), nil, nil, nil, 204, ""},
		{convert.Waiting, driver.New(joiner.New(joiner.MatchAll("event1", "event2"), memstore.New())), nil, nil, nil, 202, ""},
		{convert.DeadLettered, failure(driver.Permanent(errors.New("no"))), nil, nil, memstore.New(), 200, driver.ReasonPermanent},
		{convert.Rejected, failure(driver.Permanent(errors.New("no"))), nil, nil, nil, 400, driver.ReasonPermanent},
		{convert.Held, failure(driver.ErrHeld), nil, nil, nil, 503, ""},
		{convert.TurnedAway, failure(nil), strings.NewReader(large), full, nil, 503, ""},
		{convert.CutShort, failure(nil), iotest.ErrReader(os.ErrDeadlineExceeded), nil, nil, 408, ""},
		{convert.Failed, failure(errors.New("later")), nil, nil, nil, 500, ""},
		{convert.Failed, failure(driver.Permanent(errors.New("no"))), nil, nil, brokenStore{errors.New("full")}, 500, driver.ReasonPermanent},
	} {
		t.Run(string(c.verdict), func(t *testing.T) {
			r := eventtest.Binary(`{}`)
			r.URL.Path = convert.SourcePath("event1")
			if c.body != nil {
				r, _ = http.NewRequest(http.MethodPost, r.URL.String(), c.body)
				r.ContentLength = int64(len(large))
			}
			if c.gate != nil { // it does not wait for its turn
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				r = r.WithContext(ctx)
			}
			var told []convert.Outcome
			observe := convert.Observe(func(_ context.Context, o convert.Outcome) {
				told = append(told, o)
				panic("an observer")
			})
			w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, c.p, observe, quiet, convert.Admission(c.gate), convert.DeadLetters(c.letters)), r)
			if w.Code != c.status || len(told) != 1 {
				t.Fatalf("status %d, told %+v; want %d and once", w.Code, told, c.status)
			}
			if o := told[0]; o.Verdict != c.verdict || o.Reason != c.reason || o.Source != "event1" || (o.Err == nil) != (c.status == 204 || c.status == 202) {
				t.Errorf("told %+v; want %s, reason %q, of event1", o, c.verdict, c.reason)
			}
			size := map[bool]int64{true: int64(len(`{}`)), false: int64(len(large))}[c.body == nil]
			if o := told[0]; c.verdict != convert.CutShort && o.Size != size {
				t.Errorf("told of %d bytes, want %d", o.Size, size)
			}
			if o := told[0]; c.body == nil && (o.ID != "id-1" || o.Key != "k" || o.Type == "" || o.Origin == "") {
				t.Errorf("told %+v, which does not name the event", o)
			}
		})
	}
}
