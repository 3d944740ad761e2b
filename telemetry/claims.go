package telemetry

import (
	"cmp"
	"context"
	"errors"
	"time"

	"example.com/eventdriver/driver"
)

// ClaimStore returns a store that does what s does, with a span for each operation. It counts the
// joins that are completed, and how long they have waited.
func (t *Telemetry) ClaimStore(name string, s driver.ClaimStore) driver.ClaimStore {
	return &claimStore{t, name, s}
}

type claimStore struct {
	t    *Telemetry
	name string
	next driver.ClaimStore
}

var _ driver.ClaimStore = (*claimStore)(nil)

// Acquire implements [driver.ClaimStore].
func (s *claimStore) Acquire(ctx context.Context, want driver.Claim, ttl time.Duration) (claim driver.Claim, err error) {
	ctx, c := s.t.call(ctx, &err, s.name, "acquire", want.Key, "")
	defer c.end()
	claim, err = s.next.Acquire(ctx, want, ttl)
	if err != nil {
		return claim, err
	}
	c.span.SetAttributes(attrToken.Int64(claim.Token))
	runFrom(ctx).claimed(claim)
	if claim.Takeover && runFrom(ctx).first(claim.Owner) {
		s.t.metrics.takeovers.Add(ctx, 1)
	}
	return claim, nil
}

// Renew implements [driver.ClaimStore].
func (s *claimStore) Renew(ctx context.Context, old driver.Claim, ttl time.Duration) (claim driver.Claim, err error) {
	ctx, c := s.t.call(ctx, &err, s.name, "renew", old.Key, "")
	defer c.end()
	if claim, err = s.next.Renew(ctx, old, ttl); errors.Is(err, driver.ErrLost) {
		s.t.metrics.lost.Add(ctx, 1)
	}
	return claim, err
}

// Complete implements [driver.ClaimStore].
func (s *claimStore) Complete(ctx context.Context, claim driver.Claim, outcome driver.Outcome) (err error) {
	ctx, c := s.t.call(ctx, &err, s.name, "complete", claim.Key, "")
	defer c.end()
	switch err = s.next.Complete(ctx, claim, outcome); {
	case err == nil:
		s.completed(ctx, cmp.Or(outcome, driver.OutcomeProcessed))
	case errors.Is(err, driver.ErrLost):
		s.t.metrics.fenced.Add(ctx, 1)
	}
	return err
}

func (s *claimStore) completed(ctx context.Context, outcome driver.Outcome) {
	labels := s.t.labeled.outcomes.of(s.t.reasons.of(string(outcome)), ofOutcome)
	labels.one(ctx, s.t.metrics.joins)
	if wait, known := runFrom(ctx).wait(time.Now()); known {
		s.t.metrics.joinWait.Record(ctx, wait.Seconds(), labels.record...)
	}
}

// Release implements [driver.ClaimStore].
func (s *claimStore) Release(ctx context.Context, claim driver.Claim, r driver.Released) (err error) {
	ctx, c := s.t.call(ctx, &err, s.name, "release", claim.Key, "")
	defer c.end()
	return s.next.Release(ctx, claim, r)
}
