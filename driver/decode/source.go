package decode

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

type sourceKey struct{}

// WithSource returns a context that names the source of an event. It prevails over what the
// event says of itself. The HTTP handler of package convert calls it for requests whose path
// names a source; call it yourself where another part of a request, or the place where you
// receive events, names the source. A dead letter then has the source, and no path. With an
// empty name WithSource returns ctx.
func WithSource(ctx context.Context, source string) context.Context {
	if source == "" {
		return ctx
	}
	return context.WithValue(ctx, sourceKey{}, source)
}

// SourceFrom returns the source that [WithSource] put into the context, or "".
func SourceFrom(ctx context.Context) string {
	source, _ := ctx.Value(sourceKey{}).(string)
	return source
}

// source returns the name of the event's source: that of the context (see [WithSource]), or
// else what the event says.
func (d *Decoder) source(ctx context.Context, u *unwrapped) string {
	own, named := d.ownSource(u), SourceFrom(ctx)
	if named == "" {
		return own
	}
	if _, known := d.names[own]; known && own != named {
		u.warnings.other = own
	}
	return named
}

// ownSource returns the source that the event itself names: see the package documentation,
// Wrapped events.
func (d *Decoder) ownSource(u *unwrapped) string {
	full := sourceOf(u.event)
	short := shortSource(u.event.Type(), full)
	if name, ok := d.name(short, full); ok {
		return name
	}
	if !writtenSource(u.event) {
		if name, ok := d.rewritten[full]; ok {
			return name
		}
	}
	for _, full := range u.outer {
		if name, ok := d.name(shortSource(pubsubType, full), full); ok {
			return name
		}
	}
	return short
}

// name returns the configured name of a source. The source is compared as it was written, and
// then without percent-encoding.
func (d *Decoder) name(short, full string) (string, bool) {
	for _, source := range []string{short, full} {
		if name, ok := d.names[source]; ok {
			return name, true
		}
	}
	for _, source := range []string{short, full} {
		if name, ok := d.names[percentDecoded(source)]; ok {
			return name, true
		}
	}
	return "", false
}

// shortSource returns the name by which people call a source: that of a topic, a bucket or a
// Kafka topic; else the ce-source as it is.
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

// invert returns a map from each name and each alias to the name.
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

// rewritten returns names by the form that the SDK gives a source when it parses it: it writes
// schemes in lower case, for example, and drops an empty fragment. A form that two names share
// stands for neither.
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
