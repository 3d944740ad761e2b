package joiner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"example.com/eventdriver/driver"
)

// keepAndLook has the store keep in and look for all that is needed, in one call. It returns
// nil if one is missing.
func (j *Joiner) keepAndLook(ctx context.Context, in driver.Message, w *waiting) ([]driver.Message, error) {
	messages, missing, err := j.store.KeepAndLook(ctx, in, j.needed)
	if _, err := j.kept(ctx, in, err); err != nil {
		return nil, err
	}
	w.missing = missing
	return messages, nil
}

// complete persists in and at the same time looks for each other source that is
// needed. What it did not find then, it looks for again after in is persisted:
// without this second look, two events that arrive together could both miss the
// other. It returns nil if one is still missing.
func (j *Joiner) complete(ctx context.Context, in driver.Message, w *waiting) ([]driver.Message, error) {
	first, free := driver.ScopeMemory(ctx)
	messages, errs := each(j.needed, func(source string) (driver.Message, error) {
		if source == in.Source {
			return j.persist(first, in)
		}
		return j.store.LookUp(first, in.Key, source)
	})
	if err := errs[slices.Index(j.needed, in.Source)]; err != nil {
		return nil, err
	}
	for i, source := range j.needed {
		if errs[i] == nil || noRoom(errs[i]) || j.isSealed(errs[i]) { // its place is filled
			continue
		}
		w.missing = missing(j.needed[i:], errs[i:])
		messages[i], errs[i] = j.store.LookUp(first, in.Key, source)
		if errors.Is(errs[i], driver.ErrNotFound) {
			return nil, nil
		}
		if errs[i] != nil && !j.isSealed(errs[i]) {
			return nil, errs[i]
		}
	}
	if i := slices.IndexFunc(errs, noRoom); i >= 0 {
		return nil, errs[i]
	}
	if j.policy == KeepLast {
		free()
		return j.lookAgain(ctx, in.Key, w)
	}
	return j.arrived(messages, errs, w), nil
}

// noRoom says that an event is there, but that there is no memory for its content. That
// is no failure while another is missing.
func noRoom(err error) bool {
	return errors.Is(err, driver.ErrNoMemory) || driver.ReasonOf(err) == driver.ReasonTooLarge
}

// lookAgain reads all that is needed, once it is known that all is there. What was read
// before may have been replaced, and its replacement acknowledged, before the last of
// the others was stored.
func (j *Joiner) lookAgain(ctx context.Context, key string, w *waiting) ([]driver.Message, error) {
	messages, errs := each(j.needed, func(source string) (driver.Message, error) {
		return j.store.LookUp(ctx, key, source)
	})
	w.missing = missing(j.needed, errs)
	for _, err := range errs {
		if errors.Is(err, driver.ErrNotFound) { // it has expired meanwhile
			return nil, nil
		}
		if err != nil && !j.isSealed(err) {
			return nil, err
		}
	}
	return j.arrived(messages, errs, w), nil
}

// decided persists in, and joins what is decided. If nothing is, and the condition holds
// for what has arrived, that is decided. It returns nil if the condition does not hold.
func (j *Joiner) decided(ctx context.Context, in driver.Message, w *waiting) ([]driver.Message, error) {
	kept, err := j.persistUndecided(ctx, in)
	if err != nil {
		return nil, err
	}
	return j.decide(ctx, kept, w)
}

// decide joins what is decided, or can be decided now, of the key of kept.
func (j *Joiner) decide(ctx context.Context, kept driver.Message, w *waiting) ([]driver.Message, error) {
	sources, decided, err := j.store.ListDecided(ctx, kept.Key, j.name)
	if err != nil {
		return nil, err
	}
	if decided == nil {
		sources = slices.DeleteFunc(sources, func(s string) bool { return !j.names(s) })
		w.arrived = sources
		if !j.condition.Evaluate(slices.Clone(sources)) {
			return nil, nil
		}
		if decided, err = j.store.Decide(ctx, kept.Key, j.name, sources); err != nil {
			return nil, err
		}
	}
	return j.lookUp(ctx, kept, decided)
}

// persistUndecided persists m. With KeepLast, it replaces nothing once the join is
// decided.
func (j *Joiner) persistUndecided(ctx context.Context, m driver.Message) (driver.Message, error) {
	if j.policy != KeepLast {
		return j.persist(ctx, m)
	}
	_, decided, err := j.store.ListDecided(ctx, m.Key, j.name)
	if err != nil {
		return m, err
	}
	if decided == nil {
		return j.persist(ctx, m)
	}
	if err := j.store.Persist(ctx, m); !errors.Is(err, driver.ErrConflict) {
		return m, err
	}
	return m, nil
}

// lookUp returns the events of a decision. kept is one that is known, unless it may have
// been replaced.
func (j *Joiner) lookUp(ctx context.Context, kept driver.Message, decided []string) ([]driver.Message, error) {
	for _, source := range decided {
		if !j.names(source) {
			return nil, driver.Permanent(fmt.Errorf("the join called %q is decided with source %q, which this condition does not name: "+
				"another joiner has the same name and needs one of its own, or the condition was changed", j.name, source))
		}
	}
	messages, errs := each(decided, func(source string) (driver.Message, error) {
		if source == kept.Source && j.policy != KeepLast {
			return kept, nil
		}
		return j.store.LookUp(ctx, kept.Key, source)
	})
	for i, err := range errs {
		if errors.Is(err, driver.ErrNotFound) {
			return nil, driver.Reject(driver.ReasonGone, fmt.Errorf("the join called %q is decided with the event of source %q, "+
				"which is not kept any more: send it again, then this one: %w", j.name, decided[i], err))
		}
		if err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// names says whether the condition speaks of a source.
func (j *Joiner) names(source string) bool {
	return j.named == nil || slices.Contains(j.named, source)
}

// each calls fn with each source, at once, and returns what it returned, in the order of
// the sources.
func each(sources []string, fn func(source string) (driver.Message, error)) ([]driver.Message, []error) {
	messages, errs := make([]driver.Message, len(sources)), make([]error, len(sources))
	var wait sync.WaitGroup
	for i, source := range sources {
		wait.Go(func() {
			errs[i] = driver.Guard(func() (err error) {
				messages[i], err = fn(source)
				return err
			})
		})
	}
	wait.Wait()
	return messages, errs
}
