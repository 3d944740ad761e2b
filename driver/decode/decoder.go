package decode

import (
	"context"
	"fmt"
	"log/slog"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/rawjson"
)

// Decoder makes messages of events. The zero Decoder has no options: no key pointer, no
// aliases. A Decoder is safe for concurrent use.
type Decoder struct {
	pointer   *keyPointer            // nil: the key is not in the content
	pointers  map[string]*keyPointer // by the source's name
	names     map[string]string      // from a source to its name
	rewritten map[string]string      // the same, from what the SDK makes of a source
	kinds     map[string]ContentKind // by the source's name
	limit     int64                  // of the content made from protobuf; 0: the default
}

// Option is an option of [New].
type Option func(*Decoder) error

// New returns a Decoder with options. It returns an error if an option is not valid.
func New(opts ...Option) (*Decoder, error) {
	d := &Decoder{}
	for _, opt := range opts {
		if err := opt(d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// KeyPointer takes the key from the content, and from nowhere else. The pointer is a JSON
// pointer (RFC 6901) such as "/order/id"; "" points to the whole content.
//
// A string is the key itself. A number is the key as it is written: 42 and "42" are one key,
// 42 and 42.0 are two. An event is rejected with [driver.ReasonNoKey] if the pointer leads to
// nothing, to another kind of value, or to a string that is empty or not valid Unicode: a key
// from another place could join events that do not belong together. Of members with the same
// name the last counts, as for encoding/json.
func KeyPointer(pointer string) Option {
	return func(d *Decoder) (err error) {
		d.pointer, err = newKeyPointer(pointer)
		return err
	}
}

// KeyPointers is [KeyPointer] for single sources: a map from a source's name to the pointer
// into its events. It prevails over KeyPointer for these sources.
func KeyPointers(pointers map[string]string) Option {
	return func(d *Decoder) error {
		d.pointers = make(map[string]*keyPointer, len(pointers))
		for source, text := range pointers {
			p, err := newKeyPointer(text)
			if err != nil {
				return fmt.Errorf("source %q: %w", source, err)
			}
			d.pointers[source] = p
		}
		return nil
	}
}

// SourceAliases gives sources names of their own: a map from each name to the sources that it
// stands for, such as {"event1": {"orders-created"}}. An alias is compared with the short
// source (the name of a topic or a bucket) and with the whole ce-source, as the producer wrote
// them; an alias may leave out percent-encoding. A name stands for itself, too, and needs no
// aliases.
//
// A name or an alias that is empty is an error, and so is an alias of two names, or one that is
// another name.
func SourceAliases(aliases map[string][]string) Option {
	return func(d *Decoder) error {
		names, err := invert(aliases)
		d.names, d.rewritten = names, rewritten(names)
		return err
	}
}

// DefaultContentLimit is the default of [ContentLimit], in bytes. It is also the default limit
// of a body: enough for the largest message of Pub/Sub, 10 MB, which arrives in base64, a third
// larger (https://cloud.google.com/pubsub/quotas).
const DefaultContentLimit int64 = 14_000_000

// ContentLimit is how many bytes the JSON may have that is made from an event in protobuf; the
// default is [DefaultContentLimit], also for a limit below 1. An event with more is rejected
// with [driver.ReasonTooLarge].
func ContentLimit(bytes int64) Option {
	return func(d *Decoder) error {
		d.limit = bytes
		return nil
	}
}

func (d *Decoder) contentLimit() int64 {
	if d.limit < 1 {
		return DefaultContentLimit
	}
	return d.limit
}

// Message returns the message that an event becomes: see the package documentation. It neither
// keeps nor changes the event.
//
// An event that is invalid, or whose data is not what its type says, is rejected with
// [driver.ReasonUndecodable]; one without a key with [driver.ReasonNoKey], as a
// [driver.ErrNoKey]. The errors name the field and the remedy, never the data. Beside an error,
// Message returns what is known of the message.
func (d *Decoder) Message(ctx context.Context, e *cloudevents.Event) (m driver.Message, err error) {
	if err := validate(e); err != nil {
		return driver.Message{}, err
	}
	warnings := warningsFrom(ctx)
	if warnings == nil {
		warnings = &Warnings{}
		defer func() {
			warnings.Log(ctx, driver.Logger(nil), slog.String("event", e.ID()), slog.String("source", m.Source))
		}()
	}
	u := unwrapped{event: e, warnings: warnings, limit: d.contentLimit()}
	err = u.open(ctx)
	m = driver.Message{ID: u.event.ID(), Source: d.source(ctx, &u), Time: u.time(), Attributes: u.attributes()}
	if err == nil {
		u.content, err = u.content.settle(d.kinds[m.Source], m.Source)
	}
	m.Content, m.MediaType = u.content.data, u.content.media
	if err != nil {
		m.Key = d.outerKey(&u, m.Source) // so that the dead letter is found by its key
		return m, err
	}
	if m.Key, err = d.key(ctx, &u, m.Source); err != nil {
		return m, err
	}
	return m, CheckNames(m)
}

// keyPointer is a JSON pointer, with its text.
type keyPointer struct {
	tokens []string
	text   string
}

func newKeyPointer(text string) (*keyPointer, error) {
	tokens, err := rawjson.ParsePointer(text)
	if err != nil {
		return nil, err
	}
	return &keyPointer{tokens, text}, nil
}
