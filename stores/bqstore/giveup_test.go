package bqstore

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// mute is a Storage Write API that answers nothing on its first connection, and
// everything on all others.
type mute struct {
	storagepb.UnimplementedBigQueryWriteServer
	connections atomic.Int64
	unanswered  chan struct{}
}

func (m *mute) GetWriteStream(_ context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	return &storagepb.WriteStream{Name: r.Name}, nil
}

func (m *mute) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	first := m.connections.Add(1) == 1
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if first {
			m.unanswered <- struct{}{}
			continue
		}
		answer := &storagepb.AppendRowsResponse{Response: &storagepb.AppendRowsResponse_AppendResult_{
			AppendResult: &storagepb.AppendRowsResponse_AppendResult{}}}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// serveAppends returns an appender to a server of its own.
func serveAppends(t *testing.T, to storagepb.BigQueryWriteServer) *appender {
	t.Helper()
	server := grpc.NewServer()
	storagepb.RegisterBigQueryWriteServer(server, to)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until Stop
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	return newAppender(Config("project", "dataset"), []option.ClientOption{option.WithEndpoint(listener.Addr().String()),
		option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))})
}

// TestConnectionThatIsGivenUp: one append has waited for long enough, and opens
// another connection; those that wait on the first have to go on there, too. A
// caller who goes away is no reason for that.
func TestConnectionThatIsGivenUp(t *testing.T) {
	m := &mute{unanswered: make(chan struct{}, 10)}
	a := serveAppends(t, m)
	a.patience = 300 * time.Millisecond

	results := make(chan error, 3)
	appending := func(ctx context.Context) {
		results <- a.append(ctx, "key", "incarnation", eventRow{Source: "event1", Kind: proposed, Attributes: "{}", CreatedAt: time.Now()})
	}
	for range 2 { // a share of these is longer than the test may take
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		go appending(ctx)
		<-m.unanswered
	}
	gone, leave := context.WithCancel(t.Context())
	go appending(gone)
	<-m.unanswered
	leave()
	if err := <-results; err == nil || m.connections.Load() != 1 {
		t.Errorf("a caller who went away: %v, and %d connections", err, m.connections.Load())
	}

	hasty, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	go appending(hasty)
	<-m.unanswered
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

// deaf is a Storage Write API that does not even read what is sent.
type deaf struct {
	storagepb.UnimplementedBigQueryWriteServer
}

func (deaf) GetWriteStream(_ context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	return &storagepb.WriteStream{Name: r.Name}, nil
}

func (deaf) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

// TestConnectionThatTakesNothing: appends that can't even be sent end with their
// contexts.
func TestConnectionThatTakesNothing(t *testing.T) {
	a := serveAppends(t, deaf{})
	a.patience = 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var appends sync.WaitGroup
	for range 4 {
		appends.Go(func() {
			err := a.append(ctx, "key", "incarnation", eventRow{Source: "event1", Kind: proposed, Attributes: "{}",
				Content: make([]byte, 1<<20), CreatedAt: time.Now()})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v; want the context's end", err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		appends.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("appends go on long after their contexts have ended")
	}
	_ = a.close() // tells of the connection that was broken
}
