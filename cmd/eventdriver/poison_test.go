package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/deployed"
)

// shop is a function whose business does what event2 says, and the person who operates it.
type shop struct {
	bucket
	url   string
	down  atomic.Bool
	acted atomic.Int64
	sum   atomic.Int64 // of the amounts that it acted on
}

// sale is what the business needs of the joined events.
type sale struct {
	Event2 struct {
		Amount int64
		Boom   bool
	}
}

func (s *shop) act(_ context.Context, _ string, of sale) error {
	switch {
	case of.Event2.Boom:
		panic("boom")
	case s.down.Load():
		return errors.New("the shop is down")
	}
	s.acted.Add(1)
	s.sum.Add(of.Event2.Amount)
	return nil
}

func openShop(t *testing.T, variables ...string) *shop {
	t.Helper()
	s := &shop{bucket: newBucket(t)}
	s.environ = append(s.environ, variables...)
	config, err := deployed.ConfigOf("orders", surroundings{environ: s.environ}.variables())
	if err != nil {
		t.Fatal(err)
	}
	f, err := eventdriver.New(config, driver.JSON(s.act))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f)
	t.Cleanup(func() { server.Close(); _ = f.Close() })
	s.url = server.URL
	return s
}

const right = `{"amount":5}`

// send sends an event of order-1, or without a key, and expects a status.
func (s *shop) send(t *testing.T, source, key, data string, status int) {
	t.Helper()
	(&live{url: s.url}).send(t, "/events/"+source, key, data, status)
}

// others sends the events that are right.
func (s *shop) others(t *testing.T, last int) {
	t.Helper()
	s.send(t, "event1", "order-1", right, http.StatusAccepted)
	s.send(t, "event3", "order-1", right, last)
}

// do runs a command that changes something.
func (s *shop) do(t *testing.T, says string, args ...string) {
	t.Helper()
	expectCall(t, s.bucket, fine, []string{says}, append(args, "--as=me", "--yes", "--reason=a test")...)
}

// again sends the letter again.
func (s *shop) again(t *testing.T, ref string) {
	t.Helper()
	s.do(t, "processed", "letters", "resend", ref, "--url="+s.url)
}

// replace puts the right event in the place of event2.
func (s *shop) replace(t *testing.T) {
	t.Helper()
	s.do(t, "replace", "replace", "order-1", "event2", "--file="+write(t, right), "--settle=0s")
}

// corrected sends what correct makes of the letter, and drops it.
func (s *shop) corrected(t *testing.T, ref string, correct func(letter map[string]any)) {
	t.Helper()
	var letter map[string]any
	text := expectCall(t, s.bucket, fine, nil, "letters", "show", ref, "--payload", "--json")
	if err := json.Unmarshal([]byte(text), &letter); err != nil {
		t.Fatal(err)
	}
	correct(letter)
	fixed, err := json.Marshal(letter)
	if err != nil {
		t.Fatal(err)
	}
	s.do(t, "processed", "letters", "resend", "--file="+write(t, string(fixed)), "--url="+s.url)
	s.do(t, "letters drop", "letters", "drop", ref)
}

// correctData puts the right data into a letter.
func correctData(letter map[string]any) { letter["body"], letter["bodyEncoding"] = right, "utf-8" }

// event2 is a poison that is the data of event2, as the last event.
func event2(data string) func(*testing.T, *shop) {
	return func(t *testing.T, s *shop) {
		s.others(t, http.StatusAccepted)
		s.send(t, "event2", "order-1", data, http.StatusOK)
	}
}

// fixData corrects it.
func fixData(t *testing.T, s *shop, ref string) { s.corrected(t, ref, correctData) }

// replaced replaces event2, and sends the order's letter again.
func replaced(t *testing.T, s *shop, ref string) {
	s.replace(t)
	s.again(t, ref)
}

// ended begins the order anew.
func ended(t *testing.T, s *shop, _ string) {
	s.do(t, "purge", "purge", "order-1", "--settle=0s")
	s.others(t, http.StatusAccepted)
	s.send(t, "event2", "order-1", right, http.StatusNoContent)
}

// poisons are kinds of input and of trouble that no retry can help.
var poisons = []struct {
	name      string
	reason    driver.Reason
	variables []string
	happens   func(*testing.T, *shop)
	fix       func(*testing.T, *shop, string)
}{
	{"malformed JSON", driver.ReasonUndecodable, nil, event2(`{"amount":`), fixData},
	{"nested too deep", driver.ReasonUndecodable, nil, event2(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), fixData},
	{"too large", driver.ReasonUndecodable, []string{"BODY_LIMIT=1000"}, event2(`"` + strings.Repeat("x", 2000) + `"`), fixData},
	{"no key", driver.ReasonNoKey, nil, func(t *testing.T, s *shop) {
		s.others(t, http.StatusAccepted)
		s.send(t, "event2", "", right, http.StatusOK)
	}, func(t *testing.T, s *shop, ref string) {
		s.corrected(t, ref, func(letter map[string]any) { letter["header"].(map[string]any)["Ce-Key"] = []string{"order-1"} })
	}},
	{"unknown source", driver.ReasonUnknownSource, nil, func(t *testing.T, s *shop) {
		s.others(t, http.StatusAccepted)
		s.send(t, "event9", "order-1", right, http.StatusOK)
	}, func(t *testing.T, s *shop, ref string) {
		s.corrected(t, ref, func(letter map[string]any) { letter["path"] = "/events/event2" })
	}},
	{"wrong type for the business", driver.ReasonPermanent, nil, event2(`{"amount":"much"}`), replaced},
	{"a panic", driver.ReasonTooManyAttempts, []string{"MAX_ATTEMPTS=2"}, func(t *testing.T, s *shop) {
		s.others(t, http.StatusAccepted)
		s.send(t, "event2", "order-1", `{"boom":true}`, http.StatusInternalServerError)
		s.send(t, "event2", "order-1", `{"boom":true}`, http.StatusOK)
	}, replaced},
	{"too many attempts", driver.ReasonTooManyAttempts, []string{"MAX_ATTEMPTS=2"}, func(t *testing.T, s *shop) {
		s.down.Store(true)
		s.others(t, http.StatusAccepted)
		s.send(t, "event2", "order-1", right, http.StatusInternalServerError)
		s.send(t, "event2", "order-1", right, http.StatusOK)
	}, func(t *testing.T, s *shop, ref string) {
		s.down.Store(false)
		s.again(t, ref)
	}},
	{"other content", driver.ReasonConflict, []string{"CONFLICT_POLICY=reject"}, func(t *testing.T, s *shop) {
		s.send(t, "event2", "order-1", `{"amount":4}`, http.StatusAccepted)
		s.send(t, "event2", "order-1", right, http.StatusOK)
	}, func(t *testing.T, s *shop, ref string) {
		s.replace(t)
		s.do(t, "letters drop", "letters", "drop", ref)
		s.others(t, http.StatusNoContent)
	}},
	{"a corrupt object", driver.ReasonCorrupt, nil, func(t *testing.T, s *shop) {
		s.send(t, "event1", "order-1", right, http.StatusAccepted)
		s.send(t, "event2", "order-1", right, http.StatusAccepted)
		s.server.Put("bucket", s.object(t, "order-1/events/event2"), []byte("cut"))
		s.send(t, "event3", "order-1", right, http.StatusOK)
	}, func(t *testing.T, s *shop, ref string) {
		if err := s.server.Delete("bucket", s.object(t, "order-1/events/event2")); err != nil {
			t.Fatal(err)
		}
		s.send(t, "event2", "order-1", right, http.StatusNoContent)
		s.again(t, ref)
	}},
	{"incomplete", driver.ReasonIncomplete, []string{"JOIN_DEADLINE=1ms"}, func(t *testing.T, s *shop) {
		s.others(t, http.StatusAccepted)
		(&live{url: s.url}).sweep(t)
	}, ended},
	{"too late", driver.ReasonTooLate, []string{"JOIN_DEADLINE=1ms"}, func(t *testing.T, s *shop) {
		s.others(t, http.StatusAccepted)
		(&live{url: s.url}).sweep(t)
		s.send(t, "event2", "order-1", right, http.StatusOK)
	}, ended},
}

// object returns the name of an object that ends so.
func (s *shop) object(t *testing.T, end string) string {
	t.Helper()
	names, err := s.server.Names("bucket")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, end) {
			return name
		}
	}
	t.Fatalf("no object is called %s: %q", end, names)
	return ""
}

// TestPoison: each kind ends as a letter with its reason, is shown by the command, and with its remedy the
// order is processed once, with the right event, and no letter is left.
func TestPoison(t *testing.T) {
	for _, p := range poisons {
		t.Run(p.name, func(t *testing.T) {
			s := openShop(t, p.variables...)
			p.happens(t, s)
			if n := s.acted.Load(); n != 0 {
				t.Fatalf("the business acted %d times on it", n)
			}
			l := listed(t, s.bucket, found, "--reason="+string(p.reason))
			if len(l.Letters) != 1 {
				t.Fatalf("%+v", l)
			}
			ref := l.Letters[0].Ref
			expectCall(t, s.bucket, fine, []string{string(p.reason)}, "letters", "show", ref)
			if p.reason != driver.ReasonNoKey {
				expectCall(t, s.bucket, codeOf(p.reason), []string{ref}, "why", "order-1")
			}

			p.fix(t, s, ref)
			if n, sum := s.acted.Load(), s.sum.Load(); n != 1 || sum != 5 {
				t.Errorf("the business acted %d times, on %d", n, sum)
			}
			expectCall(t, s.bucket, fine, []string{"order-1: done", "completed: processed"}, "why", "order-1")
			expectCall(t, s.bucket, fine, []string{"0 of 0 letters"}, "letters", "list")
		})
	}
}

// TestCompleteWhatIsCorrupt: the events of such a key are not acknowledged when they come again. The command says so, and
// what comes of them, also where the key is opened again. A purge ends it.
func TestCompleteWhatIsCorrupt(t *testing.T) {
	s := openShop(t)
	s.others(t, http.StatusAccepted)
	s.server.Put("bucket", s.object(t, "order-1/events/event3"), []byte("cut"))
	s.send(t, "event2", "order-1", right, http.StatusOK)
	const says = "is dead-lettered as corrupt"
	for _, command := range []string{"complete", "rerun"} {
		if out := expectCall(t, s.bucket, fine, nil, command, "order-1", "--as=me", "--yes"); !strings.Contains(out, says) {
			t.Errorf("%s says %s", command, out)
		}
		s.send(t, "event1", "order-1", right, http.StatusOK)
	}
	if n := len(listed(t, s.bucket, found, "--reason=corrupt").Letters); n != 2 {
		t.Errorf("there are %d letters", n)
	}
	s.do(t, "purge", "purge", "order-1", "--settle=0s")
	s.send(t, "event1", "order-1", right, http.StatusAccepted)
	expectCall(t, s.bucket, found, []string{"order-1: waiting"}, "why", "order-1")
}

// codeOf returns the exit code of why: a join that has ended is done.
func codeOf(reason driver.Reason) int {
	if reason == driver.ReasonIncomplete || reason == driver.ReasonTooLate {
		return fine
	}
	return found
}
