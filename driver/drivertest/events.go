package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// TestEventStore checks every sentence of [driver.EventStore]'s contract, and of
// [driver.Replacer]'s, [driver.Decider]'s, [driver.KeepLooker]'s and [driver.Sealer]'s if the
// store is one too; otherwise those are skipped.
func TestEventStore[S driver.EventStore](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asEventStore[S], eventChecks)
}

type events = subject[driver.EventStore]

func asEventStore[S driver.EventStore](s S) driver.EventStore { return s }

var eventChecks = []check[driver.EventStore]{
	{"The first write wins", firstWriteWins},
	{"Persist of the same content again returns nil, whatever the other fields say", sameContentAgain},
	{"Persist of other content changes nothing and returns a ConflictError with what is kept", otherContent},
	{"Of any number of calls at once, one content is kept and all see the same one", persistAtOnce},
	{"Of any number of calls at once with the same content, all return nil", persistSameAtOnce},
	{"The kept message has all the fields", allFields},
	{"Nil and empty are the same", nilAndEmpty},
	{"Content may be large", largeContent},
	{"Fields are strings of any bytes", anyBytes},
	{"Time is kept to the microsecond, whenever that was", anyTime},
	{"What is not there is ErrNotFound, or an empty list", notFound},
	{"LookUpByKey and ListSourcesByKey are ordered by source", orderedBySource},
	{"A look sees every Persist that returned before", readAfterWrite},
	{"Whoever persists last of a key's sources sees them all", lastSeesAll},
	{"Neither what was passed in nor what is returned is shared with the store", noAliasing},
	{"Any string is a legal key", anyKey},
	{"Any string is a legal source", anySource},
	{"Key and source never run into each other", splits},
	{"An empty key or source is refused by every method, as a permanent error", emptyNames},
	{"A context that has ended is honoured by every method", eventsEndedContext},
	{"Replace keeps the message with the later Time, or of the same Time the one that comes later", replaceLater},
	{"Replace does not bring back what was replaced", replaceRedelivery},
	{"Replace keeps the message where nothing is kept", replaceNothing},
	{"Replace is one step: of any number of calls at once, the latest Time wins", replaceAtOnce},
	{"Replace refuses an empty key or source, and honours a context that has ended", replaceRefuses},
	{"Replace shares nothing with the store", replaceNoAliasing},
	{"Decide: the first write wins", decideFirst},
	{"Decide: of any number of calls at once, all return the same", decideAtOnce},
	{"ListDecided sees every Persist and Decide that returned before", decisionSeen},
	{"A decision is no event, and any string is a legal name", decisionIsNoEvent},
	{"A decision may have many sources", decideMany},
	{"Decide and ListDecided refuse what is empty, and honour a context that has ended", decideRefuses},
	{"Decide and ListDecided share nothing with the store", decideNoAliasing},
	{"KeepAndLook keeps the event, and returns the events of all sources or says which are missing", ifKeepLooker(keepAndLookAll)},
	{"KeepAndLook of the same content again changes nothing", ifKeepLooker(keepAndLookAgain)},
	{"KeepAndLook of other content returns a ConflictError and what it found", ifKeepLooker(keepAndLookConflict)},
	{"KeepAndLook is seen by, and sees, every call that returned before", ifKeepLooker(keepAndLookSees)},
	{"Of KeepAndLooks at once, the one whose event is kept last sees all", ifKeepLooker(keepAndLookLast)},
	{"Of KeepAndLooks of one source at once, one content is kept and all see the same", ifKeepLooker(keepAndLookAtOnce)},
	{"KeepAndLook counts the contents that it returns, but not its own", ifKeepLooker(keepAndLookMemory)},
	{"KeepAndLook takes any string for a source", ifKeepLooker(keepAndLookNames)},
	{"KeepAndLook refuses what is empty and lists without order, and honours a context that has ended", ifKeepLooker(keepAndLookRefuses)},
	{"KeepAndLook shares nothing with the store", ifKeepLooker(keepAndLookNoAliasing)},
	{"Seal seals a place where no event is kept, and no other", ifSealer(sealAbsent)},
	{"Seal of a sealed place returns true again, and of one with an event false", ifSealer(sealAgain)},
	{"An event whose place is sealed is refused as too late, by every method, and nothing changes", ifSealer(sealRefuses)},
	{"LookUp of a sealed place is ErrSealed, and lists leave seals out", ifSealer(sealHidden)},
	{"Of an event and its seal that come at once, one is kept, and both callers are told which", ifSealer(sealAtOnce)},
	{"KeepAndLook is refused where the place of another of its sources is sealed, and keeps its event", ifKeepLooker(ifSealer(sealLook))},
	{"Any string is a legal key and source of a seal", ifSealer(sealNames)},
	{"Seal refuses an empty key or source, and honours a context that has ended", ifSealer(sealEmpty)},
}

// event returns a message with all its fields set.
func event(key, source, content string) driver.Message {
	return driver.Message{
		ID:         "id of " + content,
		Key:        key,
		Source:     source,
		Content:    []byte(content),
		Time:       time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.UTC),
		Attributes: map[string]string{"type": "order.paid", "subject": "αβγ"},
	}
}

func firstWriteWins(ctx context.Context, s events) error {
	first := event("order-1", "event1", `{"n":1}`)
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, first), nil),
		expectKept(ctx, s, first),
		expect("Persist of other content", s.other.Persist(ctx, event("order-1", "event1", `{"n":2}`)), driver.ErrConflict),
		expectKept(ctx, s, first),
	)
}

func sameContentAgain(ctx context.Context, s events) error {
	first := event("order-1", "event1", `{"n":1}`)
	again := first
	again.ID, again.Time, again.Attributes = "another", first.Time.Add(time.Hour), map[string]string{"other": "yes"}
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, first), nil),
		expect("Persist of the same", s.store.Persist(ctx, first), nil),
		expect("Persist with other fields", s.other.Persist(ctx, again), nil),
		expectKept(ctx, s, first),
	)
}

func otherContent(ctx context.Context, s events) error {
	first := event("order-1", "event1", `{"n":1}`)
	failures := []error{expect("Persist", s.store.Persist(ctx, first), nil)}
	for i, content := range []string{`{"n":2}`, `{"n":1} `, "", "{"} {
		err := s.handle(i).Persist(ctx, event("order-1", "event1", content))
		failures = append(failures, expectConflict(err, first))
	}
	failures = append(failures,
		expectKept(ctx, s, first),
		expect("Persist of the same", s.store.Persist(ctx, first), nil),
	)
	return errors.Join(failures...)
}

func persistAtOnce(ctx context.Context, s events) error {
	_, results := atOnce(s.callers, func(i int) (any, error) {
		return nil, s.handle(i).Persist(ctx, event("order-1", "event1", fmt.Sprint("content ", i)))
	})
	kept, err := s.store.LookUp(ctx, "order-1", "event1")
	if err != nil {
		return err
	}
	failures, winners := []error{expectKept(ctx, s, kept)}, 0
	for i, err := range results {
		if err != nil {
			failures = append(failures, expectConflict(err, kept))
			continue
		}
		winners++
		failures = append(failures, expectMessage("the winner's", kept, event("order-1", "event1", fmt.Sprint("content ", i))))
	}
	failures = append(failures, expectEqual("callers that were told nil", winners, 1))
	return errors.Join(failures...)
}

func persistSameAtOnce(ctx context.Context, s events) error {
	_, results := atOnce(s.callers, func(i int) (any, error) {
		m := event("order-1", "event1", "the same")
		m.ID = fmt.Sprint(i)
		return nil, s.handle(i).Persist(ctx, m)
	})
	return errors.Join(results...)
}

func allFields(ctx context.Context, s events) error {
	full := event("order-1", "event1", `{"n": 12345678901234567890}`)
	bare := driver.Message{Key: "order-1", Source: "event2"}
	binary := event("order-1", "event3", "\x00\x01\xff\xfe\r\n\x80")
	return errors.Join(
		expect("Persist of a message", s.store.Persist(ctx, full), nil),
		expect("Persist of a bare message", s.store.Persist(ctx, bare), nil),
		expect("Persist of binary content", s.store.Persist(ctx, binary), nil),
		expectKept(ctx, s, full),
		expectKept(ctx, s, bare),
		expectKept(ctx, s, binary),
		expectAll(ctx, s, "order-1", full, bare, binary),
	)
}

// expectAll returns an error unless exactly want, in this order, is kept for key.
func expectAll(ctx context.Context, s events, key string, want ...driver.Message) error {
	got, err := s.other.LookUpByKey(ctx, key)
	sources, errSources := s.other.ListSourcesByKey(ctx, key)
	failures := []error{err, errSources,
		expectEqual("messages of LookUpByKey", len(got), len(want)),
		expectEqual("sources of ListSourcesByKey", len(sources), len(want)),
	}
	for i := range min(len(got), len(sources), len(want)) {
		failures = append(failures,
			expectMessage(fmt.Sprint("LookUpByKey, place ", i), got[i], want[i]),
			expectEqual(fmt.Sprint("ListSourcesByKey, place ", i), sources[i], want[i].Source),
		)
	}
	return errors.Join(failures...)
}

func nilAndEmpty(ctx context.Context, s events) error {
	absent := driver.Message{Key: "order-1", Source: "absent"}
	empty := driver.Message{Key: "order-1", Source: "empty", Content: []byte{}, Attributes: map[string]string{}}
	failures := []error{
		expect("Persist of nil content", s.store.Persist(ctx, absent), nil),
		expect("Persist of empty content", s.store.Persist(ctx, empty), nil),
		expectKept(ctx, s, absent),
		expectKept(ctx, s, empty),
		expectAll(ctx, s, "order-1", absent, empty),
	}
	absent.Content, empty.Content = []byte{}, nil
	return errors.Join(append(failures,
		expect("Persist of empty after nil content", s.store.Persist(ctx, absent), nil),
		expect("Persist of nil after empty content", s.store.Persist(ctx, empty), nil),
	)...)
}

func largeContent(ctx context.Context, s events) error {
	large := event("order-1", "event1", "")
	large.Content = bytes.Repeat([]byte("0123456789abcde\n"), 1<<16) // 1 MiB
	other := large.Clone()
	other.Content[len(other.Content)-1] = '!'
	return errors.Join(
		expect("Persist of 1 MiB", s.store.Persist(ctx, large), nil),
		expectKept(ctx, s, large),
		expectAll(ctx, s, "order-1", large),
		expect("Persist of the same 1 MiB", s.store.Persist(ctx, large), nil),
		expectConflict(s.store.Persist(ctx, other), large),
	)
}

func anyBytes(ctx context.Context, s events) error {
	odd := event("order-1", "event1", "not UTF-8: \xff\xc0\x80")
	odd.ID = "é\x00\xff\r\n\"'` " + strings.Repeat("x", 2000)
	odd.Attributes = map[string]string{
		"A": "upper", "a": "lower", "": "no name", "empty": "",
		"two\r\nlines": "two\r\nlines", " space ": " space ", "nul\x00": "\x00",
		"ünï💥": "ünï💥", "\xff": "\xff\xfe", `"quoted'`: "`=:;,%2F",
	}
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, odd), nil),
		expectKept(ctx, s, odd),
		expectAll(ctx, s, "order-1", odd),
	)
}

func anyTime(ctx context.Context, s events) error {
	var failures []error
	for i, at := range []time.Time{
		{},
		time.Unix(0, 0),
		time.Unix(0, 1000),
		time.Date(2024, 2, 29, 12, 0, 0, 999999999, time.FixedZone("elsewhere", 5*3600+1800)),
		time.Date(1815, 12, 10, 1, 2, 3, 456789000, time.UTC),  // before UnixNano's range
		time.Date(9999, 12, 31, 23, 59, 59, 1000000, time.UTC), // after it
	} {
		m := event("order-1", fmt.Sprint("event", i), "content")
		m.Time = at
		failures = append(failures, s.store.Persist(ctx, m), expectKept(ctx, s, m))
	}
	return errors.Join(failures...)
}
