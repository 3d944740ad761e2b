package gcsstore

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"example.com/eventdriver/driver"
)

// writeLetterRef creates an empty object by which the letter of that name is found by its
// key.
func (s *Store) writeLetterRef(ctx context.Context, d driver.DeadLetter, letter string) error {
	metadata := map[string]string{fieldForm: strconv.Itoa(recordForm)}
	setField(metadata, fieldReason, string(d.Reason))
	setField(metadata, fieldSource, d.Source)
	setField(metadata, fieldID, d.ID)
	_, err := s.insert(ctx, object{
		name:        s.layout.letterRef(d.Key, letter),
		content:     bytesOf(),
		contentType: "text/plain",
		metadata:    metadata,
	}, absent)
	if errors.Is(err, errRefused) { // it is there already
		return nil
	}
	return err
}

// lettersOf describes the letters of a key, ordered by when they were added, and what is
// wrong with their descriptions.
func (s *Store) lettersOf(ctx context.Context, key string) (refs []driver.LetterRef, problems []string, err error) {
	objects, err := s.list(ctx, s.layout.letterRefs(key))
	if err != nil {
		return nil, nil, err
	}
	for _, o := range objects {
		d := described{metadata: o.metadata, err: checkForm(o.metadata, recordForm)}
		refs = append(refs, driver.LetterRef{Ref: s.layout.letterOf(key, o.name), Reason: driver.Reason(d.text(fieldReason)),
			Source: d.text(fieldSource), ID: d.text(fieldID), Added: o.created})
		if d.err != nil {
			problems = append(problems, o.name+": "+d.err.Error())
		}
	}
	slices.SortStableFunc(refs, func(a, b driver.LetterRef) int { return a.Added.Compare(b.Added) })
	return refs, problems, nil
}
