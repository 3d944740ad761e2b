package decode

import (
	"net/http"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"
)

// mode is the form in which a request carries an event.
type mode int

const (
	binaryMode     mode = iota // attributes in ce- headers
	structuredMode             // the whole event in the body
	pushMode                   // a Pub/Sub push, or no event
)

func modeOf(header http.Header) mode {
	switch {
	case isEventFormat(mediaType(header.Get("Content-Type"))):
		return structuredMode
	case hasContext(header):
		return binaryMode
	}
	return pushMode
}

// hasContext says whether a request is meant to be a CloudEvent in binary mode.
func hasContext(header http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if _, ok := header[name]; ok {
			return true
		}
	}
	return false
}

// IsPush says whether a request that carries an event carries it as a Pub/Sub push, without
// ce- headers.
func IsPush(header http.Header) bool { return modeOf(header) == pushMode }

// CopiesData says whether an event's data is decoded from the request's body, so that memory
// holds both. In binary mode the body is the data, except for a Pub/Sub message.
func CopiesData(header http.Header) bool {
	return modeOf(header) != binaryMode || header.Get("Ce-Type") == pubsubType
}

// Attempt returns the number of this delivery of an event, from 1, or 0 if the platform did not
// say it. A push without wrapper says it in a header, any other in the message's attributes.
func Attempt(header http.Header, attributes map[string]string) int {
	for _, text := range []string{attributes[attributeDeliveryAttempt], header.Get("X-Goog-Pubsub-Delivery-Attempt")} {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// Request returns the CloudEvent that a request carries with this body, in one of the forms
// of the package documentation. It adds to w, which may be nil, and does not read r.Body. The
// event may share the body's memory. A request that is no event is rejected with
// [driver.ReasonUndecodable].
func Request(r *http.Request, body []byte, w *Warnings) (*cloudevents.Event, error) {
	if encoding := ContentEncoding(r.Header["Content-Encoding"]); encoding != "" {
		return nil, undecodable("the body has content encoding %q: send it as it is, without a header Content-Encoding",
			encoding)
	}
	if types := r.Header["Content-Type"]; ambiguous(types) {
		return nil, undecodable("the request has %d headers Content-Type with different values: send one", len(types))
	}
	media := mediaType(r.Header.Get("Content-Type"))
	switch mode := modeOf(r.Header); {
	case mode == structuredMode:
		return structuredEvent(media, body, w)
	case mode == binaryMode:
		return binaryEvent(r.Header, body, DecodeHeader, w)
	case media == "" || isJSON(media):
		return pushEvent(r.URL.Path, body, w)
	}
	return nil, undecodable("the request is no CloudEvent: it has no ce- headers, and content type %q is neither "+
		"application/cloudevents+json nor application/json, as a Pub/Sub push has", media)
}

// Outside returns the event of a request whose body can't be read, without data, where its headers say all else; nil:
// they do not. Beside the data it lacks nothing, so whoever reads the key of the event from outside of the data finds it.
func Outside(header http.Header) *cloudevents.Event {
	if modeOf(header) != binaryMode {
		return nil
	}
	e, err := binaryEvent(header, nil, DecodeHeader, nil)
	if err != nil {
		return nil
	}
	return e
}

// ContentEncoding returns the first encoding that is not identity in the values of headers Content-Encoding, or "". Each
// value may list several (RFC 9110, section 8.4).
func ContentEncoding(values []string) string {
	for _, value := range values {
		for encoding := range strings.SplitSeq(value, ",") {
			if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
				return encoding
			}
		}
	}
	return ""
}

// pushEvent makes the event of a Pub/Sub push that Eventarc would have sent. A push names only
// its subscription; the topic is known if the path of the push endpoint names it.
func pushEvent(path string, body []byte, w *Warnings) (*cloudevents.Event, error) {
	if len(body) == 0 {
		return nil, undecodable("the request is no CloudEvent: it has neither ce- headers nor a body")
	}
	m, _, err := parsePush[skippedData](body, w)
	if err != nil {
		return nil, undecodable("the request has no ce- headers, and is no Pub/Sub push either: %w", err)
	}
	source := pushSource(path, m.subscription)
	switch {
	case m.id == "":
		return nil, undecodable(`the Pub/Sub push has no field "message.messageId"`)
	case source == "":
		return nil, undecodable(`the Pub/Sub push has no field "subscription", ` +
			"and the path of the push endpoint does not contain projects/PROJECT/topics/TOPIC")
	}
	e, err := newEvent("", attributes{
		{name: "specversion", text: event.CloudEventsVersionV1},
		{name: "id", text: m.id},
		{name: "source", text: source},
		{name: "type", text: pubsubType},
		{name: "datacontenttype", text: mediaJSON},
	}, w)
	if err != nil {
		return nil, err
	}
	e.DataEncoded = body
	if !m.published.IsZero() {
		e.SetTime(m.published)
	}
	return e, nil
}

// pushSource returns the ce-source of the topic in path, or else of the subscription, whose names may have a %.
func pushSource(path, subscription string) string {
	segments := strings.Split(path, "/")
	for i := 0; i+3 < len(segments); i++ {
		if segments[i] == "projects" && segments[i+1] != "" && segments[i+2] == "topics" && segments[i+3] != "" {
			subscription = strings.Join(segments[i:i+4], "/")
			break
		}
	}
	if subscription == "" {
		return ""
	}
	return "//pubsub.googleapis.com/" + strings.ReplaceAll(subscription, "%", "%25")
}
