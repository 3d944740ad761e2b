package records_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/eventdriver/cmd/local/internal/records"
)

func messages(all []records.Record) (found []string) {
	for _, r := range all {
		found = append(found, r.Message)
	}
	return found
}

// The journal forgets the oldest records, also of a key, and says so by the numbers.
func TestTheLastRecordsAreKept(t *testing.T) {
	j := records.New(3, nil)
	for i := range 5 {
		j.Add(records.Record{Key: "k" + fmt.Sprint(i%2), Message: fmt.Sprint(i)})
	}
	all, err := j.After(t.Context(), 0)
	if got := messages(all); err != nil || !slices.Equal(got, []string{"2", "3", "4"}) || all[0].Seq != 3 || j.Last() != 5 {
		t.Errorf("%q from %d, %v", got, all[0].Seq, err)
	}
	if after, err := j.After(t.Context(), 4); err != nil || !slices.Equal(messages(after), []string{"4"}) {
		t.Errorf("after 4: %q, %v", messages(after), err)
	}
	for key, want := range map[string][]string{"k0": {"2", "4"}, "k1": {"3"}, "k2": nil} {
		if got := messages(j.OfKey(key)); !slices.Equal(got, want) {
			t.Errorf("of %s: %q, want %q", key, got, want)
		}
	}
}

// A reader waits for the next record. Nobody who adds one waits for a reader.
func TestReadersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := records.New(2, nil)
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan []records.Record)
		ended := make(chan error)
		go func() {
			var last int64
			for {
				all, err := j.After(ctx, last)
				if err != nil {
					ended <- err
					return
				}
				last = all[len(all)-1].Seq
				seen <- all // nobody takes it for long
			}
		}()
		synctest.Wait()
		for i := range 10 {
			j.Add(records.Record{Message: fmt.Sprint(i)})
			if i == 0 {
				synctest.Wait() // it has the first
			}
		}
		if first := <-seen; !slices.Equal(messages(first), []string{"0"}) {
			t.Errorf("first %q", messages(first))
		}
		if rest := <-seen; !slices.Equal(messages(rest), []string{"8", "9"}) {
			t.Errorf("then %q; want the two that are kept", messages(rest))
		}
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Error(err)
		}
	})
}

// What an instance logs is a record, whatever it writes, and in whichever parts.
func TestLines(t *testing.T) {
	var teed []string
	j := records.New(10, func(_ records.Record, line []byte) { teed = append(teed, string(line)) })
	w := j.Writer("2")
	text := `{"time":"2026-01-31T12:03:04.5Z","severity":"WARNING","message":"m","key":"k","source":"s","event":"7","instance":"2","n":3}` +
		"\n\npanic: x\n" + `{"kind":"run","message":"the run begins"}` + "\n[1]\nnot ended"
	for _, part := range []string{text[:20], text[20:]} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	all, err := j.After(t.Context(), 0)
	if err != nil || !slices.Equal(messages(all), []string{"m", "panic: x", "the run begins", "[1]"}) {
		t.Fatalf("%q, %v", messages(all), err)
	}
	r := all[0]
	if r.Kind != records.Log || r.Severity != "WARNING" || r.Key != "k" || r.Source != "s" || r.Event != "7" || r.Instance != "2" ||
		r.Time.Nanosecond() != 5e8 || r.Attributes["n"] != 3.0 || len(r.Attributes) != 1 {
		t.Errorf("%+v", r)
	}
	if all[2].Kind != records.Run {
		t.Errorf("%+v, want a run", all[2])
	}
	if got := strings.Join(teed, "\n") + "\nnot ended"; got != strings.Replace(text, "\n\n", "\n", 1) {
		t.Errorf("teed %s", got)
	}
}

func TestLineOfARecord(t *testing.T) {
	var line string
	j := records.New(10, func(_ records.Record, text []byte) { line = string(text) })
	attributes := map[string]any{"attempt": 2}
	j.Add(records.Record{Kind: records.Redelivered, Severity: "INFO", Key: "k", Message: "again", Attributes: attributes})
	for _, part := range []string{`"attempt":2`, `"key":"k"`, `"severity":"INFO"`, `"message":"again"`, `"time":"`} {
		if !strings.Contains(line, part) {
			t.Errorf("%s lacks %s", line, part)
		}
	}
	if len(attributes) != 1 {
		t.Errorf("the record's attributes were changed: %v", attributes)
	}
}
