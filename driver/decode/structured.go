package decode

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"

	"example.com/eventdriver/driver/internal/rawjson"
)

// structuredEvent reads a CloudEvent in structured mode. A member that is null counts as absent.
//
// It is written by hand because the SDK decodes: JSON data would be rewritten, numbers would lose
// digits, and a large event would be in memory several times.
func structuredEvent(media string, body []byte, w *Warnings) (*cloudevents.Event, error) {
	switch media {
	case event.ApplicationCloudEventsJSON:
	case event.ApplicationCloudEventsBatchJSON:
		return nil, undecodable("batches of CloudEvents (%s) are not supported: send each event by itself", media)
	default:
		return nil, undecodable("CloudEvents as %q are not supported: send %s", media, event.ApplicationCloudEventsJSON)
	}
	members, err := structuredMembers(media, body)
	if err != nil {
		return nil, err
	}
	e, err := contextEvent(members, w)
	if err != nil {
		return nil, err
	}
	return e, setData(e, members)
}

// structuredMembers returns the members of the event in body, except for those that are null.
func structuredMembers(media string, body []byte) (map[string]json.RawMessage, error) {
	if body = rawjson.WithoutMark(body); len(body) == 0 {
		return nil, undecodable("the body is empty: with content type %s it must be a CloudEvent", media)
	}
	if err := rawjson.Check(body); err != nil {
		return nil, undecodable("the CloudEvent in the body: %w", err)
	}
	if err := checkCount("the CloudEvent in the body", rawjson.CountMembers(body, 1)); err != nil {
		return nil, err
	}
	object := rawjson.Members(body)
	if object == nil {
		return nil, undecodable("the CloudEvent in the body is no JSON object")
	}
	length := 0
	for name, value := range object {
		if name != "data" && name != "data_base64" {
			length += len(name) + len(value)
		}
	}
	if err := checkSize("the CloudEvent in the body", length); err != nil {
		return nil, err
	}
	maps.DeleteFunc(object, func(_ string, value json.RawMessage) bool { return rawjson.FirstByte(value) == 'n' })
	return object, nil
}

// contextEvent makes an event, without its data, of the members. A member whose name can't be that
// of an attribute is ignored.
func contextEvent(members map[string]json.RawMessage, w *Warnings) (*cloudevents.Event, error) {
	all := make(attributes, 0, len(members))
	for _, member := range slices.Sorted(maps.Keys(members)) { // "KEY" before "key", which prevails
		name := strings.ToLower(member)
		if name == "data" || !event.IsExtensionNameValid(name) || coreAttribute(name) && name != member {
			continue
		}
		value, err := attributeValue(members[member], coreAttribute(name))
		if err != nil {
			if err = malformed("", name, err, w); err != nil {
				return nil, err
			}
			continue
		}
		if text, ok := value.(string); ok {
			all = append(all, attribute{name: name, text: text})
		} else {
			all = append(all, attribute{name: name, other: value})
		}
	}
	return newEvent("", all, w)
}

// attributeValue returns the value of an attribute in JSON: a string, a bool or an int32. A number
// that is no CloudEvents integer (32 bits) becomes the string of its digits.
func attributeValue(value json.RawMessage, mustBeText bool) (any, error) {
	switch c := rawjson.FirstByte(value); {
	case c == '"':
		if !rawjson.ValidUnicode(value) { // decoded, different keys could become the same U+FFFD
			return nil, errors.New("the string is not Unicode text")
		}
		return string(rawjson.Text(value)), nil
	case c == '{' || c == '[' || mustBeText:
		return nil, errors.New("it must be a string")
	case c == 't' || c == 'f':
		return c == 't', nil
	}
	literal := string(value)
	if n, err := strconv.ParseInt(literal, 10, 32); err == nil && strconv.FormatInt(n, 10) == literal {
		return int32(n), nil
	}
	return literal, nil
}

// setData sets the event's data: JSON as it is written, also if nothing is declared, and the value
// of a string for any other media type.
func setData(e *cloudevents.Event, members map[string]json.RawMessage) (err error) {
	data, dataBase64 := members["data"], members["data_base64"]
	if data != nil && dataBase64 != nil {
		return undecodable(`the CloudEvent has both "data" and "data_base64": it must have one of them at most`)
	}
	encoding := rawjson.ScalarText(members["datacontentencoding"])
	if data != nil && e.SpecVersion() == event.CloudEventsVersionV03 && encoding == event.Base64 {
		data, dataBase64 = nil, data // the form of CloudEvents 0.3
	}
	media := declared(e.DataContentType())
	switch {
	case dataBase64 != nil:
		declareBytes(e)
		e.DataBase64 = true
		e.DataEncoded, err = decodedData(dataBase64)
		return err
	case data == nil:
		return nil
	case media == "":
		e.SetDataContentType(event.ApplicationJSON) // the default of this format
	case isJSON(media):
	case rawjson.FirstByte(data) != '"':
		return undecodable(`the CloudEvent's "data" must be a string where datacontenttype is %q: `+
			`use "data_base64" for binary data`, media)
	case !rawjson.ValidUnicode(data):
		return undecodable(`the CloudEvent's "data" is not Unicode text: use "data_base64" for binary data`)
	default:
		data = rawjson.Text(data)
		e.SetDataContentType(media) // in JSON, a string is Unicode whatever charset it declares
	}
	e.DataEncoded = data
	return nil
}

func decodedData(dataBase64 json.RawMessage) ([]byte, error) {
	if rawjson.FirstByte(dataBase64) != '"' {
		return nil, undecodable(`the CloudEvent's "data_base64" must be a string`)
	}
	decoded, err := decodeBase64(rawjson.Text(dataBase64))
	if err != nil {
		return nil, undecodable(`the CloudEvent's "data_base64" is not base64, or cut short: %w`, err)
	}
	return decoded, nil
}
