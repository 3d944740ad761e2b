package bqstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/internal/held"
)

var (
	_ driver.EventStore      = (*Store)(nil)
	_ driver.Replacer        = (*Store)(nil)
	_ driver.Decider         = (*Store)(nil)
	_ driver.ClaimStore      = (*Store)(nil)
	_ driver.DeadLetterStore = (*Store)(nil)
)

// Store is a store in a dataset. It is safe for concurrent use. Make one with
// [New], and use it for as long as the process lives.
type Store struct {
	settings Settings
	client   *bigquery.Client
	held     held.Claims[claimRow] // the end of the log of each

	mu     sync.Mutex
	tables map[string]known
}

// New returns a store with the settings. The options are those of the client
// that it makes. Where BIGQUERY_EMULATOR_HOST is set, such as to 127.0.0.1:9050,
// the client goes there, without credentials. No request is sent: tables that are
// missing are found out by the first operation; see [Store.EnsureTables].
func New(ctx context.Context, settings Settings, opts ...option.ClientOption) (*Store, error) {
	if err := settings.check(); err != nil {
		return nil, fmt.Errorf("bqstore: %w", err)
	}
	if host := os.Getenv("BIGQUERY_EMULATOR_HOST"); host != "" {
		opts = append([]option.ClientOption{option.WithEndpoint("http://" + host), option.WithoutAuthentication()}, opts...)
	}
	opts = append(opts, bigquery.WithDefaultJobCreationMode(bigquery.JobCreationModeOptional))
	client, err := bigquery.NewClient(ctx, settings.project, opts...)
	if err != nil {
		return nil, fmt.Errorf("bqstore: client: %w", err)
	}
	client.Location = settings.location
	return &Store{settings: settings, client: client, tables: make(map[string]known)}, nil
}

// Close closes the client's connections. Call it when no operation is under way.
func (s *Store) Close() error { return s.client.Close() }

// anySource and anyKey stand for what an operation does not have.
const (
	anySource = ""
	anyKey    = "any"
)

// begin returns the context that an operation on a key runs in, or an error if it may
// not. It leaves the source to the caller: see beginEvent.
func (s *Store) begin(ctx context.Context, op Operation, key, _ string) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if key == "" {
		return nil, nil, driver.Reject(driver.ReasonNoKey, driver.ErrNoKey)
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
		return fmt.Errorf("bqstore: %s: key %q: %w", op, key, err)
	}
	return fmt.Errorf("bqstore: %s: key %q, source %q: %w", op, key, source, err)
}

// name is a table's name in SQL. Its parts were checked and hold no backtick.
func (s *Store) name(table string) string {
	return "`" + s.settings.project + "." + s.settings.dataset + "." + table + "`"
}

// since is from when on rows are seen. Tables keep partitions for longer, so
// that what a partition's end takes along was unseen before.
func (s *Store) since() time.Time { return time.Now().Add(-s.settings.retention) }

// params makes named parameters of pairs of a name and a value. Values never
// become part of a statement's text.
func params(pairs ...any) (list []bigquery.QueryParameter) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, bigquery.QueryParameter{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return list
}

// query runs a statement that needs no job of its own, and returns its rows.
func query[Row any](ctx context.Context, s *Store, sql string, parameters ...any) ([]Row, error) {
	q := s.client.Query(sql)
	q.Parameters = params(parameters...)
	rows, err := q.Read(ctx)
	if err != nil {
		return nil, plain(ctx, err)
	}
	var found []Row
	for {
		var row Row
		err := rows.Next(&row)
		if errors.Is(err, iterator.Done) {
			return found, nil
		}
		if err != nil {
			return nil, plain(ctx, err)
		}
		found = append(found, row)
	}
}

// plain returns err, as one that wraps the context's error if that has ended:
// the client's errors don't always.
func plain(ctx context.Context, err error) error {
	if end := ctx.Err(); err != nil && end != nil && !errors.Is(err, end) {
		return fmt.Errorf("%w (%w)", err, end)
	}
	return err
}
