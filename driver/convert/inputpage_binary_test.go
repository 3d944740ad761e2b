package convert_test

import (
	"fmt"
	"net/http"
	"strings"

	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func headed(pairs ...string) inputs {
	return one(func() *http.Request { return eventtest.Binary(`{"a":1}`, pairs...) })
}

func without(names ...string) inputs {
	return one(func() *http.Request {
		r := eventtest.Binary(`{"a":1}`)
		for _, name := range names {
			r.Header.Del(name)
		}
		return r
	})
}

func twice(name, value string) inputs {
	return one(func() *http.Request {
		r := eventtest.Binary(`{"a":1}`)
		r.Header.Add(name, value)
		return r
	})
}

// valued returns events that have each of the values in a header.
func valued(header string, values ...string) (all inputs) {
	for _, value := range values {
		all = append(all, headed(header, value)...)
	}
	return all
}

func withEncodings(encodings ...string) inputs {
	return one(func() *http.Request {
		r := eventtest.Binary(`{"a":1}`)
		r.Header["Content-Encoding"] = encodings
		return r
	})
}

func withExtensions(n int) inputs {
	return one(func() *http.Request {
		r := eventtest.Binary(`{"a":1}`)
		for i := range n {
			r.Header.Set(fmt.Sprint("Ce-X", i), "1")
		}
		return r
	})
}

func withMethod(method string) inputs {
	return one(func() *http.Request {
		r := eventtest.Binary(`{"a":1}`)
		r.Method = method
		return r
	})
}

// plain returns a request without ce- headers.
func plain(contentType, body string) inputs {
	return one(func() *http.Request {
		if contentType == "" {
			return eventtest.Request([]byte(body))
		}
		return eventtest.Request([]byte(body), "Content-Type", contentType)
	})
}

// rfc3339 are times in the grammar of RFC 3339.
var rfc3339 = []string{"2026-03-01T08:15:00Z", "2026-03-01t08:15:00z", "2026-03-01T08:15:00z", "2016-12-31T23:59:60Z", "2016-12-31T15:59:60-08:00",
	"1990-12-31t23:59:60.5z", "1985-04-12T23:20:50.1234567890123+23:59", "2026-03-01T08:15:00-00:00"}

// notRFC3339 are texts outside of the grammar of RFC 3339.
var notRFC3339 = []string{"now", "2018-04-05", "2026-03-01 08:15:00Z", "2026-03-01T08:15:00", "2026-03-01T08:15Z", "2026-02-29T00:00:00Z",
	"2026-03-01T08:15:00+0100", "1772352900"}

const comma = "2026-03-01T08:15:00,5Z"

func binaryHostiles() map[string]hostile {
	long := strings.Repeat("k", decode.MaxName+1)
	kafka := func(source string) inputs {
		return headed("Ce-Type", "dev.knative.kafka.event", "Ce-Source", source)
	}
	return map[string]hostile{
		"binary, [`application/json`]":                                              {headed(), accepted, ""},
		"binary, [`application/json; charset=utf-8`]":                               {headed("Content-Type", "application/json; charset=utf-8"), accepted, ""},
		"binary, no `Content-Type`: the data declares nothing":                      {without("Content-Type"), accepted, ""},
		"binary, unknown `Content-Type`: the data is bytes":                         {headed("Content-Type", "application/x-unknown"), accepted, ""},
		"binary, malformed optional attribute: left out [malformed `Content-Type`]": {valued("Content-Type", "a/b/c", "json", "application/", "application/json charset=utf-8", ";"), accepted, "datacontenttype"},
		"binary, [no body]":         {one(func() *http.Request { return eventtest.Binary("") }), accepted, ""},
		"binary, [specversion 0.3]": {headed("Ce-Specversion", "0.3"), accepted, ""},
		"binary, malformed optional attribute: left out [`ce-` header that can't be an attribute]":           {headed("Ce-Not_A-Name", "x"), accepted, ""},
		"binary, [`ce-` header twice with one value]":                                                        {twice("Ce-Key", "k"), accepted, ""},
		"binary, [percent-encoded `ce-` header: decoded once]":                                               {valued("Ce-Key", "Euro%20%E2%82%AC", "%2525", `"Euro \"€\""`), accepted, ""},
		"binary, [`%` that is not percent-encoding in a `ce-` header]":                                       {valued("Ce-Key", "100%", "%zz", "%"), accepted, ""},
		"binary, [`ce-` header in UTF-8]":                                                                    {headed("Ce-Key", "Euro €"), accepted, ""},
		"binary, [id, type and key of 4,096 bytes]":                                                          {headed("Ce-Id", long[1:], "Ce-Type", long[1:], "Ce-Key", long[1:]), accepted, ""},
		"binary, [990 extensions]":                                                                           {withExtensions(990), accepted, ""},
		"binary, [`ce-time` of RFC 3339, leap seconds included]":                                             {valued("Ce-Time", rfc3339...), accepted, ""},
		"binary, malformed optional attribute: left out [`ce-time` not a time]":                              {valued("Ce-Time", notRFC3339...), accepted, "ce-time: not a time"},
		"binary, malformed optional attribute: left out [`ce-subject` blank]":                                {valued("Ce-Subject", "", "%20"), accepted, "ce-subject: empty"},
		"binary, [`ce-dataschema` anything: not looked at]":                                                  {valued("Ce-Dataschema", "%zz", "order-v1", "", "#/a"), accepted, ""},
		"binary, malformed optional attribute: left out [extension not UTF-8]":                               {valued("Ce-X", "\xff", "%C0%A0", "%ED%A0%80"), accepted, "ce-x: not valid UTF-8"},
		"binary, malformed optional attribute: left out [extension twice with two values]":                   {one(func() *http.Request { r := eventtest.Binary("1"); r.Header["Ce-X"] = []string{"1", "2"}; return r }), accepted, "ce-x: the header is there several times"},
		"binary, [`ce-source` in any spelling]":                                                              {valued("Ce-Source", "Shop:Orders", "URN:a:b", "HTTPS://Shop.example:443/%7e", "/orders#", "/orders?", "my_shop:orders", "a b", "é", "//[::1"), accepted, ""},
		"binary, [`ce-time` with a comma before the fraction]":                                               {headed("Ce-Time", comma), undecodable, "RFC 3339 has a point"},
		"binary, required attribute missing or blank [`ce-id` missing]":                                      {without("Ce-Id"), undecodable, "ce-id"},
		"binary, required attribute missing or blank [`ce-source` missing]":                                  {without("Ce-Source"), undecodable, "ce-source"},
		"binary, required attribute missing or blank [`ce-type` missing]":                                    {without("Ce-Type"), undecodable, "ce-type"},
		"binary, required attribute missing or blank [`ce-specversion` missing]":                             {without("Ce-Specversion"), undecodable, "ce-specversion"},
		"binary, required attribute missing or blank [`ce-id` blank]":                                        {headed("Ce-Id", " "), undecodable, "ce-id"},
		"binary, specversion of the future":                                                                  {headed("Ce-Specversion", "1.1"), undecodable, "ce-specversion"},
		"binary, `ce-source` not a URI reference":                                                            {valued("Ce-Source", "%zz", "a\tb", "/100%"), undecodable, "ce-source"},
		"binary, key not UTF-8, or twice with two values [`ce-key` not UTF-8]":                               {valued("Ce-Key", "\xff", "%FF"), undecodable, "ce-key"},
		"binary, key not UTF-8, or twice with two values [`ce-key` twice with two values]":                   {twice("Ce-Key", "l"), undecodable, "ce-key: the header is there several times"},
		"binary, `Content-Type` twice with two values":                                                       {twice("Content-Type", "text/plain"), undecodable, "2 headers Content-Type with different values"},
		"binary, `Content-Encoding` other than `identity` [`Content-Encoding: gzip`]":                        {headed("Content-Encoding", "gzip"), undecodable, `content encoding "gzip"`},
		"binary, `Content-Encoding` other than `identity` [`Content-Encoding` twice, `identity` and `gzip`]": {withEncodings("identity", "gzip"), undecodable, `content encoding "gzip"`},
		"binary, `Content-Encoding` other than `identity` [`Content-Encoding` twice, empty and `br`]":        {withEncodings("", "br"), undecodable, `content encoding "br"`},
		"binary, `Content-Encoding` other than `identity` [`Content-Encoding: identity, gzip`]":              {withEncodings("identity, gzip"), undecodable, `content encoding "gzip"`},
		"binary, [`Content-Encoding: identity`, twice]":                                                      {withEncodings("identity", " Identity ,"), accepted, ""},
		"binary, [id of 4,097 bytes]":                                                                        {headed("Ce-Id", long), undecodable, "ce-id has 4097 bytes"},
		"binary, [type of 4,097 bytes]":                                                                      {headed("Ce-Type", long), undecodable, "ce-type has 4097 bytes"},
		"binary, [source of 4,097 bytes]":                                                                    {headed("Ce-Source", long), undecodable, "ce-source has 4097 bytes"},
		"binary, [key of 4,097 bytes]":                                                                       {headed("Ce-Key", long), undecodable, "key has 4097 bytes"},
		"binary, [1,001 attributes]":                                                                         {withExtensions(996), undecodable, "1001 attributes"},
		"binary, no key anywhere":                                                                            {without("Ce-Key"), noKey, "no key"},
		"not a POST [GET]":                                                                                   {withMethod("GET"), notAllowed, ""},
		"not a POST [PUT]":                                                                                   {withMethod("PUT"), notAllowed, ""},
		"not a POST [an unknown method]":                                                                     {withMethod("BREW"), notAllowed, ""},
		"neither `ce-` headers nor an event in the body [no body]":                                           {plain("", ""), undecodable, "neither ce- headers nor a body"},
		"neither `ce-` headers nor an event in the body [text]":                                              {plain("text/plain", "x"), undecodable, "text/plain"},
		"neither `ce-` headers nor an event in the body [a form]":                                            {plain("application/x-www-form-urlencoded", "a=b"), undecodable, "form"},
		"neither `ce-` headers nor an event in the body [random bytes without `Content-Type`]":               {plain("", "\x1f\x8b\x08\x00\xff"), undecodable, "is not Unicode text"},
		"neither `ce-` headers nor an event in the body [a body in `application/json` that is not an event]": {plain("application/json", `{"a":1}`), undecodable, `"message"`},
		"Knative's Kafka source: the topic is the source, else `ce-source` [a topic]":                        {each(kafka("/apis/v1/x#event1"), kafka("/apis/v1/x#Event 1")), accepted, ""},
		"Knative's Kafka source: the topic is the source, else `ce-source` [no topic]":                       {each(kafka("/apis/v1/x"), kafka("/apis/v1/x#")), accepted, ""},
	}
}
