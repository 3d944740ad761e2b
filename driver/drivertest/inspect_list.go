package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// persistKeys has an event of each of n keys stored: "key 1" and so on.
func persistKeys(ctx context.Context, s inspected, n int) []error {
	_, failures := atOnce(n, func(i int) (any, error) {
		return nil, s.handle(i).Persist(ctx, event(keyOf(i+1), "event1", "content"))
	})
	return failures
}

func keyOf(i int) string { return fmt.Sprint("key ", i) }

// mostPages is more pages than any check needs.
const mostPages = 10_000

// listAll returns the keys of all pages from the query on. The handles take turns.
func listAll(ctx context.Context, s inspected, q driver.KeyQuery) ([]driver.KeyState, error) {
	var keys []driver.KeyState
	share := 0.0
	for i := range mostPages {
		page, err := s.handle(i).ListKeys(ctx, q)
		keys = append(keys, page.Keys...)
		err = errors.Join(err,
			expectTrue(fmt.Sprintf("Share %v of page %d grows, and is 1 in the last page alone", page.Share, i),
				page.Share >= share && page.Share <= 1 && (page.Share == 1) == (page.Next == "")),
			expectTrue(fmt.Sprintf("%d keys were seen, and %d passed", page.Seen, len(page.Keys)),
				page.Seen >= len(page.Keys)))
		if err != nil || page.Next == "" {
			return keys, err
		}
		share, q.Cursor = page.Share, page.Next
	}
	return keys, errors.New("the pages do not end")
}

// expectKeys returns an error unless a listing has these keys, each once.
func expectKeys(ctx context.Context, s inspected, q driver.KeyQuery, want ...string) error {
	listed, err := listAll(ctx, s, q)
	got := keysOf(listed)
	return errors.Join(err,
		expectEqual("keys listed", strings.Join(got, " | "), strings.Join(slices.Sorted(slices.Values(want)), " | ")))
}

func keysOf(listed []driver.KeyState) (keys []string) {
	for _, k := range listed {
		keys = append(keys, k.Key)
	}
	slices.Sort(keys)
	return keys
}

func inspectAnyKey(ctx context.Context, s inspected) error {
	_, failures := atOnce(len(s.names), func(i int) (any, error) {
		err := s.store.Persist(ctx, event(s.names[i], "event1", fmt.Sprint("content ", i)))
		c, errAcquire := s.store.Acquire(ctx, driver.NewClaim(s.names[i]), long)
		if i%2 == 0 {
			errAcquire = errors.Join(errAcquire, s.store.Complete(ctx, c, driver.OutcomeProcessed))
		}
		return nil, errors.Join(err, errAcquire)
	})
	listed, err := listAll(ctx, s, driver.KeyQuery{})
	failures = append(failures, err, expectEqual("keys listed", len(listed), len(s.names)))
	seen := make(map[string]driver.KeyState)
	for _, k := range listed {
		seen[k.Key] = k
	}
	for i, name := range s.names {
		k, err := inspect(ctx, s, name)
		for _, k := range []driver.KeyState{k, seen[name]} {
			failures = append(failures, about(name, err, expectEqual("events", len(k.Events), 1),
				expectEqual("claims", len(k.Claims), 1),
				expectEqual("problems", len(k.Problems), 0), expectEqual("completed", k.Claim("").Done != nil, i%2 == 0)))
			if len(k.Events) == 1 {
				failures = append(failures, about(name, expectEvent(k.Events[0], event(name, "event1",
					fmt.Sprint("content ", i)))))
			}
		}
	}
	return errors.Join(failures...)
}

func listOnce(ctx context.Context, s inspected) error {
	failures := []error{expectKeys(ctx, s, driver.KeyQuery{})}
	failures = append(failures, persistKeys(ctx, s, 60)...)
	var want []string
	for i := range 60 {
		want = append(want, keyOf(i+1))
	}
	for _, limit := range []int{0, 1, 7, 60, 1000} {
		failures = append(failures, about(fmt.Sprint("limit ", limit),
			expectKeys(ctx, s, driver.KeyQuery{Limit: limit}, want...)))
	}
	first, errFirst := s.store.ListKeys(ctx, driver.KeyQuery{Limit: 1, Open: true})
	rest, errRest := listAll(ctx, s, driver.KeyQuery{Cursor: first.Next, Limit: 9})
	failures = append(failures, errFirst, errRest,
		expectEqual("keys, where the query changes", len(first.Keys)+len(rest), 60))
	listed, err := listAll(ctx, s, driver.KeyQuery{})
	for _, k := range listed {
		inspected, err := inspect(ctx, s, k.Key)
		failures = append(failures, err, about(k.Key,
			expectEqual("what the list says", fmt.Sprint(k), fmt.Sprint(inspected))))
	}
	return errors.Join(append(failures, err)...)
}

func listLimit(ctx context.Context, s inspected) error {
	failures := persistKeys(ctx, s, 60)
	page, err := s.store.ListKeys(ctx, driver.KeyQuery{Limit: 1, Open: true})
	return errors.Join(append(failures, err,
		expectTrue(fmt.Sprintf("a page of 1 key is not all: it has %d of 60", len(page.Keys)), len(page.Keys) < 60 &&
			page.Next != ""))...)
}

func listKinds(ctx context.Context, s inspected) error {
	_, errClaimed := s.store.Acquire(ctx, driver.NewClaim("claimed"), long)
	scoped := driver.NewClaim("scoped")
	scoped.Scope = "scope"
	_, errScoped := s.store.Acquire(ctx, scoped, long)
	want := []string{"claimed", "scoped"}
	if d, can := s.store.(driver.Decider); can {
		_, err := d.Decide(ctx, "decided", "join", []string{"event1"})
		errClaimed, want = errors.Join(errClaimed, err), append(want, "decided")
	}
	d := letter("1")
	d.Key = "letter"
	return errors.Join(errClaimed, errScoped, s.store.AddDeadLetter(ctx, d),
		expectKeys(ctx, s, driver.KeyQuery{}, want...))
}

func listOpen(ctx context.Context, s inspected) error {
	failures := persistKeys(ctx, s, 4)
	for key, scope := range map[string]string{keyOf(1): "", keyOf(2): "scope"} {
		c, err := s.store.Acquire(ctx, driver.Claim{Key: key, Scope: scope, Owner: "owner"}, long)
		failures = append(failures, err, s.store.Complete(ctx, c, driver.OutcomeProcessed))
	}
	c, err := s.store.Acquire(ctx, driver.NewClaim(keyOf(3)), long)
	return errors.Join(append(failures, err, s.store.Release(ctx, c, driver.Released{Mark: driver.MarkFailed}),
		expectKeys(ctx, s, driver.KeyQuery{Scope: "scope"}, keyOf(1), keyOf(2), keyOf(3), keyOf(4)),
		expectKeys(ctx, s, driver.KeyQuery{Open: true}, keyOf(2), keyOf(3), keyOf(4)),
		expectKeys(ctx, s, driver.KeyQuery{Open: true, Scope: "scope"}, keyOf(1), keyOf(3), keyOf(4)))...)
}

func listKeptBefore(ctx context.Context, s inspected) error {
	failures := persistKeys(ctx, s, 2)
	_, errClaimed := s.store.Acquire(ctx, driver.NewClaim("claimed"), long)
	errWait := s.outlast(ctx)
	failures = append(failures, errClaimed, errWait,
		s.store.Persist(ctx, event("late", "event1", "content")),
		s.store.Persist(ctx, event(keyOf(1), "event2", "content")))
	late, err := inspect(ctx, s, "late")
	at := late.FirstKept()
	return errors.Join(append(failures, err,
		expectKeys(ctx, s, driver.KeyQuery{KeptBefore: at}, keyOf(1), keyOf(2), "claimed"),
		expectKeys(ctx, s, driver.KeyQuery{KeptBefore: at.Add(time.Second)}, keyOf(1), keyOf(2), "claimed", "late"),
		expectKeys(ctx, s, driver.KeyQuery{KeptBefore: at.Add(-time.Hour)}, "claimed"))...)
}

func listMeanwhile(ctx context.Context, s inspected) error {
	failures := persistKeys(ctx, s, 60)
	seen := make(map[string]int)
	q := driver.KeyQuery{Limit: 10}
	for i := range mostPages {
		page, err := s.handle(i).ListKeys(ctx, q)
		failures = append(failures, err, s.store.Persist(ctx, event(fmt.Sprint("new ", i), "event1", "content")))
		for _, k := range page.Keys {
			seen[k.Key]++
		}
		if q.Cursor = page.Next; q.Cursor == "" || err != nil {
			break
		}
	}
	for i := range 60 {
		failures = append(failures, about(keyOf(i+1), expectEqual("times that it was listed", seen[keyOf(i+1)], 1)))
	}
	for key, times := range seen {
		failures = append(failures, about(key, expectTrue("it is listed once at most", times <= 1)))
	}
	return errors.Join(failures...)
}

func listBadCursor(ctx context.Context, s inspected) error {
	failures := persistKeys(ctx, s, 1)
	for _, cursor := range []string{"x", " ", "\x00", "0", "é"} {
		page, err := s.store.ListKeys(ctx, driver.KeyQuery{Cursor: cursor})
		failures = append(failures, about(cursor, expectTrue(fmt.Sprintf("it is refused: %d keys, %v", len(page.Keys),
			err), driver.IsPermanent(err))))
	}
	return errors.Join(failures...)
}
