package convert

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/types"
)

// kafkaType is the type of Knative's Kafka source.
const kafkaType = "dev.knative.kafka.event"

// source returns the name of where the event comes from: what the context says (see
// [WithSource]), else what the event says.
func (c *converter) source(ctx context.Context, d *delivery) string {
	own, named := c.ownSource(d), SourceFrom(ctx)
	if named == "" {
		return own
	}
	if _, known := c.names[own]; known && own != named {
		warnOfOther(ctx, d, named, own)
	}
	return named
}

// ownSource returns where the event itself says that it comes from: see the package
// documentation, Wrapped events.
func (c *converter) ownSource(d *delivery) string {
	short := shortSource(d.event.Type(), d.event.Source())
	if name, ok := c.name(short, d.event.Source()); ok {
		return name
	}
	if !writtenSource(d.event) {
		if name, ok := c.rewritten[d.event.Source()]; ok {
			return name
		}
	}
	for _, full := range d.outer {
		if name, ok := c.name(shortSource(pubsubType, full), full); ok {
			return name
		}
	}
	return short
}

// name returns the configured name of a source, which is compared as it was written;
// an alias may also be written without percent-encoding.
func (c *converter) name(short, full string) (string, bool) {
	for _, source := range []string{short, full} {
		if name, ok := c.names[source]; ok {
			return name, true
		}
	}
	for _, source := range []string{short, full} {
		if name, ok := c.names[percentDecoded(source)]; ok {
			return name, true
		}
	}
	return "", false
}

// shortSource returns what people call a source by: the short name of a topic,
// the name of a bucket, a Kafka topic; else the ce-source as it is.
func shortSource(eventType, source string) string {
	var short string
	switch {
	case eventType == kafkaType:
		_, short, _ = strings.Cut(source, "#")
	case strings.HasPrefix(source, "//pubsub.googleapis.com/"):
		if short = segmentAfter(source, "/topics/"); short == "" {
			short = segmentAfter(source, "/subscriptions/") // a push that names no topic
		}
	case strings.HasPrefix(source, "//storage.googleapis.com/"):
		short = segmentAfter(source, "/buckets/")
	}
	if short == "" {
		return source
	}
	return short
}

// segmentAfter returns the path segment that follows the first marker, or "".
func segmentAfter(path, marker string) string {
	_, rest, _ := strings.Cut(path, marker)
	segment, _, _ := strings.Cut(rest, "/")
	return segment
}

// invert makes of names and their aliases a map from each to the name.
func invert(aliases map[string][]string) (map[string]string, error) {
	names := make(map[string]string, len(aliases))
	for name := range aliases {
		if name == "" {
			return nil, fmt.Errorf("source aliases: a name is empty")
		}
		names[name] = name
	}
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		for _, alias := range aliases[name] {
			if alias == "" {
				return nil, fmt.Errorf("source aliases: an alias of %q is empty", name)
			}
			if other, taken := names[alias]; taken && other != name {
				return nil, fmt.Errorf("source aliases: %q stands for both %q and %q", alias, other, name)
			}
			names[alias] = name
		}
	}
	return names, nil
}

// rewritten makes of the names of sources a map from what the SDK, which parses a
// source, makes of each: it writes schemes in lower case, for example, and drops an
// empty fragment. A rewritten source that two names share stands for neither.
func rewritten(names map[string]string) map[string]string {
	all := map[string]string{}
	shared := map[string]bool{}
	for source, name := range names {
		ref := types.ParseURIRef(source)
		if ref == nil {
			continue
		}
		other, taken := all[ref.String()]
		shared[ref.String()] = shared[ref.String()] || taken && other != name
		all[ref.String()] = name
	}
	maps.DeleteFunc(all, func(source, _ string) bool { return shared[source] })
	return all
}
