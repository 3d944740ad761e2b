package eventdriver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/gcsfake"
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
	t.Setenv("STORAGE_EMULATOR_HOST", gcsfake.New(t, "bucket").Host())
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

func do(t *testing.T, request *http.Request) (status int, answer string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
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

func TestFunctionJoinsAndProcessesOnce(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			_, server := serve(t, config, business)
			for range 2 {
				for _, source := range []string{"event3", "event1", "event2"} {
					if status, answer := post(t, server.URL, source, "order-1", `{"n":9007199254740993}`); status != http.StatusNoContent {
						t.Errorf("%s: %d %s", source, status, answer)
					}
				}
			}
			business.once(t, "order-1")
			if got, want := business.contents["order-1"], `{"event1":"","event2":{"n":9007199254740993},"event3":{"n":9007199254740993}}`; got != want {
				t.Errorf("content %s; want %s", got, want)
			}
		})
	}
}

func TestFailureAndPanicLoseNothing(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			business.before = func(key string, try int) error {
				switch {
				case try > 1:
				case key == "fails":
					return errors.New("out of stock")
				case key == "panics":
					panic("boom")
				}
				return nil
			}
			_, server := serve(t, config, business)
			for _, key := range []string{"fails", "panics", "works"} {
				for _, source := range []string{"event1", "event2", "event3"} {
					deliver(t, server.URL, source, key, `1`)
				}
			}
			business.once(t, "fails", "panics", "works")
		})
	}
}

func TestSameEventTwiceAtOnce(t *testing.T) {
	business := count()
	_, server := serve(t, onGCS(t), business)
	var keys []string
	var wait sync.WaitGroup
	for i := range 30 {
		key := fmt.Sprint("order-", i)
		keys = append(keys, key)
		for range 2 {
			for _, source := range []string{"event1", "event2", "event3"} {
				wait.Go(func() { deliver(t, server.URL, source, key, `1`) })
			}
		}
	}
	wait.Wait()
	business.once(t, keys...)
}

func TestOddKeysAreDistinctOrders(t *testing.T) {
	business := count()
	_, server := serve(t, onGCS(t), business)
	keys := []string{"x", "/x", "x/", "a/b", "..", "%2F", "/", strings.Repeat("k", 2000), strings.Repeat("k", 1999) + "l", "🛒", "x y", "\"", "x'"}
	for _, key := range keys {
		for _, source := range []string{"event1", "event2", "event3"} {
			attributes, _ := json.Marshal(map[string]string{"key": key})
			body := fmt.Sprintf(`{"message":{"data":"MQ==","messageId":"1","attributes":%s},"subscription":"projects/p/subscriptions/%s"}`, attributes, source)
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			if status, answer := do(t, request); status != http.StatusNoContent {
				t.Errorf("key %.20q: %d %s", key, status, answer)
			}
		}
	}
	business.once(t, keys...)
}

func TestEventThatCanNeverSucceed(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			f, server := serve(t, config, business)
			for _, c := range []struct{ source, key, says string }{
				{"event1", "", "no-key"},
				{"event9", "order-1", "unknown-source"},
			} {
				if status, answer := post(t, server.URL, c.source, c.key, `1`); status != http.StatusOK || !strings.Contains(answer, c.says) {
					t.Errorf("%s of %q: %d %s; want 200 and %s", c.source, c.key, status, answer, c.says)
				}
			}
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("garbage"))
			if status, answer := do(t, request); status != http.StatusOK || !strings.Contains(answer, "undecodable") {
				t.Errorf("garbage: %d %s", status, answer)
			}
			if letters := letters(t, f); len(letters) != 3 {
				t.Errorf("%d dead letters, want 3: %v", len(letters), letters)
			}
		})
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

func TestDeadLettersOffAnswers400(t *testing.T) {
	config := DefaultConfig()
	config.DeadLetters = false
	f, server := serve(t, config, count())
	if status, answer := post(t, server.URL, "event1", "", `1`); status != http.StatusBadRequest || !strings.Contains(answer, "key") {
		t.Errorf("%d %s; want 400, and why", status, answer)
	}
	if n := len(letters(t, f)); n != 0 {
		t.Errorf("%d dead letters, though they are off", n)
	}
}

func TestConflictPolicyReject(t *testing.T) {
	config, err := configFrom(map[string]string{"CONFLICT_POLICY": "reject"})
	if err != nil {
		t.Fatal(err)
	}
	_, server := serve(t, config, count())
	post(t, server.URL, "event2", "order-1", `1`)
	if status, answer := post(t, server.URL, "event2", "order-1", `2`); status != http.StatusOK || !strings.Contains(answer, "conflict") {
		t.Errorf("%d %s; want it set aside", status, answer)
	}
}

func TestHeldKeyAnswers503(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	business := count()
	business.before = func(string, int) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	_, server := serve(t, DefaultConfig(), business)
	post(t, server.URL, "event1", "order-1", `1`)
	post(t, server.URL, "event2", "order-1", `1`)
	var wait sync.WaitGroup
	wait.Go(func() { deliver(t, server.URL, "event3", "order-1", `1`) })
	<-entered
	if status, answer := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s; want 503 while another holds the key", status, answer)
	}
	close(release)
	wait.Wait()
	business.once(t, "order-1")
}

func TestStoreUnavailable(t *testing.T) {
	fake := gcsfake.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", fake.Host())
	config, err := configFrom(map[string]string{"GCS_BUCKET": "bucket", "STORE_TIMEOUT": "200ms"})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server := serve(t, config, business)
	fake.OnRequest(func(gcsfake.Request) gcsfake.Fault { return gcsfake.Fault{Status: http.StatusServiceUnavailable} })
	if status, _ := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusInternalServerError {
		t.Errorf("%d; want 500, for redelivery", status)
	}
	fake.OnRequest(nil)
	for _, source := range []string{"event1", "event2", "event3"} {
		deliver(t, server.URL, source, "order-1", `1`)
	}
	business.once(t, "order-1")
}

func TestNothingIsOpenedBeforeTheFirstEvent(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1") // nobody listens there
	config, err := configFrom(map[string]string{"GCS_BUCKET": "bucket", "STORE_TIMEOUT": "100ms"})
	if err != nil {
		t.Fatal(err)
	}
	f, server := serve(t, config, count())
	if f.opened.Load() != nil {
		t.Error("the stores are open before an event came")
	}
	if status, _ := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusInternalServerError {
		t.Errorf("%d; want 500: the store can't be reached", status)
	}
	first := f.opened.Load()
	post(t, server.URL, "event1", "order-1", `1`)
	if first == nil || f.opened.Load() != first {
		t.Error("the stores were opened again for the second event")
	}
}

func TestConfigurationErrorIsAnsweredAndNamed(t *testing.T) {
	config, err := configFrom(map[string]string{"LEASE": "soon"})
	server := httptest.NewServer(newFunction(config, Business(), err))
	defer server.Close()
	if status, answer := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusInternalServerError || !strings.Contains(answer, "LEASE") {
		t.Errorf("%d %s; want 500 that names LEASE", status, answer)
	}
	if _, err := New(config, nil); err != nil {
		t.Errorf("the default that was put in place of what is wrong is refused: %v", err)
	}
}

func TestReceiveActsAsServeHTTP(t *testing.T) {
	business := count()
	f, _ := serve(t, DefaultConfig(), business)
	for _, source := range []string{"event1", "event2", "event3", "event3"} {
		e := cloudevents.NewEvent()
		e.SetID("1")
		e.SetSource(source)
		e.SetType("example.order")
		e.SetExtension("key", "order-1")
		if err := f.Receive(t.Context(), e); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	business.once(t, "order-1")
}

// Many clients, some of which go away in the middle: every other request must be
// answered. (The framework's own CloudEvent functions fail this.)
func TestNoRequestHangs(t *testing.T) {
	var answered, aborted atomic.Int64
	_, server := serve(t, DefaultConfig(), count())
	const clients, each = 32, 250
	var wait sync.WaitGroup
	staying := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	leaving := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for c := range clients {
		wait.Go(func() {
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				client, body := staying, io.Reader(strings.NewReader(`{"n":1}`))
				if i%10 == 9 { // goes away in the middle of its body
					client, body = leaving, io.MultiReader(strings.NewReader(`{"n"`), cancelling{cancel})
				}
				request, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, body)
				for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "t",
					"Ce-Id": fmt.Sprint(c, "-", i), "Ce-Source": "event1", "Ce-Key": fmt.Sprint("order-", c, "-", i)} {
					request.Header.Set(name, value)
				}
				response, err := client.Do(request)
				if err != nil {
					if client == staying {
						t.Error(err)
					}
					aborted.Add(1)
				} else {
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
					answered.Add(1)
				}
				cancel()
			}
		})
	}
	wait.Wait()
	if answered.Load() != clients*each*9/10 || aborted.Load() != clients*each/10 {
		t.Errorf("%d answered and %d aborted; want %d and %d", answered.Load(), aborted.Load(), clients*each*9/10, clients*each/10)
	}
}

// Clients that send all of their request and go away at once, at whatever step the
// instance is then, leave no key behind that nobody holds.
func TestClientsThatGoAwayLoseNothing(t *testing.T) {
	business := count()
	_, server := serve(t, onGCS(t), business)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var keys []string
	var wait sync.WaitGroup
	for i := range 15 {
		key := fmt.Sprint("order-", i)
		keys = append(keys, key)
		wait.Go(func() {
			for _, source := range []string{"event1", "event2", "event3"} {
				for pause := range 3 {
					ctx, cancel := context.WithCancel(t.Context())
					sent := func(httptrace.WroteRequestInfo) { time.AfterFunc(time.Duration(pause)*4*time.Millisecond, cancel) }
					request := event(t, server.URL, source, key, `1`)
					response, err := client.Do(request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: sent})))
					if err == nil {
						response.Body.Close()
					}
					cancel()
				}
				deliver(t, server.URL, source, key, `1`)
			}
		})
	}
	wait.Wait()
	business.once(t, keys...)
}

// cancelling is a body that ends its request.
type cancelling struct{ cancel context.CancelFunc }

func (c cancelling) Read([]byte) (int, error) {
	c.cancel()
	return 0, errors.New("the client goes away")
}

func TestOrderIsOneLogLineInCloudLoggingsForm(t *testing.T) {
	var log syncBuffer
	previous := slog.Default()
	slog.SetDefault(NewLogger(&log, slog.LevelInfo))
	t.Cleanup(func() { slog.SetDefault(previous) })
	t.Setenv("GOOGLE_CLOUD_PROJECT", "my-project")

	_, server := serve(t, DefaultConfig(), Business())
	for _, source := range []string{"event1", "event2", "event3", "event1"} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(`{"card":"4111"}`))
		for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "t", "Ce-Id": "1",
			"Ce-Source": source, "Ce-Key": "order-1", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
			request.Header.Set(name, value)
		}
		do(t, request)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1:\n%s", len(lines), log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"message": "order processed", "severity": "INFO", "key": "order-1", "token": 1.0,
		"logging.googleapis.com/trace":  "projects/my-project/traces/0af7651916cd43dd8448eb211c80319c",
		"logging.googleapis.com/spanId": "b7ad6b7169203331"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if strings.Contains(lines[0], "4111") {
		t.Errorf("the log line has the payload: %s", lines[0])
	}
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
