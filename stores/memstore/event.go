package memstore

import (
	"bytes"
	"encoding/binary"
	"time"

	"example.com/eventdriver/driver"
)

// event is what is kept of a key and source. It is of few pieces, since the collector looks at each of
// them again and again.
type event struct {
	driver.Succession                    // without the Attributes, which are
	attributes        texts              // names and values in turn
	since             time.Time          // when the first of them was kept
	corrections       []driver.Corrected // in the order in which they were made
}

// set puts a copy of s in the place of what is kept.
func (e *event) set(s driver.Succession) {
	e.Succession, e.attributes = s, ""
	m := &e.Last
	m.Content = bytes.Clone(m.Content)
	attributes := m.Attributes
	m.Attributes, m.Missing = nil, nil
	if len(attributes) == 0 {
		return
	}
	var few [512]byte // most events have no more
	packed := few[:0]
	for _, text := range []*string{&m.ID, &m.Key, &m.Source, &m.MediaType} {
		packed = appendText(packed, *text)
	}
	for name, value := range attributes {
		packed = appendText(appendText(packed, name), value)
	}
	e.attributes = texts(packed)
	for _, text := range []*string{&m.ID, &m.Key, &m.Source, &m.MediaType} {
		*text = e.attributes.next()
	}
}

// texts are several in one string, each behind its length.
type texts string

func appendText(packed []byte, text string) []byte {
	return append(binary.AppendUvarint(packed, uint64(len(text))), text...)
}

// next takes the first text off.
func (t *texts) next() string {
	length, digits := uint64(0), 0
	for more := true; more; digits++ {
		c := (*t)[digits]
		length |= uint64(c&0x7f) << (7 * digits)
		more = c >= 0x80
	}
	text := string((*t)[digits:][:length])
	*t = (*t)[digits:][length:]
	return text
}

// message returns a copy of what is kept.
func (e *event) message() driver.Message {
	m := e.Last
	m.Content, m.Attributes = bytes.Clone(m.Content), e.attributeMap()
	return m
}

func (e *event) attributeMap() map[string]string {
	if e.attributes == "" {
		return nil
	}
	all := make(map[string]string, 8)
	for rest := e.attributes; rest != ""; {
		name := rest.next()
		all[name] = rest.next()
	}
	return all
}

// attributesLike is attributeMap, or same where that has the same.
func (e *event) attributesLike(same map[string]string) map[string]string {
	count := 0
	for rest := e.attributes; rest != ""; count++ {
		name := rest.next()
		if value, has := same[name]; !has || value != rest.next() {
			return e.attributeMap()
		}
	}
	if count != len(same) || count == 0 {
		return e.attributeMap()
	}
	return same
}

// events are those of a key, ordered by source. A key has few.
type events []*event

// find returns where the event of the source is, or would be.
func (e events) find(source string) (int, bool) {
	for i, one := range e {
		if found := one.Last.Source == source; found || one.Last.Source > source {
			return i, found
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

// next returns the event of the source, or nil, and the events behind it.
func (e events) next(source string) (*event, events) {
	i, found := e.find(source)
	if !found {
		return nil, e[i:]
	}
	return e[i], e[i+1:]
}
