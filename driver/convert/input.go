package convert

import (
	"context"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// InputConverter makes a message of an event. It is called from many goroutines
// at once and must not keep or change e.
//
// An error wrapped by [driver.Reject] or [driver.Permanent] says that e can never
// be converted: it is set aside. Any other error has the event delivered again.
// What is known of the message may be returned beside an error; it is used to
// describe the event in the log and in the dead letter.
type InputConverter func(ctx context.Context, e *cloudevents.Event) (driver.Message, error)

// CloudEventToInput is the [InputConverter] without options: no key pointer, no
// aliases. See the package documentation for what it makes of each event.
//
// An event that is invalid, or whose data is not that of its type, is rejected
// with [driver.ReasonUndecodable]; one without a key with [driver.ReasonNoKey], as
// a [driver.ErrNoKey]. The errors name the field and the remedy, never the data.
func CloudEventToInput(ctx context.Context, e *cloudevents.Event) (driver.Message, error) {
	return (&converter{}).convert(ctx, e)
}

// InputOption is an option of [NewInput].
type InputOption func(*converter) error

// NewInput returns [CloudEventToInput] with options. It returns an error where an
// option is not valid.
func NewInput(opts ...InputOption) (InputConverter, error) {
	c := &converter{}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	return c.convert, nil
}

// KeyPointer has the key taken from the content, and from nowhere else. The pointer
// is a JSON pointer (RFC 6901) such as "/order/id"; "" points to the content as a
// whole.
//
// A string is the key itself. A number is the key as it is written, so 42 and
// "42" are one key, but 42 and 42.0 are two. Where the pointer points to anything
// else, to a string that is empty or not valid Unicode, or to nothing, the event has
// no key and is rejected with [driver.ReasonNoKey]: another place could hold
// something else than what events are joined by. Of members with the same name the
// last counts, as it does for encoding/json.
func KeyPointer(pointer string) InputOption {
	return func(c *converter) (err error) {
		c.pointer, err = newKeyPointer(pointer)
		return err
	}
}

// KeyPointers is [KeyPointer] for single sources: a map from a source's name to the
// pointer into its events. It prevails over KeyPointer for these sources.
func KeyPointers(pointers map[string]string) InputOption {
	return func(c *converter) error {
		c.pointers = make(map[string]*keyPointer, len(pointers))
		for source, text := range pointers {
			p, err := newKeyPointer(text)
			if err != nil {
				return fmt.Errorf("source %q: %w", source, err)
			}
			c.pointers[source] = p
		}
		return nil
	}
}

// SourceAliases gives sources names of their own: a map from each name to the
// sources that go by it, such as {"event1": {"orders-created"}}. An alias is
// compared with the short source (a topic's, a bucket's name) and with the whole
// ce-source, as the producer wrote them; percent-encoding may be left out of it. A
// name stands for itself as well; it need not have aliases.
//
// It is an error if a name or an alias is empty, or an alias is that of two
// names, or another name.
func SourceAliases(aliases map[string][]string) InputOption {
	return func(c *converter) error {
		names, err := invert(aliases)
		c.names, c.rewritten = names, rewritten(names)
		return err
	}
}

// converter makes messages of events.
type converter struct {
	pointer   *keyPointer            // nil: the key is not in the content
	pointers  map[string]*keyPointer // by the source's name
	names     map[string]string      // from a source to its name
	rewritten map[string]string      // likewise, from what the SDK makes of a source
	kinds     map[string]ContentKind // by the source's name
	limit     int64                  // of the content that protobuf becomes; 0: the default
}

func (c *converter) convert(ctx context.Context, e *cloudevents.Event) (driver.Message, error) {
	if err := validate(e); err != nil {
		return driver.Message{}, err
	}
	d := delivery{event: e, notes: notesFrom(ctx), limit: c.contentLimit()}
	if d.notes == nil {
		d.notes = &notes{}
		defer func() { d.notes.log(ctx, loggerFrom(ctx), slog.String("event", brief(e.ID()))) }()
	}
	err := d.open(ctx)
	m := driver.Message{
		ID:         d.event.ID(),
		Source:     c.source(ctx, &d),
		Time:       d.time(),
		Attributes: d.attributes(),
	}
	if err == nil {
		d.content, err = d.content.settle(c.kinds[m.Source], m.Source)
	}
	m.Content, m.MediaType = d.content.data, d.content.media
	if err != nil {
		m.Key = c.outerKey(&d, m.Source) // so that its dead letter is found by it
		return m, err
	}
	if m.Key, err = c.key(ctx, &d, m.Source); err != nil {
		return m, err
	}
	return m, validNames(m)
}

// validNames refuses names that no store could give back as they are.
func validNames(m driver.Message) error {
	for _, field := range []struct{ name, value string }{
		{"id", m.ID}, {"key", m.Key}, {"source", m.Source},
	} {
		if !utf8.ValidString(field.value) {
			return undecodable("the event's %s is not valid UTF-8: publish it as UTF-8", field.name)
		}
		if err := checkLength("the event's "+field.name, field.value); err != nil {
			return err
		}
	}
	return nil
}

// delivery is an event on its way to becoming a message: opened, it has the
// event that decides, which may have been inside a Pub/Sub message.
type delivery struct {
	event    *cloudevents.Event // the innermost
	content  content
	outer    []string        // ce-source of the events around it, innermost first
	messages []pubsubMessage // the Pub/Sub messages around it, outermost first
	notes    *notes
	limit    int64 // of the content that protobuf becomes
}

// maxWrappings bounds how often an event may be published again as it is.
const maxWrappings = 4

// open unwraps d.event as far as needed and reads its content.
func (d *delivery) open(ctx context.Context) error {
	for range maxWrappings {
		if d.event.Type() != pubsubType {
			var err error
			if contentType := d.event.DataContentType(); contentType != "" && declared(contentType) == "" {
				d.notes.leaveOut("datacontenttype", errMediaType)
			}
			if d.content, err = d.payload(ctx); err == nil && d.content.media == "" {
				d.content.media = d.schemaEncoding()
			}
			return err
		}
		message, err := messageOf(d.event, d.notes)
		if err != nil {
			return err
		}
		d.messages = append(d.messages, message)
		inner, err := message.unwrap(d.notes)
		if err != nil {
			return err
		}
		if inner == nil {
			d.content = content{message.data, d.messageMedia(message)}
			return nil
		}
		d.outer = append([]string{d.event.Source()}, d.outer...)
		d.event = inner
	}
	return undecodable("Pub/Sub messages inside of Pub/Sub messages, more than %d deep", maxWrappings)
}

// messageMedia returns the media type that a Pub/Sub message declares by its attribute
// content-type, or else by its topic's schema.
func (d *delivery) messageMedia(m pubsubMessage) string {
	contentType := m.header().Get("Content-Type")
	if media := declared(contentType); media != "" {
		return media
	}
	if contentType != "" {
		d.notes.leaveOut("content-type", errMediaType)
	}
	return d.schemaEncoding()
}

// schemaEncoding returns the media type that Pub/Sub declares of a message in a topic
// with a schema, or "" for any other.
func (d *delivery) schemaEncoding() string {
	if len(d.messages) == 0 {
		return ""
	}
	switch d.messages[len(d.messages)-1].attributes["googclient_schemaencoding"] {
	case "JSON":
		return mediaJSON
	case "BINARY":
		return mediaBytes
	}
	return ""
}

// time returns when the event happened, or else when it was published.
func (d *delivery) time() time.Time {
	if t := d.event.Time(); !t.IsZero() {
		return t.UTC()
	}
	for i := len(d.messages) - 1; i >= 0; i-- {
		if t := d.messages[i].published; !t.IsZero() {
			return t.UTC()
		}
	}
	return time.Time{}
}

// undecodable returns the rejection of something that is not what it claims to be.
func undecodable(format string, args ...any) error {
	return driver.Reject(driver.ReasonUndecodable, fmt.Errorf(format, args...))
}
