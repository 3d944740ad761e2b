package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// Letters keeps dead letters in a topic: put a subscription on it first, for a
// topic without one forgets what is published.
//
// The Pub/Sub message is the event as it came: its body as data, and as attributes its
// Content-Type and its ce- headers, decoded and in lower case. So a letter that is published
// to one of the function's source topics, as it is, is the event again. The message has
// these attributes, too, where they are known:
//
//   - reason: a word, see [driver.Reason];
//   - error: a sentence;
//   - handler: where it failed;
//   - id, key and source: the event's, as the function understood them;
//   - path: that of the request, if it named the source, as in /events/event1;
//   - attempts: which delivery it was;
//   - time: when it was dead-lettered, in RFC 3339;
//   - left-out and whole: see below.
//
// Pub/Sub takes 10 MB, and 100 attributes with names of 256 bytes and values of 1,024 bytes
// of UTF-8. An error, a reason or a handler is cut to that; a key, id, source or path is left
// out instead, since cut it would be another. Of an event that does not fit, the message has
// the headers that fit and the beginning of the body; the attribute left-out is then
// "headers", "body" or "headers, body", and no function takes the message for the event. The
// whole event is in another store, and the attribute whole says so. Of a letter that is cut, body is
// left out, too, and the whole is nowhere.
type Letters struct {
	topic *Topic
	whole driver.DeadLetterStore // nil: nowhere
	limit int                    // bytes of data in a message
}

// reserved is what of a message is kept free for attributes and framing.
const reserved = 300_000

// NewLetters returns a store of dead letters that publishes to topic, and keeps in whole those
// that don't fit into a message; nil keeps them nowhere.
func NewLetters(topic *Topic, whole driver.DeadLetterStore) *Letters {
	return &Letters{topic: topic, whole: whole, limit: maxMessage - reserved}
}

// AddDeadLetter publishes d, and returns nil when Pub/Sub has confirmed that. Where d does
// not fit into a message, it is whole in the other store before.
func (l *Letters) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	m := letterMessage(d, l.limit)
	all := d.Cut && len(d.Body) <= l.limit // that there is
	if m.Attributes["left-out"] != "" && l.whole != nil && !all {
		// Where the other store can never take it, a part is better than nothing.
		if err := l.whole.AddDeadLetter(ctx, d); err == nil && !d.Cut {
			m.Attributes["whole"] = "in the event store"
		} else if err != nil && !driver.IsPermanent(err) {
			return fmt.Errorf("a dead letter too large for topic %s: %w", l.topic.name, err)
		}
	}
	return l.topic.publish(ctx, m)
}

// letterMessage returns the message of a letter, with limit bytes of data at most.
func letterMessage(d driver.DeadLetter, limit int) *pubsubpb.PubsubMessage {
	attributes := describe(d)
	const more = 2 // left-out and whole
	var leftOut []string
	if !addEvent(attributes, d.Header, maxAttributes-more) {
		leftOut = append(leftOut, "headers")
	}
	body := d.Body[:min(len(d.Body), limit)]
	if d.Cut || len(body) < len(d.Body) {
		leftOut = append(leftOut, "body")
	}
	if leftOut != nil {
		attributes["left-out"] = strings.Join(leftOut, ", ")
	}
	return &pubsubpb.PubsubMessage{Data: body, Attributes: attributes}
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

// shortened returns as much of text as an attribute may have, in UTF-8.
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

// addEvent adds those headers that are a CloudEvent's in binary mode, or name its media type,
// and says whether all of them fit. An encoding of the body fits nowhere.
func addEvent(attributes map[string]string, header map[string][]string, room int) (all bool) {
	all = true
	for _, name := range slices.Sorted(maps.Keys(header)) {
		values, lower := header[name], strings.ToLower(name)
		isType := lower == "content-type"
		if lower == "content-encoding" && decode.ContentEncoding(values) != "" {
			all = false // without it the body is another
		}
		if len(values) == 0 || !isType && !strings.HasPrefix(lower, "ce-") {
			continue
		}
		text, err := values[0], error(nil)
		if isType {
			lower = "Content-Type"
		} else { // in a Pub/Sub message nothing is percent-encoded
			text, err = decode.DecodeHeader(strings.TrimPrefix(lower, "ce-"), text)
		}
		if err != nil || len(values) > 1 || len(name) > maxName || !utf8.ValidString(name) || !fits(text) || len(attributes) == room {
			all = false
			continue
		}
		attributes[lower] = text
	}
	return all
}

var _ driver.DeadLetterStore = (*Letters)(nil)
