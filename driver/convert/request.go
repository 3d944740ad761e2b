package convert

import (
	"net/http"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"
)

// requestEvent reads the CloudEvent that a request carries, in whichever of the
// forms of the package documentation.
func requestEvent(r *http.Request, body []byte, n *notes) (*cloudevents.Event, error) {
	if encoding := contentEncoding(r.Header); encoding != "" {
		return nil, undecodable("the body has content encoding %q: send it as it is, without a header Content-Encoding", encoding)
	}
	if types := r.Header["Content-Type"]; ambiguous(types) {
		return nil, undecodable("the header Content-Type is there %d times, with different values: send it once", len(types))
	}
	switch media := mediaType(r.Header.Get("Content-Type")); {
	case isEventFormat(media):
		return structuredEvent(media, body, n)
	case hasContext(r.Header):
		return binaryEvent(r.Header, body, DecodeHeader, n)
	case media == "" || isJSON(media):
		return pushEvent(r.URL.Path, body, n)
	default:
		return nil, undecodable("the request is no CloudEvent: it has no ce- headers, and content type %q is neither application/cloudevents+json nor a Pub/Sub push in application/json", media)
	}
}

// contentEncoding returns the first of the body's encodings that is not identity, or "". Each
// header may list several (RFC 9110, section 8.4).
func contentEncoding(header http.Header) string {
	for _, value := range header["Content-Encoding"] {
		for encoding := range strings.SplitSeq(value, ",") {
			if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
				return encoding
			}
		}
	}
	return ""
}

// hasContext says whether a request means to be a CloudEvent in binary mode.
func hasContext(header http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if _, ok := header[name]; ok {
			return true
		}
	}
	return false
}

// pushEvent makes of a Pub/Sub push the event that Eventarc would have sent. A
// push names its subscription only; its topic is known where the push endpoint's
// path says it.
func pushEvent(path string, body []byte, n *notes) (*cloudevents.Event, error) {
	if len(body) == 0 {
		return nil, undecodable("the request is no CloudEvent: it has neither ce- headers nor a body")
	}
	m, _, err := parsePush[skippedData](body, n)
	if err != nil {
		return nil, undecodable("the request has no ce- headers, and is no Pub/Sub push either: %w", err)
	}
	source := pushSource(path, m.subscription)
	switch {
	case m.id == "":
		return nil, undecodable(`the Pub/Sub push has no field "message.messageId"`)
	case source == "":
		return nil, undecodable(`the Pub/Sub push has no field "subscription", and the path of the push endpoint does not contain projects/PROJECT/topics/TOPIC`)
	}
	e, err := newEvent("", map[string]string{"specversion": event.CloudEventsVersionV1, "type": pubsubType, "id": m.id, "source": source,
		"datacontenttype": mediaJSON}, nil, n)
	if err != nil {
		return nil, err
	}
	e.DataEncoded = body
	if !m.published.IsZero() {
		e.SetTime(m.published)
	}
	return e, nil
}

// pushSource returns the ce-source of the topic in path, else the subscription's.
func pushSource(path, subscription string) string {
	segments := strings.Split(path, "/")
	for i := 0; i+3 < len(segments); i++ {
		if segments[i] == "projects" && segments[i+1] != "" && segments[i+2] == "topics" && segments[i+3] != "" {
			return "//pubsub.googleapis.com/" + strings.Join(segments[i:i+4], "/")
		}
	}
	if subscription == "" {
		return ""
	}
	return "//pubsub.googleapis.com/" + subscription
}

// attempt returns which delivery of an event this is, from 1, or 0 where the
// platform didn't say. A push without wrapper says it in a header.
func attempt(header http.Header, attributes map[string]string) int {
	for _, text := range []string{attributes[attributeDeliveryAttempt], header.Get("X-Goog-Pubsub-Delivery-Attempt")} {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			return n
		}
	}
	return 0
}
