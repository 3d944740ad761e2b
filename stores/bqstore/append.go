package bqstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/singleflight"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"example.com/eventdriver/driver"
)

// An append is tried this often, each time on a new connection, and has an equal
// share of the operation's time each time. A connection on which nothing comes back
// for so long is given up: an instance that was frozen between two requests may find
// one that the other side has closed for long.
const (
	appendAttempts = 3
	// The pauses between attempts are of a random length, up to these.
	firstAppendPause   = 400 * time.Millisecond
	longestAppendPause = 2 * time.Second
	// appendPatience is how long must have been waited to give a connection up, on
	// which others may wait, too. Most appends take much less.
	appendPatience = 3 * time.Second
)

// connectWithin is how long it may take to open a connection.
const connectWithin = 15 * time.Second

// appender appends rows to the table of events, by the default stream of the
// Storage Write API: rows can be read as soon as it has acknowledged them
// (https://cloud.google.com/bigquery/docs/write-api#default_stream). All calls share
// one connection, which is opened by the first append. Appends are repeated when
// their answer is lost, so a row may be there twice; to a ballot that is the same.
type appender struct {
	project, table string // the table's resource name
	opts           []option.ClientOption
	patience       time.Duration

	opening singleflight.Group
	mu      sync.Mutex
	current *connection // nil: none is open
	closed  bool
}

// connection is a client with a stream on the table. Both are given up together.
type connection struct {
	client *managedwriter.Client
	stream *managedwriter.ManagedStream
	cancel context.CancelFunc
}

// newAppender takes the options of the client that it will make. Where an emulator's
// addresses are set, the client goes there.
func newAppender(s Settings, opts []option.ClientOption) *appender {
	if host := os.Getenv("BIGQUERY_STORAGE_EMULATOR_HOST"); host != "" && os.Getenv("BIGQUERY_EMULATOR_HOST") != "" {
		opts = append([]option.ClientOption{option.WithEndpoint(host), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}, opts...)
	}
	opts = append(opts, managedwriter.WithMultiplexing())
	return &appender{project: s.project, opts: opts, patience: appendPatience,
		table: managedwriter.TableParentFromParts(s.project, s.dataset, s.tables.Events)}
}

// append returns when the row can be read.
func (a *appender) append(ctx context.Context, key, incarnation string, r eventRow) error {
	data, err := r.encode(key, incarnation)
	if err != nil {
		return fmt.Errorf("encode the row: %w", err)
	}
	pause := gax.Backoff{Initial: firstAppendPause, Max: longestAppendPause, Multiplier: 2} // with jitter
	for attempt := 1; ; attempt++ {
		c, err := a.connect(ctx)
		if err == nil {
			begun := time.Now()
			if err = c.append(ctx, data, appendAttempts+1-attempt); err == nil {
				return nil
			}
			hasty := errors.Is(err, context.DeadlineExceeded) && time.Since(begun) < a.patience
			if ctx.Err() == nil && !hasty && !isOfRow(err) { // otherwise others need not suffer
				a.giveUp(c)
			}
		}
		if attempt == appendAttempts || isFinal(err) || gax.Sleep(ctx, pause.Pause()) != nil {
			return fmt.Errorf("append to %s: %w", a.table, plain(ctx, err))
		}
	}
}

// isOfRow says that an append failed because of what was appended, or how much, and
// not because of the connection.
func isOfRow(err error) bool {
	code := status.Code(err)
	return code == codes.InvalidArgument || code == codes.ResourceExhausted
}

// isFinal says that another attempt would fail in the same way.
func isFinal(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	}
	return errors.Is(err, errClosed)
}

// append sends a row and waits for its acknowledgement, for the first of so many
// shares of the time that is left.
func (c *connection) append(ctx context.Context, data []byte, shares int) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(shares))
		defer cancel()
	}
	result, err := c.stream.AppendRows(ctx, [][]byte{data})
	if err != nil {
		return err
	}
	_, err = result.GetResult(ctx)
	return err
}

var errClosed = errors.New("the store is closed")

func closedError(closed bool) error {
	if closed {
		return errClosed
	}
	return nil
}

// connect returns the connection, and opens it if need be. Whoever waits for that
// may stop waiting; the connection is opened nevertheless, for the next append.
func (a *appender) connect(ctx context.Context) (*connection, error) {
	a.mu.Lock()
	c, closed := a.current, a.closed
	a.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case c != nil:
		return c, nil
	}
	opened := a.opening.DoChan("", func() (any, error) { return a.open() })
	select {
	case r := <-opened:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*connection), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open opens a connection and keeps it for all.
func (a *appender) open() (*connection, error) {
	a.mu.Lock()
	c, closed := a.current, a.closed
	a.mu.Unlock()
	if c != nil || closed { // since the caller looked
		return c, closedError(closed)
	}
	ctx, cancel := context.WithCancel(context.Background()) // the connection lives for as long
	late := time.AfterFunc(connectWithin, cancel)
	c, err := dial(ctx, a.project, a.table, a.opts)
	if !late.Stop() && err == nil {
		err = errors.Join(context.DeadlineExceeded, c.close())
	}
	if err != nil {
		cancel()
		return nil, err
	}
	c.cancel = cancel
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errors.Join(errClosed, c.close())
	}
	a.current = c
	return c, nil
}

func dial(ctx context.Context, project, table string, opts []option.ClientOption) (*connection, error) {
	client, err := managedwriter.NewClient(ctx, project, opts...)
	if err != nil {
		return nil, err
	}
	stream, err := client.NewManagedStream(ctx,
		managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable(table),
		managedwriter.WithSchemaDescriptor(rowDescriptors().normal))
	// Its own retries are left off: with them, what is under way on a stream that is
	// closed is retried without end.
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &connection{client: client, stream: stream}, nil
}

// giveUp closes a connection that has failed, unless somebody has done so.
func (a *appender) giveUp(c *connection) {
	a.mu.Lock()
	mine := a.current == c
	if mine {
		a.current = nil
	}
	a.mu.Unlock()
	if mine {
		_ = c.close() // it has failed already
	}
}

// close closes the connection. What is being appended fails.
func (a *appender) close() error {
	a.mu.Lock()
	c := a.current
	a.current, a.closed = nil, true
	a.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.close()
}

// close ends the connection's context first: what is being sent, on a connection that
// takes nothing any more or is being opened again, would keep Close waiting.
func (c *connection) close() error {
	if c.cancel != nil {
		c.cancel()
	}
	_ = c.stream.Close() // io.EOF where nothing was wrong
	return c.client.Close()
}

// descriptors are the schema of the table of events as a protocol buffer: as it is
// used here, and as it is sent.
type descriptors struct {
	message protoreflect.MessageDescriptor
	normal  *descriptorpb.DescriptorProto
}

var rowDescriptors = sync.OnceValue(func() (d descriptors) {
	schema, err := adapt.BQSchemaToStorageTableSchema(eventSchema)
	if err != nil {
		panic(err)
	}
	descriptor, err := adapt.StorageSchemaToProto2Descriptor(schema, "row")
	if err != nil {
		panic(err)
	}
	d.message = descriptor.(protoreflect.MessageDescriptor)
	if d.normal, err = adapt.NormalizeDescriptor(d.message); err != nil {
		panic(err)
	}
	return d
})

// encode returns the row as the Storage Write API takes it: timestamps are counts of
// microseconds.
func (r eventRow) encode(key, incarnation string) ([]byte, error) {
	columns := rowDescriptors().message
	m := dynamicpb.NewMessage(columns)
	for name, value := range map[protoreflect.Name]any{
		"key": driver.ToText(key), "source": r.Source, "kind": string(r.Kind), "seq": r.Seq, "writer": r.Writer, "digest": r.Digest,
		"event_id": r.EventID, "media_type": r.MediaType, "content": append([]byte{}, r.Content...), "attributes": r.Attributes, "incarnation": incarnation,
		"created_at": r.CreatedAt.UnixMicro(),
	} {
		m.Set(columns.Fields().ByName(name), protoreflect.ValueOf(value))
	}
	if r.EventTime.Valid {
		m.Set(columns.Fields().ByName("event_time"), protoreflect.ValueOfInt64(r.EventTime.Timestamp.UnixMicro()))
	}
	return proto.Marshal(m)
}
