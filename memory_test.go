package eventdriver

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/instances"
)

const (
	defaultMemory = 512 << 20 // of the default deployment
	largeContent  = 10_000_000
	// acknowledgeWithin is the deadline of the subscriptions that Eventarc makes.
	acknowledgeWithin = 10 * time.Second
	// giveUp is when the test ends that would go on for as long as the process thrashes.
	giveUp = 5 * time.Minute
)

// TestMemoryOfLargeEvents: 80 events of 10 MB arrive at once, then those that complete
// some of the orders. The process stays within its memory, each event is acknowledged in
// the end, and small events meanwhile at once.
func TestMemoryOfLargeEvents(t *testing.T) {
	prove.Only(t, "sends a gigabyte of events")
	if err := instances.CanMeasure(); err != nil {
		t.Skip(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // Cloud Storage is in this process
	_, variables := storageFor(t)
	p := start(t, append(variables, "GOMEMLIMIT="+strconv.Itoa(defaultMemory), "ERASE_SOURCES=", "LEASE=30s")...)

	ctx, cancel := context.WithTimeout(t.Context(), giveUp)
	defer cancel()
	const orders, joins = 40, 10
	ended := make(chan struct{})
	var requests atomic.Int64
	go func() {
		defer close(ended)
		var wait sync.WaitGroup
		for order := range orders {
			wait.Go(func() { requests.Add(p.redeliver(ctx, t, "event1", order)) })
			wait.Go(func() { requests.Add(p.redeliver(ctx, t, "event2", order)) })
		}
		wait.Wait()
		for order := range joins {
			wait.Go(func() { requests.Add(p.redeliver(ctx, t, "event3", order)) })
		}
		wait.Wait()
	}()
	small := p.deliverSmall(t, ended)

	peak, err := p.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak RSS: %d MiB of %d; %d requests for %d large events, and %d small ones",
		peak>>20, defaultMemory>>20, requests.Load(), 2*orders+joins, small)
	if peak >= defaultMemory {
		t.Errorf("the process took %d MiB, and has %d", peak>>20, defaultMemory>>20)
	}
	processed := make(map[any]bool)
	for _, order := range p.terminate(t) {
		processed[order["key"]] = true
	}
	if len(processed) != joins {
		t.Errorf("%d orders were processed, want %d", len(processed), joins)
	}
}

// redeliver sends a large event until it is acknowledged, as Pub/Sub does, and returns how many
// requests that took.
func (p instance) redeliver(ctx context.Context, t *testing.T, source string, order int) (requests int64) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		requests++
		soon, cancel := context.WithTimeout(ctx, acknowledgeWithin)
		response, err := http.DefaultClient.Do(largeEvent(soon, t, p.URL, source, fmt.Sprint("order-", order)))
		if err == nil {
			response.Body.Close()
			if response.StatusCode/100 == 2 {
				cancel()
				return requests
			}
			if response.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s of order %d was answered %s", source, order, response.Status)
			}
		}
		cancel()
		select {
		case <-p.Ended():
			t.Errorf("the process ended: %s", p.Log())
			return requests
		case <-ctx.Done():
			t.Errorf("%s of order %d was not acknowledged", source, order)
			return requests
		case <-time.After(pause): // as Pub/Sub
		}
	}
}

// deliverSmall sends small events, one after the other, until the end. Each is acknowledged
// the first time.
func (p instance) deliverSmall(t *testing.T, ended <-chan struct{}) (sent int) {
	for {
		select {
		case <-ended:
			return sent
		case <-p.Ended():
			return sent
		default:
		}
		sent++
		ctx, cancel := context.WithTimeout(t.Context(), acknowledgeWithin)
		status, answer := do(t, event(t, p.URL, "event1", fmt.Sprint("small-", sent), `{"n":1}`).WithContext(ctx))
		cancel()
		if status/100 != 2 {
			t.Errorf("small event %d was answered %d %s", sent, status, answer)
		}
	}
}

// The content of large events is a JSON string, which they all share.
var (
	content = sync.OnceValue(func() string { return `"` + strings.Repeat("0123456789", largeContent/10-1) + `"` })
	coded   = sync.OnceValue(func() string { return base64.StdEncoding.EncodeToString([]byte(content())) })
)

// largeEvent is an event of 10 MB; that of event2 is a Pub/Sub message, as Eventarc delivers it.
func largeEvent(ctx context.Context, t *testing.T, url, source, key string) *http.Request {
	t.Helper()
	request := event(t, url, source, key, "").WithContext(ctx)
	parts := []string{content()}
	if source == "event2" {
		request.Header.Set("Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished")
		request.Header.Set("Ce-Source", "//pubsub.googleapis.com/projects/p/topics/event2")
		parts = []string{`{"message":{"messageId":"1","data":"`, coded(), `"},"subscription":"projects/p/subscriptions/s"}`}
	}
	var readers []io.Reader
	request.ContentLength = 0
	for _, part := range parts {
		readers = append(readers, strings.NewReader(part))
		request.ContentLength += int64(len(part))
	}
	request.Body, request.GetBody = io.NopCloser(io.MultiReader(readers...)), nil
	return request
}

// TestMemoryIsThatOfTheProcess: the function takes its memory from GOMEMLIMIT, and says so where that is not
// enough for the longest body.
func TestMemoryIsThatOfTheProcess(t *testing.T) {
	p := start(t, "GOMEMLIMIT=64MiB")
	body := bytes.Repeat([]byte("1"), 10<<20)
	status, answer := post(t, p.URL, "event1", "order-1", string(body))
	if status != http.StatusOK || !strings.Contains(answer, "larger than") {
		t.Errorf("a body of 10 MiB: %d %s; want a dead letter", status, answer)
	}
	if text := p.warning(); !strings.Contains(text, "BODY_LIMIT") {
		t.Errorf("first warning %q; want one that names BODY_LIMIT", text)
	}
}

// TestUnknownMemoryIsWarnedAbout: on Cloud Run an instance always has a limit, whether or not it is told.
func TestUnknownMemoryIsWarnedAbout(t *testing.T) {
	previous := slog.Default()
	t.Cleanup(func() { slog.SetDefault(previous) })
	for service, want := range map[string]bool{"": false, "orders": true} {
		t.Setenv("K_SERVICE", service)
		var log syncBuffer
		slog.SetDefault(NewLogger(&log, slog.LevelInfo))
		limitHeap(0, slog.Default())
		if got := strings.Contains(log.String(), "GOMEMLIMIT"); got != want {
			t.Errorf("K_SERVICE=%q: logged %q", service, log.String())
		}
	}
}

// TestGarbageIsCollectedSeldom: where the memory is known, which Go collects for anyway, unless GOGC says how often.
func TestGarbageIsCollectedSeldom(t *testing.T) {
	const before = 77
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	defer debug.SetGCPercent(debug.SetGCPercent(before))
	for _, c := range []struct {
		memory int64
		gogc   string
		want   int
	}{{defaultMemory, "", garbagePercent}, {defaultMemory, "77", before}, {0, "", before}} {
		t.Setenv("GOGC", c.gogc)
		limitHeap(c.memory, slog.New(slog.DiscardHandler))
		if got := debug.SetGCPercent(before); got != c.want {
			t.Errorf("%d bytes, GOGC=%q: collected at %d %%, want %d", c.memory, c.gogc, got, c.want)
		}
	}
}
