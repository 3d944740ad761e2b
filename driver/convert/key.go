package convert

import (
	"context"
	"fmt"
	"strings"

	"example.com/eventdriver/driver"
)

// keyPointer is a JSON pointer, with its text.
type keyPointer struct {
	pointer
	text string
}

func newKeyPointer(text string) (*keyPointer, error) {
	p, err := parsePointer(text)
	if err != nil {
		return nil, err
	}
	return &keyPointer{p, text}, nil
}

// key returns the key of an event of that source: what the source's pointer points
// to, or else the first that is there, in the order of the package documentation.
func (c *converter) key(ctx context.Context, d *delivery, source string) (string, error) {
	p := c.pointerOf(source)
	if p == nil {
		if key := attributeKey(d); key != "" {
			return key, nil
		}
		return "", noKey(d, source, `set the Pub/Sub attribute "key", the CloudEvents extension "key", or KEY_POINTER`)
	}
	key, err := p.find(ctx, d.content.data)
	switch {
	case err != nil:
		return "", fmt.Errorf("event %q from source %q: looking for its key: %w", d.event.ID(), source, err)
	case key != "":
		return key, nil
	}
	return "", noKey(d, source, fmt.Sprintf("KEY_POINTER is %q, and there is no string or number in the data", p.text))
}

// pointerOf returns the pointer of a source, or nil.
func (c *converter) pointerOf(source string) *keyPointer {
	if p, ok := c.pointers[source]; ok {
		return p
	}
	return c.pointer
}

// outerKey returns the key of an event whose content can't be read, or "" where the
// content has the key.
func (c *converter) outerKey(d *delivery, source string) string {
	if c.pointerOf(source) != nil {
		return ""
	}
	return attributeKey(d)
}

// attributeKey returns the first key that is beside the content, or "".
func attributeKey(d *delivery) string {
	for _, extension := range []string{"key", "partitionkey"} {
		if key := d.extension(extension); key != "" {
			return key
		}
	}
	for i := len(d.messages) - 1; i >= 0; i-- {
		if key := d.messages[i].attributes["key"]; key != "" {
			return key
		}
	}
	for i := len(d.messages) - 1; i >= 0; i-- {
		if key := d.messages[i].orderingKey; key != "" {
			return key
		}
	}
	if strings.HasPrefix(d.event.Type(), "google.") {
		return "" // its subject is the name of a resource
	}
	return d.event.Subject()
}

func noKey(d *delivery, source, why string) error {
	return driver.Reject(driver.ReasonNoKey, fmt.Errorf("event %q of type %q from source %q: %w: %s",
		d.event.ID(), d.event.Type(), source, driver.ErrNoKey, why))
}
