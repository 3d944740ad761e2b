package driver

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// refusedError is about valid JSON that does not decode into a Go type.
type refusedError struct {
	field string // where; "": not known
	text  string
}

// Error implements error.
func (e refusedError) Error() string {
	if e.field == "" {
		return e.text
	}
	return e.field + ": " + e.text
}

// named returns err with the name of the field that does not decode into a t, which encoding/json does not
// tell of types that decode themselves, such as a time, and of what is in a map.
func (t decodedType) named(ctx context.Context, content []byte, err error) error {
	var refused refusedError
	if !errors.As(err, &refused) || refused.field != "" && t.Kind() != reflect.Map {
		return err
	}
	scoped, free := ScopeMemory(ctx)
	defer free()
	if Grow(scoped, 4*len(content)) != nil {
		return err
	}
	if field := refusedIn(t.Type, content, isJoined(ctx), mostNames); field != "" {
		refused.field = field
	}
	return refused
}

// mostNames is how many names a field is told by: each takes another look at the content.
const mostNames = 5

// refusedIn returns the names that lead to the member that does not decode into a t, as in event2.at. They are
// those of fields, or of the sources that a map has: other names of a map's members may be secret.
func refusedIn(t reflect.Type, content []byte, sources bool, names int) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	tells := t.Kind() == reflect.Struct || t.Kind() == reflect.Map && sources
	if !tells || names == 0 || !decodes(t, []byte("{}")) {
		return ""
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(content, &members) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		member := memberType(t, name)
		alone, err := json.Marshal(map[string]json.RawMessage{name: value})
		if member == nil || err != nil || decodes(t, alone) {
			continue
		}
		if within := refusedIn(member, value, false, names-1); within != "" {
			return name + "." + within
		}
		return name
	}
	return ""
}

func decodes(t reflect.Type, content []byte) bool {
	return decode(content, reflect.New(t).Interface(), true) == nil
}

// memberType returns the type of the member of a struct or map that has the name; nil: there is none.
func memberType(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	fields := reflect.VisibleFields(t)
	for i, field := range fieldNames(t) {
		if strings.EqualFold(field, name) {
			return fields[i].Type
		}
	}
	return nil
}
