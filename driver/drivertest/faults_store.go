package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// do makes one call, of an operation of a store of kind S, with its faults.
func do[S, R any](ctx context.Context, f *Faults, op Op, key, source string, call func(S) (R, error)) (R, error) {
	var none R
	store, ok := f.store.(S)
	if !ok {
		return none, fmt.Errorf("drivertest: %s of a %T: %w", op, f.store, errors.ErrUnsupported)
	}
	c, faults := f.begin(op, key, source)
	for _, fault := range faults {
		if err := runPart(ctx, fault.Before); err != nil {
			return none, fmt.Errorf("drivertest: before %v: %w", c, err)
		}
	}
	result, err := call(store)
	for _, fault := range faults {
		if fault.saw != nil {
			fault.saw(result, err)
		}
		if err := runPart(ctx, fault.After); err != nil {
			return none, fmt.Errorf("drivertest: after %v: %w", c, err)
		}
	}
	return result, err
}

func runPart(ctx context.Context, part func(context.Context) error) error {
	if part == nil {
		return nil
	}
	return part(ctx)
}

// Persist implements [driver.EventStore].
func (f *Faults) Persist(ctx context.Context, m driver.Message) error {
	_, err := do(ctx, f, OpPersist, m.Key, m.Source, func(s driver.EventStore) (any, error) {
		return nil, s.Persist(ctx, m)
	})
	return err
}

// LookUp implements [driver.EventStore].
func (f *Faults) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	return do(ctx, f, OpLookUp, key, source, func(s driver.EventStore) (driver.Message, error) {
		return s.LookUp(ctx, key, source)
	})
}

// LookUpByKey implements [driver.EventStore].
func (f *Faults) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	return do(ctx, f, OpLookUpByKey, key, "", func(s driver.EventStore) ([]driver.Message, error) {
		return s.LookUpByKey(ctx, key)
	})
}

// ListSourcesByKey implements [driver.EventStore].
func (f *Faults) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	return do(ctx, f, OpListSourcesByKey, key, "", func(s driver.EventStore) ([]string, error) {
		return s.ListSourcesByKey(ctx, key)
	})
}

// Replace implements [driver.Replacer].
func (f *Faults) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	return do(ctx, f, OpReplace, m.Key, m.Source, func(s driver.Replacer) (driver.Message, error) {
		return s.Replace(ctx, m)
	})
}

// Decide implements [driver.Decider].
func (f *Faults) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	return do(ctx, f, OpDecide, key, "", func(s driver.Decider) ([]string, error) {
		return s.Decide(ctx, key, name, sources)
	})
}

// ListDecided implements [driver.Decider].
func (f *Faults) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	type lists struct{ sources, decided []string }
	l, err := do(ctx, f, OpListDecided, key, "", func(s driver.Decider) (l lists, err error) {
		l.sources, l.decided, err = s.ListDecided(ctx, key, name)
		return l, err
	})
	return l.sources, l.decided, err
}

// KeepAndLook implements [driver.KeepLooker].
func (f *Faults) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	type found struct {
		messages []driver.Message
		missing  []string
	}
	l, err := do(ctx, f, OpKeepAndLook, m.Key, m.Source, func(s driver.KeepLooker) (l found, err error) {
		l.messages, l.missing, err = s.KeepAndLook(ctx, m, sources)
		return l, err
	})
	return l.messages, l.missing, err
}

// Seal implements [driver.Sealer].
func (f *Faults) Seal(ctx context.Context, key, source string) (bool, error) {
	return do(ctx, f, OpSeal, key, source, func(s driver.Sealer) (bool, error) {
		return s.Seal(ctx, key, source)
	})
}

// Acquire implements [driver.ClaimStore].
func (f *Faults) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	return do(ctx, f, OpAcquire, c.Key, "", func(s driver.ClaimStore) (driver.Claim, error) {
		return s.Acquire(ctx, c, ttl)
	})
}

// Renew implements [driver.ClaimStore].
func (f *Faults) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	return do(ctx, f, OpRenew, c.Key, "", func(s driver.ClaimStore) (driver.Claim, error) {
		return s.Renew(ctx, c, ttl)
	})
}

// Complete implements [driver.ClaimStore].
func (f *Faults) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	_, err := do(ctx, f, OpComplete, c.Key, "", func(s driver.ClaimStore) (any, error) {
		return nil, s.Complete(ctx, c, outcome)
	})
	return err
}

// Release implements [driver.ClaimStore].
func (f *Faults) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	_, err := do(ctx, f, OpRelease, c.Key, "", func(s driver.ClaimStore) (any, error) {
		return nil, s.Release(ctx, c, r)
	})
	return err
}

// AddDeadLetter implements [driver.DeadLetterStore].
func (f *Faults) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	_, err := do(ctx, f, OpAddDeadLetter, d.Key, d.Source, func(s driver.DeadLetterStore) (any, error) {
		return nil, s.AddDeadLetter(ctx, d)
	})
	return err
}
