package eventdriver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/instances"
)

// sweepers are processes of the function that sweep all the time, and are killed at random and
// started again.
type sweepers struct {
	program   string
	variables []string
	urls      [2]atomic.Pointer[string]

	mu    sync.Mutex
	runs  map[string][]float64 // the tokens of the runs of each key, as the business logged them
	kills int
}

// run has one of them sweep until ctx ends.
func (s *sweepers) run(ctx context.Context, t *testing.T, i int, random *rand.Rand) {
	for ctx.Err() == nil {
		p, err := instances.Start(ctx, s.program, s.variables, instances.Lines(s.note))
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		s.urls[i].Store(&p.URL)
		life, end := context.WithTimeout(ctx, time.Duration(50+random.IntN(500))*time.Millisecond)
		for life.Err() == nil {
			_, _ = send(life, p.URL+"sweep", "", nil) // whatever comes of it
		}
		end()
		p.Kill()
		s.mu.Lock()
		s.kills++
		s.mu.Unlock()
	}
}

func (s *sweepers) killed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kills
}

// note notes a run.
func (s *sweepers) note(line []byte) {
	var entry struct {
		Message, Key string
		Token        float64
	}
	if json.Unmarshal(line, &entry) == nil && entry.Message == instances.Acted {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.runs[entry.Key] = append(s.runs[entry.Key], entry.Token)
	}
}

// send posts a request, and returns its status and the reason of a dead letter; 0: there was no
// answer.
func send(ctx context.Context, url, body string, header map[string]string) (status int, reason string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
	return response.StatusCode, response.Header.Get(convert.DeadLetterHeader)
}

// deliver delivers an event until one of the processes acknowledges it, and says whether it was taken,
// and is not too late.
func (s *sweepers) deliver(ctx context.Context, t *testing.T, key, source string, i int) bool {
	for ; ctx.Err() == nil; i++ {
		status, reason := send(ctx, *s.urls[i%2].Load()+"events/"+source, strings.TrimPrefix(source, "event"), map[string]string{"Ce-Specversion": "1.0", "Ce-Id": source + key,
			"Ce-Type": "t", "Ce-Source": "/test", "Ce-Key": key, "Content-Type": "application/json"})
		if status/100 == 2 {
			return !strings.Contains(reason, string(driver.ReasonTooLate))
		}
	}
	t.Errorf("%s of %s was never acknowledged", source, key)
	return false
}

// TestSweepsKilledAgainstLateEvents has two processes sweep, which are killed by SIGKILL again and again,
// while orders arrive whose deadline passes at once, each last event somewhat late. Each order is processed
// or dead-lettered as incomplete, and not both, and has all events that were taken. A run may come again,
// with a greater token, only where a process was killed in it.
func TestSweepsKilledAgainstLateEvents(t *testing.T) {
	prove.Only(t, "it starts and kills a hundred processes")
	const late, enough = 5, 20
	orders := 150 // and as many more as it takes until there were enough kills
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	storage, variables := storageFor(t)
	s := &sweepers{program: program, runs: make(map[string][]float64),
		variables: append(variables, "EVENT_SOURCES=event1,event2", "ERASE_SOURCES=", "JOIN_DEADLINE=1ms", "LOG_LEVEL=info")}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	arrive, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	for i := range s.urls {
		s.urls[i].Store(new("http://127.0.0.1:1/"))
		work.Go(func() { s.run(arrive, t, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	var taken []bool
	key := func(i int) string { return fmt.Sprint("order-", i) }
	random := rand.New(rand.NewPCG(seed, 2))
	for i := 0; i < orders+late; i++ {
		if i < orders && !s.deliver(ctx, t, key(i), "event1", i) {
			t.Errorf("the first event of %s is too late", key(i))
		}
		if last := i - late; last >= 0 {
			taken = append(taken, s.deliver(ctx, t, key(last), "event2", random.IntN(2)))
		}
		if i == orders-1 && s.killed() < enough && ctx.Err() == nil {
			orders++
		}
	}
	stop()
	work.Wait()

	t.Setenv("STORAGE_EMULATOR_HOST", storage.Host())
	config := overdue(DefaultConfig())
	config.EventStore, config.ClaimStore, config.Bucket, config.Lease = StoreGCS, StoreGCS, "bucket", shortestLease
	business := count()
	f, _ := serve(t, config, business)
	finishSweeps(t, f, orders)
	again := s.add(t, business)
	checkSwept(t, business, letters(t, f), taken)
	if s.kills < enough {
		t.Errorf("%d kills are few", s.kills)
	}
	t.Logf("sweeps: %d orders, %d kills, %d runs again after a kill, 0 lost, 0 doubled", orders, s.kills, again)
}

// add has the business count a run of each key that ran in a process, and returns how many ran again.
func (s *sweepers) add(t *testing.T, business *counted) (again int) {
	t.Helper()
	for key, tokens := range s.runs {
		again += len(tokens) - 1 + business.processed[key]
		for i, token := range tokens[1:] {
			if token <= tokens[i] {
				t.Errorf("%s ran with the tokens %v", key, tokens)
			}
		}
		business.processed[key] = 1
	}
	if again > s.kills {
		t.Errorf("%d runs came again, after %d kills", again, s.kills)
	}
	return again
}
