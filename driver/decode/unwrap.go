package decode

import (
	"bytes"
	"context"
	"maps"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"

	"example.com/eventdriver/driver"
)

// unwrapped is an event on its way to a message. Once opened, it has the innermost event, which
// may have been inside of Pub/Sub messages.
type unwrapped struct {
	event    *cloudevents.Event // the innermost
	content  content
	outer    []string        // ce-source of the events around it, innermost first
	messages []pubsubMessage // the Pub/Sub messages around it, outermost first
	warnings *Warnings
	limit    int64 // of the content made from protobuf
}

// maxWrappings bounds how often an event may be published again as it is.
const maxWrappings = 4

// Unwrap returns the CloudEvent inside of a Pub/Sub message's event, or e itself if there is
// none. It does not look at the data.
func Unwrap(e *cloudevents.Event) (*cloudevents.Event, error) {
	u := unwrapped{event: e}
	err := u.unwrap()
	return u.event, err
}

// FirstPublished returns the event of a Pub/Sub message as it was published first. It is another than e if e is that of a
// dead letter, as package publish publishes it. It is e, too, where there is no memory to look, and to convert both.
func FirstPublished(ctx context.Context, e *cloudevents.Event) *cloudevents.Event {
	for range maxWrappings {
		if e.Type() != pubsubType || !bytes.Contains(e.Data(), []byte(pubsubType)) {
			return e // what is inside of its message can't be one
		}
		if driver.Grow(ctx, 3*len(e.Data())) != nil {
			return e
		}
		message, err := messageOf(e, nil)
		if err != nil || message.attributes["reason"] == "" {
			return e // no dead letter
		}
		inner, err := message.unwrap(nil)
		if err != nil || inner == nil || inner.Type() != pubsubType {
			return e
		}
		e = inner
	}
	return e
}

// open unwraps the event as far as needed and reads its content.
func (u *unwrapped) open(ctx context.Context) (err error) {
	if err := u.unwrap(); err != nil {
		return err
	}
	if u.event.Type() == pubsubType { // a message without a CloudEvent in it
		message := u.messages[len(u.messages)-1]
		contentType := message.header().Get("Content-Type")
		u.content = content{message.data, u.messageMedia(contentType), charsetOf(contentType)}
		return nil
	}
	if contentType := u.event.DataContentType(); contentType != "" && declared(contentType) == "" {
		u.warnings.leaveOut("datacontenttype", errMediaType)
	}
	if u.content, err = u.payload(ctx); err == nil && u.content.media == "" {
		u.content.media = u.schemaEncoding()
	}
	return err
}

// unwrap takes the event out of the Pub/Sub messages around it.
func (u *unwrapped) unwrap() error {
	for range maxWrappings + 1 { // the last time to see that no event is inside
		if u.event.Type() != pubsubType {
			return nil
		}
		message, err := messageOf(u.event, u.warnings)
		u.messages = append(u.messages, message) // beside an error with what is known, so that the letter has its key
		if err != nil {
			return err
		}
		inner, err := message.unwrap(u.warnings)
		if err != nil || inner == nil {
			return err
		}
		u.outer = append([]string{sourceOf(u.event)}, u.outer...)
		u.event = inner
	}
	return undecodable("Pub/Sub messages inside of Pub/Sub messages, more than %d deep", maxWrappings)
}

// messageMedia returns the media type that a Pub/Sub message declares by its attribute
// content-type, or else by its topic's schema.
func (u *unwrapped) messageMedia(contentType string) string {
	if media := declared(contentType); media != "" {
		return media
	}
	if contentType != "" {
		u.warnings.leaveOut("content-type", errMediaType)
	}
	return u.schemaEncoding()
}

// schemaEncoding returns the media type that Pub/Sub declares for a message in a topic with a
// schema, or "" for any other.
func (u *unwrapped) schemaEncoding() string {
	if len(u.messages) == 0 {
		return ""
	}
	switch u.messages[len(u.messages)-1].attributes["googclient_schemaencoding"] {
	case "JSON":
		return mediaJSON
	case "BINARY":
		return mediaBytes
	}
	return ""
}

// time returns when the event happened, or else when it was published.
func (u *unwrapped) time() time.Time {
	if t := u.event.Time(); !t.IsZero() {
		return t.UTC()
	}
	for i := len(u.messages) - 1; i >= 0; i-- {
		if t := u.messages[i].published; !t.IsZero() {
			return t.UTC()
		}
	}
	return time.Time{}
}

// The names under which a message keeps the fields of a Pub/Sub message that are not
// attributes.
const (
	attributeMessageID       = "pubsub-message-id"
	attributeSubscription    = "pubsub-subscription"
	attributeOrderingKey     = "pubsub-ordering-key"
	attributeDeliveryAttempt = "pubsub-delivery-attempt"
)

// attributes returns what the event carries beside its content. Of equal names, the platform's
// prevails over the publisher's, and the inner event's over the outer event's.
func (u *unwrapped) attributes() map[string]string {
	all := map[string]string{}
	put := func(name, value string) {
		if value != "" {
			all[name] = value
		}
	}
	for _, m := range u.messages {
		maps.Copy(all, m.attributes)
	}
	for _, m := range u.messages {
		put(attributeMessageID, m.id)
		put(attributeSubscription, m.subscription)
		put(attributeOrderingKey, m.orderingKey)
		if m.deliveryAttempt > 0 {
			put(attributeDeliveryAttempt, strconv.Itoa(m.deliveryAttempt))
		}
	}
	for name, value := range extensionsOf(u.event) {
		put("ce-"+name, extensionText(value))
	}
	put("ce-type", u.event.Type())
	put("ce-source", sourceOf(u.event))
	put("ce-subject", u.event.Subject())
	return all
}

// extension returns the event's extension of that name as text, or "".
func (u *unwrapped) extension(name string) string {
	value, ok := extensionsOf(u.event)[name]
	if !ok {
		return ""
	}
	return extensionText(value)
}

// extensionText returns an extension in its canonical string form.
func extensionText(value any) string {
	text, err := types.Format(value)
	if err != nil {
		return "" // not of a CloudEvents type: the SDK's decoders don't let it in
	}
	return text
}
