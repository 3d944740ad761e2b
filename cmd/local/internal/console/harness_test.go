package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/fleet"
	"example.com/eventdriver/cmd/local/internal/lab"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/letters"
	"example.com/eventdriver/stores/memstore"
)

// sender remembers what was sent.
type sender struct {
	letters []driver.DeadLetter
	answer  letters.Answer
}

func (s *sender) Send(_ context.Context, d driver.DeadLetter) (letters.Answer, error) {
	s.letters = append(s.letters, d)
	return s.answer, nil
}

// bus remembers what was published, and gives it numbers.
type bus struct {
	mu        sync.Mutex
	delivered []events.Event
	numbers   int
}

func (b *bus) Prepare(e events.Event) (id string, send events.Send, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.numbers++
	e.ID = strconv.Itoa(b.numbers)
	return e.ID, func() (string, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.delivered = append(b.delivered, e)
		return e.ID, nil
	}, nil
}

func (b *bus) all() []events.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.delivered)
}

// served is a console that is being served.
type served struct {
	*testing.T
	store  *memstore.Store
	sender *sender
	bus    *bus
	lab    *lab.Lab
	url    string
	watch  *watcher
}

func serve(t *testing.T) served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := served{T: t, store: memstore.New(), sender: &sender{}, bus: &bus{}, url: "http://" + listener.Addr().String()}
	config, err := eventdriver.ConfigFromEnv(func(name string) (string, bool) {
		value, set := map[string]string{"EVENT_SOURCES": "event1,event2", "ERASE_SOURCES": ""}[name]
		return value, set
	})
	if err != nil {
		t.Fatal(err)
	}
	s.lab = &lab.Lab{Config: config, Records: records.New(1000, nil),
		Fleet: fleet.Single("http://127.0.0.1:1"), State: &eventdriver.State{Events: s.store, Claims: s.store, DeadLetters: s.store}}
	s.lab.Troubles = trouble.New(s.lab.Records)
	s.lab.Events = events.New(s.bus, func(topic string) string { return topic }, s.lab.Records)
	c, err := New(s.lab, "memory")
	if err != nil {
		t.Fatal(err)
	}
	s.watch, c.sender, c.changes.Settle = c.watch, s.sender, 0
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func (s served) keep(key, source, content string) {
	s.Helper()
	m := driver.Message{ID: source + " of " + key, Key: key, Source: source, Content: []byte(content), Attributes: map[string]string{"a": "b"}}
	if err := s.store.Persist(s.Context(), m); err != nil {
		s.Fatal(err)
	}
}

// complete completes a key.
func (s served) complete(key string) {
	s.Helper()
	c, err := s.store.Acquire(s.Context(), driver.Claim{Key: key, Owner: "me"}, time.Minute)
	if err == nil {
		err = s.store.Complete(s.Context(), c, driver.OutcomeProcessed)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// get returns the status and the JSON of an answer.
func (s served) get(path string, parameters ...string) (int, map[string]any) {
	s.Helper()
	query := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	return s.read(http.Get(s.url + path + "?" + query.Encode()))
}

func (s served) post(name string, body any) (int, map[string]any) {
	s.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	return s.read(http.Post(s.url+"/api/"+name, "application/json", bytes.NewReader(text)))
}

func (s served) read(answer *http.Response, err error) (int, map[string]any) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		s.Fatal(err)
	}
	return answer.StatusCode, body
}

// stream listens as a page does. next returns the next view.
func (s served) stream() (next func() view) {
	s.Helper()
	answer, err := http.Get(s.url + "/api/live")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	return func() (v view) {
		s.Helper()
		for event := ""; lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "event":
				event = value
			case name == "data" && event == "view":
				if err := json.Unmarshal([]byte(value), &v); err != nil {
					s.Fatal(err)
				}
				return v
			}
		}
		s.Fatalf("the stream ended: %v", lines.Err())
		return v
	}
}

// awaitRow waits until a view has a row of a key that passes.
func awaitRow(s served, next func() view, key string, passes func(row) bool) row {
	s.Helper()
	for {
		for _, r := range next().Rows {
			if r.Key == key && passes(r) {
				return r
			}
		}
	}
}
