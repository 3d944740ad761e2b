package eventdriver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver/driver/decode"
)

// The kinds of values that settings have. Each is a [flag.Value]: String returns what
// Set takes. Set changes nothing where it fails.

type text string

func (v *text) String() string { return string(*v) }
func (v *text) Set(s string) error {
	*v = text(s)
	return nil
}

// list is names between commas.
type list []string

func (v *list) String() string { return strings.Join(*v, ",") }
func (v *list) Set(s string) error {
	if *v = nil; s == "" {
		return nil
	}
	for item := range strings.SplitSeq(s, ",") {
		*v = append(*v, strings.TrimSpace(item))
	}
	return nil
}

// duration is a length of time; 0 is none.
type duration time.Duration

func (v *duration) check() error { return unless(*v >= 0) }
func (v *duration) String() string {
	if *v == 0 {
		return ""
	}
	s := time.Duration(*v).String() // 1h0m0s
	if minutes, ok := strings.CutSuffix(s, "m0s"); ok {
		s = minutes + "m"
	}
	if hours, ok := strings.CutSuffix(s, "h0m"); ok {
		s = hours + "h"
	}
	return s
}
func (v *duration) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return errInvalid
	}
	*v = duration(d)
	return nil
}

// size is a number of bytes.
type size int64

func (v *size) String() string { return strconv.FormatInt(int64(*v), 10) }
func (v *size) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return errInvalid
	}
	*v = size(n)
	return nil
}

// number is a whole number.
type number int

func (v *number) String() string { return strconv.Itoa(int(*v)) }
func (v *number) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return errInvalid
	}
	*v = number(n)
	return nil
}

// choice is one of a few words, whatever its letter case.
type choice[T comparable] struct {
	to    *T
	words words[T]
}

// words are names for values.
type words[T comparable] []struct {
	name  string
	value T
}

func (w words[T]) names() (names []string) {
	for _, word := range w {
		names = append(names, word.name)
	}
	return names
}

func (v choice[T]) String() string {
	for _, word := range v.words {
		if word.value == *v.to {
			return word.name
		}
	}
	return fmt.Sprint(*v.to)
}

func (v choice[T]) Set(s string) error {
	for _, word := range v.words {
		if word.name == strings.ToLower(s) {
			*v.to = word.value
			return nil
		}
	}
	return errInvalid
}

func (v choice[T]) check() error { return unless(slices.Contains(v.words.names(), v.String())) }

// oneOf says which words there are to choose from.
func oneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// inCode marks words as code, in Markdown.
func inCode(names []string) (marked []string) {
	for _, name := range names {
		marked = append(marked, "`"+name+"`")
	}
	return marked
}

// aliases are lists of names, each by the event that comes from there.
type aliases struct{ *Config }

func (v aliases) String() string { return perSourceText(v.SourceAliases) }
func (v aliases) Set(s string) (err error) {
	values, err := perSource(s, v.Sources)
	if err == nil {
		v.SourceAliases = values
	}
	return err
}

// contents says what the data of an event is, by its name.
type contents struct{ *Config }

func (v contents) String() string {
	all := make(map[string][]string)
	for source, kind := range v.Content {
		all[source] = []string{string(kind)}
	}
	return perSourceText(all)
}

func (v contents) Set(s string) error {
	values, err := onePerSource(strings.ToLower, s, v.Sources)
	if err != nil {
		return err
	}
	v.Content = make(map[string]decode.ContentKind)
	for source, word := range values {
		v.Content[source] = decode.ContentKind(word)
	}
	return nil
}

// pointers are JSON pointers: one for all events, or some by the event's name.
type pointers struct{ *Config }

func (v pointers) String() string {
	all := make(map[string][]string)
	for source, pointer := range v.KeyPointers {
		all[source] = []string{pointer}
	}
	return v.KeyPointer + perSourceText(all)
}

func (v pointers) Set(s string) (err error) {
	source, _ := cutSource(s, v.Sources) // one that is a path begins like a pointer
	if !strings.HasPrefix(s, "/") || source != "" {
		each, err := onePerSource(nil, s, v.Sources)
		if err == nil {
			v.KeyPointer, v.KeyPointers = "", each
		}
		return err
	}
	for _, source := range v.Sources {
		if source != "" && strings.Contains(s, ","+source+":/") {
			return errors.New("name the event before each pointer, or give one pointer for all events")
		}
	}
	if strings.HasSuffix(s, ",") {
		return errComma
	}
	v.KeyPointer, v.KeyPointers = s, nil
	return nil
}

// errComma is about lists of items.
var errComma = errors.New("there is a comma too many")

// perSource reads a list of values, each behind the name of an event and a colon. Where there are no events,
// EVENT_SOURCES is to blame.
func perSource(s string, sources []string) (map[string][]string, error) {
	var problems []error
	values := make(map[string][]string)
	if len(sources) == 0 {
		return nil, nil
	}
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		source, value := cutSource(item, sources)
		switch {
		case item == "":
			if !slices.Contains(problems, errComma) {
				problems = append(problems, errComma)
			}
		case source == "":
			problems = append(problems, fmt.Errorf("%s does not begin with one of EVENT_SOURCES and a colon", quoted(item)))
		case value == "":
			problems = append(problems, fmt.Errorf("%s has nothing behind the colon", quoted(item)))
		default:
			values[source] = append(values[source], value)
		}
	}
	return values, errors.Join(problems...)
}

// onePerSource is perSource where each event has one value. The function changes each, unless it is nil.
func onePerSource(change func(string) string, s string, sources []string) (map[string]string, error) {
	lists, err := perSource(s, sources)
	values := make(map[string]string)
	for _, source := range slices.Sorted(maps.Keys(lists)) {
		if len(lists[source]) > 1 {
			err = errors.Join(err, fmt.Errorf("%q must be there once", source))
		}
		values[source] = lists[source][0]
		if change != nil {
			values[source] = change(values[source])
		}
	}
	return values, err
}

// perSourceText is what perSource reads.
func perSourceText(values map[string][]string) string {
	var items []string
	for _, source := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[source] {
			items = append(items, source+":"+value)
		}
	}
	return strings.Join(items, ",")
}

// cutSource cuts an item into the event that it begins with and the value behind the
// colon; "" where it begins with none of sources. A name may have colons, too.
func cutSource(item string, sources []string) (source, value string) {
	for _, s := range sources {
		if rest, ok := strings.CutPrefix(item, s+":"); ok && len(s) > len(source) {
			source, value = s, strings.TrimSpace(rest)
		}
	}
	return source, value
}
