package bqstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// kind is what a row of the log of claims records.
type kind string

const (
	acquired  kind = "acquired"
	renewed   kind = "renewed"
	released  kind = "released"
	completed kind = "completed"
)

// form is the form of the rows of that kind.
func (k kind) form() int {
	if k == reopened {
		return newForm
	}
	return form
}

// claimRow is a row of the log of claims.
type claimRow struct {
	revision
	Seq      int64  `bigquery:"seq"`
	Kind     kind   `bigquery:"kind"`
	Token    int64  `bigquery:"token"`
	Owner    string `bigquery:"owner"`
	Takeover bool   `bigquery:"takeover"`
	Mark     string `bigquery:"mark"`
	Attempts int64  `bigquery:"attempts"`
	PauseMS  int64  `bigquery:"pause_ms"`
	LeaseMS  int64  `bigquery:"lease_ms"`
	AgeMS    int64  `bigquery:"age_ms"` // by the server's clock, when it was read
}

// left is how much is left of a lease, or of a pause.
func (r claimRow) left() time.Duration {
	ms := r.LeaseMS
	if r.Kind == released {
		ms = r.PauseMS
	}
	return time.Duration(ms-r.AgeMS) * time.Millisecond
}

// Acquire implements [driver.ClaimStore]. A key that was never claimed costs two requests,
// one after the other: it takes the first slot of the key's log without a look. Otherwise it
// reads the log's end, and where the key is free, takes the slot behind that.
//
// The token is the number of the slot.
func (s *Store) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	asked, r := time.Now(), claimRow{}
	valid := cmp.Or(driver.ValidClaim(c), s.checkLease(ttl))
	err := s.do(ctx, "acquire", c.String(), valid, func(ctx context.Context) (err error) {
		none := claimRow{} // the end of a log that is taken to be empty
		r, err = s.record(ctx, c, &none, func(end claimRow, n int64) (claimRow, error) {
			asked = time.Now()
			return end.successor(c, n, ttl)
		})
		return err
	})
	return s.handOut(c, r, asked.Add(ttl), err), err
}

// successor is the row to write to slot n, behind r, so that the key is the owner's.
func (r claimRow) successor(c driver.Claim, n int64, ttl time.Duration) (claimRow, error) {
	next := claimRow{Seq: n, Kind: acquired, Token: n, Owner: driver.ToText(c.Owner), LeaseMS: milliseconds(ttl)}
	switch {
	case r.Seq == 0:
	case r.Kind == released && r.left() > 0 && !c.Early:
		return next, &driver.LaterError{Scope: c.Scope, Key: c.Key, Token: r.Token, Until: time.Now().Add(r.left())}
	case r.Kind == released || r.Kind == reopened:
		next.Mark, next.Attempts = r.Mark, r.Attempts
	case r.Kind == completed:
		return next, driver.ErrDone
	case fromText(r.Owner) == c.Owner: // the caller has lost an answer
		next.Kind, next.Token, next.Takeover, next.Mark, next.Attempts = renewed, r.Token, r.Takeover, r.Mark, r.Attempts
	case r.left() > 0:
		return next, &driver.HeldError{Scope: c.Scope, Key: c.Key, Token: r.Token, Expires: time.Now().Add(r.left())}
	default:
		next.Takeover, next.Attempts = true, r.Attempts+1
	}
	return next, nil
}

// handOut returns the claim that r records, and remembers where its log ends; none after
// an error.
func (s *Store) handOut(c driver.Claim, r claimRow, until time.Time, err error) driver.Claim {
	if err != nil {
		return driver.Claim{}
	}
	c.Token, c.Expires, c.Takeover, c.Mark, c.Attempts = r.Token, until, r.Takeover, driver.Mark(r.Mark), int(r.Attempts)
	s.held.Remember(c, r)
	return c
}

// Renew implements [driver.ClaimStore]. The token stays the same. For a claim that
// this store handed out it costs two requests, otherwise a query more.
func (s *Store) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	asked := time.Now()
	r, err := s.change(ctx, "renew", c, s.checkLease(ttl), claimRow{Kind: renewed, LeaseMS: milliseconds(ttl)})
	return s.handOut(c, r, asked.Add(ttl), err), err
}

// Complete implements [driver.ClaimStore]. The outcome is in the column of marks. It
// costs what Renew costs.
func (s *Store) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	mark := string(cmp.Or(outcome, driver.OutcomeProcessed))
	_, err := s.change(ctx, "complete", c, nil, claimRow{Kind: completed, Mark: mark})
	return err
}

// Release implements [driver.ClaimStore]. It costs what Renew costs.
func (s *Store) Release(ctx context.Context, c driver.Claim, said driver.Released) error {
	_, err := s.change(ctx, "release", c, nil, claimRow{Kind: released, Mark: string(said.Mark),
		Attempts: int64(said.Attempts), PauseMS: milliseconds(said.Pause)})
	return err
}

// errThere: the log ends with what was to be written. Its answer was lost.
var errThere = errors.New("recorded already")

// change writes a row of the holder of c behind the end of its key's log.
func (s *Store) change(ctx context.Context, operation string, c driver.Claim, valid error, to claimRow) (
	r claimRow, err error,
) {
	err = s.do(ctx, operation, c.String(), cmp.Or(driver.ValidKey(c.Key), valid), func(ctx context.Context) error {
		var known *claimRow
		if end, ok := s.held.Find(c); ok {
			known = &end
		}
		r, err = s.record(ctx, c, known, func(end claimRow, n int64) (claimRow, error) {
			isHolder := end.Seq != 0 && end.Token == c.Token && fromText(end.Owner) == c.Owner
			switch {
			case isHolder && end.Kind == to.Kind && to.Kind != renewed:
				return end, errThere
			case !isHolder || end.Kind != acquired && end.Kind != renewed:
				return end, driver.ErrLost
			}
			next := to
			next.Seq, next.Token, next.Owner, next.Takeover = n, end.Token, end.Owner, end.Takeover
			if to.Kind == renewed {
				next.Mark, next.Attempts = end.Mark, end.Attempts
			}
			return next, nil
		})
		if errors.Is(err, errThere) {
			err = nil
		}
		if err == nil && to.Kind != renewed || errors.Is(err, driver.ErrLost) {
			s.held.Forget(c)
		}
		return err
	})
	return r, err
}

// record writes the row that next makes of the end of the key's log and the slot behind
// it. The end is read if it is not known, and after each refusal.
func (s *Store) record(ctx context.Context, c driver.Claim, known *claimRow,
	next func(end claimRow, n int64) (claimRow, error),
) (claimRow, error) {
	l := bq.Log{Table: claimTable, Names: []string{c.Scope, c.Key}}
	if c.Scope == "" { // as before there were scopes: revisions work side by side
		l.Names = l.Names[1:]
	}
	var at bq.Position
	for {
		if known == nil {
			var end claimRow
			err := s.db.Reread(ctx, &at, l, func() (_ int64, err error) {
				end, err = s.end(ctx, c)
				return end.Seq, err
			})
			if err != nil {
				return end, err
			}
			known = &end
		}
		n, err := at.After(known.Seq)
		if err != nil {
			return claimRow{}, err
		}
		r, err := next(*known, n)
		if err != nil {
			return r, err
		}
		err = s.db.Insert(ctx, l, n, bq.Row{"form": r.Kind.form(), "scope": driver.ToText(c.Scope), "key": driver.ToText(c.Key),
			"seq": n, "kind": string(r.Kind), "token": r.Token, "owner": r.Owner, "takeover": r.Takeover, "mark": r.Mark,
			"attempts": r.Attempts, "pause_ms": r.PauseMS, "lease_ms": r.LeaseMS})
		if !errors.Is(err, bq.ErrRefused) {
			return r, err
		}
		known = nil
	}
}

// The columns of a row of the log, but its key and scope.
const claimColumns = formColumn + ", seq, kind, token, owner, takeover, IFNULL(mark, '') AS mark, " +
	"IFNULL(attempts, 0) AS attempts, IFNULL(pause_ms, 0) AS pause_ms, lease_ms, " +
	"TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), created_at, MILLISECOND) AS age_ms"

// end returns the last row of the key's log, or none.
func (s *Store) end(ctx context.Context, c driver.Claim) (claimRow, error) {
	if _, err := s.db.Locate(ctx, claimTable); err != nil {
		return claimRow{}, err
	}
	rows, err := bq.Query[claimRow](ctx, s.db, "SELECT "+claimColumns+" FROM "+s.db.Name(claimTable)+
		" WHERE IFNULL(scope, '') = @scope AND key = @key AND created_at >= @since ORDER BY seq DESC LIMIT 1",
		"scope", driver.ToText(c.Scope), "key", driver.ToText(c.Key), "since", s.db.Since())
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

// milliseconds rounds up, so that no lease or pause ends early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
