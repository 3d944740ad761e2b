package decode

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// binaryEvent reads a CloudEvent in binary mode. decodeText returns the text of an attribute from
// the value of its header. A header that begins with ce-, but whose rest can't be the name of an
// attribute, is ignored. The event shares the memory of data.
func binaryEvent(
	header http.Header, data []byte, decodeText func(name, value string) (string, error), w *Warnings,
) (*cloudevents.Event, error) {
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		attribute, ok := strings.CutPrefix(name, "Ce-")
		if !ok || !event.IsExtensionNameValid(attribute) {
			continue
		}
		attribute = strings.ToLower(attribute)
		text, err := oneText(attribute, header[name], decodeText)
		if err == nil {
			texts[attribute] = text
		} else if err = malformed("ce-", attribute, err, w); err != nil {
			return nil, err
		}
	}
	if err := checkCount("the CloudEvent", len(texts)); err != nil {
		return nil, err
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		texts["datacontenttype"] = contentType // the header's, in this mode
	}
	e, err := newEvent("ce-", texts, nil, w)
	if err != nil {
		return nil, err
	}
	e.DataEncoded = data
	return e, nil
}

// oneText returns the text of a header, which must have one value.
func oneText(attribute string, values []string, decodeText func(name, value string) (string, error)) (string, error) {
	if ambiguous(values) {
		return "", errors.New("the header is there several times, with different values: send it once")
	}
	return decodeText(attribute, values[0])
}

// ambiguous says that the values of a header differ.
func ambiguous(values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool { return value != values[0] })
}

// asIs is for attributes that are not percent-encoded, such as those of Pub/Sub messages.
func asIs(_, value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", errors.New("not valid UTF-8: publish it as UTF-8")
	}
	return value, nil
}

// BinaryHeader returns the headers that an event has in binary mode.
func BinaryHeader(e cloudevents.Event) http.Header {
	header := http.Header{}
	set := func(attribute, text string) {
		if text != "" {
			header.Set("Ce-"+attribute, EncodeHeader(attribute, text))
		}
	}
	if e.Context == nil {
		return header
	}
	for name, value := range e.Extensions() {
		set(name, extensionText(value))
	}
	set("specversion", e.SpecVersion())
	set("id", e.ID())
	set("source", e.Source())
	set("type", e.Type())
	set("subject", e.Subject())
	set("dataschema", e.DataSchema())
	if at := e.Time(); !at.IsZero() {
		set("time", types.FormatTime(at))
	}
	if contentType := e.DataContentType(); contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return header
}
