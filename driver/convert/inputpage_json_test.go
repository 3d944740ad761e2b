package convert_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/eventtest"
)

func jsonHostiles() map[string]hostile {
	all := map[string]hostile{}
	for name, c := range map[string]struct{ json, answer, says string }{
		"JSON, number of any size and form":          {`[1e999999, -1e-999999, 0.000000000000000000000000000001, 123456789012345678901234567890]`, accepted, ""},
		"JSON, member twice":                         {`{"a":1,"a":2}`, accepted, ""},
		"JSON, escaped NUL":                          {`["\u0000", {"\u0000":1}]`, accepted, ""},
		"JSON, half a surrogate, escaped":            {`["\ud800", "\udc00\ud800"]`, accepted, ""},
		"JSON, noncharacters":                        {"[\"\uffff\", \"\U0010ffff\", \"\\uffff\"]", accepted, ""},
		"JSON, 500 nested arrays":                    {strings.Repeat("[", 500) + strings.Repeat("]", 500), accepted, ""},
		"JSON, 9,999 nested arrays":                  {strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999), accepted, ""},
		"JSON, 10,000 nested arrays":                 {strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), undecodable, "more than 9999 deep"},
		"JSON, 1,000,000 arrays that are not closed": {strings.Repeat("[", 1_000_000), undecodable, "more than 9999 deep"},
		"JSON, 100,000 nested objects":               {strings.Repeat(`{"":`, 100_000), undecodable, "more than 9999 deep"},
		"JSON, byte order mark":                      {"\ufeff{}", accepted, ""},
		"JSON, NUL between values":                   {"[1,\x00 2]", undecodable, "malformed JSON"},
		"JSON, NUL in a string":                      {"[\"\x00\"]", undecodable, "malformed JSON"},
		"JSON, line break in a string":               {"[\"\n\"]", undecodable, "malformed JSON"},
		"JSON, UTF-8 that is cut short":              {"[\"\xe0\xff\"]", undecodable, "not UTF-8"},
		"JSON, overlong UTF-8":                       {"[\"\xc0\xaf\"]", undecodable, "not UTF-8"},
		"JSON, surrogates in UTF-8":                  {"[\"\xed\xa0\x80\"]", undecodable, "not UTF-8"},
		"JSON, UTF-16 with a mark":                   {"\xff\xfe[\x00\"\x00\xe9\x00\"\x00]\x00", undecodable, "not UTF-8"},
		"JSON, UTF-16 without":                       {"\x00[\x00\"\x00a\x00\"\x00]", undecodable, "malformed JSON"},
		"JSON, Latin-1":                              {"[\"\xe9\"]", undecodable, "not UTF-8"},
		"JSON, more after it":                        {`{}}`, undecodable, "malformed JSON"},
		"JSON, comment":                              {`{"a":1/**/}`, undecodable, "malformed JSON"},
		"JSON, comma after the last element":         {`[1,]`, undecodable, "malformed JSON"},
		"JSON, single quotes":                        {`{'a':1}`, undecodable, "malformed JSON"},
		"JSON, name without quotes":                  {`{a:1}`, undecodable, "malformed JSON"},
		"JSON, NaN":                                  {`[NaN]`, undecodable, "malformed JSON"},
		"JSON, number with a leading zero":           {`[01]`, undecodable, "malformed JSON"},
		"JSON, number in hexadecimal":                {`[0x1]`, undecodable, "malformed JSON"},
		"JSON, escape that does not exist":           {`["\x00"]`, undecodable, "malformed JSON"},
		"JSON, cut short":                            {`{"a":[tru`, undecodable, "malformed JSON"},
		"JSON, white space alone":                    {` `, undecodable, "malformed JSON"},
	} {
		all[name] = hostile{one(func() *http.Request { return eventtest.Binary(c.json) }), c.answer, c.says}
	}
	return all
}

// malformed are texts that are no JSON, of each class in the public test suites.
var malformed = []string{
	"[1 true]", "[a\xe5]", `["": 1]`, `[""],`, "[,1]", "[1,,2]", `["x",,]`, `["x"]]`, `["",]`, `["x"`, "[x", "[3[4]]", "[\xff]", "[1:2]", "[,]", "[-]",
	"[   , \"\"]", "[1,\n1\n,1", "[\"\va\"\\f]", "[*]", `[""`, "[1,", "[{}", "[fals]", "[nul]", "[tru]", "123\x00", "[++1234]", "[+1]", "[+Inf]", "[-01]",
	"[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0e]", "[1.0e+]", "[1.0e]", "[1 000.0]", "[1eE2]",
	"[2.e3]", "[9.e+]", "[Inf]", "[\uff11]", "[1+2]", "[0x42]", "[Infinity]", "[0e+-1]", "[-123.123foo]", "[123\xe5]", "[1e1\xe5]", "[0\xe5]",
	"[-foo]", "[- 1]", "[-012]", "[-.123]", "[-1x]", "[1ea]", "[1e\xe5]", "[1.]", "[.123]", "[1.2a-3]", "[012]", `["x", truth]`, `{[: "x"}`, `{"x", null}`,
	`{"x"::"b"}`, "{\U0001f1e8}", `{"a":"a" 123}`, `{key: 'value'}`, "{\"\xb9\":\"0\",}", `{"a" b}`, `{:"b"}`, `{"a" "b"}`, `{"a":`, `{"a"`, `{1:1}`,
	`{9999E9999:1}`, `{null:null,null:null}`, `{"id":0,,,,,}`, `{'a':0}`, `{"id":0,}`, `{"a":"b"}/**/`, `{"a":"b"}//`, `{"a":"b"}/`, `{"a":"b",,"c":"d"}`,
	`{a: "b"}`, `{"a":"a`, `{ "foo" : "bar", "a" }`, `{"a":"b"}#`, " ", `["\uD800\"]`, `["\uD800\u"]`, `["\uD800\u1"]`, `["\uD800\u1x"]`, "[\u00e9]",
	"[\"\\\x00\"]", `["\x00"]`, `["\\\"]`, "[\"\\\t\"]", "[\"\\\U0001f300\"]", `["\"]`, `["\u00A"]`, `["\uD834\uDd"]`, "[\"\\u\xe5\"]", `["\a"]`, `["\uqqqq"]`,
	"[\"\\\xe5\"]", `[\u0020"asd"]`, `[\n]`, `"`, `['single quote']`, `abc`, `["\`, "[\"a\x00a\"]", "[\"new\nline\"]", "[\"\t\"]", `"\UA66D"`, `""x`,
	"[\u2060]", "\ufeff", "<.>", "[<null>]", "[1]x", `[1]]`, `["asd]`, "a\u00e5", "[True]", "1]", `{"x": true,`, "[][]", "]", "\xef\xbb{}", "\xe5", "[",
	"", "[\x00]", "2@", "{}}", `{"":`, `{"a":/*comment*/"b"}`, `{"a": true} "x"`, "['", "[,", "[{", `["a`, `["a"`, "{", "{]", "{,", "{[", `{"a`, `{'a'`,
	`["\{["\{["\{["\{`, "\u00e9", "*", `{"a":"b"}#{}`, `[\u000A""]`, "[1", "[ false, nul", "[ true, fals", "[ false, tru", `{"asd":"asd"`, "\u00e5", "\u2060", "\f",
	strings.Repeat("[", 100_000), strings.Repeat(`[{"":`, 50_000),
}

// No malformed text is accepted as JSON, in any form of an event.
func TestMalformedJSON(t *testing.T) {
	for i, text := range malformed {
		if json.Valid([]byte(text)) {
			t.Fatalf("%q is valid", text)
		}
		carriers := map[string]*http.Request{
			"binary data":     eventtest.Binary(text),
			"structured":      eventtest.Request([]byte(text), "Content-Type", "application/cloudevents+json"),
			"structured data": eventtest.Request([]byte(eventtest.Structured(`,"data":`+text)), "Content-Type", "application/cloudevents+json"),
			"push":            eventtest.Request([]byte(text), "Content-Type", "application/json"),
			"wrapped":         eventtest.Request(eventtest.Push(`{"content-type":"application/cloudevents+json"}`, text), "Content-Type", "application/json"),
			"wrapped data":    eventtest.Request(eventtest.Push(`{"ce-specversion":"1.0","ce-id":"1","ce-source":"s","ce-type":"t","ce-key":"k","content-type":"application/json"}`, text), "Content-Type", "application/json"),
			"Storage":         eventtest.Binary(text, "Ce-Type", eventtest.StorageType),
			"audit log":       eventtest.Binary(text, "Ce-Type", eventtest.AuditType),
		}
		for carrier, r := range carriers {
			if text == "" && strings.HasSuffix(carrier, " data") && carrier != "structured data" {
				continue // data may be empty
			}
			if d := deadLetter(t, r); d.Reason != driver.ReasonUndecodable {
				t.Errorf("%d, %.50q as %s: %s %s", i, text, carrier, d.Reason, d.Error)
			}
		}
	}
}
