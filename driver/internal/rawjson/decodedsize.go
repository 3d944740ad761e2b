package rawjson

import (
	"context"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Sizes of what encoding/json allocates. TestDecodedSize measures them.
const (
	anyBytes   = 200 // of a value in an any, beside its text
	mapBytes   = 64  // of a map without members
	groupSize  = 8   // members for which a map has room at first
	grownTwice = 3   // what a slice or map that grows takes of its elements, the old one included
	allocated  = 16  // what an allocation may take more than was asked for
)

// mostAgain is how many times the length of the JSON may be scanned again.
const mostAgain = 8

// DecodedSize returns about how many bytes encoding/json allocates when it decodes valid JSON
// into a t, beside t itself and the text of strings and numbers. A few bytes of JSON can be an
// element of hundreds, so call it before decoding what strangers have sent. It allocates
// little, whatever the JSON.
func DecodedSize(valid []byte, t reflect.Type) int {
	s := sizer{scan: scan{json: valid, ctx: context.Background()}}
	return s.value(t)
}

// Takes says whether [DecodedSize] is ever more than 0 for a t. For most structs of texts, numbers and raw JSON it
// is not, so that nobody has to look.
func Takes(t reflect.Type) bool {
	switch p := reflect.PointerTo(t); {
	case p.Implements(unmarshaler) || p.Implements(textUnmarshaler):
		return false
	case t.Kind() == reflect.Array:
		return Takes(t.Elem())
	case t.Kind() == reflect.Struct:
		return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return Takes(f.Type) })
	}
	return slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map}, t.Kind())
}

type sizer struct {
	scan
	again int // bytes that were scanned again, for another field of the same name
}

// structure is what encoding/json knows of a struct.
type structure struct {
	fields   map[string][]field // by folded name
	embedded int                // what the structs take that embedded pointers lead to
}

type field struct {
	reflect.Type
	embedded bool // it is in a struct that an embedded pointer leads to
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value scans a value and returns what it takes in a t.
func (s *sizer) value(t reflect.Type) int {
	start := s.space()
	opens, p := s.byte(), reflect.PointerTo(t)
	switch kind := t.Kind(); {
	case p.Implements(unmarshaler) || p.Implements(textUnmarshaler): // it copies the text, at most
	case kind == reflect.Pointer && opens != 'n':
		return int(t.Elem().Size()) + allocated + s.value(t.Elem())
	case kind == reflect.Interface:
		s.skip()
		return anyBytes * (1 + CountValues(s.json[start:s.at]))
	case kind == reflect.Slice && opens == '[':
		return s.elements(t.Elem(), grownTwice*int(t.Elem().Size())+allocated)
	case kind == reflect.Array && opens == '[':
		return s.elements(t.Elem(), 0)
	case kind == reflect.Map && opens == '{':
		return s.mapMembers(t)
	case kind == reflect.Struct && opens == '{':
		return s.structMembers(t)
	}
	s.skip()
	return 0
}

// elements scans an array whose elements each take size bytes, beside what they point to.
func (s *sizer) elements(t reflect.Type, each int) (size int) {
	for s.step(); s.space() < len(s.json) && s.byte() != ']'; s.separator(',') {
		size += each + s.value(t)
	}
	s.step()
	return size
}

func (s *sizer) mapMembers(t reflect.Type) (size int) {
	member := int(t.Key().Size() + t.Elem().Size())
	size = mapBytes + allocated
	for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
		if size == mapBytes+allocated {
			size += groupSize * member
		}
		s.literalText()
		s.separator(':')
		size += grownTwice*member + 2*allocated + s.value(t.Elem())
	}
	s.step()
	return size
}

func (s *sizer) structMembers(t reflect.Type) (size int) {
	of := structureOf(t)
	embedded := 0
	for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
		fields := of.fields[folded(string(Text(s.literalText())))]
		s.separator(':')
		if len(fields) == 0 {
			s.skip()
			continue
		}
		most, start := 0, s.at
		for i, f := range fields { // of fields with one name encoding/json decides which it is
			if i > 0 && s.again > mostAgain*len(s.json) {
				break // each level of nesting would take twice the time of the one before
			}
			s.again += s.at - start
			s.at = start
			most = max(most, s.value(f.Type))
			if f.embedded {
				embedded = of.embedded
			}
		}
		size += most
	}
	s.step()
	return size + embedded
}

// structures are those of the types that were decoded, by type.
var structures sync.Map

// structureOf returns a struct's fields, those of embedded structs included.
func structureOf(t reflect.Type) structure {
	if known, ok := structures.Load(t); ok {
		return known.(structure)
	}
	of := structure{fields: make(map[string][]field)}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous && f.Type.Kind() == reflect.Pointer {
			of.embedded += int(f.Type.Elem().Size()) + allocated
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		for _, name := range []string{folded(name), folded(f.Name)} { // a name that is no legal one is ignored
			one := field{f.Type, behindPointer(t, f.Index)}
			if !slices.Contains(of.fields[name], one) {
				of.fields[name] = append(of.fields[name], one)
			}
		}
	}
	structures.Store(t, of)
	return of
}

// behindPointer says whether an embedded pointer is on the way to a field.
func behindPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// folded returns what names have in common that encoding/json takes for one: also those with the
// Kelvin sign or the long s.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }
