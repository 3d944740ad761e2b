package bqstore

import (
	"context"
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

// TestConnectionThatIsGivenUp: one append has waited for long enough, and opens
// another connection; those that wait on the first have to go on there, too. A
// caller who goes away is no reason for that.
func TestConnectionThatIsGivenUp(t *testing.T) {
	m := &mute{unanswered: make(chan struct{}, 10)}
	server := grpc.NewServer()
	storagepb.RegisterBigQueryWriteServer(server, m)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until Stop
	defer serving.Wait()
	defer server.Stop()
	a := newAppender(Config("project", "dataset"), []option.ClientOption{option.WithEndpoint(listener.Addr().String()),
		option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))})

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

	hasty, cancel := context.WithTimeout(t.Context(), 15*time.Second)
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
