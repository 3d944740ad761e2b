package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/eventdriver/driver"
)

// JoinedType is the CloudEvents type of joined messages.
const JoinedType = "dev.eventdriver.joined.v1"

// Output is a handler that publishes each message that comes to it as a CloudEvent
// in binary mode, and goes on when that is confirmed. Put it after the cache, so
// that it publishes each key once, and after the business handler, so that it
// publishes only what was acted upon.
//
// The Pub/Sub message has the content as data, the key as ordering key, and these
// attributes:
//
//   - ce-id: the message's ID, the same each time, by which repetitions are known;
//   - ce-source: the message's source, for joined messages composed-event;
//   - ce-type: [JoinedType];
//   - ce-specversion, ce-time, and Content-Type: application/json, or
//     application/octet-stream for content that is not JSON;
//   - ce-key and ce-subject: the key;
//   - ce-fencingtoken: the claim's token, in decimal. Where a key comes twice, the
//     one with the smaller token is the older; absent outside of a cache.
//
// Pub/Sub takes 1,024 bytes of UTF-8 as an ordering key or attribute: for a longer
// key, the ordering key is its SHA-256 in hexadecimal, and ce-key and ce-subject
// are left out.
type Output struct {
	topic *Topic
	more  func(context.Context) map[string]string // nil: no attributes
}

// Option is an option of [NewOutput].
type Option func(*Output)

// Attributes adds what more returns to the attributes of each message, for example the trace of the
// run that publishes it. The attributes that [Output] lists stay as they are. more is called from
// many goroutines at once.
func Attributes(more func(context.Context) map[string]string) Option {
	return func(o *Output) { o.more = more }
}

// NewOutput returns a handler that publishes to topic.
func NewOutput(topic *Topic, opts ...Option) *Output {
	o := &Output{topic: topic}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// String is how errors call the handler.
func (o *Output) String() string { return "output" }

// Process publishes in and then calls next. A message that Pub/Sub refuses, as one
// of more than 10 MB, is a permanent error. What has been acted upon and can't be
// published is [driver.ErrActed]: it is acted upon again when the event comes again,
// unless the cache has quarantine.
func (o *Output) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	claim, claimed := driver.ClaimFrom(ctx)
	attributes := map[string]string{}
	if o.more != nil {
		maps.Copy(attributes, o.more(ctx))
	}
	maps.Copy(attributes, map[string]string{
		"ce-specversion": "1.0",
		"ce-type":        JoinedType,
		"ce-source":      fitting(url.PathEscape(in.Source)),
		"ce-id":          fitting(in.ID),
		"Content-Type":   "application/json",
	})
	if !json.Valid(in.Content) {
		attributes["Content-Type"] = "application/octet-stream"
	}
	if !in.Time.IsZero() {
		attributes["ce-time"] = in.Time.UTC().Format(time.RFC3339Nano)
	}
	if claimed {
		attributes["ce-fencingtoken"] = strconv.FormatInt(claim.Token, 10)
	}
	if fits(in.Key) {
		attributes["ce-key"], attributes["ce-subject"] = in.Key, in.Key
	}
	m := &pubsubpb.PubsubMessage{Data: in.Content, Attributes: attributes, OrderingKey: fitting(in.Key)}
	if err := o.topic.publish(ctx, m); err != nil {
		return fmt.Errorf("%w (%w)", err, driver.ErrActed)
	}
	return next.Call(ctx, in)
}

// fits says whether Pub/Sub takes text as the value of an attribute, or as an
// ordering key, whose limit is the same.
func fits(text string) bool {
	return len(text) <= min(maxValue, maxOrderingKey) && utf8.ValidString(text)
}

// fitting returns text, or its hash where Pub/Sub would not take it.
func fitting(text string) string {
	if fits(text) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

var _ driver.Handler = (*Output)(nil)
