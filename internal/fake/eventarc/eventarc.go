// Package eventarc plays Pub/Sub and Eventarc on one machine: it delivers what is
// published to a function, as CloudEvents in binary form, in no order, and again until
// they are acknowledged. Nothing that is deployed imports it.
package eventarc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The defaults of [Config]. The stand-in waits less between deliveries than Eventarc's
// 10 to 600 seconds.
const (
	DefaultFirstBackoff   = 100 * time.Millisecond
	DefaultLongestBackoff = 10 * time.Second
	DefaultDeadline       = time.Minute
	DefaultAtOnce         = 100
)

// Config says how events are delivered. Route must be set.
type Config struct {
	// Route returns the URL to deliver to now, and a function that is called when that
	// delivery is over. It may wait; when the context ends, it returns the context's error.
	Route func(ctx context.Context) (url string, done func(), err error)
	// Path returns the path that the trigger of a topic calls, as in /events/event1;
	// "", or no Path: that of the URL.
	Path func(topic string) string
	// Deadline is how long a delivery may take; 0: DefaultDeadline.
	Deadline time.Duration
	// AtOnce is how many deliveries are under way at once, at most; 0: DefaultAtOnce. Pub/Sub has such a
	// window, too. Forward does not count: Pub/Sub decides there.
	AtOnce int
	// FirstBackoff is the pause after the first failed delivery. It doubles up to
	// LongestBackoff. Each pause is shortened at random, by half at most. 0: the defaults.
	FirstBackoff, LongestBackoff time.Duration
	// OnSend, if not nil, is called before each delivery, and OnAnswer after it.
	OnSend, OnAnswer func(Delivery)
}

// Delivery is one delivery of an event.
type Delivery struct {
	Event   Event
	Attempt int    // from 1
	URL     string // where it was sent; "": Route has failed
	Status  int    // of the answer; 0: there was none
	Err     error  // nil: it was acknowledged
	// Again is after which time the event is delivered again; 0: it is not, or not yet known.
	Again time.Duration
}

// Fixed is a Route that always leads to one function.
func Fixed(url string) func(context.Context) (string, func(), error) {
	return func(context.Context) (string, func(), error) { return url, func() {}, nil }
}

// Eventarc delivers events. When the process ends, events that are not acknowledged are
// lost. Make one with [New]; it is safe for concurrent use.
type Eventarc struct {
	ctx      context.Context // ends the deliveries
	config   Config
	client   *http.Client
	window   chan struct{} // has an element for each delivery under way
	lastID   atomic.Int64
	under    sync.WaitGroup
	attempts atomic.Int64
	acked    atomic.Int64
}

// New returns an Eventarc whose deliveries end with ctx.
func New(ctx context.Context, config Config) *Eventarc {
	config.Deadline = cmp.Or(config.Deadline, DefaultDeadline)
	config.FirstBackoff = cmp.Or(config.FirstBackoff, DefaultFirstBackoff)
	config.LongestBackoff = cmp.Or(config.LongestBackoff, DefaultLongestBackoff)
	config.AtOnce = cmp.Or(config.AtOnce, DefaultAtOnce)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = config.AtOnce
	return &Eventarc{ctx: ctx, config: config, client: &http.Client{Transport: transport, Timeout: config.Deadline},
		window: make(chan struct{}, config.AtOnce)}
}

// Event is an event as it was published. Each delivery has the same ID and content.
type Event struct {
	ID, Topic, Key string
	Data           []byte
	Attributes     map[string]string // but for the key

	path   string // "": that of the route
	header http.Header
	body   []byte
}

// NewEvent returns an event with data as it is published to a topic, with these
// attributes, and the attribute key unless that is empty.
func (e *Eventarc) NewEvent(topic, key string, data []byte, attributes map[string]string) Event {
	event := Event{ID: strconv.FormatInt(e.lastID.Add(1), 10), Topic: topic, Key: key, Data: data, Attributes: attributes}
	now := time.Now().UTC().Format(time.RFC3339Nano)
	message := map[string]any{"data": data, "messageId": event.ID, "publishTime": now}
	all := maps.Clone(attributes)
	if key != "" {
		if all == nil {
			all = make(map[string]string)
		}
		all["key"] = key
	}
	if len(all) > 0 {
		message["attributes"] = all
	}
	body, err := json.Marshal(map[string]any{"message": message, "subscription": "projects/local/subscriptions/" + topic})
	if err != nil {
		panic(err) // maps of strings and bytes always have a JSON form
	}
	return e.wrap(event, now, body)
}

// Forward delivers a message of a topic once, as Pub/Sub has pushed it, and returns the answer's
// status; 0: there is none. The error is nil if that acknowledges the message.
func (e *Eventarc) Forward(ctx context.Context, topic string, attempt int, push []byte) (status int, err error) {
	var pushed struct {
		Message struct {
			MessageID, PublishTime string
			Attributes             map[string]string
		}
	}
	if err := json.Unmarshal(push, &pushed); err != nil {
		return 0, fmt.Errorf("what was pushed is no message: %w", err)
	}
	m := pushed.Message
	event := e.wrap(Event{ID: m.MessageID, Topic: topic, Key: m.Attributes["key"]}, m.PublishTime, push)
	d := Delivery{Event: event, Attempt: attempt}
	e.post(ctx, &d)
	call(e.config.OnAnswer, d)
	return d.Status, d.Err
}

// wrap makes of a message that Pub/Sub pushed what Eventarc makes of it.
func (e *Eventarc) wrap(event Event, published string, push []byte) Event {
	if e.config.Path != nil {
		event.path = e.config.Path(event.Topic)
	}
	event.body, event.header = push, http.Header{
		"Content-Type":   {"application/json"},
		"Ce-Specversion": {"1.0"},
		"Ce-Type":        {"google.cloud.pubsub.topic.v1.messagePublished"},
		"Ce-Source":      {"//pubsub.googleapis.com/projects/local/topics/" + event.Topic},
		"Ce-Id":          {event.ID},
		"Ce-Time":        {published},
	}
	return event
}

// Publish delivers a new event in the background, and returns its ID.
func (e *Eventarc) Publish(topic, key string, data []byte) (id string) {
	event := e.NewEvent(topic, key, data, nil)
	e.Deliver(event, func() {})
	return event.ID
}

// Deliver delivers an event in the background until it is acknowledged, and then calls
// acknowledged. Called again with the same event, it delivers a duplicate.
func (e *Eventarc) Deliver(event Event, acknowledged func()) {
	e.under.Go(func() {
		if e.deliver(event) {
			e.acked.Add(1)
			acknowledged()
		}
	})
}

// deliver posts the event until it is acknowledged, or the deliveries end.
func (e *Eventarc) deliver(event Event) (acknowledged bool) {
	backoff := e.config.FirstBackoff
	for attempt := 1; ; attempt++ {
		d := Delivery{Event: event, Attempt: attempt}
		e.postInTurn(&d)
		if d.Err != nil && e.ctx.Err() == nil {
			d.Again = backoff/2 + rand.N(backoff/2+1)
		}
		call(e.config.OnAnswer, d)
		if d.Again == 0 {
			return d.Err == nil
		}
		select {
		case <-time.After(d.Again):
		case <-e.ctx.Done():
			return false
		}
		backoff = min(2*backoff, e.config.LongestBackoff)
	}
}

func call(hook func(Delivery), d Delivery) {
	if hook != nil {
		hook(d)
	}
}

// postInTurn is post, once the window has room.
func (e *Eventarc) postInTurn(d *Delivery) {
	select {
	case e.window <- struct{}{}:
		defer func() { <-e.window }()
		e.post(e.ctx, d)
	case <-e.ctx.Done():
		d.Err = e.ctx.Err()
	}
}

// post delivers the event once, and notes in d what became of that.
func (e *Eventarc) post(ctx context.Context, d *Delivery) {
	url, done, err := e.config.Route(ctx)
	if err != nil {
		d.Err = err
		return
	}
	defer done()
	d.URL = url
	call(e.config.OnSend, *d)
	d.Status, d.Err = e.send(ctx, url, d.Event)
}

// send posts an event to url, and returns the answer's status, and an error unless that
// acknowledges it.
func (e *Eventarc) send(ctx context.Context, url string, event Event) (status int, err error) {
	if event.path != "" {
		url = strings.TrimSuffix(url, "/") + event.path
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event.body))
	if err != nil {
		return 0, err
	}
	request.Header = event.header.Clone()
	e.attempts.Add(1)
	answer, err := e.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
	switch answer.StatusCode { // those that Pub/Sub takes as acknowledged
	case http.StatusProcessing, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return answer.StatusCode, nil
	}
	return answer.StatusCode, fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text))
}

// Wait returns when all that was published has been acknowledged, or the deliveries
// have ended.
func (e *Eventarc) Wait() { e.under.Wait() }

// Close closes the connections that are idle. Call it after Wait.
func (e *Eventarc) Close() { e.client.CloseIdleConnections() }

// Deliveries returns how many times an event was sent to the function.
func (e *Eventarc) Deliveries() int { return int(e.attempts.Load()) }

// Acknowledged returns how many of the events that were given to Deliver and Publish have
// been acknowledged.
func (e *Eventarc) Acknowledged() int { return int(e.acked.Load()) }
