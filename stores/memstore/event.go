package memstore

import (
	"bytes"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// event is what is kept of a key and source. It is of few pieces, since the collector looks at each of
// them again and again.
type event struct {
	driver.Succession                    // without the Attributes, which are
	attributes        []string           // names and values in turn
	since             time.Time          // when the first of them was kept
	corrections       []driver.Corrected // in the order in which they were made
}

// set puts a copy of s in the place of what is kept.
func (e *event) set(s driver.Succession) {
	e.Succession, e.attributes = s, nil
	m := &e.Last
	m.Content = bytes.Clone(m.Content)
	attributes := m.Attributes
	m.Attributes, m.Missing = nil, nil
	if len(attributes) == 0 {
		return
	}
	e.attributes = make([]string, 0, 2*len(attributes))
	for name, value := range attributes {
		e.attributes = append(e.attributes, name, value)
	}
	var few [32]*string
	texts := append(few[:0], &m.ID, &m.Key, &m.Source, &m.MediaType)
	for i := range e.attributes {
		texts = append(texts, &e.attributes[i])
	}
	joinTexts(texts)
}

// joinTexts makes one string of several, of which they are parts then.
func joinTexts(texts []*string) {
	size := 0
	for _, text := range texts {
		size += len(*text)
	}
	var all strings.Builder
	all.Grow(size)
	for _, text := range texts {
		all.WriteString(*text)
	}
	rest := all.String()
	for _, text := range texts {
		length := len(*text)
		*text, rest = rest[:length], rest[length:]
	}
}

// message returns a copy of what is kept.
func (e *event) message() driver.Message {
	m := e.Last
	m.Content, m.Attributes = bytes.Clone(m.Content), e.attributeMap()
	return m
}

func (e *event) attributeMap() map[string]string {
	if len(e.attributes) == 0 {
		return nil
	}
	all := make(map[string]string, len(e.attributes)/2)
	for i := 0; i < len(e.attributes); i += 2 {
		all[e.attributes[i]] = e.attributes[i+1]
	}
	return all
}

// events are those of a key, ordered by source. A key has few.
type events []*event

// find returns where the event of the source is, or would be.
func (e events) find(source string) (int, bool) {
	for i, one := range e {
		if one.Last.Source >= source {
			return i, one.Last.Source == source
		}
	}
	return len(e), false
}

// of returns the event of the source, or nil.
func (e events) of(source string) *event {
	if i, found := e.find(source); found {
		return e[i]
	}
	return nil
}
