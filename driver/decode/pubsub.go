package decode

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver/internal/rawjson"
)

// pubsubType is the type of a Pub/Sub message as Eventarc delivers it.
const pubsubType = "google.cloud.pubsub.topic.v1.messagePublished"

// pubsubMessage is a Pub/Sub message, with what its delivery says about it.
type pubsubMessage struct {
	id              string
	data            []byte
	attributes      map[string]string
	orderingKey     string
	published       time.Time // zero: not said
	subscription    string    // projects/P/subscriptions/S
	deliveryAttempt int       // 0: not said
}

// push is the body of a Pub/Sub push, which is also the data of Eventarc's event; D decodes the
// message's data. Google's library has no type for it. Pub/Sub writes some names twice, in both
// spellings (https://cloud.google.com/pubsub/docs/push).
type push[D any] struct {
	Message *struct {
		Data          D                 `json:"data"`
		Attributes    map[string]string `json:"attributes"`
		MessageID     string            `json:"messageId"`
		MessageID2    string            `json:"message_id"`
		PublishTime   string            `json:"publishTime"`
		PublishTime2  string            `json:"publish_time"`
		OrderingKey   string            `json:"orderingKey"`
		OrderingKey2  string            `json:"ordering_key"`
		DeliveryCount int               `json:"deliveryAttempt"`
	} `json:"message"`
	Subscription    string `json:"subscription"`
	DeliveryAttempt int    `json:"deliveryAttempt"`
}

// pushMembers is about how many members of a push are no attributes.
const pushMembers = 24

// messageOf reads the Pub/Sub message in an event of Eventarc.
func messageOf(e *cloudevents.Event, w *Warnings) (pubsubMessage, error) {
	switch media := declared(e.DataContentType()); {
	case len(e.Data()) == 0:
		return pubsubMessage{}, undecodable("the Pub/Sub event's body is empty: it must be JSON with a message")
	case media != "" && !isJSON(media):
		return pubsubMessage{}, undecodable("content type %q of a Pub/Sub event: "+askForJSON, media)
	}
	m, data, err := parsePush[pushData](e.Data(), w)
	if err != nil {
		return m, err
	}
	if data.err != nil {
		return m, undecodable(`the Pub/Sub field "message.data" is not base64, or cut short: %w`, data.err)
	}
	m.data = data.bytes
	return m, nil
}

// skippedData skips a push's data where it is not needed yet.
type skippedData struct{}

// UnmarshalJSON implements [json.Unmarshaler].
func (skippedData) UnmarshalJSON(literal []byte) error {
	if c := rawjson.FirstByte(literal); c != '"' && c != 'n' {
		return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeFor[string]()}
	}
	return nil
}

// pushData is a push's data, decoded without a copy of its base64.
type pushData struct {
	bytes []byte
	err   error
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *pushData) UnmarshalJSON(literal []byte) error {
	*d = pushData{}
	if rawjson.FirstByte(literal) == '"' {
		d.bytes, d.err = decodeBase64(rawjson.Text(literal))
	}
	return skippedData{}.UnmarshalJSON(literal)
}

func decodeBase64(text []byte) ([]byte, error) {
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	return decoded[:n], err
}

const notPush = `the Pub/Sub body must be JSON as {"message": {"data": "..."}}`

// parsePush reads the body of a push. D decodes the message's data.
func parsePush[D any](body []byte, w *Warnings) (m pubsubMessage, data D, err error) {
	body = rawjson.WithoutMark(body)
	if !rawjson.ValidUnicode(body) { // decoded, different keys could become the same U+FFFD
		return m, data, undecodable("the Pub/Sub body is not Unicode text")
	}
	if err := rawjson.Check(body); err != nil {
		return m, data, undecodable(notPush+": %w", err)
	}
	if err := checkCount("the Pub/Sub message", rawjson.CountMembers(body, 3)-pushMembers); err != nil {
		return m, data, err
	}
	var p push[D]
	if err := json.Unmarshal(body, &p); err != nil {
		return m, data, undecodable(notPush+": %w", rawjson.Fault(err))
	}
	if p.Message == nil {
		return m, data, undecodable(notPush + `: it has no field "message"`)
	}
	m, err = p.message(w)
	return m, p.Message.Data, err
}

// message returns the message of a push, without its data.
func (p *push[D]) message(w *Warnings) (pubsubMessage, error) {
	length := 0
	for name, value := range p.Message.Attributes {
		length += len(name) + len(value)
	}
	if err := checkCount("the Pub/Sub message", len(p.Message.Attributes)); err != nil {
		return pubsubMessage{}, err
	}
	if err := checkSize("the Pub/Sub message", length); err != nil {
		return pubsubMessage{}, err
	}
	published, err := p.published(w)
	return pubsubMessage{
		id:              cmp.Or(p.Message.MessageID, p.Message.MessageID2),
		attributes:      p.Message.Attributes,
		orderingKey:     cmp.Or(p.Message.OrderingKey, p.Message.OrderingKey2),
		published:       published,
		subscription:    p.Subscription,
		deliveryAttempt: cmp.Or(p.DeliveryAttempt, p.Message.DeliveryCount),
	}, err
}

// published returns the time of publication, or zero if it is absent or left out as malformed.
func (p *push[D]) published(w *Warnings) (time.Time, error) {
	text := cmp.Or(p.Message.PublishTime, p.Message.PublishTime2)
	if text == "" {
		return time.Time{}, nil
	}
	published, err := parseTime(text)
	if errors.Is(err, errComma) {
		return time.Time{}, undecodable(`the Pub/Sub field "message.publishTime": %w`, err)
	}
	if err != nil {
		w.leaveOut("message.publishTime", err)
	}
	return published, nil
}

// unwrap returns the CloudEvent inside of the message, or nil if the message is not one. See
// https://github.com/googleapis/google-cloudevents/blob/main/docs/spec/pubsub.md.
func (m pubsubMessage) unwrap(w *Warnings) (*cloudevents.Event, error) {
	if parts := m.attributes["left-out"]; parts != "" && m.attributes["reason"] != "" {
		return nil, undecodable("the Pub/Sub message is a dead letter that lacks %s of its event, which did not fit: "+
			"send the event again from the store that has it whole", parts)
	}
	header := m.header()
	switch media := mediaType(header.Get("Content-Type")); {
	case isEventFormat(media):
		e, err := structuredEvent(media, m.data, w)
		return e, inside(err)
	case header.Get("Ce-Specversion") != "":
		e, err := binaryEvent(header, m.data, asIs, w)
		return e, inside(err)
	}
	return nil, nil
}

// header returns the attributes as headers: names that differ only in their letter case are one, with the
// least of their values that is not empty.
func (m pubsubMessage) header() http.Header {
	header := http.Header{}
	for name, value := range m.attributes {
		existing := header.Get(name)
		if existing == "" || value != "" && value < existing { // the order of the map must not decide
			header.Set(name, value)
		}
	}
	return header
}

// inside adds to an error that it is about the event in the Pub/Sub message.
func inside(err error) error {
	if err == nil {
		return nil
	}
	return undecodable("the CloudEvent in the Pub/Sub message: %w", err)
}
