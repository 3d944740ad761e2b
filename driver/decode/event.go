package decode

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// malformed decides about a malformed attribute. It rejects the event if every event needs the
// attribute, or if it holds a key: otherwise the key would come from another place, and events of
// different customers could be joined. Any other attribute is left out.
func malformed(prefix, name string, why error, w *Warnings) error {
	switch name {
	case "specversion", "id", "source", "type", "key", "partitionkey":
		return undecodable("%s: %w", shown(prefix, name), why)
	}
	w.leaveOut(shown(prefix, name), why)
	return nil
}

// shown returns the name of an attribute in errors.
func shown(prefix, name string) string {
	if prefix == "" {
		return fmt.Sprintf("the CloudEvent's %.100q", name)
	}
	return prefix + name
}

// newEvent makes an event of its attributes: texts, and extensions of other types. Their names are
// in lower case; errors show them with prefix. The SDK could read the attributes, too, but it
// rewrites sources and refuses events for malformed optional attributes.
func newEvent(prefix string, texts map[string]string, others map[string]any, w *Warnings) (*cloudevents.Event, error) {
	if err := checkContext(prefix, texts["specversion"], texts["id"], texts["source"], texts["type"]); err != nil {
		return nil, err
	}
	c := &event.EventContextV1{
		ID:     strings.TrimSpace(texts["id"]),
		Type:   strings.TrimSpace(texts["type"]),
		Source: types.URIRef{URL: asWritten(texts["source"])},
	}
	if err := setOptional(c, prefix, texts, w); err != nil {
		return nil, err
	}
	for name, value := range texts {
		if !coreAttribute(name) {
			setExtension(c, name, value)
		}
	}
	for name, value := range others {
		if !coreAttribute(name) {
			setExtension(c, name, value)
		}
	}
	if texts["specversion"] == event.CloudEventsVersionV03 {
		return &cloudevents.Event{Context: c.AsV03()}, nil
	}
	return &cloudevents.Event{Context: c}, nil
}

var errMediaType = errors.New(`not a media type, such as "application/json": the data counts as undeclared`)

func setExtension(c *event.EventContextV1, name string, value any) {
	if c.Extensions == nil {
		c.Extensions = map[string]any{}
	}
	c.Extensions[name] = value
}

// setOptional sets the optional attributes that are well-formed. Only a time with a comma rejects
// the event: see errComma.
func setOptional(c *event.EventContextV1, prefix string, texts map[string]string, w *Warnings) error {
	if text, ok := texts["time"]; ok {
		at, err := parseTime(text)
		switch {
		case errors.Is(err, errComma):
			return undecodable("%s: %w", shown(prefix, "time"), err)
		case err != nil:
			w.leaveOut(shown(prefix, "time"), err)
		default:
			c.Time = &types.Timestamp{Time: at}
		}
	}
	if text, ok := texts["subject"]; ok {
		if text = strings.TrimSpace(text); text != "" {
			c.Subject = &text
		} else {
			w.leaveOut(shown(prefix, "subject"), errors.New("empty: leave it out, or say what the event is about"))
		}
	}
	if text, ok := texts["datacontenttype"]; ok {
		if declared(text) != "" {
			c.DataContentType = &text
		} else {
			w.leaveOut("datacontenttype", errMediaType)
		}
	}
	schema := texts["dataschema"]
	if texts["specversion"] == event.CloudEventsVersionV03 {
		schema = texts["schemaurl"]
	}
	if schema != "" {
		c.DataSchema = &types.URI{URL: asWritten(schema)}
	}
	return nil
}

// asWritten returns a URL whose String is text, byte for byte. Parsed and written again, many a URI
// becomes another text, for example with its scheme in lower case.
func asWritten(text string) url.URL { return url.URL{Opaque: text} }

// sourceURL returns an event's source as the SDK keeps it, which is not to be changed.
func sourceURL(e *cloudevents.Event) *url.URL {
	switch c := e.Context.(type) {
	case *event.EventContextV1:
		return &c.Source.URL
	case *event.EventContextV03:
		return &c.Source.URL
	}
	return &url.URL{}
}

// writtenSource says whether the event's source is what the producer wrote. It is not if the SDK
// has read the event.
func writtenSource(e *cloudevents.Event) bool {
	source := sourceURL(e)
	return *source == url.URL{Opaque: source.Opaque}
}

// sourceOf returns an event's ce-source. It allocates nothing for an event that this package has read.
func sourceOf(e *cloudevents.Event) string {
	if source := sourceURL(e).Opaque; source != "" && writtenSource(e) {
		return source
	}
	return e.Source()
}

// extensionsOf returns an event's extensions, which are not to be changed: the SDK would copy them.
func extensionsOf(e *cloudevents.Event) map[string]any {
	switch c := e.Context.(type) {
	case *event.EventContextV1:
		return c.Extensions
	case *event.EventContextV03:
		return c.Extensions
	}
	return e.Extensions()
}

// coreAttribute says whether CloudEvents itself defines an attribute, so that no extension can have
// its name.
func coreAttribute(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "schemaurl":
		return true
	}
	return false
}

// checkContext checks the attributes that every CloudEvent must have. Its errors show the name of
// the wrong one with prefix, and what it should be.
func checkContext(prefix, specversion, id, source, eventType string) error {
	for _, required := range [...]struct{ name, value, remedy string }{
		{"specversion", specversion, `set it to "1.0"`},
		{"id", id, "set it to a name of the event that stays the same when it is delivered again"},
		{"source", source, "set it to a URI of where the event comes from"},
		{"type", eventType, "set it to the event's type"},
	} {
		value := required.value
		if strings.TrimSpace(value) == "" {
			return undecodable("%s%s is missing: %s", prefix, required.name, required.remedy)
		}
		if !utf8.ValidString(value) {
			return undecodable("%s%s is not valid UTF-8: publish it as UTF-8", prefix, required.name)
		}
		if err := checkLength(prefix, required.name, value); err != nil {
			return err
		}
	}
	switch specversion {
	case event.CloudEventsVersionV1, event.CloudEventsVersionV03:
	default:
		return undecodable(`%sspecversion is %q: it must be "1.0"`, prefix, specversion)
	}
	if !possibleSource(source) {
		return undecodable("%ssource is no URI reference: percent-encode control characters, and write %% as %%25", prefix)
	}
	return nil
}

// possibleSource says whether a source can be a URI reference: it has no control characters, and
// no % without two hexadecimal digits. Nothing else is checked: here a source is a name.
func possibleSource(source string) bool {
	for i := range len(source) {
		switch c := source[i]; {
		case c < ' ' || c == 0x7f:
			return false
		case c == '%' && (i+2 >= len(source) || hexDigit(source[i+1]) < 0 || hexDigit(source[i+2]) < 0):
			return false
		}
	}
	return true
}

// validate rejects an event that is no CloudEvent, whoever made it.
func validate(e *cloudevents.Event) error {
	if e == nil || e.Context == nil {
		return undecodable("there is no CloudEvent: specversion, id, source and type are missing")
	}
	if err := checkContext("", e.SpecVersion(), e.ID(), sourceOf(e), e.Type()); err != nil {
		return err
	}
	return checkCount("the CloudEvent", len(extensionsOf(e)))
}
