package driver

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// exact returns a JSON object for a T without the members that encoding/json would take
// for a field of the struct T though their names differ from it in case, where another
// member has the field's name: sources may differ in case alone. Anything else is
// returned as it is.
func exact[T any](content []byte) []byte {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || !folds(memberNames(content)) {
		return content
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(content, &members) != nil {
		return content // whoever decodes it says why
	}
	fields := fieldNames(t)
	for name := range members {
		isField := func(field string) bool {
			return field != name && strings.EqualFold(field, name) && members[field] != nil
		}
		if !slices.Contains(fields, name) && slices.ContainsFunc(fields, isField) {
			delete(members, name)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(members) != nil {
		return content
	}
	return b.Bytes()
}

// folds says whether two different names are the same but for their case.
func folds(names []string) bool {
	for i, name := range names {
		for _, other := range names[:i] {
			if name != other && strings.EqualFold(name, other) {
				return true
			}
		}
	}
	return false
}

// mostMembers is how many members of an object are looked at: more than a join has.
const mostMembers = 256

// memberNames returns the names of an object's members; nil for anything else. It copies
// none of their values, which may be large.
func memberNames(content []byte) (names []string) {
	if !json.Valid(content) {
		return nil
	}
	depth := 0
	for i := 0; i < len(content) && len(names) < mostMembers; i++ {
		switch content[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			start := i
			for i++; content[i] != '"'; i++ {
				if content[i] == '\\' {
					i++ // whatever is escaped does not end the string
				}
			}
			var name string
			if depth == 1 && isName(content[i+1:]) && json.Unmarshal(content[start:i+1], &name) == nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// isName says whether what follows a string makes it the name of a member.
func isName(rest []byte) bool {
	for _, c := range rest {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c == ':'
		}
	}
	return false
}

// fieldNames returns the names by which encoding/json knows a struct's fields.
func fieldNames(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		names = append(names, name)
	}
	return names
}
