package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/protobuf/encoding/protowire"
)

// ContentKind says what the data of a source's events is: see [Content].
type ContentKind string

// The kinds of content.
const (
	ContentAuto  ContentKind = "auto"  // what the event declares
	ContentJSON  ContentKind = "json"  // JSON, whatever the event declares
	ContentText  ContentKind = "text"  // text in UTF-8
	ContentBytes ContentKind = "bytes" // anything
)

// Content says outright, for the sources in kinds, what the data of their events is;
// the others have [ContentAuto]. It is for publishers who declare nothing, or the
// wrong thing.
//
// With ContentAuto, data that declares JSON must be JSON, and text must be UTF-8.
// Data that declares nothing is taken as it is, but what begins like a JSON object
// or array must be one. Whatever is JSON must not be nested deeper than
// [MaxNesting], and loses a byte order mark. What does not hold is rejected with
// [driver.ReasonUndecodable]: kept, it would make each join of its key fail. No
// data, zero bytes, is never looked at.
//
// It is an error if a kind is not one of the four.
func Content(kinds map[string]ContentKind) InputOption {
	return func(c *converter) error {
		for source, kind := range kinds {
			switch kind {
			case ContentAuto, ContentJSON, ContentText, ContentBytes:
			default:
				return fmt.Errorf("content of %q: %q is not one of auto, json, text and bytes", source, kind)
			}
		}
		c.kinds = kinds
		return nil
	}
}

// The media types of content that declares nothing fitting.
const (
	mediaJSON  = "application/json"
	mediaText  = "text/plain"
	mediaBytes = "application/octet-stream"
)

// content is the data of an event, with the media type that it declares, or "".
type content struct {
	data  []byte
	media string
}

// declareBytes has an event whose data came as data_base64 declare bytes, where it
// declares text, JSON or nothing. Payloads of Google that are read here are what their types say.
//
// That the SDK's event says DataBase64 is not enough to know: for an event that a program
// has made, that says only that its data was given as a []byte.
func declareBytes(e *cloudevents.Event) {
	media := declared(e.DataContentType())
	if !isGooglePayload(e.Type()) && (media == "" || isJSON(media) || isText(media)) {
		e.SetDataContentType(mediaBytes)
	}
}

// settle returns the content as it is to be joined, for a source with that kind of
// data. Content without data has no media type, however the absence was written.
func (c content) settle(kind ContentKind, source string) (content, error) {
	switch {
	case len(c.data) == 0:
		return content{}, nil
	case kind == ContentJSON && !isJSON(c.media):
		c.media = mediaJSON
	case kind == ContentText && !isText(c.media):
		c.media = mediaText
	case kind == ContentBytes && (c.media == "" || isJSON(c.media) || isText(c.media)):
		c.media = mediaBytes
	}
	switch {
	case isJSON(c.media):
		return c.asJSON()
	case isText(c.media):
		if !utf8.Valid(c.data) {
			return c, undecodable("the data, which is %q, is not UTF-8: publish it as UTF-8, or set CONTENT to %s:bytes",
				c.media, source)
		}
	case c.media == "":
		return c.undeclared(source)
	}
	return c, nil
}

func (c content) asJSON() (content, error) {
	c.data = withoutMark(c.data)
	if err := checkJoinable(c.data); err != nil {
		return c, undecodable("the data of an event with content type %q: %w", c.media, err)
	}
	return c, nil
}

// checkJoinable returns nil for JSON that can still be read inside of an object.
func checkJoinable(data []byte) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	if depth(data) > MaxNesting {
		return errTooDeep
	}
	return nil
}

var errTooDeep = fmt.Errorf("JSON nested more than %d deep", MaxNesting)

// undeclared is content that declares nothing. What begins like a JSON object or
// array is meant to be one.
func (c content) undeclared(source string) (content, error) {
	data := withoutMark(c.data)
	err := checkJoinable(data)
	switch {
	case err == nil:
		c.data = data
		return c, nil
	case errors.Is(err, errTooDeep):
		return c, undecodable("the data, which declares nothing: %w: if it is to be joined as text, set CONTENT to %s:text",
			err, source)
	case beginsLikeJSON(data):
		return c, undecodable("the data, which declares nothing, begins like JSON: %w: fix the publisher, "+
			"or, if it is to be joined as text, set CONTENT to %s:text", err, source)
	}
	return c, nil
}

// beginsLikeJSON says whether data begins like a JSON object or array. So do some
// messages in protobuf, since a line feed is the tag of a string in field 1, and {
// its length: they are told by what follows.
func beginsLikeJSON(data []byte) bool {
	first := firstByte(data)
	switch {
	case first != '{' && first != '[':
		return false
	case data[0] == first || !isProtobuf(data):
		return true
	}
	inside := firstByte(data[bytes.IndexByte(data, first)+1:])
	likely := `"}`
	if first == '[' {
		likely = `"{[]-0123456789tfn`
	}
	return isPrintable(data) && strings.IndexByte(likely, inside) >= 0
}

// isPrintable says whether data is UTF-8 without control characters but white space.
func isPrintable(data []byte) bool {
	for _, c := range data {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return utf8.Valid(data)
}

// isProtobuf says whether data is a message in protobuf, to its last byte.
func isProtobuf(data []byte) bool {
	for len(data) > 0 {
		_, _, n := protowire.ConsumeField(data)
		if n < 0 {
			return false
		}
		data = data[n:]
	}
	return true
}
