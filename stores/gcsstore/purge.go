package gcsstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"example.com/eventdriver/driver"
)

// PurgeEvents implements [driver.Purger]. It costs two Class A operations, and another for each 1,000
// objects and each 1,000 letters beyond the first; deleting is free. Letters that an earlier version
// has written are not found by their key, and stay.
func (s *Store) PurgeEvents(ctx context.Context, key string) error {
	if err := s.purgeEvents(ctx, key); err != nil {
		return failed(OpPurgeEvents, key, anySource, err)
	}
	return nil
}

func (s *Store) purgeEvents(ctx context.Context, key string) error {
	ctx, cancel, err := s.begin(ctx, OpPurgeEvents, key, anySource)
	if err != nil {
		return err
	}
	defer cancel()
	events, err := s.list(ctx, s.layout.events(key))
	if err != nil {
		return err
	}
	corrected, err := s.list(ctx, s.layout.ofKey(key)+"/"+correctedFolder)
	if err != nil {
		return err
	}
	isDecision := func(o listed) bool { return strings.HasPrefix(o.name, s.layout.events(key)+decisionFolder) }
	decisions := slices.DeleteFunc(slices.Clone(events), func(o listed) bool { return !isDecision(o) })
	events = slices.DeleteFunc(events, isDecision)
	if err := s.deleteAll(ctx, events, decisions, corrected); err != nil {
		return err
	}
	return s.purgeLetters(ctx, key)
}

// purgeLetters deletes each letter before what refers to it: so long as one is left, it is found.
func (s *Store) purgeLetters(ctx context.Context, key string) error {
	refs, err := s.list(ctx, s.layout.letterRefs(key))
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if err := s.delete(ctx, s.layout.letterOf(key, ref.name)); err != nil {
			return err
		}
	}
	return s.deleteAll(ctx, refs)
}

// deleteAll deletes what was listed, one group after the other.
func (s *Store) deleteAll(ctx context.Context, groups ...[]listed) error {
	for _, group := range groups {
		generations, names := make(map[string]int64), make([]string, len(group))
		for i, o := range group {
			generations[o.name], names[i] = o.generation, o.name
		}
		_, err := each(ctx, names, func(ctx context.Context, name string) (struct{}, error) {
			return struct{}{}, s.deleteListed(ctx, name, generations[name])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteListed deletes the generation of an object that was listed, and none that was written since: a
// request that arrives late deletes nothing of the key's next life.
func (s *Store) deleteListed(ctx context.Context, name string, generation int64) error {
	err := s.bucket.Object(name).Generation(generation).Retryer(storage.WithPolicy(storage.RetryAlways)).Delete(ctx)
	if err == nil || missing(err) == missingObject {
		return nil
	}
	return s.notThere(ctx, name, err)
}

// PurgeClaims implements [driver.Purger]. Where the newest token is ahead of this process's clock, it
// waits until it is not. It costs three Class A operations; deleting is free.
func (s *Store) PurgeClaims(ctx context.Context, key string) error {
	if err := s.purgeClaims(ctx, key); err != nil {
		return failed(OpPurgeClaims, key, anySource, err)
	}
	return nil
}

func (s *Store) purgeClaims(ctx context.Context, key string) error {
	ctx, cancel, err := s.begin(ctx, OpPurgeClaims, key, anySource)
	if err != nil {
		return err
	}
	defer cancel()
	var claims, completions []listed
	var newest int64
	for _, prefix := range []string{s.layout.claim(driver.Claim{Key: key}), s.layout.done(driver.Claim{Key: key}), s.layout.ofKey(key) + "/scopes/"} {
		objects, err := s.list(ctx, prefix)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if token, err := strconv.ParseInt(o.metadata[fieldToken], 10, 64); err == nil {
				newest = max(newest, token)
			}
			if strings.HasSuffix(o.name, "/done") {
				completions = append(completions, o)
			} else {
				claims = append(claims, o)
			}
		}
	}
	if err := waitFor(ctx, newest); err != nil {
		return err
	}
	return s.deleteAll(ctx, claims, completions)
}

// waitFor waits until the first token of a key would be greater than token.
func waitFor(ctx context.Context, token int64) error {
	timer := time.NewTimer(time.Until(time.UnixMilli(token + 1)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("the key's newest token is ahead of this clock"), ctx.Err())
	}
}
