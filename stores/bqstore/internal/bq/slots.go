package bq

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cloud.google.com/go/bigquery"
)

var (
	// ErrRefused: the slot is another's, or this very request's whose first answer was
	// lost, or burned, or its row is gone. Read the log again and go on behind its end and
	// behind this slot.
	ErrRefused  = errors.New("the slot was used before")
	errChanging = errors.New("other writers kept changing it")
)

// attempts is how many slots an operation tries.
const attempts = 100

// Log is a sequence of rows: those of a key, or of a key and source, in a table.
type Log struct {
	Table string
	Names []string
}

// JobID is the name of the lock on slot n of the log.
func (db *DB) JobID(l Log, n int64) string {
	h := sha256.New()
	for _, part := range append([]string{db.Dataset, l.Table, fmt.Sprint(n)}, l.Names...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return "eventdriver-" + hex.EncodeToString(h.Sum(nil))
}

// Position is where an operation writes next. It only ever moves to a slot when
// the one before is known to be used, so the slots of a log have no gaps that
// somebody could still take.
type Position struct{ tried, slots int64 }

// After returns the slot to write to, given the log's end.
func (p *Position) After(end int64) (int64, error) {
	if p.slots++; p.slots > attempts {
		return 0, errChanging
	}
	p.tried = max(p.tried, end) + 1
	return p.tried, nil
}

// Reread reads the log again after ErrRefused. If the slot that was refused has no row, its
// job still runs or has failed, or the row is gone: it has expired, or the table was created
// anew. Then Reread waits until the jobs of all used slots have ended, reads once more, and
// moves the position behind them.
func (db *DB) Reread(ctx context.Context, at *Position, l Log, read func() (end int64, err error)) error {
	var ended int64 // up to this slot
	for {
		end, err := read()
		if err != nil || end >= at.tried || at.tried == ended {
			return err
		}
		if ended, err = db.lastUsed(ctx, l, at.tried); err != nil {
			return err
		}
		if err := db.await(ctx, l, ended, read); err != nil {
			return err
		}
		at.tried = ended
	}
}

// lastUsed returns the last slot that is used, given one that is. The slots of a
// log are used one after another, so it looks twice as far each time, until there
// is a free one, and then in between.
func (db *DB) lastUsed(ctx context.Context, l Log, used int64) (int64, error) {
	step := int64(1)
	for free := int64(0); free == 0 || used+1 < free; {
		n := used + step
		if free != 0 {
			n = (used + free) / 2
		}
		switch _, err := db.job(ctx, l, n); {
		case err == nil || isForeign(err):
			used, step = n, 2*step
		case isStatus(err, http.StatusNotFound):
			free = n
		default:
			return 0, err
		}
	}
	return used, nil
}

// job asks for the job that has slot n.
func (db *DB) job(ctx context.Context, l Log, n int64) (*bigquery.Job, error) {
	location, err := db.Locate(ctx, l.Table)
	if err != nil {
		return nil, err
	}
	job, err := db.client.JobFromIDLocation(ctx, db.JobID(l, n), location)
	return job, plain(ctx, err)
}

// isForeign says that a job is there, and is another service account's, which the function's own
// may not ask for. A quota is 403, too.
func isForeign(err error) bool {
	return isStatus(err, http.StatusForbidden) && reasonOf(err) == "accessDenied"
}

// await waits until the job that has slot n has ended. That of another service account can't
// be asked for, so the log has to tell: by its row, or because it has none by the time at
// which the job can't write one any more.
func (db *DB) await(ctx context.Context, l Log, n int64, read func() (end int64, err error)) error {
	job, err := db.job(ctx, l, n)
	isQueued := func() bool { return isForeign(err) } // for all that is known
	if err == nil {
		isQueued = func() bool { return job.LastStatus().State == bigquery.Pending }
		_, err = db.results(ctx, job, time.Time{})
	}
	for end := time.Now().Add(db.patience()); isForeign(err) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			err = fmt.Errorf("slot %d is another account's: %w", n, ctx.Err())
		case <-time.After(db.StartWithin / 30):
			if last, err := read(); err != nil || last >= n {
				return err
			}
		}
	}
	switch {
	case isForeign(err):
		return nil
	case ctx.Err() != nil && isQueued():
		return fmt.Errorf("%w: %w", ErrQueued, err)
	}
	return err
}
