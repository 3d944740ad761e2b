package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/eventdriver/driver"
)

// Lettered is what [TestLetterBox] needs of a store: letters are added, and found. Where it is
// a [driver.Inspector], it is looked whether letters are found by their keys, too.
type Lettered interface {
	driver.DeadLetterStore
	driver.LetterBox
}

// TestLetterBox checks every sentence of [driver.LetterBox]'s contract.
func TestLetterBox[S Lettered](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asLettered[S], letterBoxChecks)
}

type lettered = subject[Lettered]

func asLettered[S Lettered](s S) Lettered { return s }

var letterBoxChecks = []check[Lettered]{
	{"A letter is read as it was added", boxRead},
	{"A letter that is read is shared with nobody", boxNoAliasing},
	{"All pages together have each letter once, described", boxPages},
	{"Letters of any key, source and ID are listed, read and deleted", boxAnyName},
	{"Letters that come and go meanwhile do not hide others", boxMeanwhile},
	{"A deleted letter is gone, and no other", boxDelete},
	{"A deleted letter may be added again", boxDeleteAndAdd},
	{"A letter is found by its key under the same name", boxInspect},
	{"There is no letter that the store has not named", boxNoSuchLetter},
	{"A cursor that no page had is refused", boxBadCursor},
	{"A context that has ended is honoured by all that has to do with letters", boxEndedContext},
}

// addLetters adds letters with the IDs 1 to n. The handles take turns.
func addLetters(ctx context.Context, s lettered, n int) error {
	_, failures := atOnce(n, func(i int) (any, error) {
		return nil, s.handle(i).AddDeadLetter(ctx, letter(fmt.Sprint(i+1)))
	})
	return errors.Join(failures...)
}

// listLetters returns the letters of all pages, whose length is bounded, by their refs.
func listLetters(ctx context.Context, s lettered, limit int) (map[string]driver.LetterRef, error) {
	found := make(map[string]driver.LetterRef)
	q := driver.LetterQuery{Limit: limit}
	for i := range mostPages {
		page, err := s.handle(i).ListLetters(ctx, q)
		if err != nil {
			return found, err
		}
		if limit > 0 && len(page.Letters) > limit {
			return found, fmt.Errorf("a page has %d letters, and its limit is %d", len(page.Letters), limit)
		}
		for _, l := range page.Letters {
			if _, twice := found[l.Ref]; twice {
				return found, fmt.Errorf("letter %q was listed twice", l.Ref)
			}
			found[l.Ref] = l
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return found, nil
		}
	}
	return found, errors.New("the pages do not end")
}

// theLetter returns what the store calls its only letter.
func theLetter(ctx context.Context, s lettered) (string, error) {
	found, err := listLetters(ctx, s, 0)
	for ref := range found {
		return ref, errors.Join(err, expectEqual("letters listed", len(found), 1))
	}
	return "", errors.Join(err, errors.New("no letter is listed"))
}

func boxRead(ctx context.Context, s lettered) error {
	for _, want := range []driver.DeadLetter{letter("1"), {Reason: driver.ReasonUndecodable}} {
		err := s.store.AddDeadLetter(ctx, want)
		ref, errRef := theLetter(ctx, s)
		got, errRead := s.other.ReadLetter(ctx, ref)
		if err := errors.Join(err, errRef, errRead, expectEqual("ID", got.ID, want.ID), expectLetter(got, want),
			s.store.DeleteLetter(ctx, ref)); err != nil {
			return err
		}
	}
	return nil
}

func boxNoAliasing(ctx context.Context, s lettered) error {
	err := s.store.AddDeadLetter(ctx, letter("1"))
	ref, errRef := theLetter(ctx, s)
	first, errFirst := s.store.ReadLetter(ctx, ref)
	clear(first.Body)
	clear(first.Header)
	second, errSecond := s.store.ReadLetter(ctx, ref)
	return errors.Join(err, errRef, errFirst, errSecond, expectLetter(second, letter("1")))
}

func boxPages(ctx context.Context, s lettered) error {
	const n = 25
	empty, errEmpty := listLetters(ctx, s, 0)
	failures := []error{errEmpty, expectEqual("letters before any was added", len(empty), 0), addLetters(ctx, s, n)}
	for _, limit := range []int{0, 1, 7, n, n + 1} {
		found, err := listLetters(ctx, s, limit)
		failures = append(failures, err, expectEqual(fmt.Sprintf("letters listed by %d", limit), len(found), n))
		ids := make(map[string]bool)
		for _, l := range found {
			ids[l.ID] = true
			failures = append(failures, expectRef(l, letter(l.ID)), expectNow("Added", l.Added))
		}
		failures = append(failures, expectEqual("IDs listed", len(ids), n))
	}
	return errors.Join(failures...)
}

// expectRef returns an error unless l describes d, with what is known without reading it.
func expectRef(l driver.LetterRef, d driver.DeadLetter) error {
	return about(l.Ref, expectTrue("it has a Ref", l.Ref != ""), expectEqual("Reason", l.Reason, d.Reason),
		expectTrue(fmt.Sprintf("the key is %.80q, or left out", l.Key), l.Key == d.Key || l.Key == ""),
		expectTrue(fmt.Sprintf("the source is %.80q, or left out", l.Source), l.Source == d.Source || l.Source == ""),
		expectTrue(fmt.Sprintf("the ID is %.80q, or left out", l.ID), l.ID == d.ID || l.ID == ""))
}

func boxAnyName(ctx context.Context, s lettered) error {
	of := func(name string) driver.DeadLetter {
		return driver.DeadLetter{Reason: driver.ReasonConflict, Key: name, Source: name, ID: name, Body: []byte(name)}
	}
	_, failures := atOnce(len(s.names), func(i int) (any, error) {
		return nil, s.store.AddDeadLetter(ctx, of(s.names[i]))
	})
	found, err := listLetters(ctx, s, 0)
	failures = append(failures, err, expectEqual("letters listed", len(found), len(s.names)))
	read := make(map[string]bool)
	for ref, l := range found {
		d, err := s.other.ReadLetter(ctx, ref)
		read[d.Key] = true
		failures = append(failures, about(ref, err, expectRef(l, d), expectLetter(d, of(d.Key)), s.store.DeleteLetter(ctx, ref)))
	}
	left, err := listLetters(ctx, s, 0)
	return errors.Join(append(failures, err, expectEqual("letters read", len(read), len(s.names)),
		expectEqual("letters left", len(left), 0))...)
}

func boxMeanwhile(ctx context.Context, s lettered) error {
	const n = 20
	failures := []error{addLetters(ctx, s, n)}
	seen := make(map[string]int) // by ID
	q, gone := driver.LetterQuery{Limit: 5}, 0
	for i := range mostPages {
		page, err := s.handle(i).ListLetters(ctx, q)
		failures = append(failures, err)
		if i < 10 {
			failures = append(failures, s.store.AddDeadLetter(ctx, letter(fmt.Sprint("new ", i))))
		}
		for j, l := range page.Letters {
			seen[l.ID]++
			if j%2 == 0 {
				gone++
				failures = append(failures, s.store.DeleteLetter(ctx, l.Ref))
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" || err != nil {
			break
		}
	}
	for i := range n {
		failures = append(failures, about(fmt.Sprint(i+1), expectEqual("times listed", seen[fmt.Sprint(i+1)], 1)))
	}
	return errors.Join(append(failures, expectTrue("some were deleted", gone > 0))...)
}

func boxDelete(ctx context.Context, s lettered) error {
	err := addLetters(ctx, s, 3)
	page, errList := s.store.ListLetters(ctx, driver.LetterQuery{})
	if err := errors.Join(err, errList, expectEqual("letters", len(page.Letters), 3)); err != nil {
		return err
	}
	gone := page.Letters[2] // the first is easier to meet by mistake
	failures := []error{expect("DeleteLetter", s.store.DeleteLetter(ctx, gone.Ref), nil),
		expect("DeleteLetter again", s.other.DeleteLetter(ctx, gone.Ref), driver.ErrNotFound)}
	_, err = s.other.ReadLetter(ctx, gone.Ref)
	failures = append(failures, expect("ReadLetter", err, driver.ErrNotFound))
	after, err := listLetters(ctx, s, 0)
	failures = append(failures, err, expectEqual("letters left", len(after), 2))
	for ref, l := range after {
		d, err := s.store.ReadLetter(ctx, ref)
		failures = append(failures, err, expectTrue("another was deleted", l.ID != gone.ID), expectLetter(d, letter(l.ID)))
	}
	return errors.Join(failures...)
}

func boxDeleteAndAdd(ctx context.Context, s lettered) error {
	for range 3 {
		err := s.store.AddDeadLetter(ctx, letter("1"))
		ref, errRef := theLetter(ctx, s)
		if err := errors.Join(err, errRef, s.other.DeleteLetter(ctx, ref)); err != nil {
			return err
		}
	}
	return nil
}

func boxInspect(ctx context.Context, s lettered) error {
	i, can := s.other.(driver.Inspector)
	if !can {
		return errDoesNotApply
	}
	err := addLetters(ctx, s, 2)
	k, errInspect := i.Inspect(ctx, letter("1").Key)
	if err := errors.Join(err, errInspect, expectEqual("letters of the key", len(k.Letters), 2)); err != nil {
		return err
	}
	d, errRead := s.store.ReadLetter(ctx, k.Letters[0].Ref)
	errDelete := s.store.DeleteLetter(ctx, k.Letters[0].Ref)
	left, errInspect := i.Inspect(ctx, letter("1").Key)
	return errors.Join(errRead, expectLetter(d, letter(d.ID)), errDelete, errInspect,
		expectEqual("letters of the key", len(left.Letters), 1))
}

func boxNoSuchLetter(ctx context.Context, s lettered) error {
	failures := []error{addLetters(ctx, s, 1)}
	ref, err := theLetter(ctx, s)
	failures = append(failures, err)
	for _, other := range []string{"", "no such letter", ref + "x", "../" + ref, " " + ref, "0" + ref, "order/1", "-1"} {
		_, err := s.store.ReadLetter(ctx, other)
		failures = append(failures, about(other, expect("ReadLetter", err, driver.ErrNotFound),
			expect("DeleteLetter", s.store.DeleteLetter(ctx, other), driver.ErrNotFound)))
	}
	_, err = theLetter(ctx, s)
	return errors.Join(append(failures, err)...)
}

func boxBadCursor(ctx context.Context, s lettered) error {
	failures := []error{addLetters(ctx, s, 1)}
	for _, cursor := range []string{"x", " ", "\x00", "0", "é"} {
		page, err := s.store.ListLetters(ctx, driver.LetterQuery{Cursor: cursor})
		failures = append(failures, about(cursor, expectTrue(fmt.Sprintf("it is refused: %d letters, %v", len(page.Letters),
			err), driver.IsPermanent(err))))
	}
	return errors.Join(failures...)
}

func boxEndedContext(ctx context.Context, s lettered) error {
	failures := []error{addLetters(ctx, s, 1)}
	ref, err := theLetter(ctx, s)
	failures = append(failures, err)
	for want, ended := range ended(ctx) {
		_, errList := s.store.ListLetters(ended, driver.LetterQuery{})
		_, errRead := s.store.ReadLetter(ended, ref)
		failures = append(failures, expect("ListLetters", errList, want), expect("ReadLetter", errRead, want),
			expect("DeleteLetter", s.store.DeleteLetter(ended, ref), want))
	}
	_, err = theLetter(ctx, s)
	return errors.Join(append(failures, err)...)
}
