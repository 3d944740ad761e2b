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

// attribute is an attribute of an event, with its name in lower case.
type attribute struct {
	name, text string
	other      any // an extension's value that is no text
}

// attributes are those of an event. Of one that is there twice, the last counts.
type attributes []attribute

// text returns the text of an attribute, and whether there is one.
func (all attributes) text(name string) (string, bool) {
	for i := len(all) - 1; i >= 0; i-- {
		if a := &all[i]; a.name == name && a.other == nil {
			return a.text, true
		}
	}
	return "", false
}

// required returns the texts of the attributes that every CloudEvent has.
func (all attributes) required() (r requiredTexts) {
	r.specversion, _ = all.text("specversion")
	r.id, _ = all.text("id")
	r.source, _ = all.text("source")
	r.eventType, _ = all.text("type")
	return r
}

// whole is an event with all that it points to, in one piece of memory.
type whole struct {
	event                cloudevents.Event
	context              event.EventContextV1
	time                 types.Timestamp
	subject, contentType string
}

// newEvent makes an event of its attributes; errors show their names with prefix. The SDK could read the
// attributes, too, but it rewrites sources and refuses events for malformed optional attributes.
func newEvent(prefix string, all attributes, w *Warnings) (*cloudevents.Event, error) {
	required := all.required()
	if err := required.check(prefix); err != nil {
		return nil, err
	}
	e := &whole{context: event.EventContextV1{
		ID:     strings.TrimSpace(required.id),
		Type:   strings.TrimSpace(required.eventType),
		Source: types.URIRef{URL: asWritten(required.source)},
	}}
	if err := e.setOptional(prefix, all, w); err != nil {
		return nil, err
	}
	c := &e.context
	for _, a := range all {
		switch {
		case coreAttribute(a.name):
		case a.other != nil:
			setExtension(c, a.name, a.other)
		default:
			setExtension(c, a.name, a.text)
		}
	}
	e.event.Context = c
	if required.specversion == event.CloudEventsVersionV03 {
		e.event.Context = c.AsV03()
	}
	return &e.event, nil
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
func (e *whole) setOptional(prefix string, all attributes, w *Warnings) error {
	c := &e.context
	if text, ok := all.text("time"); ok {
		at, err := parseTime(text)
		switch {
		case errors.Is(err, errComma):
			return undecodable("%s: %w", shown(prefix, "time"), err)
		case err != nil:
			w.leaveOut(shown(prefix, "time"), err)
		default:
			e.time.Time = at
			c.Time = &e.time
		}
	}
	if text, ok := all.text("subject"); ok {
		if e.subject = strings.TrimSpace(text); e.subject != "" {
			c.Subject = &e.subject
		} else {
			w.leaveOut(shown(prefix, "subject"), errors.New("empty: leave it out, or say what the event is about"))
		}
	}
	if text, ok := all.text("datacontenttype"); ok {
		if e.contentType = text; declared(text) != "" {
			c.DataContentType = &e.contentType
		} else {
			w.leaveOut("datacontenttype", errMediaType)
		}
	}
	schemaName := "dataschema"
	if specversion, _ := all.text("specversion"); specversion == event.CloudEventsVersionV03 {
		schemaName = "schemaurl"
	}
	if schema, _ := all.text(schemaName); schema != "" {
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

// requiredTexts are the attributes that every CloudEvent must have.
type requiredTexts struct{ specversion, id, source, eventType string }

// check checks them. Its errors show the name of the wrong one with prefix, and what it should be.
func (r requiredTexts) check(prefix string) error {
	for _, required := range [...]struct{ name, value, remedy string }{
		{"specversion", r.specversion, `set it to "1.0"`},
		{"id", r.id, "set it to a name of the event that stays the same when it is delivered again"},
		{"source", r.source, "set it to a URI of where the event comes from"},
		{"type", r.eventType, "set it to the event's type"},
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
	switch r.specversion {
	case event.CloudEventsVersionV1, event.CloudEventsVersionV03:
	default:
		return undecodable(`%sspecversion is %q: it must be "1.0"`, prefix, r.specversion)
	}
	if !possibleSource(r.source) {
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
	required := requiredTexts{e.SpecVersion(), e.ID(), sourceOf(e), e.Type()}
	if err := required.check(""); err != nil {
		return err
	}
	return checkCount("the CloudEvent", len(extensionsOf(e)))
}
