package eventdriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/internal/fake/gcs"
)

func TestFunctionJoinsAndProcessesOnce(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			_, server := serve(t, config, business)
			for range 2 {
				for _, source := range []string{"event3", "event1", "event2"} {
					if status, answer := post(t, server.URL, source, "order-1", `{"n":9007199254740993}`); !taken(status) {
						t.Errorf("%s: %d %s", source, status, answer)
					}
				}
			}
			business.once(t, "order-1")
			if got, want := business.contents["order-1"], `{"event1":null,"event2":{"n":9007199254740993},"event3":{"n":9007199254740993}}`; got != want {
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
			if status, answer := do(t, request); !taken(status) {
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
		t.Errorf("%d %s; want it dead-lettered", status, answer)
	}
}

// The instance that runs the key has a second delivery wait for the run; any other one
// sends it away.
func TestHeldKeyAnswers503(t *testing.T) {
	fake := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", fake.Host())
	config, err := configFrom(map[string]string{"GCS_BUCKET": "bucket"})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	business := count()
	business.before = func(string, int) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	_, server := serve(t, config, business)
	_, other := serve(t, config, business)
	post(t, server.URL, "event1", "order-1", `1`)
	post(t, server.URL, "event2", "order-1", `1`)
	var wait sync.WaitGroup
	wait.Go(func() { deliver(t, server.URL, "event3", "order-1", `1`) })
	<-entered
	if status, answer := post(t, other.URL, "event1", "order-1", `1`); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s; want 503 while another holds the key", status, answer)
	}
	close(release)
	wait.Wait()
	business.once(t, "order-1")
}

func TestStoreUnavailable(t *testing.T) {
	fake := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", fake.Host())
	config, err := configFrom(map[string]string{"GCS_BUCKET": "bucket", "STORE_TIMEOUT": "200ms"})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server := serve(t, config, business)
	fake.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Status: http.StatusServiceUnavailable} })
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
	server := httptest.NewServer(newFunction(config, count(), err))
	defer server.Close()
	if status, answer := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusInternalServerError || !strings.Contains(answer, "LEASE") {
		t.Errorf("%d %s; want 500 that names LEASE", status, answer)
	}
	if _, err := New(config, count()); err != nil {
		t.Errorf("the default that was put in place of what is wrong is refused: %v", err)
	}
}

func TestBusinessThatIsNil(t *testing.T) {
	if _, err := New(DefaultConfig(), nil); err == nil || !strings.Contains(err.Error(), "business handler is nil") {
		t.Errorf("%v; want an error that says what is nil", err)
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

// Events that come once the process is about to end come again, to another.
func TestNothingBeginsOnceTheProcessEnds(t *testing.T) {
	f, server := serve(t, DefaultConfig(), count())
	f.draining.Store(true)
	if status, _ := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusServiceUnavailable {
		t.Errorf("ServeHTTP: %d, want 503", status)
	}
	if err := f.Receive(t.Context(), cloudevents.NewEvent()); !errors.Is(err, errDraining) {
		t.Errorf("Receive: %v, want errDraining", err)
	}
	if _, err := f.Sweep(t.Context(), ""); !errors.Is(err, errDraining) {
		t.Errorf("Sweep: %v, want errDraining", err)
	}
}
