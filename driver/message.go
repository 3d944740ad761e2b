package driver

import (
	"bytes"
	"maps"
	"slices"
	"time"
)

// Message is one event on its way through a pipeline.
//
// A Message is passed by value, but Content, Attributes and Missing are shared by the
// copies: a handler that wants to change one of them first makes a copy of its own
// (see [Message.Clone]) and passes that on.
type Message struct {
	// ID is the producer's name for the event; a redelivery has the same ID.
	ID string
	// Key is what events are joined by, an order number for example. Any
	// non-empty string is legal.
	Key string
	// Source is the logical name of where the event comes from, such as
	// "event1". Any non-empty string is legal.
	Source string
	// Content is the event's payload, usually JSON. It may be empty.
	Content []byte
	// MediaType says what Content is: a media type in lower case, without
	// parameters, such as "application/json". Empty: nobody has said.
	MediaType string
	// Time is when the event happened, as its producer says; zero if unknown.
	Time time.Time
	// Attributes are what the event carried beside its content. May be nil.
	Attributes map[string]string
	// Missing are the sources, in order, whose events a joined message lacks, since its join's
	// deadline passed before they arrived; nil for any other message. Stores do not keep it.
	Missing []string
}

// Clone returns a copy of m that shares neither Content nor Attributes nor Missing with it.
func (m Message) Clone() Message {
	m.Content = bytes.Clone(m.Content)
	m.Attributes = maps.Clone(m.Attributes)
	m.Missing = slices.Clone(m.Missing)
	return m
}

// Valid returns nil for a message that can be stored, else a permanent error:
// [ErrNoKey] or [ErrNoSource] says what it lacks.
func (m Message) Valid() error {
	return ValidName(m.Key, m.Source)
}

// ValidName returns nil where key and source can name an event, else a
// permanent error: [ErrNoKey] or [ErrNoSource].
func ValidName(key, source string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	if source == "" {
		return Reject(ReasonUnknownSource, ErrNoSource)
	}
	return nil
}

// ValidKey returns nil unless key is empty, which is a permanent error: [ErrNoKey].
func ValidKey(key string) error {
	if key == "" {
		return Reject(ReasonNoKey, ErrNoKey)
	}
	return nil
}
