package convert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// deadLetterTimeout bounds the writing of a dead letter, which outlives the request.
const deadLetterTimeout = 30 * time.Second

// original is an event as it arrived.
type original struct {
	header http.Header
	body   []byte
}

// deadLetter stores the dead letter of an event that can never succeed. It goes on after the
// client has disconnected, which is no reason to lose the event. The letter of a join has all
// its events: see [JoinedType]. Where the event has led to several joins, the letter has the event itself.
func (e *endpoint) deadLetter(ctx context.Context, in incoming, o *outcome, run *driver.Run) {
	if e.letters == nil {
		o.verdict = rejected
		return
	}
	letter := newLetter(ctx, in, *o)
	if body, err := joinedBody(ctx, run.Events, e.limit); err == nil {
		asJoined(&letter, body)
	} else if in.event != nil && in.event.Context != nil {
		e.asFirstPublished(ctx, &letter, in.event)
	}
	o.letter = &letter
	o.verdict = deadLettered
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadLetterTimeout)
	defer cancel()
	if err := driver.Guard(func() error { return e.letters.AddDeadLetter(ctx, letter) }); err != nil {
		o.verdict = failed
		o.err = errNotStored(err, o.err)
	}
}

// errNotStored returns an error that makes the platform redeliver the event, whatever err and
// cause would do.
func errNotStored(err, cause error) error {
	if driver.IsPermanent(err) || errors.Is(err, driver.ErrHeld) {
		err = errors.New(err.Error())
	}
	return fmt.Errorf("the dead letter was not stored: %w (the event's own failure: %v)", err, cause)
}

// asFirstPublished turns the letter of an event that was published again into that of the event as it came first. Or
// a letter had one more around it each time that it is sent to a topic and fails again. If the event becomes another
// without what is around it, such as a key, its letter stays as it is.
func (e *endpoint) asFirstPublished(ctx context.Context, letter *driver.DeadLetter, event *cloudevents.Event) {
	first := decode.FirstPublished(ctx, event)
	if first == event {
		return
	}
	ctx = decode.WithWarnings(ctx, new(decode.Warnings))
	was, errWas := e.convert(ctx, event)
	is, errIs := e.convert(ctx, first)
	same := is.ID == was.ID && is.Key == was.Key && is.Source == was.Source && fmt.Sprint(errIs) == fmt.Sprint(errWas)
	if same {
		letter.Header, letter.Body = decode.BinaryHeader(*first), first.Data()
	}
}

func newLetter(ctx context.Context, in incoming, o outcome) driver.DeadLetter {
	original := in.original()
	letter := driver.DeadLetter{
		Path:    in.path,
		Reason:  driver.ReasonOf(o.err),
		Error:   brief(o.err.Error()),
		ID:      o.message.ID,
		Key:     o.message.Key,
		Source:  o.message.Source,
		Attempt: decode.Attempt(original.header, o.message.Attributes),
		Time:    time.Now().UTC(),
		Header:  keptHeaders(original.header),
		Body:    original.body,
		Cut:     in.cut,
	}
	if in.event != nil && decode.IsPush(original.header) {
		// It is kept as Eventarc would have sent it, so that it can be sent again in any way. The ce- headers beside a
		// push count for nothing, and would then.
		maps.DeleteFunc(letter.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Ce-") })
		maps.Copy(letter.Header, decode.BinaryHeader(*in.event))
	}
	if where, ok := errors.AsType[*driver.Error](o.err); ok {
		letter.Handler = where.Handler
	}
	switch {
	case letter.ID != "":
	case in.event != nil && in.event.Context != nil:
		letter.ID, letter.Source = in.event.ID(), in.event.Source()
	default:
		letter.ID, letter.Source = headerText(original.header, "id"), headerText(original.header, "source")
	}
	if named := decode.SourceFrom(ctx); named != "" && o.message.Source == "" {
		letter.Source = named
	}
	for _, name := range []*string{&letter.ID, &letter.Key, &letter.Source} {
		if len(*name) > decode.MaxName { // if it were cut, it would be another name
			*name = ""
		}
	}
	return letter
}

// headerText returns the attribute in a ce- header as text for people, even if it is malformed.
func headerText(header http.Header, attribute string) string {
	value := header.Get("Ce-" + attribute)
	if text, err := decode.DecodeHeader(attribute, value); err == nil {
		return text
	}
	return value
}

// harmless are the headers that dead letters keep beside the attributes of the CloudEvent: they
// describe the body, and how the event came. Any other header may hold a credential, whatever
// its name, so it is left out.
var harmless = []string{
	"content-encoding", "content-length", "content-type", "date", "traceparent", "user-agent", "x-cloud-trace-context",
	"x-goog-pubsub-delivery-attempt", "x-goog-pubsub-message-id", "x-goog-pubsub-ordering-key",
	"x-goog-pubsub-publish-time", "x-goog-pubsub-subscription-name",
}

// keptHeaders returns a copy of the headers that a dead letter keeps.
func keptHeaders(header http.Header) http.Header {
	kept := header.Clone()
	maps.DeleteFunc(kept, func(name string, _ []string) bool {
		name = strings.ToLower(name)
		attribute, isEvents := strings.CutPrefix(name, "ce-")
		isEvents = isEvents && event.IsExtensionNameValid(attribute)
		return !isEvents && !slices.Contains(harmless, name)
	})
	return kept
}
