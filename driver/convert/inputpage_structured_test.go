package convert_test

import (
	"fmt"
	"net/http"
	"strings"

	"example.com/eventdriver/driver/internal/eventtest"
)

// structured returns a request with an event in structured mode.
func structured(body string) inputs { return plain("application/cloudevents+json", body) }

// membered returns structured events that have each of these members.
func membered(members ...string) (all inputs) {
	for _, member := range members {
		all = append(all, structured(eventtest.Structured(`,`+member))...)
	}
	return all
}

// members returns the member with each of the values, as JSON strings.
func members(name string, values ...string) (all []string) {
	for _, value := range values {
		all = append(all, fmt.Sprintf("%q:%q", name, value))
	}
	return all
}

func structuredHostiles() map[string]hostile {
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"x%d":1`, i)
	}
	return map[string]hostile{
		"structured, [`application/cloudevents+json`]":    {membered(`"data":{"a":1}`), accepted, ""},
		"structured, [with `charset=utf-8`, in capitals]": {plain("Application/CloudEvents+JSON; charset=UTF-8", eventtest.Structured(``)), accepted, ""},
		"structured, [binary data]":                       {membered(`"data_base64":"AP8="`), accepted, ""},
		"structured, [no data]":                           {structured(eventtest.Structured(``)), accepted, ""},
		"structured, [unknown extensions]":                {membered(`"x":1,"y":true,"z":"z"`), accepted, ""},
		"structured, malformed optional attribute: left out [member that can't be an attribute]": {membered(`"not a name":{}`), accepted, ""},
		"structured, member twice: the last counts":                                              {membered(`"id":"2"`), accepted, ""},
		"structured, member null: as if absent": {membered(`"subject":null`, `"time":null`, `"dataschema":null`, `"datacontenttype":null,"data":{}`, `"x":null`, `"data":null`,
			`"data_base64":null,"data":1`, `"data":null,"data_base64":"AA=="`, `"data":null,"data_base64":null`, `"datacontentencoding":null,"data":1`, `"key":null,"partitionkey":"k"`), accepted, ""},
		"structured, integer beyond 32 bits: kept as its digits": {membered(`"x":9007199254740993`), accepted, ""},
		"structured, [byte order mark before it]":                {structured("\ufeff" + eventtest.Structured(``)), accepted, ""},
		"structured, [`dataschema` anything: not looked at]": {membered(members("dataschema", "%zz", "/schemas/order.json", "order-v1",
			"#/components/schemas/Order", "", "http://[::1", "a b")...), accepted, ""},
		"structured, [`time` of RFC 3339, leap seconds included]":                                 {membered(members("time", rfc3339...)...), accepted, ""},
		"structured, malformed optional attribute: left out [`time` not a time]":                  {membered(append(members("time", append(notRFC3339, "")...), `"time":1772352900`, `"time":{}`, `"time":true`)...), accepted, `"time\": `},
		"structured, malformed optional attribute: left out [`subject` empty or not a string]":    {membered(`"subject":""`, `"subject":1`, `"subject":[]`), accepted, `"subject\": `},
		"structured, malformed optional attribute: left out [`datacontenttype` not a media type]": {membered(`"datacontenttype":"json","data":{}`, `"datacontenttype":1,"data":{}`, `"datacontenttype":""`), accepted, "datacontenttype"},
		"structured, malformed optional attribute: left out [extension an object or an array]":    {membered(`"x":{}`, `"x":["a"]`), accepted, `"x\": it must be a string`},
		"structured, malformed optional attribute: left out [extension with half a surrogate]":    {membered(`"x":"\ud800"`), accepted, `"x\": the string is not Unicode`},
		"structured, with `ce-` headers as well: the body decides": {one(func() *http.Request {
			return eventtest.Binary(eventtest.Structured(``), "Content-Type", "application/cloudevents+json")
		}), accepted, ""},
		"structured, [`time` with a comma before the fraction]":                                       {membered(members("time", comma)...), undecodable, "RFC 3339 has a point"},
		"structured, no JSON object [empty body]":                                                     {each(structured(``), structured("\ufeff")), undecodable, "empty"},
		"structured, no JSON object [malformed]":                                                      {structured(`{"id"`), undecodable, "malformed JSON"},
		"structured, no JSON object [an array]":                                                       {structured(`[]`), undecodable, "no JSON object"},
		"structured, no JSON object [cut short]":                                                      {structured(eventtest.Structured(``)[:40]), undecodable, "malformed JSON"},
		"structured, no JSON object [not UTF-8]":                                                      {membered(`"x":"` + "\xe9" + `"`), undecodable, "not UTF-8"},
		"structured, no JSON object [UTF-16]":                                                         {structured("\xff\xfe{\x00}\x00"), undecodable, "not UTF-8"},
		"structured, no JSON object [more after it]":                                                  {structured(eventtest.Structured(``) + `{}`), undecodable, "malformed JSON"},
		"structured, required attribute missing, empty or not a string [required attribute missing]":  {structured(`{"specversion":"1.0","source":"s","type":"t"}`), undecodable, "id is missing"},
		"structured, required attribute missing, empty or not a string [required attribute null]":     {structured(`{"specversion":"1.0","id":null,"source":"s","type":"t"}`), undecodable, "id is missing"},
		"structured, required attribute missing, empty or not a string [required attribute empty]":    {structured(`{"specversion":"1.0","id":"","source":"s","type":"t"}`), undecodable, "id is missing"},
		"structured, required attribute missing, empty or not a string [required attribute a number]": {structured(`{"specversion":1.0,"id":"1","source":"s","type":"t"}`), undecodable, `"specversion": it must be a string`},
		"structured, `key` an object or not Unicode":                                                  {membered(`"key":{}`, `"key":["k"]`, `"key":"\udc00"`, `"partitionkey":{}`), undecodable, `key": `},
		"structured, `data` and `data_base64`":                                                        {membered(`"data":1,"data_base64":""`), undecodable, "both"},
		"structured, `data_base64` not base64":                                                        {membered(`"data_base64":"a"`), undecodable, "not base64"},
		"structured, `data_base64` not base64 [`data_base64` a number]":                               {membered(`"data_base64":1`), undecodable, "must be a string"},
		"structured, data an object though it says `text/plain`":                                      {membered(`"datacontenttype":"text/plain","data":{}`), undecodable, "data_base64"},
		"structured, text with half a surrogate":                                                      {membered(`"datacontenttype":"text/plain","data":"\ud800"`), undecodable, "not Unicode text"},
		"structured, [100,000 extensions]":                                                            {structured(eventtest.Structured(many.String())), undecodable, "100005 attributes"},
		"structured, [key of 1 MB]":                                                                   {structured(strings.Replace(eventtest.Structured(``), `"k"`, `"`+strings.Repeat("k", 1<<20)+`"`, 1)), undecodable, "key has 1048576 bytes"},
		"structured, [no key anywhere]":                                                               {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`), noKey, "no key"},
		"a batch, or another format [batch (`application/cloudevents-batch+json`)]":                   {plain("application/cloudevents-batch+json", `[`+eventtest.Structured(``)+`]`), undecodable, "batches"},
		"a batch, or another format [batch, empty]":                                                   {plain("application/cloudevents-batch+json", `[]`), undecodable, "batches"},
		"a batch, or another format [another format (`application/cloudevents+xml`)]":                 {plain("application/cloudevents+xml", `<event/>`), undecodable, "application/cloudevents+xml"},
		"a batch, or another format [another format (`application/cloudevents+protobuf`)]":            {plain("application/cloudevents+protobuf", "\x0a\x01"), undecodable, "protobuf"},
	}
}
