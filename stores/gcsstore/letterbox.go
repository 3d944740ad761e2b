package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"cloud.google.com/go/storage"
	"example.com/eventdriver/driver"
)

// letterMetadata says in a letter's metadata what a list is to show, since a list does not
// read what is in the objects. Letters that an earlier version has written have none of it.
func letterMetadata(d driver.DeadLetter) map[string]string {
	metadata := make(map[string]string)
	setField(metadata, fieldReason, string(d.Reason))
	setField(metadata, fieldKey, d.Key)
	setField(metadata, fieldSource, d.Source)
	setField(metadata, fieldID, d.ID)
	return metadata
}

// ListLetters implements [driver.LetterBox]. The letters are ordered by the day of their Time.
// It costs one Class A operation for each 1,000 letters. Of a letter that an earlier version
// has written the Reason is known, and no Key, Source and ID.
func (s *Store) ListLetters(ctx context.Context, q driver.LetterQuery) (driver.LetterPage, error) {
	page, err := s.listLetters(ctx, q)
	if err != nil {
		return driver.LetterPage{}, failedLetter(OpListLetters, q.Cursor, err)
	}
	return page, nil
}

func (s *Store) listLetters(ctx context.Context, q driver.LetterQuery) (page driver.LetterPage, err error) {
	ctx, cancel, err := s.begin(ctx, OpListLetters, anyKey, anySource)
	if err != nil {
		return page, err
	}
	defer cancel()
	if q.Cursor != "" && !s.layout.isLetter(q.Cursor) {
		return page, driver.Permanent(errors.New("that is no cursor"))
	}
	limit := q.Limit
	if limit < 1 {
		limit = driver.DefaultLimit
	}
	letters := s.layout.deadLetters()
	pages := s.pages(ctx, names{letters, q.Cursor, letters + letterRefFolder}, min(limit+1, mostListed))
	for more := true; more; {
		var objects []listed
		if objects, more, err = pages.next(); err != nil {
			return driver.LetterPage{}, err
		}
		for _, o := range objects {
			switch {
			case !s.layout.isLetter(o.name): // somebody else's
			case len(page.Letters) == limit:
				page.Next = o.name
				return page, nil
			default:
				page.Letters = append(page.Letters, letterRefOf(o))
			}
		}
	}
	return page, nil
}

// letterRefOf describes a letter that is listed. What can't be read of its metadata is left out:
// reading the letter tells.
func letterRefOf(o listed) driver.LetterRef {
	d := described{metadata: o.metadata}
	ref := driver.LetterRef{Ref: o.name, Reason: driver.Reason(d.text(fieldReason)), Key: d.text(fieldKey),
		Source: d.text(fieldSource), ID: d.text(fieldID), Added: o.created}
	if ref.Reason == "" { // of an earlier version
		reason, _ := unescape(letterName().FindStringSubmatch(o.name)[1])
		ref.Reason = driver.Reason(reason)
	}
	return ref
}

// letterName is how the name of a letter ends; see [layout.deadLetter].
var letterName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`/-?\d+-\d\d-\d\d/([^/]*)-[0-9a-f]{32}\` + letterSuffix + `$`)
})

// isLetter says whether an object of that name is, or would be, a letter of this store.
func (l layout) isLetter(name string) bool {
	rest, mine := strings.CutPrefix(name, l.deadLetters())
	return mine && letterName().FindString("/"+rest) == "/"+rest
}

// ReadLetter implements [driver.LetterBox]. It costs one Class B operation.
func (s *Store) ReadLetter(ctx context.Context, ref string) (driver.DeadLetter, error) {
	opCtx, cancel, err := s.begin(ctx, OpReadLetter, anyKey, anySource)
	if err != nil {
		return driver.DeadLetter{}, failedLetter(OpReadLetter, ref, err)
	}
	defer cancel()
	d, err := s.readLetter(opCtx, ref)
	if err != nil {
		return driver.DeadLetter{}, failedLetter(OpReadLetter, ref, err)
	}
	return d, nil
}

func (s *Store) readLetter(ctx context.Context, name string) (driver.DeadLetter, error) {
	if !s.layout.isLetter(name) {
		return driver.DeadLetter{}, driver.ErrNotFound
	}
	content, err := s.readAll(ctx, name)
	if err != nil {
		return driver.DeadLetter{}, err
	}
	d, err := decodeLetter(content)
	if err != nil {
		return driver.DeadLetter{}, s.unexpected(ctx, name, err)
	}
	return d, nil
}

// DeleteLetter implements [driver.LetterBox]. It costs one Class B operation, and another
// where an earlier version has written the letter, or its key is long; deleting is free.
func (s *Store) DeleteLetter(ctx context.Context, ref string) error {
	if err := s.deleteLetter(ctx, ref); err != nil {
		return failedLetter(OpDeleteLetter, ref, err)
	}
	return nil
}

// deleteLetter first deletes what refers to the letter: if it fails in between, the letter is
// still listed, and can be deleted again. It deletes it once more in the end, since whoever adds the
// same letter meanwhile refers to it again.
func (s *Store) deleteLetter(ctx context.Context, name string) error {
	ctx, cancel, err := s.begin(ctx, OpDeleteLetter, anyKey, anySource)
	if err != nil {
		return err
	}
	defer cancel()
	if !s.layout.isLetter(name) {
		return driver.ErrNotFound
	}
	attrs, err := s.stat(ctx, name)
	if err != nil {
		return err
	}
	key, err := s.keyOfLetter(ctx, name, attrs.metadata)
	if err != nil {
		return err
	}
	if key == "" {
		return s.delete(ctx, name)
	}
	for _, object := range []string{s.layout.letterRef(key, name), name, s.layout.letterRef(key, name)} {
		if err := s.delete(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// keyOfLetter returns "" for a letter that has none, or that nobody can read.
func (s *Store) keyOfLetter(ctx context.Context, name string, metadata map[string]string) (string, error) {
	d := described{metadata: metadata}
	if key := d.text(fieldKey); key != "" && d.err == nil {
		return key, nil
	}
	letter, err := s.readLetter(ctx, name)
	if err != nil && !isUnreadable(err) {
		return "", err
	}
	return letter.Key, nil
}

// delete deletes an object that may be gone already. A repeated request does no harm, though
// the client can't know that.
func (s *Store) delete(ctx context.Context, name string) error {
	err := s.bucket.Object(name).Retryer(storage.WithPolicy(storage.RetryAlways)).Delete(ctx)
	if err == nil || missing(err) == missingObject {
		return nil
	}
	return s.notThere(ctx, name, err)
}

func failedLetter(op Operation, ref string, err error) error {
	return fmt.Errorf("gcsstore: %s %.200q: %w", op, ref, err)
}
