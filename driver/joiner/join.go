package joiner

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// complete persists in, and looks for all that is needed. It returns nil if one is missing.
//
// The invariant: an event waits only if a place was empty when it was looked at after the
// event's own Persist had returned. So of several events that arrive together, the one whose
// Persist returns last sees all the others, and goes on: each of its looks that can end it comes
// after all their Persists. What was seen before or while the own event was kept, or is remembered
// of the key, ends nothing: it only decides at which places to look, and when.
//
// Some places are looked at while in is persisted. One of them that was empty then is looked at
// again; if it still is, the event waits. If all of them are filled, the rest is read.
func (j *Joiner) complete(ctx context.Context, in driver.Message, w *waiting) ([]driver.Message, error) {
	first, free := driver.ScopeMemory(ctx)
	p, own := j.placesOf(in.Key), slices.Index(j.needed, in.Source)
	early := p.first(own)
	p.each(append(early, own), func(i int) (driver.Message, error) {
		if i == own {
			return j.persist(first, in)
		}
		return j.store.LookUp(first, in.Key, j.needed[i])
	})
	if p.errs[own] != nil {
		return nil, p.errs[own]
	}
	defer p.remember()
	for _, i := range early {
		if p.filled(i) {
			continue
		}
		w.note(p)
		p.read(first, i) // in is kept now
		if err := p.failure(i); err != nil {
			return nil, unlessMissing(err)
		}
	}
	if j.policy == KeepLast && !slices.ContainsFunc(p.errs, noRoom) {
		free()
		return j.lookAgain(ctx, in.Key, w)
	}
	rest := p.are(isUnread)
	p.read(first, rest...)
	w.note(p)
	if err := p.failure(rest...); err != nil {
		return nil, unlessMissing(err)
	}
	if i := slices.IndexFunc(p.errs, noRoom); i >= 0 {
		return nil, p.errs[i]
	}
	return j.arrived(p.messages, p.errs, w), nil
}

// unlessMissing returns nil for an event that is missing: the join waits, and nothing has failed.
func unlessMissing(err error) error {
	if isMissing(err) {
		return nil
	}
	return err
}

// noRoom says that an event is there, but that there is no memory for its content. That
// is no failure while another is missing.
func noRoom(err error) bool {
	return errors.Is(err, driver.ErrNoMemory) || driver.ReasonOf(err) == driver.ReasonTooLarge
}

// lookAgain reads all that is needed, once it is known that all is there, or at least those that
// were looked at. What was read before may have been replaced, and its replacement acknowledged,
// before the last of the others was stored.
func (j *Joiner) lookAgain(ctx context.Context, key string, w *waiting) ([]driver.Message, error) {
	p := j.placesOf(key)
	all := p.are(isUnread)
	p.read(ctx, all...)
	w.note(p)
	if err := p.failure(all...); err != nil {
		return nil, unlessMissing(err)
	}
	if i := slices.IndexFunc(p.errs, noRoom); i >= 0 {
		return nil, p.errs[i]
	}
	return j.arrived(p.messages, p.errs, w), nil
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

// each calls fn with each of what, at once, and returns what it returned, in the same order.
func each[T any](what []T, fn func(T) (driver.Message, error)) ([]driver.Message, []error) {
	messages, errs := make([]driver.Message, len(what)), make([]error, len(what))
	results := make([]<-chan error, len(what))
	for i := range what {
		results[i] = driver.Go(func() (err error) {
			messages[i], err = fn(what[i])
			return err
		})
	}
	for i, result := range results {
		errs[i] = <-result
	}
	return messages, errs
}
