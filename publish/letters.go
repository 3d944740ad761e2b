package publish

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// Letters keeps dead letters in a topic: put a subscription on it first, for a
// topic without one forgets what is published.
//
// The Pub/Sub message is the event as it came: its body as data, and its ce-
// headers, decoded, and Content-Type as attributes, in lower case but for Content-Type. So
// a letter that is published to one of the function's source topics, as it is, is
// the event again, but for those of the form "letter". Beside them it has these
// attributes, where they are known:
//
//   - reason: a word, see [driver.Reason];
//   - error: a sentence;
//   - handler: where it failed;
//   - id, key and source: the event's, as the function understood them;
//   - path: that of the request, if it named the source, as in /events/event1;
//   - attempts: which delivery it was;
//   - time: when it was set aside, in RFC 3339.
//
// Pub/Sub takes 100 attributes with names of 256 bytes and values of 1,024 bytes of
// UTF-8. Of the attributes in the list, values are cut to that, bytes that are not
// UTF-8 are replaced, and a key, id or source that has to be changed is left out
// instead, since it would be another. Where the event's own headers do not fit, all
// of them are in the data: the attribute form is then "letter" instead of "event",
// and the data is JSON with the members header (of lists of strings, those that are
// not UTF-8 in base64 behind "base64:") and body (base64). Of a body that is too
// large, beyond about 10 MB, the message has the beginning, and the attribute
// body-size says how large it was; the whole letter goes to another store first, see
// [Letters.KeepWhole].
type Letters struct {
	topic *Topic
	whole driver.DeadLetterStore // nil: nowhere
	limit int                    // bytes of data in a message
}

// reserved is what of a message is kept free for attributes and framing.
const reserved = 300_000

// NewLetters returns a store of dead letters that publishes to topic.
func NewLetters(topic *Topic) *Letters {
	return &Letters{topic: topic, limit: maxMessage - reserved}
}

// KeepWhole returns a store like l that sets letters aside in store as well where
// Pub/Sub takes only their beginning. Such a message has the attribute whole, which
// says that the rest is there.
func (l *Letters) KeepWhole(store driver.DeadLetterStore) *Letters {
	other := *l
	other.whole = store
	return &other
}

// AddDeadLetter publishes d, and returns nil when Pub/Sub has confirmed that. Where d does
// not fit into a message, it is whole in the other store before.
func (l *Letters) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	m := letterMessage(d, l.limit)
	if m.Attributes["body-size"] != "" && l.whole != nil {
		// Where the other store can never take it, the beginning is better than nothing.
		if err := l.whole.AddDeadLetter(ctx, d); err == nil {
			m.Attributes["whole"] = "in the event store"
		} else if !driver.IsPermanent(err) {
			return fmt.Errorf("a dead letter too large for topic %s: %w", l.topic.name, err)
		}
	}
	return l.topic.publish(ctx, m)
}

// letterMessage has so many bytes of data at most.
func letterMessage(d driver.DeadLetter, limit int) *pubsub.Message {
	about := describe(d)
	const more = 3 // form, body-size and whole
	if attributes, ok := eventAttributes(d.Header, maxAttributes-len(about)-more); ok {
		for name, value := range attributes {
			about[name] = value
		}
		about["form"] = "event"
		return &pubsub.Message{Data: cut(d.Body, limit, about), Attributes: about}
	}
	about["form"] = "letter"
	header := jsonOf(texts(d.Header))
	body := cut(d.Body, max(limit-len(header), 0)/4*3, about) // as base64 it grows by a third
	data := make([]byte, 0, len(`{"header":,"body":""}`)+len(header)+base64.StdEncoding.EncodedLen(len(body)))
	data = fmt.Appendf(data, `{"header":%s,"body":"`, header)
	data = append(base64.StdEncoding.AppendEncode(data, body), `"}`...)
	return &pubsub.Message{Data: data, Attributes: about}
}

// jsonOf returns v, of strings, as JSON that is not larger than need be.
func jsonOf(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings always have a JSON form
	return bytes.TrimSpace(b.Bytes())
}

// base64Mark begins a text that stands for a string that JSON can't hold.
const base64Mark = "base64:"

// texts returns a header as JSON can hold it, with nothing lost.
func texts(header map[string][]string) map[string][]string {
	all := make(map[string][]string, len(header))
	for name, values := range header {
		for _, value := range values {
			if !utf8.ValidString(value) || strings.HasPrefix(value, base64Mark) {
				value = base64Mark + base64.StdEncoding.EncodeToString([]byte(value))
			}
			all[name] = append(all[name], value)
		}
	}
	return all
}

// cut returns the beginning of body, and notes in about what it was cut from.
func cut(body []byte, limit int, about map[string]string) []byte {
	if len(body) <= limit {
		return body
	}
	about["body-size"] = strconv.Itoa(len(body))
	return body[:limit]
}

// describe returns the attributes that are not the event's own.
func describe(d driver.DeadLetter) map[string]string {
	about := map[string]string{"reason": shortened(string(d.Reason))}
	for name, value := range map[string]string{"error": d.Error, "handler": d.Handler} {
		if value = shortened(value); value != "" {
			about[name] = value
		}
	}
	for name, value := range map[string]string{"id": d.ID, "key": d.Key, "source": d.Source, "path": d.Path} {
		if value != "" && fits(value) {
			about[name] = value
		}
	}
	if d.Attempt > 0 {
		about["attempts"] = strconv.Itoa(d.Attempt)
	}
	if !d.Time.IsZero() {
		about["time"] = d.Time.UTC().Format(time.RFC3339Nano)
	}
	return about
}

// shortened returns text in so many bytes of UTF-8 as an attribute may have.
func shortened(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if len(text) <= maxValue {
		return text
	}
	text = text[:maxValue]
	for !utf8.ValidString(text) { // a rune was cut in two
		text = text[:len(text)-1]
	}
	return text
}

// eventAttributes returns those headers that are a CloudEvent's in binary mode, or
// name its encoding, as attributes; false if they are not so few or do not fit.
func eventAttributes(header map[string][]string, room int) (map[string]string, bool) {
	attributes := make(map[string]string)
	for name, values := range header {
		lower := strings.ToLower(name)
		isType := lower == "content-type"
		if len(values) == 0 || !isType && !strings.HasPrefix(lower, "ce-") {
			continue
		}
		text, err := values[0], error(nil)
		if isType {
			lower = "Content-Type"
		} else { // in a Pub/Sub message nothing is percent-encoded
			text, err = decode.DecodeHeader(strings.TrimPrefix(lower, "ce-"), text)
		}
		if err != nil || len(values) > 1 || len(name) > maxName || !utf8.ValidString(name) || !fits(text) {
			return nil, false
		}
		attributes[lower] = text
	}
	return attributes, len(attributes) <= room
}

var _ driver.DeadLetterStore = (*Letters)(nil)
