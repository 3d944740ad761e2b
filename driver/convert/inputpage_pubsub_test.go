package convert_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func jsonBody(body string) inputs { return plain("application/json", body) }

// message returns a push of a message with these members beside its ID and key.
func message(members string) inputs {
	return jsonBody(`{"message":{"messageId":"1","attributes":{"key":"k"}` + members + `},"subscription":"projects/p/subscriptions/s"}`)
}

// messages returns a push for each of the members.
func messages(members ...string) (all inputs) {
	for _, member := range members {
		all = append(all, message(`,`+member)...)
	}
	return all
}

func wrap(attributes, data string) inputs { return jsonBody(string(eventtest.Push(attributes, data))) }

func pushHostiles() map[string]hostile {
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"x%d":"1"`, i)
	}
	nested := "x"
	for range 5 {
		nested = string(eventtest.Push(`{"ce-specversion":"1.0","ce-id":"i","ce-source":"s","ce-type":"`+eventtest.PubSubType+`"}`, nested))
	}
	inner := func(more string) inputs {
		return wrap(`{"ce-specversion":"1.0","ce-id":"i","ce-source":"s","ce-type":"t","ce-key":"k"`+more+`}`, "x")
	}
	return map[string]hostile{
		"push, [plain]":                                                {message(`,"data":"e30="`), accepted, ""},
		"push, [no data]":                                              {each(message(``), messages(`"data":""`, `"data":null`)), accepted, ""},
		"push, [unknown fields]":                                       {message(`,"new":{"a":[1]}`), accepted, ""},
		"push, [random bytes as data]":                                 {message(`,"data":"AP8="`), accepted, ""},
		"push, [ID and time in both spellings]":                        {message(`,"message_id":"1","publishTime":"2021-02-05T04:06:14Z","publish_time":"2021-02-05T04:06:14Z"`), accepted, ""},
		"push, [byte order mark before it]":                            {jsonBody("\ufeff" + `{"message":{"messageId":"1","attributes":{"key":"k"}},"subscription":"s"}`), accepted, ""},
		"push, [time of RFC 3339]":                                     {messages(members("publishTime", rfc3339...)...), accepted, ""},
		"push, malformed time: left out":                               {messages(members("publishTime", notRFC3339...)...), accepted, "message.publishTime: not a time"},
		"push, [time with a comma]":                                    {messages(members("publishTime", comma)...), undecodable, "RFC 3339 has a point"},
		"push, not a push [malformed]":                                 {jsonBody(`{"message":{`), undecodable, "malformed JSON"},
		"push, not a push [no message]":                                {jsonBody(`{"subscription":"s"}`), undecodable, `"message"`},
		"push, not a push [message null]":                              {jsonBody(`{"message":null,"subscription":"s"}`), undecodable, `"message"`},
		"push, not a push [an array]":                                  {jsonBody(`[]`), undecodable, "push"},
		"push, not a push [no message ID]":                             {jsonBody(`{"message":{},"subscription":"s"}`), undecodable, "message.messageId"},
		"push, not a push [no subscription]":                           {jsonBody(`{"message":{"messageId":"1"}}`), undecodable, "subscription"},
		"push, data not base64":                                        {message(`,"data":"a"`), undecodable, "message.data"},
		"push, data not base64 [data a number]":                        {messages(`"data":1`, `"data":[1]`, `"data":{}`), undecodable, "message.data"},
		"push, attributes not strings [attribute a number]":            {message(`,"attributes":{"a":1}`), undecodable, "message.attributes"},
		"push, attributes not strings [attributes a list]":             {message(`,"attributes":[]`), undecodable, "message.attributes"},
		"push, not a push [half a surrogate]":                          {message(`,"attributes":{"a":"\udc00"}`), undecodable, "Unicode"},
		"push, not a push [not UTF-8]":                                 {message(`,"attributes":{"a":"` + "\xe9" + `"}`), undecodable, "Unicode"},
		"push, delivery attempt beyond 64 bits":                        {message(`,"deliveryAttempt":99999999999999999999`), undecodable, "deliveryAttempt"},
		"push, [100,000 attributes]":                                   {message(`,"attributes":{"key":"k"` + many.String() + `}`), undecodable, "attributes: it must not have more than 1000"},
		"push, [message ID of 4,097 bytes]":                            {jsonBody(`{"message":{"messageId":"` + strings.Repeat("1", decode.MaxName+1) + `"},"subscription":"s"}`), undecodable, "4097 bytes"},
		"push, [no key anywhere]":                                      {jsonBody(`{"message":{"messageId":"1"},"subscription":"s"}`), noKey, "no key"},
		"CloudEvent in it, binary or structured: that counts [binary]": {inner(``), accepted, ""},
		"CloudEvent in it, binary or structured: that counts [binary, `%` in an attribute]":           {inner(`,"ce-x":"100%25 %zz"`), accepted, ""},
		"CloudEvent in it, binary or structured: that counts [binary, time not a time]":               {inner(`,"ce-time":"now"`), accepted, "ce-time: not a time"},
		"CloudEvent in it, binary or structured: that counts [structured]":                            {wrap(`{"content-type":"application/cloudevents+json"}`, eventtest.Structured(``)), accepted, ""},
		"CloudEvent in it that is wrong by itself [binary, `ce-id` missing]":                          {wrap(`{"ce-specversion":"1.0","ce-source":"s","ce-type":"t","key":"k"}`, "x"), undecodable, "ce-id"},
		"CloudEvent in it that is wrong by itself [binary, time with a comma]":                        {inner(`,"ce-time":"` + comma + `"`), undecodable, "RFC 3339 has a point"},
		"CloudEvent in it that is wrong by itself [structured, malformed]":                            {wrap(`{"content-type":"application/cloudevents+json"}`, `{`), undecodable, "malformed JSON"},
		"CloudEvent in it that is wrong by itself [batch]":                                            {wrap(`{"content-type":"application/cloudevents-batch+json"}`, `[]`), undecodable, "batches"},
		"CloudEvent in it, five deep [five times]":                                                    {jsonBody(nested), undecodable, "more than 4 deep"},
		"Eventarc's Pub/Sub event, in protobuf or without a body [Eventarc's Pub/Sub event, no body]": {one(func() *http.Request { return eventtest.Binary("", "Ce-Type", eventtest.PubSubType) }), undecodable, "empty"},
		"Eventarc's Pub/Sub event, in protobuf or without a body [Eventarc's Pub/Sub event, in protobuf]": {one(func() *http.Request {
			return eventtest.Binary("\x0a\x00", "Ce-Type", eventtest.PubSubType, "Content-Type", "application/protobuf")
		}), undecodable, "application/protobuf"},
	}
}

// pushed returns a push of each of the texts, with these attributes beside the key.
func pushed(attributes string, texts ...string) (all inputs) {
	for _, text := range texts {
		all = append(all, jsonBody(`{"message":{"messageId":"1","attributes":{"key":"k"`+attributes+`},"data":"`+
			base64.StdEncoding.EncodeToString([]byte(text))+`"},"subscription":"projects/p/subscriptions/s"}`)...)
	}
	return all
}

// almostJSON are texts that begin like JSON, but are malformed.
var almostJSON = []string{`{"items":`, `{`, `[`, " \r\n\t{", "\ufeff{\"a\":", `{"a":1}}`, `{"a":1} {"b":2}`, `[1,2,]`, `{'a':1}`, `{a:1}`, `{"a":NaN}`, `[01]`, `{"a":"` + "\xe9" + `"}`,
	"{\"a\":\"\x00\"}", "{\"a\":\"\n\"}", `[INFO] started`, `{{template}}`, "\n{\n  \"a\": 1,\n}", "\n[\n  1,\n]", "\n{" + `"a":"` + strings.Repeat("x", 119) + "\n", `[[[`, `{"a":1`}

// protobufs are messages in protobuf; the last begin like JSON.
var protobufs = []string{"\x0a\x03abc", "\x0a\x03ab\xff", "\x08\x96\x01", "\x12\x07testing",
	"\n{" + strings.Repeat("a", 123), "\n[" + strings.Repeat("a", 91), "\n{" + strings.Repeat("\x08", 122) + "\x01\x12\x01b", "\n {" + strings.Repeat("a", 31)}

func undeclaredHostiles() map[string]hostile {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	return map[string]hostile{
		"undeclared, JSON":     {pushed(``, `{"a":1}`, " [1]\n", "\ufeff{}", `42`, `-1e5`, `"text"`, `true`, `null`, "\ufeff1", deep(9999)), accepted, ""},
		"undeclared, text":     {pushed(``, `hello`, `0042`, `1e`, ` `, `"quoted`, `a{`, "\ufeffhello", `<a/>`), accepted, ""},
		"undeclared, bytes":    {pushed(``, "\xff\x00", "\x00", "\xc3\x01\x7b", "\"\xff\"", "\xff\xfe{\x00}\x00"), accepted, ""},
		"undeclared, protobuf": {pushed(``, protobufs...), accepted, ""},
		"undeclared, begins like JSON, but is malformed": {pushed(``, almostJSON...), undecodable, "begins like JSON"},
		"undeclared, JSON nested 10,000 deep":            {pushed(``, deep(10_000), deep(10_001)), undecodable, "more than 9999 deep"},
		"undeclared, in an event in binary mode":         {one(func() *http.Request { r := eventtest.Binary(`{"items":`); r.Header.Del("Content-Type"); return r }), undecodable, "set CONTENT to event1:text"},
		"undeclared, in a wrapped event":                 {wrap(`{"ce-specversion":"1.0","ce-id":"i","ce-source":"s","ce-type":"t","ce-key":"k"}`, `{"items":`), undecodable, "begins like JSON"},
		"schema, `BINARY`: bytes":                        {pushed(`,"googclient_schemaencoding":"BINARY"`, append(almostJSON, protobufs...)...), accepted, ""},
		"schema, `JSON`":                                 {pushed(`,"googclient_schemaencoding":"JSON"`, `{"a":1}`, `"a"`), accepted, ""},
		"schema, `JSON`, for other data":                 {pushed(`,"googclient_schemaencoding":"JSON"`, `hello`, `{"a":`, `0042`), undecodable, "malformed JSON"},
		"attribute `content-type`: text, bytes":          {each(pushed(`,"content-type":"text/plain"`, almostJSON[0], `1`), pushed(`,"Content-Type":"avro/binary"`, almostJSON...)), accepted, ""},
		"attribute `content-type`: JSON, for other data": {pushed(`,"content-type":"application/json"`, `hello`, almostJSON[0]), undecodable, "JSON"},
		"text, not UTF-8":                                {pushed(`,"content-type":"text/plain; charset=iso-8859-1"`, "caf\xe9"), undecodable, "not UTF-8"},
	}
}
