package decode

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"example.com/eventdriver/driver/internal/rawjson"
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

// Content sets the kind of the data of the sources in kinds; other sources have
// [ContentAuto]. Use it where publishers declare nothing, or the wrong thing.
//
// With ContentAuto, data that declares JSON must be JSON, and text must be UTF-8, and declare no
// charset in which it is another text. Data that declares nothing is taken as it is, but data
// that begins like a JSON object or array must be one. JSON must not be nested deeper than
// [MaxNesting]; a byte order mark before it is removed. Data that breaks these rules is rejected
// with [driver.ReasonUndecodable], because once stored it would make each join of its key fail.
// Empty data always passes.
//
// A kind that is not one of the four is an error.
func Content(kinds map[string]ContentKind) Option {
	return func(d *Decoder) error {
		for source, kind := range kinds {
			switch kind {
			case ContentAuto, ContentJSON, ContentText, ContentBytes:
			default:
				return fmt.Errorf("content of %q: %q is not one of auto, json, text and bytes", source, kind)
			}
		}
		d.kinds = kinds
		return nil
	}
}

// content is the data of an event, with the media type and the charset that it declares, or "".
type content struct {
	data           []byte
	media, charset string
}

// declareBytes makes an event whose data came as data_base64 declare bytes, where it
// declares text, JSON or nothing. It leaves Google's payloads alone, whose types say what
// they are.
//
// The field DataBase64 of the SDK's event can't decide this: in an event that a program
// made, it says only that the data was given as a []byte.
func declareBytes(e *cloudevents.Event) {
	media := declared(e.DataContentType())
	if !isGooglePayload(e.Type()) && (media == "" || isJSON(media) || isText(media)) {
		e.SetDataContentType(mediaBytes)
	}
}

// settle returns the content as it will be joined, for a source whose data is of that kind.
// Content without data has no media type.
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
		if kind == ContentText {
			c.charset = ""
		}
		return c, c.checkText(source)
	case c.media == "":
		return c.undeclared(source)
	}
	return c, nil
}

// checkText returns nil for UTF-8, also where the text declares another charset and is ASCII, which is the same in most.
// Some clients declare such a charset for all texts.
func (c content) checkText(source string) error {
	switch {
	case !utf8.Valid(c.data):
		return undecodable("the data, which is %q, is not UTF-8: publish it as UTF-8, or set CONTENT to %s:bytes",
			c.media, source)
	case c.charset == "" || c.charset == "utf-8" || c.charset == "utf8" || c.charset == "us-ascii":
		return nil
	case isPlainASCII(c.data) && !hasOtherASCII(c.charset):
		return nil
	}
	return undecodable("the data, which is %q, declares the charset %q: publish it as UTF-8, or set CONTENT to "+
		"%[3]s:bytes, or, if it is UTF-8 all the same, to %[3]s:text", c.media, c.charset, source)
}

// hasOtherASCII says that bytes of ASCII may be other text in a charset.
func hasOtherASCII(charset string) bool {
	others := []string{"utf-16", "utf16", "utf-32", "utf32", "utf-7", "utf7", "unicode", "ucs-", "iso-10646",
		"iso-2022", "iso2022", "csiso2022", "hz-", "ibm", "cp037", "ebcdic"}
	return slices.ContainsFunc(others, func(kind string) bool { return strings.HasPrefix(charset, kind) })
}

// isPlainASCII says whether data is ASCII without control characters, by which other charsets begin, or pad, their own.
func isPlainASCII(data []byte) bool {
	return !slices.ContainsFunc(data, func(c byte) bool {
		return c >= 0x7f || c < ' ' && c != '\t' && c != '\r' && c != '\n'
	})
}

func (c content) asJSON() (content, error) {
	c.data = rawjson.WithoutMark(c.data)
	if err := checkJoinable(c.data); err != nil {
		return c, undecodable("the data of an event with content type %q: %w", c.media, err)
	}
	return c, nil
}

// checkJoinable returns nil for JSON that can still be read as a member of an object.
func checkJoinable(data []byte) error {
	if err := rawjson.Check(data); err != nil {
		return err
	}
	if rawjson.TooDeep(data) {
		return errTooDeep
	}
	return nil
}

var errTooDeep = fmt.Errorf("JSON nested more than %d deep", MaxNesting)

// undeclared settles content that declares nothing. Data that begins like a JSON object or
// array is meant to be one.
func (c content) undeclared(source string) (content, error) {
	data := rawjson.WithoutMark(c.data)
	err := checkJoinable(data)
	switch {
	case err == nil:
		c.data = data
		return c, nil
	case errors.Is(err, errTooDeep):
		return c, undecodable("the data, which declares nothing: %w: to join it as text, set CONTENT to %s:text",
			err, source)
	case beginsLikeJSON(data):
		return c, undecodable("the data, which declares nothing, begins like JSON: %w: fix the publisher, "+
			"or, to join it as text, set CONTENT to %s:text", err, source)
	}
	return c, nil
}

// beginsLikeJSON says whether data begins like a JSON object or array. Some messages in
// protobuf do, too: there a line feed is the tag of a string in field 1, and { its length.
// The bytes that follow tell the two apart.
func beginsLikeJSON(data []byte) bool {
	first := rawjson.FirstByte(data)
	switch {
	case first != '{' && first != '[':
		return false
	case data[0] == first || !isProtobufMessage(data):
		return true
	}
	inside := rawjson.FirstByte(data[bytes.IndexByte(data, first)+1:])
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

// isProtobufMessage says whether all of data is a message in protobuf.
func isProtobufMessage(data []byte) bool {
	for len(data) > 0 {
		_, _, n := protowire.ConsumeField(data)
		if n < 0 {
			return false
		}
		data = data[n:]
	}
	return true
}
