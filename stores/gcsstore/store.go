package gcsstore

import (
	"context"
	"fmt"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/internal/held"
)

var (
	_ driver.EventStore      = (*Store)(nil)
	_ driver.Replacer        = (*Store)(nil)
	_ driver.Decider         = (*Store)(nil)
	_ driver.Sealer          = (*Store)(nil)
	_ driver.ClaimStore      = (*Store)(nil)
	_ driver.Reopener        = (*Store)(nil)
	_ driver.DeadLetterStore = (*Store)(nil)
	_ driver.LetterBox       = (*Store)(nil)
	_ driver.Inspector       = (*Store)(nil)
	_ driver.Corrector       = (*Store)(nil)
	_ driver.Purger          = (*Store)(nil)
)

// Store is a store in a bucket. It is safe for concurrent use. Make one with
// [New], and use it for as long as the process lives.
//
// It remembers the claims that it has handed out, for as long as their leases
// last, which makes completing one a single request. So a claim should be
// renewed, released and completed through the store that acquired it: see
// [driver.ClaimStore] for what another may do.
type Store struct {
	settings Settings
	layout   layout
	clients  clients
	bucket   *storage.BucketHandle // for deletions
	held     held.Claims[known]

	plainLook chan struct{} // full while an object is looked for a second time; guards plainSeen
	plainSeen bool          // the server is one that answers downloads with plainNotFound
}

// New returns a store with the settings. The options are those of Google's client
// libraries, for example option.WithoutAuthentication, option.WithCredentialsFile, or
// option.WithHTTPClient for a client of one's own; the environment variable
// STORAGE_EMULATOR_HOST works too. Requests that fail with 408, 429, 5xx or on their connection are
// repeated, until the operation's timeout.
//
// The settings are checked, and an error names each that is wrong. No request is
// sent to Cloud Storage, so a bucket that is missing or closed to the caller is
// found out by the first operation. ctx is for finding credentials only.
func New(ctx context.Context, settings Settings, opts ...option.ClientOption) (*Store, error) {
	if err := settings.Check(); err != nil {
		return nil, fmt.Errorf("gcsstore: %w", err)
	}
	clients, err := connect(ctx, settings.bucket, opts)
	if err != nil {
		return nil, fmt.Errorf("gcsstore: client: %w", err)
	}
	return &Store{
		settings:  settings,
		layout:    layout{settings.folder},
		clients:   clients,
		bucket:    clients.storage.Bucket(settings.bucket).Retryer(storage.WithBackoff(backoff())),
		plainLook: make(chan struct{}, 1),
	}, nil
}

// Close closes the connections that are idle. The store can't be used after it.
func (s *Store) Close() error {
	s.clients.http.CloseIdleConnections()
	return s.clients.storage.Close()
}

// anySource stands for the source where an operation is on a key alone.
const anySource = ""

// begin returns the context that an operation on a key runs in, or an error if it may
// not. It leaves the source to the caller: see beginEvent.
func (s *Store) begin(ctx context.Context, op Operation, key, _ string) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := driver.ValidKey(key); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.settings.timeoutOf(op))
	return ctx, cancel, nil
}

// beginEvent is begin for an operation on a key and a source.
func (s *Store) beginEvent(ctx context.Context, op Operation, key, source string) (context.Context, context.CancelFunc, error) {
	ctx, cancel, err := s.begin(ctx, op, key, source)
	if err == nil && source == "" {
		cancel()
		return nil, nil, driver.Reject(driver.ReasonUnknownSource, driver.ErrNoSource)
	}
	return ctx, cancel, err
}

// failed says what it was that err happened to.
func failed(op Operation, key, source string, err error) error {
	if source == anySource {
		return fmt.Errorf("gcsstore: %s: key %q: %w", op, key, err)
	}
	return fmt.Errorf("gcsstore: %s: key %q, source %q: %w", op, key, source, err)
}
