package convert

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"
)

// binaryEvent reads a CloudEvent in binary mode. Headers that start with ce- but
// can't be the name of a CloudEvents attribute are none, and are left out.
func binaryEvent(header http.Header, data []byte) (*cloudevents.Event, error) {
	attributes := map[string]string{}
	for name, values := range header {
		attribute, ok := strings.CutPrefix(name, "Ce-")
		if !ok || !event.IsExtensionNameValid(attribute) {
			continue
		}
		if attribute = strings.ToLower(attribute); ambiguous(values) {
			return nil, undecodable("the header ce-%s is there %d times, with different values: send it once", attribute, len(values))
		}
		attributes[attribute] = values[0]
	}
	if err := checkCount("the CloudEvent", len(attributes)); err != nil {
		return nil, err
	}
	delete(attributes, "datacontenttype") // that is Content-Type, in this mode
	if err := checkContext("ce-", attributes); err != nil {
		return nil, err
	}
	clean := http.Header{}
	for name, value := range attributes {
		clean.Set("Ce-"+name, value)
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		clean.Set("Content-Type", contentType)
	}
	message := cehttp.NewMessage(clean, io.NopCloser(bytes.NewReader(data)))
	e, err := binding.ToEvent(context.Background(), message)
	if err != nil {
		return nil, undecodable("the ce- headers are not those of a CloudEvent: %w", err)
	}
	return e, validate(e)
}

// ambiguous says that a header's values are several different ones.
func ambiguous(values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool { return value != values[0] })
}

// checkContext checks the attributes that every CloudEvent has, and those with a
// form of their own, so as to name the one that is wrong and what it should be.
// Names are shown with prefix.
func checkContext(prefix string, attributes map[string]string) error {
	for _, required := range []struct{ name, remedy string }{
		{"specversion", `set it to "1.0"`},
		{"id", "set it to a name of the event that stays the same when it is delivered again"},
		{"source", "set it to a URI of where the event comes from"},
		{"type", "set it to the event's type"},
	} {
		if strings.TrimSpace(attributes[required.name]) == "" {
			return undecodable("%s%s is missing: %s", prefix, required.name, required.remedy)
		}
		if err := checkLength(prefix+required.name, attributes[required.name]); err != nil {
			return err
		}
	}
	switch version := attributes["specversion"]; version {
	case event.CloudEventsVersionV1, event.CloudEventsVersionV03:
	default:
		return undecodable(`%sspecversion is %q: it must be "1.0"`, prefix, version)
	}
	if types.ParseURIRef(attributes["source"]) == nil {
		return undecodable("%ssource is no URI reference: percent-encode what a URI must not contain", prefix)
	}
	if at, ok := attributes["time"]; ok {
		if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
			return undecodable(`%stime is no time as in RFC 3339: write it as "2006-01-02T15:04:05Z"`, prefix)
		}
	}
	for name, value := range attributes {
		if !utf8.ValidString(value) {
			return undecodable("%s%s is not valid UTF-8: publish it as UTF-8", prefix, name)
		}
	}
	return nil
}

// validate refuses what is no CloudEvent, whoever made it.
func validate(e *cloudevents.Event) error {
	if e == nil || e.Context == nil {
		return undecodable("there is no CloudEvent: specversion, id, source and type are missing")
	}
	attributes := map[string]string{
		"specversion": e.SpecVersion(), "id": e.ID(), "source": e.Source(), "type": e.Type(),
	}
	if err := checkContext("", attributes); err != nil {
		return err
	}
	if err := checkCount("the CloudEvent", len(e.Extensions())); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return undecodable("not a valid CloudEvent: %s", oneLine(err.Error()))
	}
	return nil
}

// oneLine joins the lines of text.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
