package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"example.com/eventdriver/driver"
)

// expect returns an error unless got is want, or nil where want is nil. Calls of
// it are the arguments of errors.Join in many checks: Go makes them one after
// another, so that such a list reads as the story it is.
func expect(what string, got, want error) error {
	if errors.Is(got, want) {
		return nil
	}
	return fmt.Errorf("%s: got error %v, want %v", what, got, want)
}

// expectEqual returns an error unless got is want.
func expectEqual[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s: got %.80q, want %.80q", what, fmt.Sprint(got), fmt.Sprint(want))
}

// expectTrue returns an error unless ok.
func expectTrue(what string, ok bool) error {
	if ok {
		return nil
	}
	return errors.New("not so: " + what)
}

// expectMessage returns an error unless got is want, as a store has to keep it.
func expectMessage(what string, got, want driver.Message) error {
	err := errors.Join(
		expectEqual("ID", got.ID, want.ID),
		expectEqual("Key", got.Key, want.Key),
		expectEqual("Source", got.Source, want.Source),
		expectContent("Content", got.Content, want.Content),
		expectTime(got.Time, want.Time),
		expectAttributes(got.Attributes, want.Attributes),
	)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func expectContent(what string, got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("%s: got %d bytes, %.80q…, want %d bytes, %.80q…", what, len(got), got, len(want), want)
}

func expectTime(got, want time.Time) error {
	if got.IsZero() == want.IsZero() && got.Sub(want).Abs() < time.Microsecond {
		return nil
	}
	return fmt.Errorf("field Time: got %v, want %v, to the microsecond", got, want)
}

func expectAttributes(got, want map[string]string) error {
	if maps.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("field Attributes: got %.200q, want %.200q", got, want)
}

// expectKept returns an error unless the store says that it keeps want, whoever
// asks.
func expectKept(ctx context.Context, s events, want driver.Message) error {
	var failures []error
	for i := range 2 {
		got, err := s.handle(i).LookUp(ctx, want.Key, want.Source)
		if err == nil {
			err = expectMessage("LookUp", got, want)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// expectConflict returns an error unless err is a conflict with kept.
func expectConflict(err error, kept driver.Message) error {
	var conflict *driver.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, driver.ErrConflict) {
		return fmt.Errorf("Persist of other content: got error %v, want a *ConflictError", err)
	}
	return expectMessage("the message in the ConflictError", conflict.Stored, kept)
}
