package decode

import (
	"fmt"
	"unicode/utf8"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/rawjson"
)

// The limits of an event, however large its body may be. An event beyond one of them is
// rejected with [driver.ReasonUndecodable].
const (
	// MaxName is the most bytes of an event's id, type, source and key, each. They are part
	// of every log line and error about the event.
	MaxName = 4096
	// MaxAttributes is the most attributes of a CloudEvent, and of a Pub/Sub message.
	// Pub/Sub itself accepts 100.
	MaxAttributes = 1000
	// MaxContext is the most bytes of all attributes of a CloudEvent in structured mode, and
	// of a Pub/Sub message. In binary mode they are headers, which servers limit: net/http
	// to 1 MiB.
	MaxContext = 2 << 20
	// MaxNesting is the most levels of JSON: one less than encoding/json reads, since the
	// JSON becomes a member of the joined object.
	MaxNesting = rawjson.MaxNesting
)

// CheckNames rejects a message whose id, key or source no store could give back as it is:
// one that is too long, or is not UTF-8.
func CheckNames(m driver.Message) error {
	for _, field := range []struct{ name, value string }{
		{"id", m.ID}, {"key", m.Key}, {"source", m.Source},
	} {
		if !utf8.ValidString(field.value) {
			return undecodable("the event's %s is not valid UTF-8: publish it as UTF-8", field.name)
		}
		if err := checkLength("the event's ", field.name, field.value); err != nil {
			return err
		}
	}
	return nil
}

// checkLength rejects a name that is too long.
func checkLength(prefix, name, value string) error {
	if len(value) > MaxName {
		return undecodable("%s%s has %d bytes: it must not have more than %d", prefix, name, len(value), MaxName)
	}
	return nil
}

func checkSize(what string, length int) error {
	if length > MaxContext {
		return undecodable("%s has %d bytes of attributes: it must not have more than %d; send the rest in the data",
			what, length, MaxContext)
	}
	return nil
}

func checkCount(what string, n int) error {
	if n > MaxAttributes {
		return undecodable("%s has %d attributes: it must not have more than %d; send the rest in the data",
			what, n, MaxAttributes)
	}
	return nil
}

// undecodable returns the rejection of an event that is not what it claims to be.
func undecodable(format string, args ...any) error {
	return driver.Reject(driver.ReasonUndecodable, fmt.Errorf(format, args...))
}
