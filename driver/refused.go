package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// errRefused is about a value that a type which decodes itself does not take, such as a time. Nobody says in which
// field it is, and its own error may quote it.
var errRefused = errors.New("the value is refused by its Go type")

// refused returns [errRefused] with the field that it is about, as in event2.at, if that can be found.
func (t decodedType) refused(ctx context.Context, content []byte) error {
	scoped, free := ScopeMemory(ctx)
	defer free()
	if Grow(scoped, 10*len(content)) != nil {
		return errRefused
	}
	if field := refusedField(t.Type, content, deepestField); field != "" {
		return fmt.Errorf("%s: %w", field, errRefused)
	}
	return errRefused
}

// deepestField is how many names a field is told by: each takes another look at the content.
const deepestField = 3

// refusedField returns the names that lead to the member of an object that does not decode into the struct t; "": none.
// It decodes each member alone. A type that decodes itself is not looked into: it could get what never came.
func refusedField(t reflect.Type, content []byte, names int) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if names == 0 || t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return ""
	}
	var members map[string]json.RawMessage
	if len(memberNames(nil, content)) == mostMembers || json.Unmarshal(content, &members) != nil {
		return ""
	}
	fields := reflect.VisibleFields(t)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		i := slices.IndexFunc(fieldNames(t), func(field string) bool { return strings.EqualFold(field, name) })
		quoted, err := json.Marshal(name)
		alone := fmt.Appendf(nil, "{%s:%s}", quoted, members[name])
		if i < 0 || err != nil || decode(alone, reflect.New(t).Interface(), true) == nil {
			continue
		}
		if within := refusedField(fields[i].Type, members[name], names-1); within != "" {
			return name + "." + within
		}
		return name
	}
	return ""
}
