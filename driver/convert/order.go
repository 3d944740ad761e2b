package convert

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// OrderType is the type of the event that the dead letter of a joined order has: it holds
// all the events of the join, as they were joined. When it is sent again, each of them is
// processed as if it came for the first time, one after the other, so that the order is
// complete whatever is left of it in the store.
//
// Its data is JSON:
//
//	{"v": 1, "events": [{"id": …, "key": …, "source": …, "time": …, "mediaType": …,
//	  "attributes": {…}, "content": …, "contentEncoding": "base64"}, …]}
//
// The content is a string: the content itself, or what is no text in base64, where
// contentEncoding says so.
const OrderType = "dev.eventdriver.order.v1"

const (
	// mostEvents is how many events an order may have.
	mostEvents = 1000
	// orderValueBytes is how much memory a decoded value of an order takes at most, beside
	// its text: the list of events grows while it is decoded.
	orderValueBytes = 2 * valueBytes
	orderVersion    = 1
)

type order struct {
	Version int          `json:"v"`
	Events  []orderEvent `json:"events"`
}

type orderEvent struct {
	ID              string            `json:"id,omitempty"`
	Key             string            `json:"key"`
	Source          string            `json:"source"`
	Time            *time.Time        `json:"time,omitempty"`
	MediaType       string            `json:"mediaType,omitempty"`
	Attributes      map[string]string `json:"attributes,omitempty"`
	Content         string            `json:"content"`
	ContentEncoding string            `json:"contentEncoding,omitempty"`
}

// orderOf returns the events that a run has joined as the body of an event. false: none
// were, or they can't all be in one that could be sent again.
func (e *edge) orderOf(ctx context.Context, run *driver.Run) (body []byte, ok bool) {
	err := driver.Guard(func() error {
		if events := run.Events(); len(events) > 0 {
			body, ok = encodeOrder(ctx, events, e.limit)
		}
		return nil
	})
	return body, ok && err == nil
}

func encodeOrder(ctx context.Context, events []driver.Message, limit int64) ([]byte, bool) {
	size, values := int64(0), 0
	for _, m := range events {
		if validNames(m) != nil {
			return nil, false
		}
		size += contentLength(m.Content)
		values += orderFields + len(m.Attributes)
	}
	if len(events) > mostEvents || values > MaxValues || size > limit || driver.Grow(ctx, 4*int(size)) != nil {
		return nil, false
	}
	o := order{Version: orderVersion, Events: make([]orderEvent, len(events))}
	for i, m := range events {
		e := orderEvent{ID: m.ID, Key: m.Key, Source: m.Source, MediaType: m.MediaType, Attributes: m.Attributes, Content: string(m.Content)}
		if !utf8.Valid(m.Content) {
			e.Content, e.ContentEncoding = base64.StdEncoding.EncodeToString(m.Content), "base64"
		}
		if year := m.Time.UTC().Year(); !m.Time.IsZero() && year >= 0 && year <= 9999 { // as JSON can hold it
			at := m.Time.UTC()
			e.Time = &at
		}
		o.Events[i] = e
	}
	body := bytes.NewBuffer(make([]byte, 0, size))
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(o)
	return body.Bytes(), err == nil && int64(body.Len()) <= limit
}

// orderFields is how many members and braces an event of an order has, beside its attributes.
const orderFields = 12

// contentLength returns how many bytes a content has in an order.
func contentLength(content []byte) int64 {
	if !utf8.Valid(content) {
		return int64(base64.StdEncoding.EncodedLen(len(content)))
	}
	return escapedLength(content)
}

// asOrder makes the letter that of a joined order.
func asOrder(letter *driver.DeadLetter, body []byte) {
	header := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Type": {OrderType}, "Ce-Source": {"dev.eventdriver"}, "Content-Type": {"application/json"},
		"Ce-Id": {EncodeHeader("id", letter.ID)}, "Ce-Key": {EncodeHeader("key", letter.Key)},
	}
	maps.DeleteFunc(header, func(_ string, values []string) bool { return values[0] == "" })
	letter.Path, letter.Header, letter.Body = "", header, body
}

// isOrder returns the data of an order's event, which may be inside a Pub/Sub message:
// dead letters in a topic are sent again to one of the function's.
func isOrder(ctx context.Context, event *cloudevents.Event) ([]byte, bool) {
	if event == nil || event.Context == nil {
		return nil, false
	}
	if event.Type() == pubsubType && bytes.Contains(event.Data(), []byte(OrderType)) {
		d := delivery{event: event}
		if d.open(ctx) != nil {
			return nil, false
		}
		event = d.event
	}
	return event.Data(), event.Type() == OrderType
}

// readOrder returns the events of an order. How large they become is known before they
// are decoded.
func readOrder(ctx context.Context, data []byte) ([]driver.Message, error) {
	const malformed = "the order is not what a dead letter of one has as its body"
	if !json.Valid(data) {
		return nil, undecodable(malformed)
	}
	values := jsonExpansion(data).values
	if values > MaxValues {
		return nil, tooLarge("the order has more than %d values", MaxValues)
	}
	if err := driver.Grow(ctx, 2*len(data)+values*orderValueBytes); err != nil {
		return nil, err
	}
	var o order
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, undecodable(malformed)
	}
	switch {
	case o.Version != orderVersion:
		return nil, undecodable("the order has version %d, and this function reads %d", o.Version, orderVersion)
	case len(o.Events) == 0 || len(o.Events) > mostEvents:
		return nil, undecodable("the order has %d events, and must have 1 to %d", len(o.Events), mostEvents)
	}
	messages := make([]driver.Message, len(o.Events))
	for i, e := range o.Events {
		m, err := e.message()
		if err != nil {
			return nil, fmt.Errorf("event %d of the order: %w", i+1, err)
		}
		messages[i] = m
	}
	return messages, nil
}

func (e orderEvent) message() (driver.Message, error) {
	m := driver.Message{ID: e.ID, Key: e.Key, Source: e.Source, MediaType: e.MediaType, Attributes: e.Attributes, Content: []byte(e.Content)}
	if e.Time != nil {
		m.Time = e.Time.UTC()
	}
	switch e.ContentEncoding {
	case "":
	case "base64":
		var err error
		if m.Content, err = base64.StdEncoding.DecodeString(e.Content); err != nil {
			return m, undecodable("its content is not base64")
		}
	default:
		return m, undecodable("its content's encoding is not known")
	}
	if err := m.Valid(); err != nil {
		return m, err
	}
	return m, validNames(m)
}
