package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The stand-in waits less between deliveries than Eventarc's 10 to 600 seconds.
const (
	firstBackoff    = 100 * time.Millisecond
	longestBackoff  = 10 * time.Second
	deliveryTimeout = time.Minute
	publishLimit    = 10 << 20 // bytes; Pub/Sub's limit for a message
)

// eventarc plays Pub/Sub and Eventarc: what is published to a topic it delivers to
// the function as a CloudEvent in binary form, in no order, and again until it is
// acknowledged. It forgets what is not acknowledged when the process ends.
type eventarc struct {
	ctx        context.Context // ends the deliveries
	target     string          // the function's URL
	client     *http.Client
	lastID     atomic.Int64
	deliveries sync.WaitGroup
}

func newEventarc(ctx context.Context, target string) *eventarc {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &eventarc{ctx: ctx, target: target, client: &http.Client{Transport: transport, Timeout: deliveryTimeout}}
}

// publish sends data to a topic, with the attribute key unless that is empty, and
// returns the message's ID. The delivery goes on in the background.
func (e *eventarc) publish(topic, key string, data []byte) (id string) {
	id = strconv.FormatInt(e.lastID.Add(1), 10)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	message := map[string]any{"data": data, "messageId": id, "publishTime": now}
	if key != "" {
		message["attributes"] = map[string]string{"key": key}
	}
	body, err := json.Marshal(map[string]any{"message": message, "subscription": "projects/local/subscriptions/" + topic})
	if err != nil {
		panic(err) // maps of strings and bytes always have a JSON form
	}
	header := http.Header{
		"Content-Type":   {"application/json"},
		"Ce-Specversion": {"1.0"},
		"Ce-Type":        {"google.cloud.pubsub.topic.v1.messagePublished"},
		"Ce-Source":      {"//pubsub.googleapis.com/projects/local/topics/" + topic},
		"Ce-Id":          {id},
		"Ce-Time":        {now},
	}
	e.deliveries.Go(func() { e.deliver(id, header, body) })
	return id
}

// deliver posts the event until it is acknowledged, or the process ends.
func (e *eventarc) deliver(id string, header http.Header, body []byte) {
	for backoff := firstBackoff; ; backoff = min(2*backoff, longestBackoff) {
		err := e.post(header, body)
		if err == nil || e.ctx.Err() != nil {
			return
		}
		slog.Info("not acknowledged, it will be delivered again", "event", id, "after", backoff.String(), "answer", err.Error())
		select {
		case <-time.After(backoff):
		case <-e.ctx.Done():
			return
		}
	}
}

// post delivers the event once; nil says that it was acknowledged.
func (e *eventarc) post(header http.Header, body []byte) error {
	request, err := http.NewRequestWithContext(e.ctx, http.MethodPost, e.target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header.Clone()
	answer, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
	switch answer.StatusCode { // those that Pub/Sub takes as acknowledged
	case http.StatusProcessing, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return nil
	}
	return fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text))
}

// wait returns when all that was published has been acknowledged.
func (e *eventarc) wait() { e.deliveries.Wait() }

// handler takes POST /publish/TOPIC?key=KEY with the event's content as body.
func (e *eventarc) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish/{topic}", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, publishLimit))
		if err != nil {
			http.Error(w, "the content could not be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		id := e.publish(r.PathValue("topic"), r.URL.Query().Get("key"), data)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "{\"messageId\":%q}\n", id)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "publish with: POST /publish/event1?key=order-1, the content as the body", http.StatusNotFound)
	})
	return mux
}
