package bqstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
	"example.com/eventdriver/stores/internal/held"
)

var (
	_ driver.EventStore      = (*Store)(nil)
	_ driver.Replacer        = (*Store)(nil)
	_ driver.Decider         = (*Store)(nil)
	_ driver.KeepLooker      = (*Store)(nil)
	_ driver.ClaimStore      = (*Store)(nil)
	_ driver.DeadLetterStore = (*Store)(nil)
	_ driver.Sealer          = (*Store)(nil)
	_ driver.Reopener        = (*Store)(nil)
	_ driver.Inspector       = (*Store)(nil)
	_ driver.Purger          = (*Store)(nil)
	_ driver.LetterBox       = (*Store)(nil)
)

// Store is a store in a dataset. It is safe for concurrent use. Make one with
// [New], and use it for as long as the process lives.
type Store struct {
	settings Settings
	db       *bq.DB
	held     held.Claims[claimRow] // the end of the log of each
	names    atomic.Pointer[names] // of the list that this process has got on with last; nil: none
}

// New returns a store with the settings. The options are those of the client
// that it makes. Where BIGQUERY_EMULATOR_HOST is set, such as to 127.0.0.1:9050,
// the client goes there, without credentials. No request is sent: tables that are
// missing are found out by the first operation; see [Store.EnsureTables].
func New(ctx context.Context, settings Settings, opts ...option.ClientOption) (*Store, error) {
	if err := settings.Check(); err != nil {
		return nil, fmt.Errorf("bqstore: %w", err)
	}
	db := &bq.DB{Project: settings.project, Dataset: settings.dataset, Location: settings.location,
		Retention: settings.retention, StartWithin: bq.StartWithin}
	if err := db.Open(ctx, opts...); err != nil {
		return nil, fmt.Errorf("bqstore: %w", err)
	}
	return &Store{settings: settings, db: db}, nil
}

// Close closes the client's connections. Call it when no operation is under way.
func (s *Store) Close() error { return s.db.Close() }

// do runs an operation within the time that it may take, unless it is not valid. What fails
// says at what.
func (s *Store) do(ctx context.Context, operation, what string, valid error, run func(context.Context) error) error {
	err := cmp.Or(ctx.Err(), valid)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, s.settings.timeout)
		defer cancel()
		err = driver.Recover(func() error { return run(ctx) }) // the client panics at answers that are not BigQuery's
	}
	isHolders := slices.Contains([]string{"renew", "complete", "release"}, operation)
	if errors.Is(err, bq.ErrQueued) && !isHolders {
		err = waiting{err}
	}
	if err != nil {
		return fmt.Errorf("bqstore: %s: %s: %w", operation, what, err)
	}
	return nil
}

// waiting is a [driver.ErrHeld], since nothing is wrong, and the event is to be delivered again. What a
// holder does is excepted: its run is over, and somebody should know that this was not recorded.
type waiting struct{ error }

func (w waiting) Unwrap() error      { return w.error }
func (waiting) Is(target error) bool { return target == driver.ErrHeld }

// of names what an operation is about, for its errors.
func of(key, source string) string { return fmt.Sprintf("key %q, source %q", key, source) }
