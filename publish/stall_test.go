package publish_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/publish"
)

// silent is a Pub/Sub that takes requests and answers none of them while it is told so.
type silent struct {
	mute    atomic.Bool
	entered chan struct{} // one for each request that is not answered
	open    atomic.Int64
	most    atomic.Int64
}

// serve answers a request, or keeps it until its client gives up. It does not read it then.
func (s *silent) serve(_ any, stream grpc.ServerStream) error {
	if !s.mute.Load() {
		if err := stream.RecvMsg(new(pubsubpb.PublishRequest)); err != nil {
			return err
		}
		return stream.SendMsg(&pubsubpb.PublishResponse{MessageIds: []string{"1"}})
	}
	open := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); open > most && !s.most.CompareAndSwap(most, open); most = s.most.Load() {
	}
	s.entered <- struct{}{}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func startSilent(t *testing.T) *silent {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &silent{entered: make(chan struct{}, 10_000)}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(20<<20), grpc.UnknownServiceHandler(s.serve))
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	t.Setenv("PUBSUB_EMULATOR_HOST", listener.Addr().String())
	return s
}

// held returns how much memory the process holds.
func held() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// While Pub/Sub does not answer, no more bytes are under way than the limit, and nobody
// holds a message that its caller has given up. Then the same key can be published again.
func TestPublishingToASilentPubSub(t *testing.T) {
	const size, callers = 200_000, 600
	const room = 20_000_000 / size
	server := startSilent(t)
	output := publish.NewOutput(open(t))
	end := func(context.Context, driver.Message) error { return nil }
	sent := func(ctx context.Context, size int) error {
		m := driver.Message{ID: "id", Key: "k", Source: "s", Content: make([]byte, size)}
		return output.Process(ctx, m, end)
	}
	if err := sent(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	before, goroutines := held(), runtime.NumGoroutine()

	server.mute.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	for range callers {
		publishing.Go(func() {
			if err := sent(ctx, size); !errors.Is(err, context.Canceled) || driver.IsPermanent(err) {
				t.Errorf("%v, want the context's error, to be tried again", err)
			}
		})
	}
	for range room - 3 { // each takes a little more than its content
		<-server.entered
	}
	cancel()
	publishing.Wait()
	if most := server.most.Load(); most > room {
		t.Errorf("%d messages of %d bytes were under way at once, want %d at most", most, size, room)
	}

	server.mute.Store(false)
	if err := sent(t.Context(), 1); err != nil {
		t.Errorf("the next message of the same key: %v", err)
	}
	if kept := held() - before; kept > 10*size {
		t.Errorf("%d bytes are held of what nobody waits for", kept)
	}
	if more := runtime.NumGoroutine() - goroutines; more > callers/10 {
		t.Errorf("%d goroutines are left", more)
	}
}

// A message that takes all the room waits for it, and gets it when others give up.
func TestPublishingWaitsForRoom(t *testing.T) {
	server := startSilent(t)
	output := publish.NewOutput(open(t))
	sent := func(ctx context.Context, key string) error {
		m := driver.Message{ID: "id", Key: key, Source: "s", Content: make([]byte, 9_900_000)}
		return output.Process(ctx, m, func(context.Context, driver.Message) error { return nil })
	}
	server.mute.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	for i := range 2 {
		publishing.Go(func() { _ = sent(ctx, strconv.Itoa(i)) })
		<-server.entered
	}
	waits, giveUp := context.WithTimeout(t.Context(), time.Millisecond)
	defer giveUp()
	if err := sent(waits, "third"); !errors.Is(err, context.DeadlineExceeded) || driver.IsPermanent(err) {
		t.Errorf("without room: %v", err)
	}
	server.mute.Store(false)
	third := make(chan error, 1)
	publishing.Go(func() { third <- sent(t.Context(), "third") })
	cancel()
	if err := <-third; err != nil {
		t.Errorf("with room: %v", err)
	}
	publishing.Wait()
}
