package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"example.com/eventdriver/driver"
)

// AddDeadLetter implements [driver.DeadLetterStore].
func (s *Store) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	if err := ctx.Err(); err != nil {
		return failed("add dead letter", d.Key, d.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	s.added++
	s.letters = append(s.letters, letter{clone(d), s.added, time.Now()})
	return nil
}

// DeadLetters returns the dead letters, in the order they came.
func (s *Store) DeadLetters() []driver.DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()

	letters := make([]driver.DeadLetter, len(s.letters))
	for i, d := range s.letters {
		letters[i] = clone(d.DeadLetter)
	}
	return letters
}

// clone returns a copy of d that shares neither Header nor Body with it.
func clone(d driver.DeadLetter) driver.DeadLetter {
	d.Body = bytes.Clone(d.Body)
	d.Header = maps.Clone(d.Header)
	for name, values := range d.Header {
		d.Header[name] = slices.Clone(values)
	}
	return d
}

// lettersOf returns the letters of a key. The caller holds the mutex.
func (s *Store) lettersOf(key string) (refs []driver.LetterRef) {
	for _, d := range s.letters {
		if d.Key == key {
			refs = append(refs, d.describe())
		}
	}
	return refs
}

func (d letter) describe() driver.LetterRef {
	return driver.LetterRef{Ref: strconv.Itoa(d.number), Reason: d.Reason, Key: d.Key, Source: d.Source, ID: d.ID, Added: d.added}
}

// ListLetters implements [driver.LetterBox]. A cursor is the number of the next letter.
func (s *Store) ListLetters(ctx context.Context, q driver.LetterQuery) (driver.LetterPage, error) {
	next, err := strconv.Atoi(cmp.Or(q.Cursor, "0"))
	if err != nil || next == 0 && q.Cursor != "" {
		err = driver.Permanent(fmt.Errorf("%.80q is no cursor", q.Cursor))
	}
	if err := cmp.Or(ctx.Err(), err); err != nil {
		return driver.LetterPage{}, failedLetter("list letters from", q.Cursor, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	limit := q.Limit
	if limit < 1 {
		limit = driver.DefaultLimit
	}
	var page driver.LetterPage
	begin, _ := s.find(next)
	for i, d := range s.letters[begin:] {
		if i == limit {
			page.Next = strconv.Itoa(d.number)
			break
		}
		page.Letters = append(page.Letters, d.describe())
	}
	return page, nil
}

// find returns where the letter of that number is, or would be. The caller holds the mutex.
func (s *Store) find(number int) (int, bool) {
	return slices.BinarySearchFunc(s.letters, number, func(d letter, n int) int { return cmp.Compare(d.number, n) })
}

// ReadLetter implements [driver.LetterBox].
func (s *Store) ReadLetter(ctx context.Context, ref string) (d driver.DeadLetter, err error) {
	err = s.atLetter(ctx, ref, func(i int) { d = clone(s.letters[i].DeadLetter) })
	if err != nil {
		return driver.DeadLetter{}, failedLetter("read letter", ref, err)
	}
	return d, nil
}

// DeleteLetter implements [driver.LetterBox].
func (s *Store) DeleteLetter(ctx context.Context, ref string) error {
	err := s.atLetter(ctx, ref, func(i int) { s.letters = slices.Delete(s.letters, i, i+1) })
	if err != nil {
		return failedLetter("delete letter", ref, err)
	}
	return nil
}

// atLetter calls do with the place of a letter.
func (s *Store) atLetter(ctx context.Context, ref string, do func(i int)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	number, err := strconv.Atoi(ref)
	i, found := s.find(number)
	if err != nil || !found || strconv.Itoa(number) != ref {
		return driver.ErrNotFound
	}
	do(i)
	return nil
}

func failedLetter(what, ref string, err error) error {
	return fmt.Errorf("memstore: %s %.200q: %w", what, ref, err)
}
