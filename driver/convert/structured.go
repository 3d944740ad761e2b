package convert

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"
)

// isEventFormat says whether a media type is that of a whole CloudEvent, or of a
// batch of them.
func isEventFormat(media string) bool {
	return strings.HasPrefix(media, "application/cloudevents")
}

// structuredEvent reads a CloudEvent in structured mode. Only the context goes
// through the SDK, whose reader accepts JSON that is none, and panics at some.
func structuredEvent(media string, body []byte) (*cloudevents.Event, error) {
	switch media {
	case event.ApplicationCloudEventsJSON:
	case event.ApplicationCloudEventsBatchJSON:
		return nil, undecodable("batches of CloudEvents (%s) are not supported: send each event by itself", media)
	default:
		return nil, undecodable("CloudEvents as %q are not supported: send %s", media, event.ApplicationCloudEventsJSON)
	}
	if len(body) == 0 {
		return nil, undecodable("the body is empty: with content type %s it must be a CloudEvent", media)
	}
	if err := checkJSON(body); err != nil {
		return nil, undecodable("the CloudEvent in the body: %w", err)
	}
	if err := checkCount("the CloudEvent in the body", members(body, 1)); err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return nil, undecodable("the CloudEvent in the body is no JSON object")
	}
	data, dataBase64 := object["data"], object["data_base64"]
	encoding := object["datacontentencoding"]
	delete(object, "data")
	delete(object, "data_base64")
	e, err := contextEvent(object)
	if err != nil {
		return nil, err
	}
	if e.SpecVersion() == event.CloudEventsVersionV03 && keyText(encoding) == event.Base64 {
		data, dataBase64 = nil, data // how 0.3 says it
	}
	e.DataEncoded, err = structuredData(mediaType(e.DataContentType()), data, dataBase64)
	e.DataBase64 = dataBase64 != nil
	return e, err
}

// contextEvent makes an event of the members but its data.
func contextEvent(members map[string]json.RawMessage) (*cloudevents.Event, error) {
	attributes := map[string]string{}
	for name, value := range members {
		switch c := firstByte(value); {
		case c == 'n' || !event.IsExtensionNameValid(name):
			delete(members, name) // null is the same as absent
		case c == '"':
			if !validUnicode(string(value)) { // decoded, different keys could meet at U+FFFD
				return nil, undecodable("the CloudEvent's %q is not Unicode text", name)
			}
			attributes[name] = stringOf(value)
		case c == '{' || c == '[' || coreAttribute(name):
			return nil, undecodable("the CloudEvent's %q must be a string", name)
		case c != 't' && c != 'f':
			members[name] = exactNumber(value)
		}
	}
	if err := checkContext("", attributes); err != nil {
		return nil, err
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, undecodable("the CloudEvent in the body: %w", jsonFault(err))
	}
	e := cloudevents.NewEvent()
	if err := e.UnmarshalJSON(text); err != nil {
		return nil, undecodable("the body is no CloudEvent: %s", oneLine(err.Error()))
	}
	return &e, validate(&e)
}

func coreAttribute(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema",
		"schemaurl", "datacontentencoding":
		return true
	}
	return false
}

// exactNumber keeps a number that is no CloudEvents integer (32 bits) as a
// string of its digits. The SDK would make a float64 of it.
func exactNumber(value json.RawMessage) json.RawMessage {
	literal := string(value)
	if n, err := strconv.ParseInt(literal, 10, 32); err == nil && strconv.FormatInt(n, 10) == literal {
		return value
	}
	return json.RawMessage(`"` + literal + `"`)
}

// structuredData returns the data of an event in structured mode: JSON as it is
// written, and a string's value for any other media type.
func structuredData(media string, data, dataBase64 json.RawMessage) ([]byte, error) {
	switch {
	case data != nil && dataBase64 != nil:
		return nil, undecodable(`the CloudEvent has both "data" and "data_base64": it must have one of them at most`)
	case dataBase64 != nil:
		if firstByte(dataBase64) != '"' {
			return nil, undecodable(`the CloudEvent's "data_base64" must be a string`)
		}
		decoded, err := base64.StdEncoding.DecodeString(stringOf(dataBase64))
		if err != nil {
			return nil, undecodable(`the CloudEvent's "data_base64" is not base64, or cut short: %w`, err)
		}
		return decoded, nil
	case data == nil || media == "" || isJSON(media):
		return data, nil
	case firstByte(data) != '"':
		return nil, undecodable(`the CloudEvent's "data" must be a string where datacontenttype is %q: use "data_base64" for binary data`, media)
	}
	return []byte(stringOf(data)), nil
}

// stringOf returns the value of a JSON string, "" for anything else.
func stringOf(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}
