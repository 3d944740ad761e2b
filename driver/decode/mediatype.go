package decode

import (
	"mime"
	"strings"
)

// The media types of content whose event declares none, or another one.
const (
	mediaJSON  = "application/json"
	mediaText  = "text/plain"
	mediaBytes = "application/octet-stream"
)

// mediaType returns a content type in lower case and without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// declared is [mediaType], but "" for what is no media type (RFC 2045, section 5.1).
func declared(contentType string) string {
	media := mediaType(contentType)
	kind, subtype, ok := strings.Cut(media, "/")
	if !ok || !isToken(kind) || !isToken(subtype) {
		return ""
	}
	return media
}

// charsetOf returns the charset that a content type names, in lower case, or "".
func charsetOf(contentType string) string {
	if !strings.Contains(contentType, ";") {
		return ""
	}
	_, parameters, _ := mime.ParseMediaType(contentType) // a malformed one names none
	return strings.ToLower(parameters["charset"])
}

func isToken(text string) bool {
	for i := range len(text) {
		if !inToken[text[i]] {
			return false
		}
	}
	return text != ""
}

// inToken are the bytes of which tokens are made.
var inToken = func() (all [256]bool) {
	for c := range all {
		all[c] = c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, byte(c)) < 0
	}
	return all
}()

// isEventFormat says whether a media type is that of a whole CloudEvent, or of a batch.
func isEventFormat(media string) bool { return strings.HasPrefix(media, "application/cloudevents") }

// isText says whether a media type is text.
func isText(media string) bool { return strings.HasPrefix(media, "text/") && !isJSON(media) }

// isJSON says whether a media type is JSON: application/json, text/json, or one that ends
// in +json (RFC 6839).
func isJSON(media string) bool {
	return media == mediaJSON || media == "text/json" || strings.HasSuffix(media, "+json")
}

// isProtobuf says whether a media type is protobuf.
func isProtobuf(media string) bool {
	switch media {
	case "application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf":
		return true
	}
	return false
}
