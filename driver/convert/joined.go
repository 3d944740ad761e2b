package convert

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/rawjson"
)

// JoinedType is the type of the event in the dead letter of a join. The event holds all events
// that were joined. When it is sent again, each of them is processed as if it came for the
// first time, one after the other: so the join is complete, whatever is left of it in the store.
//
// Its data is JSON:
//
//	{"v": 1, "events": [{"id": …, "key": …, "source": …, "time": …, "mediaType": …,
//	  "attributes": {…}, "content": …, "contentEncoding": "base64"}, …]}
//
// The content is a string: the content itself, or, if that is not UTF-8, its base64, with
// contentEncoding.
const JoinedType = "dev.eventdriver.order.v1"

const (
	joinedVersion = 1
	// maxJoined is the most events of a join.
	maxJoined = 1000
	// joinedFields is the number of members and braces of an event, beside its attributes.
	joinedFields = 12
	// joinedValueBytes is the most memory of a decoded value beside its text: the list of
	// events grows while it is decoded. TestJoinedExpansionIsBounded measures it.
	joinedValueBytes = 600
)

type joined struct {
	Version int           `json:"v"`
	Events  []joinedEvent `json:"events"`
}

type joinedEvent struct {
	ID              string            `json:"id,omitempty"`
	Key             string            `json:"key"`
	Source          string            `json:"source"`
	Time            *time.Time        `json:"time,omitempty"`
	MediaType       string            `json:"mediaType,omitempty"`
	Attributes      map[string]string `json:"attributes,omitempty"`
	Content         string            `json:"content"`
	ContentEncoding string            `json:"contentEncoding,omitempty"`
}

// errNotJoined says that no event can be made of those that a run has joined.
var errNotJoined = errors.New("the joined events could not be sent again as one")

// joinedBody returns events that were joined as the body of one event. It fails if
// there are none, if an event with all of them, of limit bytes at most, could not be sent
// again, or if there is no memory for it: see [noMemory].
func joinedBody(ctx context.Context, events func() []driver.Message, limit int64) (body []byte, err error) {
	err = driver.Guard(func() (err error) {
		body, err = encodeJoined(ctx, events(), limit)
		return err
	})
	return body, err
}

func encodeJoined(ctx context.Context, events []driver.Message, limit int64) ([]byte, error) {
	size, values := int64(0), 0
	for _, m := range events {
		if decode.CheckNames(m) != nil {
			return nil, errNotJoined
		}
		size += contentLength(m.Content)
		values += joinedFields + len(m.Attributes)
	}
	if len(events) == 0 || len(events) > maxJoined || values > decode.MaxValues || size > limit {
		return nil, errNotJoined
	}
	if err := driver.Grow(ctx, 4*int(size)); err != nil {
		return nil, err
	}
	j := joined{Version: joinedVersion, Events: make([]joinedEvent, len(events))}
	for i, m := range events {
		e := joinedEvent{
			ID: m.ID, Key: m.Key, Source: m.Source, MediaType: m.MediaType, Attributes: m.Attributes, Content: string(m.Content),
		}
		if !utf8.Valid(m.Content) {
			e.Content, e.ContentEncoding = base64.StdEncoding.EncodeToString(m.Content), "base64"
		}
		if year := m.Time.UTC().Year(); !m.Time.IsZero() && year >= 0 && year <= 9999 { // as JSON can hold it
			at := m.Time.UTC()
			e.Time = &at
		}
		j.Events[i] = e
	}
	body := bytes.NewBuffer(make([]byte, 0, size))
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(j); err != nil || int64(body.Len()) > limit {
		return nil, errNotJoined
	}
	return body.Bytes(), nil
}

// contentLength returns how many bytes a content has in the body of a join.
func contentLength(content []byte) int64 {
	if !utf8.Valid(content) {
		return int64(base64.StdEncoding.EncodedLen(len(content)))
	}
	return rawjson.EscapedLength(content)
}

// asJoined turns a letter into that of a join. The ID of a joined message has its key in it, so it may be longer than
// that of an event can be: its beginning is enough for one that is sent again.
func asJoined(letter *driver.DeadLetter, body []byte) {
	id := letter.ID
	if len(id) > decode.MaxName {
		id = strings.ToValidUTF8(id[:decode.MaxName], "")
	}
	header := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Type": {JoinedType}, "Ce-Source": {"dev.eventdriver"},
		"Content-Type": {"application/json"},
		"Ce-Id":        {decode.EncodeHeader("id", id)}, "Ce-Key": {decode.EncodeHeader("key", letter.Key)},
	}
	maps.DeleteFunc(header, func(_ string, values []string) bool { return values[0] == "" })
	letter.Path, letter.Header, letter.Body = "", header, body
}

// joinedData returns the data of an event of [JoinedType], which may be inside of a Pub/Sub
// message: dead letters in a topic are sent again to a topic of the function.
func joinedData(event *cloudevents.Event) ([]byte, bool) {
	if event == nil || event.Context == nil {
		return nil, false
	}
	if event.Type() != JoinedType && mayWrapJoined(event) {
		inner, err := decode.Unwrap(event)
		if err != nil {
			return nil, false
		}
		event = inner
	}
	return event.Data(), event.Type() == JoinedType
}

// mayWrapJoined looks for the type of the event inside of the event's message, without decoding it. A letter that
// failed again when it came from a topic is in a message inside of a message, whose type is the event's own.
func mayWrapJoined(event *cloudevents.Event) bool {
	return bytes.Contains(event.Data(), []byte(JoinedType)) || bytes.Contains(event.Data(), []byte(event.Type()))
}

// JoinedEvents returns the events of the data of an event of [JoinedType]. It counts their memory before it
// decodes them.
func JoinedEvents(ctx context.Context, data []byte) ([]driver.Message, error) {
	const malformed = "the data of an event of type " + JoinedType +
		" is not as a dead letter has it: send the letter as it was stored"
	if !rawjson.Valid(data) {
		return nil, undecodable(malformed)
	}
	values := rawjson.CountValues(data)
	if values > decode.MaxValues {
		err := fmt.Errorf("the joined events have more than %d values", decode.MaxValues)
		return nil, driver.Reject(driver.ReasonTooLarge, err)
	}
	if err := driver.Grow(ctx, 2*len(data)+values*joinedValueBytes); err != nil {
		return nil, err
	}
	var j joined
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, undecodable(malformed)
	}
	switch {
	case j.Version != joinedVersion:
		return nil, undecodable("the joined events have version %d, and this function reads %d", j.Version, joinedVersion)
	case len(j.Events) == 0 || len(j.Events) > maxJoined:
		return nil, undecodable("there are %d joined events: there must be 1 to %d", len(j.Events), maxJoined)
	}
	messages := make([]driver.Message, len(j.Events))
	for i, e := range j.Events {
		m, err := e.message()
		if err != nil {
			return nil, fmt.Errorf("joined event %d: %w", i+1, err)
		}
		messages[i] = m
	}
	return messages, nil
}

func (e joinedEvent) message() (driver.Message, error) {
	m := driver.Message{
		ID: e.ID, Key: e.Key, Source: e.Source, MediaType: e.MediaType, Attributes: e.Attributes, Content: []byte(e.Content),
	}
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
		return m, undecodable("its contentEncoding must be base64, or absent")
	}
	if err := m.Valid(); err != nil {
		return m, err
	}
	return m, decode.CheckNames(m)
}

// undecodable returns the rejection of an event that is not what it claims to be.
func undecodable(format string, args ...any) error {
	return driver.Reject(driver.ReasonUndecodable, fmt.Errorf(format, args...))
}
