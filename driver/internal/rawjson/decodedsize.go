package rawjson

import (
	"context"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Sizes of what encoding/json allocates. TestDecodedSize measures them.
const (
	anyBytes   = 200 // of a value in an any, beside its text
	mapBytes   = 64  // of a map without members
	groupSize  = 8   // members for which a map has room at first
	grownTwice = 3   // what a slice or map that grows takes of its elements, the old one included
	allocated  = 16  // what an allocation may take more than was asked for
)

// DecodedSize returns about how many bytes encoding/json allocates when it decodes valid JSON
// into a t, beside t itself and the text of strings and numbers. A few bytes of JSON can be an
// element of hundreds, so call it before decoding what strangers have sent. It allocates
// little, whatever the JSON.
func DecodedSize(valid []byte, t reflect.Type) int {
	s := sizer{scan: scan{json: valid, ctx: context.Background()}, fields: make(map[reflect.Type]map[string][]reflect.Type)}
	return s.value(t)
}

type sizer struct {
	scan
	fields map[reflect.Type]map[string][]reflect.Type // by type and folded name
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

// elements scans an array whose elements each take so many bytes, beside what they point to.
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
	fields := s.fieldsOf(t)
	for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
		types := fields[folded(string(Text(s.literalText())))]
		s.separator(':')
		if len(types) == 0 {
			s.skip()
			continue
		}
		most, start := 0, s.at
		for _, field := range types { // of fields with one name encoding/json decides which it is
			s.at = start
			most = max(most, s.value(field))
		}
		size += most
	}
	s.step()
	return size
}

// fieldsOf returns the types of a struct's fields by their folded names, those of embedded
// structs included.
func (s *sizer) fieldsOf(t reflect.Type) map[string][]reflect.Type {
	if known, ok := s.fields[t]; ok {
		return known
	}
	all := make(map[string][]reflect.Type)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		for _, name := range []string{folded(name), folded(f.Name)} { // a name that is no legal one is ignored
			all[name] = append(all[name], f.Type)
		}
	}
	s.fields[t] = all
	return all
}

// folded returns what names have in common that encoding/json takes for one: also those with the
// Kelvin sign or the long s.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }
