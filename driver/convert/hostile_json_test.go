package convert_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
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
		"JSON, 5,000,000 arrays that are not closed": {strings.Repeat("[", 5_000_000), undecodable, "more than 9999 deep"},
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
		all[name] = hostile{one(func() *http.Request { return binary(c.json) }), c.answer, c.says}
	}
	return all
}

// malformed are texts that are no JSON, of each class of which there are tests in
// public suites.
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

// No malformed text passes for JSON, whatever carries it.
func TestMalformedJSON(t *testing.T) {
	for i, text := range malformed {
		if json.Valid([]byte(text)) {
			t.Fatalf("%q is valid", text)
		}
		carriers := map[string]*http.Request{
			"binary data":     binary(text),
			"structured":      request([]byte(text), "Content-Type", "application/cloudevents+json"),
			"structured data": request([]byte(cloudEvent(`,"data":`+text)), "Content-Type", "application/cloudevents+json"),
			"push":            request([]byte(text), "Content-Type", "application/json"),
			"wrapped":         request(wrapped(`{"content-type":"application/cloudevents+json"}`, text), "Content-Type", "application/json"),
			"wrapped data":    request(wrapped(`{"ce-specversion":"1.0","ce-id":"1","ce-source":"s","ce-type":"t","ce-key":"k","content-type":"application/json"}`, text), "Content-Type", "application/json"),
			"Storage":         binary(text, "Ce-Type", storageType),
			"audit log":       binary(text, "Ce-Type", auditType),
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

func googleHostiles(t testing.TB) map[string]hostile {
	typed := func(eventType, contentType, body string) inputs {
		return one(func() *http.Request { return binary(body, "Ce-Type", eventType, "Content-Type", contentType) })
	}
	firestore := func(body string) inputs { return typed(firestoreType, "application/protobuf", body) }
	storage := func(body string) inputs { return typed(storageType, "application/json", body) }
	audit := func(body string) inputs { return typed(auditType, "application/json", body) }
	document := string(firestoreDocument(t))
	return map[string]hostile{
		"Storage, unknown fields": {storage(`{"bucket":"b","new":{"a":[1]}}`), accepted, ""},
		"Storage, members null: as if absent": {each(storage(`{"metadata":{"n":null}}`), storage(`{"metadata":{"a":"1","n":null,"b":"2"},"size":null}`),
			storage(`{"bucket":null}`), storage(`{"metadata":{"n":null, "m" : null },"owner":null,"name":"a\":null"}`)), accepted, ""},
		"Storage, byte order mark before it":          {storage("\ufeff{}"), accepted, ""},
		"Firestore, protobuf, without a content type": {each(untyped(firestoreType, document), typed(firestoreType, "application/octet-stream", document)), accepted, ""},
		"Firestore, protobuf, wrapped": {each(
			wrap(fmt.Sprintf(firestoreAttributes, `,"content-type":"application/protobuf"`), document),
			wrap(fmt.Sprintf(firestoreAttributes, `,"Content-Type":"application/protobuf"`), document),
			wrap(fmt.Sprintf(firestoreAttributes, `,"ce-datacontenttype":"application/protobuf"`), document),
			wrap(fmt.Sprintf(firestoreAttributes, ``), document)), accepted, ""},
		"Datastore: not supported": {each(typed("google.cloud.datastore.entity.v1.written", "application/protobuf", document),
			typed("google.cloud.datastore.entity.v1.created.withAuthContext", "application/json", `{}`)), undecodable, "Datastore"},
		"Storage, no body":                                          {storage(``), undecodable, "empty"},
		"Storage, a field of another type":                          {storage(`{"bucket":[]}`), undecodable, "StorageObjectData"},
		"Storage, a number beyond its field":                        {storage(`{"size":"99999999999999999999"}`), undecodable, "StorageObjectData"},
		"Storage, a field twice":                                    {storage(`{"bucket":"a","bucket":"b"}`), undecodable, "StorageObjectData"},
		"Storage, an array":                                         {storage(`[]`), undecodable, "StorageObjectData"},
		"Storage, half a surrogate":                                 {storage(`{"bucket":"\ud800"}`), undecodable, "StorageObjectData"},
		"Storage, as text":                                          {typed(storageType, "text/plain", `{}`), undecodable, "text/plain"},
		"Storage, unknown fields 9,000 deep":                        {storage(`{"new":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`), accepted, ""},
		"audit log, unknown fields":                                 {audit(`{"protoPayload":{"@type":"type.googleapis.com/no.such","a":1}}`), accepted, ""},
		"audit log, no body":                                        {audit(``), undecodable, "empty"},
		"audit log, no `protoPayload`":                              {audit(`{}`), undecodable, "protoPayload"},
		"audit log, `protoPayload` not an object":                   {audit(`{"protoPayload":"x"}`), undecodable, "protoPayload"},
		"audit log, protobuf":                                       {typed(auditType, "application/protobuf", "\x0a\x00"), undecodable, "application/json"},
		"Firestore, protobuf":                                       {firestore(document), accepted, ""},
		"Firestore, protobuf, unknown fields":                       {firestore(document + "\xfa\x3f\x02hi" + "\xf8\x3f\x01"), accepted, ""},
		"Firestore, protobuf, twice, one after the other":           {firestore(document + document), accepted, ""},
		"Firestore, JSON":                                           {typed(firestoreType, "application/json", `{"value":{"name":"n"}}`), accepted, ""},
		"Firestore, no body":                                        {firestore(``), undecodable, "empty"},
		"Firestore, unknown fields alone":                           {firestore("\xfa\x3f\x02hi"), undecodable, "none of the fields"},
		"Firestore, text as protobuf":                               {firestore("hello world, this is text"), undecodable, "DocumentEventData"},
		"Firestore, cut short":                                      {firestore(document[:len(document)-1]), undecodable, "DocumentEventData"},
		"Firestore, varint cut short":                               {firestore("\x0a\x80"), undecodable, "DocumentEventData"},
		"Firestore, varint of 11 bytes":                             {firestore("\x0a" + strings.Repeat("\x80", 10) + "\x01"), undecodable, "DocumentEventData"},
		"Firestore, length beyond the end":                          {firestore("\x0a\xff\xff\xff\xff\x07x"), undecodable, "DocumentEventData"},
		"Firestore, field number 0":                                 {firestore("\x02\x00"), undecodable, "DocumentEventData"},
		"Firestore, field of another wire type":                     {firestore("\x08\x01"), undecodable, "none of the fields"},
		"Firestore, unknown wire type":                              {firestore("\x0f\x01"), undecodable, "DocumentEventData"},
		"Firestore, group that is not closed":                       {firestore("\x1b"), undecodable, "DocumentEventData"},
		"Firestore, end of a group that is not open":                {firestore("\x1c"), undecodable, "DocumentEventData"},
		"Firestore, 100,000 nested groups":                          {firestore(strings.Repeat("\x1b", 100_000) + strings.Repeat("\x1c", 100_000)), undecodable, "DocumentEventData"},
		"Firestore, string not UTF-8":                               {firestore("\x0a\x03\x0a\x01\xff"), undecodable, "DocumentEventData"},
		"Firestore, protobuf, an array of more than 100,000 values": {firestore(string(protobufShapes(convert.MaxValues)["empty values"])), tooLarge, "application/json"},
		"Firestore, protobuf, a text that becomes more than 14,000,000 bytes of JSON": {firestore(string(protobufShapes(2_400_000)["a string of NULs"])), tooLarge, "14000000 bytes"},
		"Firestore, JSON, an array of more than 100,000 values: taken as it is":       {typed(firestoreType, "application/json", string(jsonShapes(convert.MaxValues)["empty values"])), accepted, ""},
		"Firestore, values 100,000 deep":                                              {firestore(string(deepDocument(100_000, 0))), undecodable, "DocumentEventData"},
		"Firestore, as text":                                                          {typed(firestoreType, "text/plain", document), undecodable, "text/plain"},
	}
}

// firestoreAttributes are those of a message with an event of Firestore.
const firestoreAttributes = `{"ce-specversion":"1.0","ce-id":"i","ce-source":"//firestore.googleapis.com/projects/p/databases/(default)",
	"ce-type":"google.cloud.firestore.document.v1.written","ce-subject":"documents/a/b","ce-document":"a/b","ce-dataschema":"https://example.com/data.proto","key":"k"%s}`

// untyped returns an event without a content type.
func untyped(eventType, body string) inputs {
	return one(func() *http.Request {
		r := binary(body, "Ce-Type", eventType)
		r.Header.Del("Content-Type")
		return r
	})
}

func firestoreDocument(t testing.TB) []byte {
	t.Helper()
	document := &firestoredata.DocumentEventData{}
	if err := protojson.Unmarshal(sample(t, "firestore/DocumentEventData-complex.json"), document); err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// deepDocument returns a document of a value that is an array in an array, so
// deep, with so many elements in the innermost.
func deepDocument(depth, wide int) []byte {
	field := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	prefix := func(numbers []protowire.Number, length int) (tags []byte) {
		for _, number := range numbers { // from the inside out
			tag := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.BytesType), uint64(length))
			length += len(tag)
			tags = append(tags, reversed(tag)...)
		}
		return tags
	}
	inner := []byte(strings.Repeat(string(field(1, []byte("\x58\x00"))), wide)) // values that are null
	numbers := make([]protowire.Number, 0, 2*depth)
	for range depth {
		numbers = append(numbers, 9, 1) // Value.array_value, ArrayValue.values
	}
	numbers = numbers[:len(numbers)-1]
	value := append(reversed(prefix(numbers, len(inner))), inner...)
	entry := append(field(1, []byte("f")), field(2, value)...)
	return field(1, field(2, entry)) // DocumentEventData.value, Document.fields
}

func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i, c := range b {
		r[len(b)-1-i] = c
	}
	return r
}

// A small document takes no gigabytes, however deep and wide it is.
func TestDeepAndWideDocument(t *testing.T) {
	body := deepDocument(1000, 20_000)
	before := allocated()
	m := convertRequest(t, convert.CloudEventToInput, binary(string(body), "Ce-Type", firestoreType, "Content-Type", "application/protobuf"))
	if n := (allocated() - before) / uint64(len(body)); n > 500 {
		t.Errorf("converting %d bytes allocated %d times as much", len(body), n)
	}
	if got := strings.Count(string(m.Content), "nullValue"); got != 20_000 {
		t.Errorf("the content has %d of 20000 values", got)
	}
}

// A content may have many members; an event of many attributes is refused before
// they are decoded, which takes many times their memory.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`"id":"first"`)
	for i := range 200_000 {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	b.WriteString(`,"id":"k"`)
	members := b.String()
	r := binary("{" + members + "}")
	r.Header.Del("Ce-Key")
	if m := convertRequest(t, input(t, convert.KeyPointer("/id")), r); m.Key != "k" {
		t.Errorf("key %q, want that of the last member", m.Key)
	}
	for name, r := range map[string]*http.Request{
		"structured": request([]byte(cloudEvent(","+members)), "Content-Type", "application/cloudevents+json"),
		"push":       request([]byte(`{"message":{"attributes":{`+members+`}}}`), "Content-Type", "application/json"),
	} {
		before := allocated()
		d := deadLetter(t, r)
		if n := (allocated() - before) / uint64(len(members)); n > 8 || !strings.Contains(d.Error, "attributes") {
			t.Errorf("%s: refusing it allocated %d times its size: %s", name, n, d.Error)
		}
	}
}

// An event holds its body once, and what is decoded of it once: what a large one takes
// is what is accounted for.
func TestDataIsCopiedOnce(t *testing.T) {
	const size = 1 << 20
	text := strings.Repeat("x", size)
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	push := fmt.Sprintf(`{"message":{"messageId":"1","attributes":{"key":"k"},"data":%q},"subscription":"s"}`, encoded)
	for name, c := range map[string]struct {
		request *http.Request
		copies  float64 // of the text, its body included
	}{
		"binary":             {binary(`"` + text + `"`), 1},
		"structured, JSON":   {request([]byte(cloudEvent(`,"data":"`+text+`"`)), "Content-Type", "application/cloudevents+json"), 1},
		"structured, text":   {request([]byte(cloudEvent(`,"datacontenttype":"text/plain","data":"`+text+`"`)), "Content-Type", "application/cloudevents+json"), 1},
		"structured, base64": {request([]byte(cloudEvent(`,"data_base64":"`+encoded+`"`)), "Content-Type", "application/cloudevents+json"), 4./3 + 1},
		"push":               {request([]byte(push), "Content-Type", "application/json"), 4./3 + 1},
		"Eventarc's":         {binary(push, "Ce-Type", pubsubType), 4./3 + 1},
	} {
		before := allocated()
		m := convertRequest(t, convert.CloudEventToInput, c.request)
		if n := float64(allocated()-before) / size; n > c.copies+0.1 || len(m.Content) < size {
			t.Errorf("%s: it allocated %.2f times its data of %d bytes; want %.2f", name, n, len(m.Content), c.copies)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
