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
	"github.com/cloudevents/sdk-go/v2/types"

	"example.com/eventdriver/driver"
)

// setAsideTimeout bounds the writing of a dead letter, which outlives the request.
const setAsideTimeout = 30 * time.Second

// original is an event as it came in.
type original struct {
	header http.Header
	body   []byte
}

// setAside keeps an event that can never succeed. It goes on when the client
// disconnects, which is no reason to lose the event.
// The letter of a joined order has all its events: see [OrderType].
func (e *edge) setAside(ctx context.Context, in incoming, o *outcome, run *driver.Run) {
	if e.letters == nil {
		o.verdict = rejected
		return
	}
	letter := newLetter(ctx, in, *o)
	if body, ok := e.orderOf(ctx, run); ok {
		asOrder(&letter, body)
	}
	o.letter = &letter
	o.verdict = deadLettered
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setAsideTimeout)
	defer cancel()
	if err := driver.Guard(func() error { return e.letters.AddDeadLetter(ctx, letter) }); err != nil {
		o.verdict = failed
		o.err = notKept(err, o.err)
	}
}

// notKept is a failure that asks for another delivery, whatever it was that
// failed.
func notKept(err, cause error) error {
	if driver.IsPermanent(err) || errors.Is(err, driver.ErrHeld) {
		err = errors.New(err.Error())
	}
	return fmt.Errorf("the dead letter was not kept: %w (the event's own failure: %v)", err, cause)
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
		Attempt: attempt(original.header, o.message.Attributes),
		Time:    time.Now().UTC(),
		Header:  fitToKeep(original.header),
		Body:    original.body,
	}
	if media := mediaType(original.header.Get("Content-Type")); in.event != nil && !hasContext(original.header) && !isEventFormat(media) {
		// A push, to be kept as Eventarc would have sent it: so it can be sent again,
		// by whichever way.
		maps.Copy(letter.Header, rebuilt(*in.event).header)
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
	if named := SourceFrom(ctx); named != "" && o.message.Source == "" {
		letter.Source = named
	}
	for _, name := range []*string{&letter.ID, &letter.Key, &letter.Source} {
		if len(*name) > MaxName { // cut, it would be another
			*name = ""
		}
	}
	return letter
}

// harmless are the names of headers that dead letters keep, beside those that are
// attributes of the CloudEvent: they say what the body is, and how the event came. A name that is not
// here may be that of a credential, whatever it is called, so it is left out.
var harmless = []string{
	"content-encoding", "content-length", "content-type", "date", "traceparent", "user-agent", "x-cloud-trace-context",
	"x-goog-pubsub-delivery-attempt", "x-goog-pubsub-message-id", "x-goog-pubsub-ordering-key", "x-goog-pubsub-publish-time",
	"x-goog-pubsub-subscription-name",
}

// fitToKeep returns a copy of those headers that a dead letter keeps.
func fitToKeep(header http.Header) http.Header {
	kept := header.Clone()
	maps.DeleteFunc(kept, func(name string, _ []string) bool {
		name = strings.ToLower(name)
		attribute, isEvents := strings.CutPrefix(name, "ce-")
		isEvents = isEvents && event.IsExtensionNameValid(attribute)
		return !isEvents && !slices.Contains(harmless, name)
	})
	return kept
}

// rebuilt returns an event as a request in binary mode would carry it, for those
// who are given events and not requests.
func rebuilt(e cloudevents.Event) original {
	header := http.Header{}
	set := func(attribute, text string) {
		if text != "" {
			header.Set("Ce-"+attribute, EncodeHeader(attribute, text))
		}
	}
	if e.Context == nil {
		return original{header, e.Data()}
	}
	for name, value := range e.Extensions() {
		if text, err := types.Format(value); err == nil {
			set(name, text)
		}
	}
	set("specversion", e.SpecVersion())
	set("id", e.ID())
	set("source", e.Source())
	set("type", e.Type())
	set("subject", e.Subject())
	set("dataschema", e.DataSchema())
	if at := e.Time(); !at.IsZero() {
		set("time", types.FormatTime(at))
	}
	if contentType := e.DataContentType(); contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return original{header, e.Data()}
}
