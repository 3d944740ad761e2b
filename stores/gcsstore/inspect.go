package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"example.com/eventdriver/driver"
)

// Inspect implements [driver.Inspector]. It costs two Class A operations, at once, and
// another for each 1,000 objects and each 1,000 letters beyond the first; and a Class B one
// for each source and each join's name that is too long to be part of an object's name. A
// scope that is too long is described by its hash.
func (s *Store) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	k, err := s.inspect(ctx, key)
	if err != nil {
		return driver.KeyState{}, failed(OpInspect, key, anySource, err)
	}
	return k, nil
}

func (s *Store) inspect(ctx context.Context, key string) (driver.KeyState, error) {
	ctx, cancel, err := s.begin(ctx, OpInspect, key, anySource)
	if err != nil {
		return driver.KeyState{}, err
	}
	defer cancel()
	var letters []driver.LetterRef
	var problems []string
	listed := driver.Go(func() (err error) {
		letters, problems, err = s.lettersOf(ctx, key)
		return err
	})
	folder := s.layout.ofKey(key) + "/"
	objects, err := s.list(ctx, folder)
	k := driver.KeyState{Key: key}
	if err == nil {
		k, err = s.describeKey(ctx, folder, objects, key)
	}
	nothing := errors.Is(err, driver.ErrNotFound)
	if nothing {
		k, err = driver.KeyState{Key: key}, nil
	}
	if err := both(err, <-listed); err != nil {
		return driver.KeyState{}, err
	}
	k.Letters, k.Problems = letters, append(k.Problems, problems...)
	if nothing && len(letters) == 0 && len(problems) == 0 {
		return driver.KeyState{}, driver.ErrNotFound
	}
	return k, nil
}

const (
	// listsAtOnce is how many lists are under way at the same time, at most.
	listsAtOnce = 32
	// keysPerList is for how many keys of a page's limit another list is worth while.
	keysPerList = 300
	// spreading is how many times as many lists as before may be under way next.
	spreading = 4
)

// ListKeys implements [driver.Inspector]. It costs one Class A operation for each 1,000
// objects, and up to 256 more for all pages together; and what Inspect says of long names,
// and a Class B one for each key that is too long to be part of an object's name. Up to 32
// lists are under way at once, for a page of 10,000 keys or more; where there are few objects,
// one. Each takes some 3 MB of memory, so where that is scarce, ask for shorter pages.
//
// After the first list it goes on at a random place, so that whoever never lists all sees each
// key some time.
//
// A page ends when a round of lists has brought it to its limit, so it may have as many more
// keys as these lists return.
func (s *Store) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	spans, err := parseCursor(q.Cursor)
	if err != nil {
		return driver.KeyPage{Next: q.Cursor}, failedList(err)
	}
	ctx, cancel, err := s.begin(ctx, OpListKeys, anyKey, anySource)
	if err != nil {
		return driver.KeyPage{Next: q.Cursor}, failedList(err)
	}
	defer cancel()
	if q.Limit <= 0 {
		q.Limit = driver.DefaultLimit
	}
	if scope := objectName(q.Scope); isHashed(scope) {
		q.Scope = scope // as claims are described
	}
	var page driver.KeyPage
	for len(spans) > 0 && page.Seen < q.Limit && err == nil {
		spans, err = s.listRound(ctx, q, &page, spans)
	}
	if page.Next, page.Share = cursorOf(spans), shareOf(spans); err != nil {
		return page, failedList(err)
	}
	return page, nil
}

func failedList(err error) error { return fmt.Errorf("gcsstore: %s: %w", OpListKeys, err) }

// listRound lists a part of several spans at once, adds the keys to the page, and returns
// the spans that are left. Where one fails, what the others have listed is in the page.
func (s *Store) listRound(ctx context.Context, q driver.KeyQuery, page *driver.KeyPage, spans []span) ([]span, error) {
	atOnce := min(max(q.Limit/keysPerList, 1), listsAtOnce)
	now := spans[:min(len(spans), atOnce)]
	parts := make([]part, len(now))
	var wait sync.WaitGroup
	for i, sp := range now {
		wait.Go(func() {
			err := driver.Recover(func() error {
				parts[i] = s.listPart(ctx, sp, min(16*q.Limit, mostListed))
				return parts[i].err
			})
			parts[i].err = err
		})
	}
	wait.Wait()
	var left []span
	var failures []error
	for i, p := range parts {
		if p.err != nil {
			failures = append(failures, p.err)
			left = append(left, now[i])
			continue
		}
		left = append(left, p.rest...)
		for _, k := range p.keys {
			page.Seen++
			if q.Takes(k) {
				page.Keys = append(page.Keys, k)
			}
		}
	}
	left = append(left, spans[len(now):]...)
	if len(left) == 1 && spans[0] == all()[0] && len(failures) == 0 { // a large store, and this was its first list
		left = anywhere(left[0])
	}
	return widen(left, min(spreading*len(now), atOnce)), errors.Join(failures...)
}

// part is what one list of a span has found.
type part struct {
	keys []driver.KeyState
	rest []span
	err  error
}

// listPart lists the first objects of a span, and describes their keys.
func (s *Store) listPart(ctx context.Context, sp span, most int) (p part) {
	folder := s.layout.folder
	if folder != "" {
		folder += "/"
	}
	pages := s.pages(ctx, names{folder, folder + sp.from, folder + hashFolder(sp.to)}, most)
	var objects []listed
	var keys [][]listed
	for more := true; more; {
		var page []listed
		var err error
		if page, more, err = pages.next(); err != nil {
			return part{err: err}
		}
		objects = append(objects, page...)
		keys, p.rest = sp.take(folder, objects, more)
		if len(p.rest) == 0 || p.rest[0].from != sp.from { // else all that is listed is of one key, and there is more
			break
		}
	}
	for _, objects := range keys {
		k, err := s.describeListed(ctx, folder, objects)
		switch {
		case errors.Is(err, driver.ErrNotFound): // it is gone meanwhile
		case err != nil:
			return part{err: err}
		default:
			p.keys = append(p.keys, k)
		}
	}
	return p
}

// describeListed describes a key whose objects were listed; folder is the store's.
func (s *Store) describeListed(ctx context.Context, folder string, objects []listed) (driver.KeyState, error) {
	prefix, _ := keyFolder(strings.TrimPrefix(objects[0].name, folder))
	key, err := s.keyOf(ctx, prefix[len("00/"):len(prefix)-1], objects[0].name)
	switch {
	case isUnreadable(err):
		return driver.KeyState{Problems: []string{err.Error()}}, nil
	case err != nil:
		return driver.KeyState{}, err
	}
	return s.describeKey(ctx, folder+prefix, objects, key)
}

// isUnreadable says that an object can't be described, rather than that it could not be read.
func isUnreadable(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewer) }
