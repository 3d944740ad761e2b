package convert

import (
	"context"
	"fmt"
	"strings"

	"example.com/eventdriver/driver"
)

// key returns the first key that is there, or "". The order is that of the
// package documentation.
func (c *converter) key(ctx context.Context, d *delivery) (string, error) {
	if c.pointer != nil {
		if key, err := c.pointer.find(ctx, d.content); key != "" || err != nil {
			return key, err
		}
	}
	return d.key(), nil
}

// key returns the key that the event has outside of its content, or "".
func (d *delivery) key() string {
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

func noKey(d *delivery, source string) error {
	return driver.Reject(driver.ReasonNoKey, fmt.Errorf(
		`event %q of type %q from source %q: %w: set the Pub/Sub attribute "key", the CloudEvents extension "key", or KEY_POINTER`,
		d.event.ID(), d.event.Type(), source, driver.ErrNoKey))
}
