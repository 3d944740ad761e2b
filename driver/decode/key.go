package decode

import (
	"context"
	"fmt"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/rawjson"
)

// key returns the key of an event of that source: the value that the source's pointer leads to,
// or else the first of the places in the package documentation that has one.
func (d *Decoder) key(ctx context.Context, u *unwrapped, source string) (string, error) {
	p := d.pointerOf(source)
	if p == nil {
		if key := attributeKey(u); key != "" {
			return key, nil
		}
		return "", noKey(u, source, `set the Pub/Sub attribute "key", the CloudEvents extension "key", or KEY_POINTER`)
	}
	key, err := p.find(ctx, u.content.data)
	switch {
	case err != nil:
		return "", fmt.Errorf("event %q from source %q: looking for its key: %w", u.event.ID(), source, err)
	case key != "":
		return key, nil
	}
	return "", noKey(u, source, fmt.Sprintf("KEY_POINTER is %q, and the data has no string or number there", p.text))
}

// find returns the key in content, or "" if it is not there. The error is the context's.
func (p *keyPointer) find(ctx context.Context, content []byte) (string, error) {
	if !rawjson.Valid(content) {
		return "", nil
	}
	found, err := rawjson.Find(ctx, content, p.tokens...)
	return rawjson.ScalarText(found), err
}

// pointerOf returns the pointer of a source, or nil.
func (d *Decoder) pointerOf(source string) *keyPointer {
	if p, ok := d.pointers[source]; ok {
		return p
	}
	return d.pointer
}

// outerKey returns the key of an event whose content can't be read, or "" if the key is in the
// content.
func (d *Decoder) outerKey(u *unwrapped, source string) string {
	if d.pointerOf(source) != nil {
		return ""
	}
	return attributeKey(u)
}

// attributeKey returns the first key outside of the content, or "".
func attributeKey(u *unwrapped) string {
	for _, extension := range []string{"key", "partitionkey"} {
		if key := u.extension(extension); key != "" {
			return key
		}
	}
	for i := len(u.messages) - 1; i >= 0; i-- {
		if key := u.messages[i].attributes["key"]; key != "" {
			return key
		}
	}
	for i := len(u.messages) - 1; i >= 0; i-- {
		if key := u.messages[i].orderingKey; key != "" {
			return key
		}
	}
	if strings.HasPrefix(u.event.Type(), "google.") {
		return "" // its subject names a resource
	}
	return u.event.Subject()
}

func noKey(u *unwrapped, source, why string) error {
	return driver.Reject(driver.ReasonNoKey, fmt.Errorf("event %q of type %q from source %q: %w: %s",
		u.event.ID(), u.event.Type(), source, driver.ErrNoKey, why))
}
