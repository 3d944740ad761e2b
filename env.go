package eventdriver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver/driver/convert"
)

// env reads variables and collects what is wrong with them. A variable that is
// set, but empty, counts as not set, except for a list, which it empties.
type env struct {
	lookup func(string) (string, bool)
	errs   []error
}

func (e *env) text(name, fallback string) string {
	if value, _ := e.lookup(name); strings.TrimSpace(value) != "" {
		return strings.TrimSpace(value)
	}
	return fallback
}

func (e *env) list(name string, fallback []string) []string {
	value, set := e.lookup(name)
	if !set {
		return fallback
	}
	if strings.TrimSpace(value) == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func (e *env) aliases(name string, sources []string) map[string][]string {
	aliases := make(map[string][]string)
	for _, pair := range e.list(name, nil) {
		source, alias := cutSource(pair, sources)
		if source == "" { // Validate says that it is not one of sources
			source, alias, _ = strings.Cut(pair, ":")
			source, alias = strings.TrimSpace(source), strings.TrimSpace(alias)
		}
		if source == "" || alias == "" {
			e.errs = append(e.errs, fmt.Errorf("%s must be event1:orders-created,event2:…; %q has no name, colon or alias", name, pair))
			continue
		}
		aliases[source] = append(aliases[source], alias)
	}
	return aliases
}

// keyPointers reads a JSON pointer for all events, or one for each of those that are
// named.
func (e *env) keyPointers(name string, sources []string) (all string, each map[string]string) {
	value := e.text(name, "")
	source, _ := cutSource(value, sources) // one that is a path begins like a pointer
	if !strings.HasPrefix(value, "/") || source != "" {
		return "", e.perSource(name, "a JSON pointer, as in event1:/order/id,event2:/id", sources)
	}
	for _, source := range sources {
		if source != "" && strings.Contains(value, ","+source+":/") {
			e.errs = append(e.errs, fmt.Errorf("%s must be one JSON pointer for all events, or name the event before each, "+
				"as in event1:/order/id,event2:/id; it is %q", name, value))
		}
	}
	return value, nil
}

func (e *env) content(name string, sources []string) map[string]convert.ContentKind {
	kinds := make(map[string]convert.ContentKind)
	for source, word := range e.perSource(name, "auto, json, text or bytes, as in event1:text,event2:json", sources) {
		kinds[source] = convert.ContentKind(strings.ToLower(word))
	}
	return kinds
}

// perSource reads a list of values, each behind the name of its source and a colon.
func (e *env) perSource(name, what string, sources []string) map[string]string {
	values := make(map[string]string)
	for _, item := range e.list(name, nil) {
		source, value := cutSource(item, sources)
		_, twice := values[source]
		switch {
		case source == "":
			e.errs = append(e.errs, fmt.Errorf("%s must name one of EVENT_SOURCES, %q, and %s; %q does not",
				name, sources, what, item))
		case value == "" || twice:
			e.errs = append(e.errs, fmt.Errorf("%s must have for %q, once, %s; it is %q", name, source, what, item))
		default:
			values[source] = value
		}
	}
	return values
}

// cutSource cuts an item into the source that it begins with and the value behind the
// source's colon; "" where it begins with none of sources. A name may have colons, too.
func cutSource(item string, sources []string) (source, value string) {
	for _, s := range sources {
		if rest, ok := strings.CutPrefix(item, s+":"); ok && len(s) > len(source) {
			source, value = s, strings.TrimSpace(rest)
		}
	}
	return source, value
}

func (e *env) bytes(name string, fallback int64) int64 {
	value := e.text(name, "")
	if value == "" {
		return fallback
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		e.errs = append(e.errs, fmt.Errorf("%s must be a number of bytes, as in 10485760; it is %q", name, value))
		return fallback
	}
	return n
}

func (e *env) duration(name string, fallback time.Duration) time.Duration {
	value := e.text(name, "")
	if value == "" {
		return fallback
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		e.errs = append(e.errs, fmt.Errorf("%s must be a length of time, as in 30s or 2m; it is %q", name, value))
		return fallback
	}
	return d
}

// choice returns the value that the variable's word stands for.
func choice[T any](e *env, name, fallback string, values map[string]T) T {
	word := strings.ToLower(e.text(name, fallback))
	value, known := values[word]
	if !known {
		e.errs = append(e.errs, fmt.Errorf("%s must be one of %s; it is %q", name, strings.Join(sortedKeys(values), ", "), word))
	}
	return value
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
