package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// keyOf returns the key that a segment of names stands for. Of one that is hashed it reads
// the object, which is any of the key's: each has the key.
func (s *Store) keyOf(ctx context.Context, segment, object string) (string, error) {
	if !isHashed(segment) {
		key, err := unescape(segment)
		if err != nil {
			return "", s.unexpected(ctx, object, fmt.Errorf("%w: %w", ErrCorrupt, err))
		}
		return key, nil
	}
	key, err := s.readKey(ctx, segment, object)
	if err == nil && objectName(key) != segment {
		err = s.unexpected(ctx, object, fmt.Errorf("%w: it holds key %.80q", ErrCorrupt, key))
	}
	return key, err
}

// readKey reads the key in an object. Class B.
func (s *Store) readKey(ctx context.Context, segment, object string) (string, error) {
	_, rest, _ := strings.Cut(object, "/"+segment+"/")
	switch {
	case strings.HasPrefix(rest, "events/"+decisionFolder):
		d, err := s.readDecisionObject(ctx, object)
		if err != nil {
			return "", err
		}
		return driver.FromText(d.Key)
	case strings.HasPrefix(rest, "events/"), strings.HasPrefix(rest, correctedFolder):
		m, _, err := s.readHeader(ctx, object, func(m driver.Message) bool { return objectName(m.Key) == segment })
		return m.Key, err
	}
	content, err := s.readAll(ctx, object)
	return string(content), err
}

// describeKey describes a key whose objects are in folder. What can't be described becomes a
// problem.
func (s *Store) describeKey(
	ctx context.Context, folder string, objects []listed, key string,
) (driver.KeyState, error) {
	k := keyState{KeyState: driver.KeyState{Key: key}, store: s, claims: make(map[string]claimObjects),
		corrected: make(map[string]correctedObject), was: make(map[string]string)}
	for _, o := range objects {
		err := k.add(ctx, strings.TrimPrefix(o.name, folder), o)
		switch {
		case errors.Is(err, driver.ErrNotFound): // it is gone meanwhile
		case isUnreadable(err):
			k.Problems = append(k.Problems, err.Error())
		case err != nil:
			return driver.KeyState{}, err
		}
	}
	for i, e := range k.Events {
		k.Events[i].Corrections = k.correctionsOf(e.Source, k.was[e.Source])
	}
	for scope, objects := range k.claims {
		k.Claims = append(k.Claims, objects.describe(scope))
	}
	slices.SortFunc(k.Events, func(a, b driver.EventState) int { return strings.Compare(a.Source, b.Source) })
	slices.Sort(k.Sealed)
	slices.SortFunc(k.Decided, func(a, b driver.Decision) int { return strings.Compare(a.Join, b.Join) })
	slices.SortFunc(k.Claims, func(a, b driver.ClaimState) int { return strings.Compare(a.Scope, b.Scope) })
	if len(k.Events)+len(k.Sealed)+len(k.Decided)+len(k.Claims)+len(k.Problems) == 0 { // at most what is left of a history
		return driver.KeyState{}, driver.ErrNotFound
	}
	return k.KeyState, nil
}

// keyState is a description under way.
type keyState struct {
	driver.KeyState
	store  *Store
	claims map[string]claimObjects // by scope

	corrected map[string]correctedObject // by the object's name
	was       map[string]string          // what an event's object says of the last of these, by source
}

// add describes an object, whose name ends with rest behind the key's folder.
func (k *keyState) add(ctx context.Context, rest string, o listed) error {
	event, isEvent := strings.CutPrefix(rest, "events/")
	scope, isScoped := strings.CutPrefix(rest, "scopes/")
	switch {
	case strings.HasPrefix(event, decisionFolder) && isEvent:
		return k.addDecision(ctx, o)
	case isEvent:
		return k.addEvent(ctx, o)
	case strings.HasPrefix(rest, correctedFolder):
		return k.addCorrected(ctx, o)
	case isScoped:
		scope, kind, _ := strings.Cut(scope, "/")
		return k.addClaim(ctx, scope, kind, o)
	}
	return k.addClaim(ctx, "", rest, o)
}

func (k *keyState) addEvent(ctx context.Context, o listed) error {
	source, err := k.store.sourceOf(k.Key)(ctx, o.name)
	switch {
	case err != nil && !errors.Is(err, driver.ErrSealed):
		return err
	case o.metadata[fieldSealed] != "":
		k.Sealed = append(k.Sealed, source)
		return nil
	}
	e, err := eventState(o, source)
	if err != nil {
		return k.store.unexpected(ctx, o.name, err)
	}
	k.Events = append(k.Events, e)
	k.was[source] = o.metadata[fieldWas]
	return nil
}

func (k *keyState) addDecision(ctx context.Context, o listed) error {
	join, err := unescape(o.name[strings.LastIndexByte(o.name, '/')+1:])
	if list, listed := o.metadata[fieldSources]; listed && err == nil {
		sources, err := k.store.listedSources(ctx, o.name, list)
		k.Decided = append(k.Decided, driver.Decision{Join: join, Sources: sources})
		return err
	}
	d, err := k.store.readDecisionObject(ctx, o.name)
	if err != nil {
		return err
	}
	sources, err := k.store.decidedSources(ctx, o.name, d.Sources)
	if err == nil {
		join, err = driver.FromText(d.Join)
	}
	k.Decided = append(k.Decided, driver.Decision{Join: join, Sources: sources})
	return err
}

// claimObjects are the objects of a key's claims in one scope.
type claimObjects struct {
	record record // its token is 0 if there is none
	done   *driver.Completion
	opened *driver.Completion // what is left of one that was reopened
}

func (k *keyState) addClaim(ctx context.Context, segment, kind string, o listed) error {
	scope, err := unescape(segment)
	if isHashed(segment) {
		scope, err = segment, nil // no object has it
	}
	objects := k.claims[scope]
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	case kind == "claim":
		objects.record, err = parseRecord(o.metadata)
		objects.record.stored = o.created
	case kind == "done":
		var done completion
		done, err = parseCompletion(o.metadata)
		kept := &driver.Completion{Outcome: done.outcome, Token: done.token, Owner: ownerText(done.owner), Time: o.created}
		if done.reopened {
			objects.opened = kept
		} else {
			objects.done = kept
		}
	default:
		err = fmt.Errorf("%w: this store does not write it", ErrCorrupt)
	}
	if err != nil {
		return k.store.unexpected(ctx, o.name, err)
	}
	k.claims[scope] = objects
	return nil
}

// describe says what the objects say of the claims in a scope.
func (c claimObjects) describe(scope string) driver.ClaimState {
	r := c.record
	state := driver.ClaimState{Scope: scope, Token: r.token, Owner: ownerText(r.owner), Takeover: r.takeover,
		Changed: r.stored, Done: c.done}
	switch {
	case c.done != nil && r.token == 0: // the claim is gone
		state.Token, state.Owner, state.Changed = c.done.Token, c.done.Owner, c.done.Time
	case c.done != nil:
	case c.opened != nil && r.token <= c.opened.Token && (r.released || r.token == 0): // or the claim is gone
		state.Token, state.Owner, state.Changed = c.opened.Token, c.opened.Owner, c.opened.Time
	case r.released:
		state.Mark, state.Attempts, state.NotBefore = r.mark, r.attempts, r.resumes()
	default:
		state.Held, state.Expires, state.Mark, state.Attempts = true, r.expires(), r.mark, r.attempts
	}
	return state
}

// ownerText is the owner that a mark stands for; the mark itself, where that is a hash.
func ownerText(mark string) string {
	owner, err := unescape(mark)
	if err != nil || isHashed(mark) {
		return mark
	}
	return owner
}
