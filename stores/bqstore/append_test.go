package bqstore_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/grpc"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// cutter passes connections on to the emulator's Storage Write API, and cuts them.
type cutter struct {
	listener net.Listener

	mu          sync.Mutex
	connections []net.Conn
}

func newCutter(t *testing.T) *cutter {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", os.Getenv("BIGQUERY_STORAGE_EMULATOR_HOST"))
			if err != nil {
				client.Close()
				continue
			}
			c.mu.Lock()
			c.connections = append(c.connections, client, server)
			c.mu.Unlock()
			wait.Go(func() { pass(client, server) })
			wait.Go(func() { pass(server, client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.cut()
		wait.Wait()
	})
	return c
}

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // until either end is closed
	to.Close()
}

// cut ends all connections, and returns how many there were.
func (c *cutter) cut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.connections) / 2
	for _, connection := range c.connections {
		connection.Close()
	}
	c.connections = nil
	return n
}

// through is a dialer to the cutter.
func (c *cutter) through(s bqstore.Settings) bqstore.Settings {
	return s.WithAppendOptions(toEmulator(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", c.listener.Addr().String())
	}))...)
}

// TestConnectionThatWasClosed: the other side ends idle connections; the next append
// opens another.
func TestConnectionThatWasClosed(t *testing.T) {
	c := newCutter(t)
	s := c.through(settings(t))
	store := ready(t, s)
	for i, source := range []string{"event1", "event2", "event3"} {
		if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: source, Content: []byte("1")}); err != nil {
			t.Fatal(err)
		}
		if cut := c.cut(); cut == 0 {
			t.Errorf("there was no connection to cut after event %d", i+1)
		}
	}
	if sources, err := store.ListSourcesByKey(t.Context(), "order-1"); err != nil || len(sources) != 3 {
		t.Errorf("sources %q, %v; want all three", sources, err)
	}
}

// TestConnectionThatIsCutMeanwhile: connections end at any moment while events are
// written, so that answers are lost, and rows are there twice.
func TestConnectionThatIsCutMeanwhile(t *testing.T) {
	c := newCutter(t)
	store := ready(t, c.through(settings(t)))
	ctx, stop := context.WithCancel(t.Context())
	var cutting sync.WaitGroup
	cutting.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(150 * time.Millisecond): // there is no event to wait for
				c.cut()
			}
		}
	})
	for _, source := range []string{"event1", "event2", "event3", "event1"} {
		m := driver.Message{Key: "order-1", Source: source, Content: []byte(source)}
		err := store.Persist(t.Context(), m)
		for try := 1; err != nil && try < 20; try++ { // as redelivery does
			err = store.Persist(t.Context(), m)
		}
		if err != nil {
			t.Error(err)
		}
	}
	stop()
	cutting.Wait()
	messages, err := store.LookUpByKey(t.Context(), "order-1")
	if err != nil || len(messages) != 3 {
		t.Errorf("%d messages, %v; want three", len(messages), err)
	}
}

// TestTableThatGotAColumn: somebody adds a column to the table while the store is
// at work.
func TestTableThatGotAColumn(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	table := client(t, s).Dataset("orders").Table("events")
	meta, err := table.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wider := append(meta.Schema, &bigquery.FieldSchema{Name: "remark", Type: bigquery.StringFieldType})
	if _, err := table.Update(t.Context(), bigquery.TableMetadataToUpdate{Schema: wider}, ""); err != nil {
		t.Fatal(err)
	}
	for _, store := range []*bqstore.Store{store, open(t, s)} {
		if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event2", Content: []byte("2")}); err != nil {
			t.Error(err)
		}
	}
	if messages, err := store.LookUpByKey(t.Context(), "order-1"); err != nil || len(messages) != 2 {
		t.Errorf("%d messages, %v; want two", len(messages), err)
	}
}

// nowhere has stores go to addresses at which nothing listens.
func nowhere(t *testing.T) {
	t.Setenv("BIGQUERY_EMULATOR_HOST", "127.0.0.1:1")
	t.Setenv("BIGQUERY_STORAGE_EMULATOR_HOST", "127.0.0.1:1")
}

// TestUnfitEvents: what BigQuery can't take can never succeed, so it is not even sent.
func TestUnfitEvents(t *testing.T) {
	nowhere(t)
	for _, writer := range []bqstore.EventWriter{bqstore.StorageWrite, bqstore.DML} {
		store := open(t, bqstore.Config("project", "dataset").WithEventWriter(writer))
		for name, m := range map[string]driver.Message{
			"too large":      {Content: make([]byte, 7_000_001)},
			"the year 10000": {Time: time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))},
			"the year 0":     {Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))},
		} {
			m.Key, m.Source = "order-1", "event1"
			if err := store.Persist(t.Context(), m); !driver.IsPermanent(err) {
				t.Errorf("%s, %s: %v; want a permanent error", name, writer, err)
			}
			if _, err := store.Replace(t.Context(), m); !driver.IsPermanent(err) {
				t.Errorf("%s, replaced, %s: %v; want a permanent error", name, writer, err)
			}
		}
	}
}

// TestEmulatorNeedsBothAddresses: with half of its addresses, rows would go to the
// real BigQuery.
func TestEmulatorNeedsBothAddresses(t *testing.T) {
	t.Setenv("BIGQUERY_EMULATOR_HOST", "127.0.0.1:1")
	t.Setenv("BIGQUERY_STORAGE_EMULATOR_HOST", "")
	s := bqstore.Config("project", "dataset")
	if _, err := bqstore.New(t.Context(), s); err == nil {
		t.Error("New takes an emulator without an address for the Storage Write API")
	}
	store, err := bqstore.New(t.Context(), s.WithEventWriter(bqstore.DML))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
