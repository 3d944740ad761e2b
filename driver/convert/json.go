package convert

import (
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
