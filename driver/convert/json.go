package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// jsonError says where JSON is at fault, but not with what: payloads are for
// nobody's log.
type jsonError struct {
	offset int64
	field  string // empty: the JSON itself is malformed
	want   string // the Go type that the field must fit
	deep   bool   // it is nested too deep
}

// Error names the place in bytes from the start.
func (e *jsonError) Error() string {
	if e.deep {
		return fmt.Sprintf("JSON nested more than %d deep, at byte %d", MaxNesting, e.offset)
	}
	if e.want == "" {
		return fmt.Sprintf("malformed JSON at byte %d", e.offset)
	}
	return fmt.Sprintf("field %q, at byte %d, does not fit a %s", e.field, e.offset, e.want)
}

// checkJSON returns nil for one valid JSON value. encoding/json lets strings pass
// that are not UTF-8; others, who are to read the joined content, don't (RFC 8259).
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("JSON that is not UTF-8: publish it as UTF-8")
	}
	if json.Valid(data) {
		return nil
	}
	var raw json.RawMessage
	return jsonFault(json.Unmarshal(data, &raw))
}

// byteOrderMark is what some programs begin a text in UTF-8 with.
var byteOrderMark = []byte("\ufeff")

// withoutMark returns JSON without the byte order mark before it, which RFC 8259 lets
// readers ignore, and most do.
func withoutMark(data []byte) []byte { return bytes.TrimPrefix(data, byteOrderMark) }

// depth returns how deep the arrays and objects in valid JSON are nested.
func depth(valid []byte) (deepest int) {
	if bytes.Count(valid, []byte{'['})+bytes.Count(valid, []byte{'{'}) <= MaxNesting {
		return 0 // whatever it is, it is not too deep
	}
	open, quoted := 0, false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case quoted && c == '\\':
			i++ // whatever is escaped does not end the string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// withoutNulls returns valid JSON without those members of objects that are null.
func withoutNulls(valid []byte) []byte {
	if !bytes.Contains(valid, []byte("null")) {
		return valid
	}
	kept := make([]byte, 0, len(valid))
	name := 0          // where in kept the last string begins
	dropComma := false // the one that follows a dropped first member
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case c == '"':
			end := i + stringLength(valid[i:])
			name = len(kept)
			kept = append(kept, valid[i:end]...)
			i, dropComma = end-1, false
		case c == ':' && firstByte(valid[i+1:]) == 'n':
			i += bytes.Index(valid[i:], []byte("null")) + len("null") - 1
			kept = bytes.TrimRight(kept[:name], " \t\r\n")
			if dropComma = !bytes.HasSuffix(kept, []byte{','}); !dropComma {
				kept = kept[:len(kept)-1]
			}
		case c == ',' && dropComma:
			dropComma = false
		default:
			kept = append(kept, c)
			dropComma = dropComma && c != '}'
		}
	}
	return kept
}

// stringLength returns how many bytes the JSON string has with which text begins.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// declared returns the media type that a content type declares, in lower case and
// without parameters; "" where it is not a media type (RFC 2045, section 5.1).
func declared(contentType string) string {
	media := mediaType(contentType)
	kind, subtype, ok := strings.Cut(media, "/")
	if !ok || !isToken(kind) || !isToken(subtype) {
		return ""
	}
	return media
}

func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, r)
	})
}

// isText says whether a media type is text.
func isText(media string) bool { return strings.HasPrefix(media, "text/") && !isJSON(media) }

// mediaType returns a content type in lower case and without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// isJSON says whether a media type is JSON: application/json, text/json or any
// that ends in +json (RFC 6839).
func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}
