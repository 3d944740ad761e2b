package convert

import (
	"encoding/json"
	"fmt"
	"strings"
)

// jsonError says where JSON is at fault, but not with what: payloads are for
// nobody's log.
type jsonError struct {
	offset int64
	field  string // empty: the JSON itself is malformed
	want   string // the Go type that the field must fit
}

// Error names the place in bytes from the start.
func (e *jsonError) Error() string {
	if e.want == "" {
		return fmt.Sprintf("malformed JSON at byte %d", e.offset)
	}
	return fmt.Sprintf("field %q, at byte %d, does not fit a %s", e.field, e.offset, e.want)
}

// checkJSON returns nil for one valid JSON value.
func checkJSON(data []byte) error {
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
