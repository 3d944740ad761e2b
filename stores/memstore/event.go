package memstore

import (
	"encoding/binary"
	"iter"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// event is what is kept of a key and source. It is of few pieces, since the collector looks at each of
// them again and again: one that has no pointers, and another for the few events that changed.
type event struct {
	packed string    // the texts, and behind them the content
	texts  int       // how long the texts are: source, ID, media type, then names and values of the attributes in turn
	time   time.Time // of the message; in UTC, which has no pointer
	since  int64     // when the first of them was kept, in nanoseconds of Unix
	past   *past     // nil: it is the first
}

// past is what is known of an event that has replaced others, or was corrected.
type past struct {
	driver.Succession                    // without the Last
	corrections       []driver.Corrected // in the order in which they were made
}

// set puts a copy of s in the place of what is kept.
func (e *event) set(s driver.Succession) {
	m := s.Last
	var few [512]byte // most events have no more
	packed := few[:0]
	for _, text := range [...]string{m.Source, m.ID, m.MediaType} {
		packed = appendText(packed, text)
	}
	for name, value := range m.Attributes {
		packed = appendText(appendText(packed, name), value)
	}
	var all strings.Builder
	all.Grow(len(packed) + len(m.Content))
	all.Write(packed)
	all.Write(m.Content)
	e.packed, e.texts, e.time = all.String(), len(packed), m.Time.UTC()

	s.Last = driver.Message{}
	if e.past == nil && s.Replaced == nil && s.Correction == nil {
		return
	}
	if e.past == nil {
		e.past = &past{}
	}
	e.past.Succession = s
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

// source returns the event's source.
func (e *event) source() string {
	rest := texts(e.packed)
	return rest.next()
}

// content returns the event's content.
func (e *event) content() string { return e.packed[e.texts:] }

// head returns what is kept, without content and attributes.
func (e *event) head(key string) driver.Message {
	rest := texts(e.packed)
	return driver.Message{Key: key, Source: rest.next(), ID: rest.next(), MediaType: rest.next(), Time: e.time}
}

// message returns a copy of what is kept.
func (e *event) message(key string) driver.Message {
	m := e.head(key)
	m.Content, m.Attributes = []byte(e.content()), e.attributeMap()
	return m
}

// succession returns a copy of what is kept, and what was before.
func (e *event) succession(key string) (s driver.Succession) {
	if e.past != nil {
		s = e.past.Succession
	}
	s.Last = e.message(key)
	return s
}

// corrections returns those that were made, in order.
func (e *event) corrections() []driver.Corrected {
	if e.past == nil {
		return nil
	}
	return e.past.corrections
}

// attributes returns the names and values in turn.
func (e *event) attributes() texts {
	rest := texts(e.packed[:e.texts])
	for range 3 {
		rest.next()
	}
	return rest
}

func (e *event) attributeMap() map[string]string {
	rest := e.attributes()
	if rest == "" {
		return nil
	}
	all := make(map[string]string, 8)
	for rest != "" {
		name := rest.next()
		all[name] = rest.next()
	}
	return all
}

// attributesLike is attributeMap, or same where that has the same.
func (e *event) attributesLike(same map[string]string) map[string]string {
	count := 0
	for rest := e.attributes(); rest != ""; count++ {
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
type events []event

// find returns where the event of the source is, or would be.
func (e events) find(source string) (int, bool) {
	for i := range e {
		if one := e[i].source(); one >= source {
			return i, one == source
		}
	}
	return len(e), false
}

// of returns the event of the source, or nil.
func (e events) of(source string) *event {
	if i, found := e.find(source); found {
		return &e[i]
	}
	return nil
}

// each yields each of the sources, which are in order, with its event, or with nil.
func (e events) each(sources []string) iter.Seq2[string, *event] {
	return func(yield func(string, *event) bool) {
		rest := e
		for _, source := range sources {
			i, found := rest.find(source)
			if rest = rest[i:]; !found {
				if !yield(source, nil) {
					return
				}
			} else if !yield(source, &rest[0]) {
				return
			}
		}
	}
}

// sources returns the sources, ordered.
func (e events) sources() (sources []string) {
	for i := range e {
		sources = append(sources, e[i].source())
	}
	return sources
}
