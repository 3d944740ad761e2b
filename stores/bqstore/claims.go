package bqstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// kind is what a row of the log of claims records.
type kind string

// The kinds of rows.
const (
	acquired  kind = "acquired"
	renewed   kind = "renewed"
	released  kind = "released"
	completed kind = "completed"
)

// claimRow is a row of the log of claims.
type claimRow struct {
	Seq      int64  `bigquery:"seq"`
	Kind     kind   `bigquery:"kind"`
	Token    int64  `bigquery:"token"`
	Owner    string `bigquery:"owner"`
	Takeover bool   `bigquery:"takeover"`
	Mark     string `bigquery:"mark"`
	LeaseMS  int64  `bigquery:"lease_ms"`
	AgeMS    int64  `bigquery:"age_ms"` // by the server's clock, when it was read
	// Incarnation is the table's that the row is in; of a row that is to be written,
	// the one in which the end of the log was read.
	Incarnation string `bigquery:"incarnation"`
}

// left is how much of the lease is left.
func (r claimRow) left() time.Duration {
	return time.Duration(r.LeaseMS-r.AgeMS) * time.Millisecond
}

func (r claimRow) of(c driver.Claim) bool {
	return r.Seq != 0 && r.Token == c.Token && fromText(r.Owner) == c.Owner
}

// Acquire implements [driver.ClaimStore]. A key that was never claimed costs three
// requests, two of them one after the other: it takes the first slot of the key's
// log without a look. Otherwise it asks for the job that has the slot and reads
// the log's end, and where the key is free, takes the slot behind that.
//
// The token is the number of the slot.
func (s *Store) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	claim, err := s.acquire(ctx, c, ttl)
	if err != nil {
		return driver.Claim{}, failed(OpAcquire, c.Key, anySource, err)
	}
	return claim, nil
}

func (s *Store) acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := driver.ValidClaim(c); err != nil {
		return driver.Claim{}, err
	}
	ctx, cancel, err := s.begin(ctx, OpAcquire, c.Key, anySource)
	if err != nil {
		return driver.Claim{}, err
	}
	defer cancel()
	if err := s.checkLease(ttl); err != nil {
		return driver.Claim{}, err
	}
	var at position
	var end claimRow // of a log that is taken to be empty
	for {
		n, err := at.after(end.Seq)
		if err != nil {
			return driver.Claim{}, err
		}
		asked := time.Now()
		next, err := end.successor(c, n, ttl)
		if err != nil {
			return driver.Claim{}, err
		}
		if next, err = s.record(ctx, c, next); err == nil {
			return s.handOut(c, next, asked.Add(ttl)), nil
		}
		if !at.again(err) {
			return driver.Claim{}, err
		}
		if end, err = s.reend(ctx, &at, c); err != nil {
			return driver.Claim{}, err
		}
	}
}

// reend reads the end of the key's log after a refusal.
func (s *Store) reend(ctx context.Context, at *position, c driver.Claim) (end claimRow, err error) {
	err = s.reread(ctx, at, s.claimLog(c), func() (int64, error) {
		end, err = s.end(ctx, c)
		return end.Seq, err
	})
	return end, err
}

func (s *Store) claimLog(c driver.Claim) log {
	if c.Scope == "" { // as before there were scopes: revisions work side by side
		return log{s.settings.tables.Claims, []string{c.Key}}
	}
	return log{s.settings.tables.Claims, []string{c.Scope, c.Key}}
}

// successor is the row to write behind r so that the key is the owner's.
func (r claimRow) successor(c driver.Claim, n int64, ttl time.Duration) (claimRow, error) {
	next := claimRow{Seq: n, Kind: acquired, Token: n, Owner: driver.ToText(c.Owner), LeaseMS: milliseconds(ttl), Incarnation: r.Incarnation}
	switch {
	case r.Seq == 0:
	case r.Kind == released:
		next.Mark = r.Mark
	case r.Kind == completed:
		return next, driver.ErrDone
	case fromText(r.Owner) == c.Owner: // the caller has lost an answer
		next.Kind, next.Token, next.Takeover, next.Mark = renewed, r.Token, r.Takeover, r.Mark
	case r.left() > 0:
		return next, &driver.HeldError{Scope: c.Scope, Key: c.Key, Token: r.Token, Expires: time.Now().Add(r.left())}
	default:
		next.Takeover = true
	}
	return next, nil
}

// handOut returns the claim that r records, and remembers where its log ends.
func (s *Store) handOut(c driver.Claim, r claimRow, until time.Time) driver.Claim {
	c.Token, c.Expires, c.Takeover, c.Mark = r.Token, until, r.Takeover, driver.Mark(r.Mark)
	s.held.Remember(c, r)
	return c
}

// Renew implements [driver.ClaimStore]. The token stays the same. For a claim that
// this store handed out it costs three requests, otherwise a query more.
func (s *Store) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := s.checkLease(ttl); err != nil {
		return driver.Claim{}, failed(OpRenew, c.Key, anySource, err)
	}
	asked := time.Now()
	r, err := s.change(ctx, OpRenew, c, renewed, ttl, driver.MarkNone)
	if err != nil {
		return driver.Claim{}, err
	}
	return s.handOut(c, r, asked.Add(ttl)), nil
}

// Complete implements [driver.ClaimStore]. The outcome is in the column of marks. It
// costs what Renew costs.
func (s *Store) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	_, err := s.change(ctx, OpComplete, c, completed, 0, driver.Mark(cmp.Or(outcome, driver.OutcomeProcessed)))
	return err
}

// Release implements [driver.ClaimStore]. It costs what Renew costs.
func (s *Store) Release(ctx context.Context, c driver.Claim, mark driver.Mark) error {
	_, err := s.change(ctx, OpRelease, c, released, 0, mark)
	return err
}

// change writes a row of the holder of c behind the end of its key's log.
func (s *Store) change(ctx context.Context, op Operation, c driver.Claim, to kind, ttl time.Duration, mark driver.Mark) (claimRow, error) {
	opCtx, cancel, err := s.begin(ctx, op, c.Key, anySource)
	if err != nil {
		return claimRow{}, failed(op, c.Key, anySource, err)
	}
	defer cancel()
	r, err := s.changed(opCtx, c, to, ttl, mark)
	if err == nil && to != renewed || errors.Is(err, driver.ErrLost) {
		s.held.Forget(c)
	}
	if err != nil {
		return claimRow{}, failed(op, c.Key, anySource, fmt.Errorf("token %d: %w", c.Token, err))
	}
	return r, nil
}

func (s *Store) changed(ctx context.Context, c driver.Claim, to kind, ttl time.Duration, mark driver.Mark) (claimRow, error) {
	var at position
	end, known := s.held.Find(c)
	for {
		if !known {
			var err error
			if end, err = s.reend(ctx, &at, c); err != nil {
				return claimRow{}, err
			}
		}
		switch {
		case !end.of(c):
			return claimRow{}, driver.ErrLost
		case end.Kind == to && to != renewed: // its answer was lost
			return end, nil
		case end.Kind == completed || end.Kind == released:
			return claimRow{}, driver.ErrLost
		}
		n, err := at.after(end.Seq)
		if err != nil {
			return claimRow{}, err
		}
		next := claimRow{Seq: n, Kind: to, Token: end.Token, Owner: end.Owner, Takeover: end.Takeover, LeaseMS: milliseconds(ttl),
			Mark: string(mark), Incarnation: end.Incarnation}
		if to == renewed {
			next.Mark = end.Mark
		}
		if next, err = s.record(ctx, c, next); !at.again(err) {
			return next, err
		}
		known = false
	}
}

// record writes a row of the key's log and returns it, or errRefused.
func (s *Store) record(ctx context.Context, c driver.Claim, r claimRow) (claimRow, error) {
	const values = "(scope, key, seq, kind, token, owner, takeover, mark, lease_ms, incarnation, created_at) " +
		"VALUES (@scope, @key, @seq, @kind, @token, @owner, @takeover, @mark, @lease_ms, @incarnation, CURRENT_TIMESTAMP())"
	table := s.settings.tables.Claims
	incarnation, err := s.append(ctx, s.claimLog(c), r.Incarnation, r.Seq, "INSERT INTO "+s.name(table)+" "+values,
		"scope", driver.ToText(c.Scope), "key", driver.ToText(c.Key), "kind", string(r.Kind), "token", r.Token, "owner", r.Owner,
		"takeover", r.Takeover, "mark", r.Mark, "lease_ms", r.LeaseMS)
	r.Incarnation = incarnation
	return r, err
}

// end returns the last row of the key's log, or none. Rows that were written
// under the ID of a table that is gone never were claims.
func (s *Store) end(ctx context.Context, c driver.Claim) (claimRow, error) {
	table := s.settings.tables.Claims
	id, _, err := s.identify(ctx, table)
	if err != nil {
		return claimRow{}, err
	}
	rows, err := query[claimRow](ctx, s, "SELECT seq, kind, token, owner, takeover, IFNULL(mark, '') AS mark, lease_ms, incarnation, "+
		"TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), created_at, MILLISECOND) AS age_ms FROM "+s.name(table)+
		" WHERE IFNULL(scope, '') = @scope AND key = @key AND incarnation = @incarnation AND created_at >= @since ORDER BY seq DESC LIMIT 1",
		"scope", driver.ToText(c.Scope), "key", driver.ToText(c.Key), "incarnation", id.incarnation, "since", s.since())
	if err != nil || len(rows) == 0 {
		return claimRow{}, err
	}
	return rows[0], nil
}

// checkLease refuses a lease that would outlast the row that records it.
func (s *Store) checkLease(ttl time.Duration) error {
	switch {
	case ttl <= 0:
		return fmt.Errorf("a lease of %v is not positive", ttl)
	case ttl > s.settings.retention:
		return fmt.Errorf("a lease of %v is longer than rows are kept, %v", ttl, s.settings.retention)
	}
	return nil
}
