package gcsstore

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
)

// errSealed is the failure of what needs an event whose place is sealed.
var errSealed = driver.Reject(driver.ReasonTooLate, driver.ErrSealed)

// fieldSealed is in the metadata of a seal's object, so that lists can leave it out.
const fieldSealed = "sealed"

// Seal implements [driver.Sealer]. The seal is an object in the place of the event's, created on
// the same condition as that. It costs one Class A operation, and a Class B one if something is
// stored already.
func (s *Store) Seal(ctx context.Context, key, source string) (sealed bool, err error) {
	if sealed, err = s.seal(ctx, key, source); err != nil {
		return false, failed(OpSeal, key, source, err)
	}
	return sealed, nil
}

func (s *Store) seal(ctx context.Context, key, source string) (bool, error) {
	ctx, cancel, err := s.beginEvent(ctx, OpSeal, key, source)
	if err != nil {
		return false, err
	}
	defer cancel()
	o, err := s.sealObject(key, source)
	if err != nil {
		return false, fmt.Errorf("encode: %w", err)
	}
	for pause := rewritingBy(key, source); ; {
		if _, err := s.insert(ctx, o, absent); !errors.Is(err, errRefused) {
			return err == nil, err
		}
		// An event was first, or another seal, or this very write and its answer was lost.
		_, err := s.readSource(ctx, key, o.name)
		switch {
		case err == nil:
			return false, nil
		case errors.Is(err, driver.ErrSealed):
			return true, nil
		case !errors.Is(err, driver.ErrNotFound):
			return false, err
		}
		if err := pause.wait(ctx); err != nil { // it was deleted meanwhile
			return false, err
		}
	}
}

func (s *Store) sealObject(key, source string) (object, error) {
	line, err := header{Version: sealVersion, Key: driver.ToText(key), Source: driver.ToText(source), Sealed: true}.line()
	return object{
		name:        s.layout.event(key, source),
		content:     bytesOf(line),
		contentType: "application/octet-stream",
		metadata:    map[string]string{fieldSealed: "true"},
	}, err
}
