package eventdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/memstore"
)

// counted is a business that counts what it processed, by key.
type counted struct {
	mu        sync.Mutex
	processed map[string]int
	contents  map[string]string
	before    func(key string, try int) error
	tries     map[string]int
}

func count() *counted {
	return &counted{processed: make(map[string]int), contents: make(map[string]string), tries: make(map[string]int)}
}

func (c *counted) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	c.mu.Lock()
	c.tries[in.Key]++
	try := c.tries[in.Key]
	c.mu.Unlock()
	if c.before != nil {
		if err := c.before(in.Key, try); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processed[in.Key]++
	c.contents[in.Key] = string(in.Content)
	return next.Call(ctx, in)
}

func (c *counted) once(t *testing.T, keys ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		if c.processed[key] != 1 {
			t.Errorf("%.40q was processed %d times", key, c.processed[key])
		}
	}
	if len(c.processed) != len(keys) {
		t.Errorf("%d keys were processed, want %d", len(c.processed), len(keys))
	}
}

// serve starts a function on a socket.
func serve(t *testing.T, config Config, business driver.Handler) (*Function, *httptest.Server) {
	t.Helper()
	f, err := New(config, business)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, server
}

// onGCS is a configuration with Cloud Storage, on a socket of this machine.
func onGCS(t *testing.T) Config {
	t.Helper()
	t.Setenv("STORAGE_EMULATOR_HOST", gcs.New(t, "bucket").Host())
	c := DefaultConfig()
	c.EventStore, c.ClaimStore, c.Bucket = StoreGCS, StoreGCS, "bucket"
	return c
}

// configs are the combinations of stores, each empty.
func configs(t *testing.T) map[string]Config {
	gcs := onGCS(t)
	mixed := gcs
	mixed.ClaimStore, mixed.Folder = StoreMemory, "mixed"
	return map[string]Config{"memory": DefaultConfig(), "gcs": gcs, "events in gcs, claims in memory": mixed}
}

// post sends a custom event in binary form.
func post(t *testing.T, url, source, key, content string) (status int, answer string) {
	t.Helper()
	return do(t, event(t, url, source, key, content))
}

func event(t *testing.T, url, source, key, content string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "example.order",
		"Ce-Id": source + "-" + key, "Ce-Source": source} {
		request.Header.Set(name, value)
	}
	if key != "" {
		request.Header.Set("Ce-Key", key)
	}
	return request
}

// do returns the status, and as the answer the body with what the headers say of a
// dead letter.
func do(t *testing.T, request *http.Request) (status int, answer string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode/100 == 2 && len(body) > 0 {
		t.Errorf("an acknowledgement has a body, which a Knative broker takes for a failure: %q", body)
	}
	return response.StatusCode, strings.TrimSpace(fmt.Sprintf("%s %s %s", body, response.Header.Get(convert.DeadLetterHeader), response.Header.Get(convert.ErrorHeader)))
}

// deliver posts an event until it is acknowledged, as Eventarc does.
func deliver(t *testing.T, url, source, key, content string) {
	t.Helper()
	for try := range 20 {
		status, answer := post(t, url, source, key, content)
		if status/100 == 2 {
			return
		}
		if try == 19 {
			t.Errorf("%s of %q was never acknowledged: %d %s", source, key, status, answer)
		}
	}
}

func letters(t *testing.T, f *Function) []driver.DeadLetter {
	t.Helper()
	store, err := f.DeadLetters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if memory, ok := store.(*memstore.Store); ok {
		return memory.DeadLetters()
	}
	letters, err := store.(interface {
		DeadLetters(context.Context) ([]driver.DeadLetter, error)
	}).DeadLetters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return letters
}

// cancelling is a body that ends its request.
type cancelling struct{ cancel context.CancelFunc }

func (c cancelling) Read([]byte) (int, error) {
	c.cancel()
	return 0, errors.New("the client goes away")
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// taken says that an event was kept, and waits for others, or was processed; and not
// dead-lettered.
func taken(status int) bool {
	return status == http.StatusAccepted || status == http.StatusNoContent
}

// rejecting goes on with business, but for messages that have the text.
func rejecting(business driver.Handler, text string) driver.Handler {
	return driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
		if strings.Contains(string(m.Content), text) {
			return driver.Permanent(errors.New("the amount is negative"))
		}
		return business.Process(ctx, m, next)
	})
}
