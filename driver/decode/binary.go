package decode

import (
	"errors"
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
	var few [8]string // most events have no more
	var fewAttributes [len(few) + 1]attribute
	all := attributes(fewAttributes[:0])
	for _, name := range eventHeaders(few[:0], header) {
		attributeName := lower(name[len("Ce-"):])
		text, err := oneText(attributeName, header[name], decodeText)
		if err == nil {
			all = append(all, attribute{name: attributeName, text: text})
		} else if err = malformed("ce-", attributeName, err, w); err != nil {
			return nil, err
		}
	}
	if err := checkCount("the CloudEvent", len(all)); err != nil {
		return nil, err
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		all = append(all, attribute{name: "datacontenttype", text: contentType}) // the header's, in this mode
	}
	e, err := newEvent("ce-", all, w)
	if err != nil {
		return nil, err
	}
	e.DataEncoded = data
	return e, nil
}

// eventHeaders appends the names of the headers that are attributes, in order, to names.
func eventHeaders(names []string, header http.Header) []string {
	for name := range header {
		if attribute, ok := strings.CutPrefix(name, "Ce-"); ok && event.IsExtensionNameValid(attribute) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// lower returns an attribute's name in lower case. It allocates none of the usual names.
func lower(name string) string {
	switch name {
	case "Specversion":
		return "specversion"
	case "Id":
		return "id"
	case "Source":
		return "source"
	case "Type":
		return "type"
	case "Time":
		return "time"
	case "Subject":
		return "subject"
	case "Key":
		return "key"
	}
	return strings.ToLower(name)
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
