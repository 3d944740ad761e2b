package convert_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// hostile is an input and the answer that it gets.
type hostile struct {
	request func() *http.Request
	answer  string // the status, and the reason of a dead letter
	says    string // in the dead letter's error
}

// The answers.
const (
	accepted    = "204"
	undecodable = "200 `undecodable`"
	noKey       = "200 `no-key`"
	notAllowed  = "405"
)

// cloudEvent returns a structured event with the members appended.
func cloudEvent(members string) string {
	return `{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k"` + members + `}`
}

// hostiles returns all inputs by their names, which docs/input.md has, too.
func hostiles(t testing.TB) map[string]hostile {
	all := map[string]hostile{}
	for _, some := range []map[string]hostile{binaryHostiles(), structuredHostiles(), pushHostiles(), jsonHostiles(), googleHostiles(t)} {
		for name, h := range some {
			if _, there := all[name]; there {
				t.Fatalf("two inputs are called %q", name)
			}
			all[name] = h
		}
	}
	return all
}

func binaryHostiles() map[string]hostile {
	event := func(pairs ...string) func() *http.Request {
		return func() *http.Request { return binary(`{"a":1}`, pairs...) }
	}
	without := func(names ...string) func() *http.Request {
		return func() *http.Request {
			r := binary(`{"a":1}`)
			for _, name := range names {
				r.Header.Del(name)
			}
			return r
		}
	}
	twice := func(name, value string) func() *http.Request {
		return func() *http.Request {
			r := binary(`{"a":1}`)
			r.Header.Add(name, value)
			return r
		}
	}
	encoded := func(encodings ...string) func() *http.Request {
		return func() *http.Request {
			r := binary(`{"a":1}`)
			r.Header["Content-Encoding"] = encodings
			return r
		}
	}
	method := func(method string) func() *http.Request {
		return func() *http.Request {
			r := binary(`{"a":1}`)
			r.Method = method
			return r
		}
	}
	many := func(n int) func() *http.Request {
		return func() *http.Request {
			r := binary(`{"a":1}`)
			for i := range n {
				r.Header.Set(fmt.Sprint("Ce-X", i), "1")
			}
			return r
		}
	}
	long := strings.Repeat("k", convert.MaxName+1)
	return map[string]hostile{
		"binary, `application/json`":                                 {event(), accepted, ""},
		"binary, `application/json; charset=utf-8`":                  {event("Content-Type", "application/json; charset=utf-8"), accepted, ""},
		"binary, no `Content-Type`: the data is taken as it is":      {without("Content-Type"), accepted, ""},
		"binary, unknown `Content-Type`: the data is taken as it is": {event("Content-Type", "application/x-unknown"), accepted, ""},
		"binary, no body":         {func() *http.Request { return binary("") }, accepted, ""},
		"binary, specversion 0.3": {event("Ce-Specversion", "0.3"), accepted, ""},
		"binary, `ce-` header that can't be an attribute: left out": {event("Ce-Not_A-Name", "x"), accepted, ""},
		"binary, `ce-` header twice with one value":                 {twice("Ce-Key", "k"), accepted, ""},
		"binary, percent-encoded `ce-` header: taken as it is":      {event("Ce-Key", "Euro%20%E2%82%AC"), accepted, ""},
		"binary, `ce-` header in UTF-8":                             {event("Ce-Key", "Euro €"), accepted, ""},
		"binary, id, type and key of 4,096 bytes":                   {event("Ce-Id", long[1:], "Ce-Type", long[1:], "Ce-Key", long[1:]), accepted, ""},
		"binary, 990 extensions":                                    {many(990), accepted, ""},
		"binary, `ce-id` missing":                                   {without("Ce-Id"), undecodable, "ce-id"},
		"binary, `ce-source` missing":                               {without("Ce-Source"), undecodable, "ce-source"},
		"binary, `ce-type` missing":                                 {without("Ce-Type"), undecodable, "ce-type"},
		"binary, `ce-specversion` missing":                          {without("Ce-Specversion"), undecodable, "ce-specversion"},
		"binary, `ce-id` blank":                                     {event("Ce-Id", " "), undecodable, "ce-id"},
		"binary, specversion of the future":                         {event("Ce-Specversion", "1.1"), undecodable, "ce-specversion"},
		"binary, `ce-source` no URI reference":                      {event("Ce-Source", "%zz"), undecodable, "ce-source"},
		"binary, `ce-time` no time":                                 {event("Ce-Time", "2018-04-05"), undecodable, "ce-time"},
		"binary, `ce-` header not UTF-8":                            {event("Ce-Key", "\xff"), undecodable, "ce-key"},
		"binary, `ce-` header twice with two values":                {twice("Ce-Key", "l"), undecodable, "ce-key is there 2 times"},
		"binary, `Content-Type` twice with two values":              {twice("Content-Type", "text/plain"), undecodable, "Content-Type is there 2 times"},
		"binary, malformed `Content-Type`":                          {event("Content-Type", "a/b/c"), undecodable, "datacontenttype"},
		"binary, `Content-Encoding: gzip`":                          {event("Content-Encoding", "gzip"), undecodable, `content encoding "gzip"`},
		"binary, `Content-Encoding` twice, `identity` and `gzip`":   {encoded("identity", "gzip"), undecodable, `content encoding "gzip"`},
		"binary, `Content-Encoding` twice, empty and `br`":          {encoded("", "br"), undecodable, `content encoding "br"`},
		"binary, `Content-Encoding: identity, gzip`":                {encoded("identity, gzip"), undecodable, `content encoding "gzip"`},
		"binary, `Content-Encoding: identity`, twice":               {encoded("identity", " Identity ,"), accepted, ""},
		"binary, id of 4,097 bytes":                                 {event("Ce-Id", long), undecodable, "ce-id has 4097 bytes"},
		"binary, type of 4,097 bytes":                               {event("Ce-Type", long), undecodable, "ce-type has 4097 bytes"},
		"binary, source of 4,097 bytes":                             {event("Ce-Source", long), undecodable, "ce-source has 4097 bytes"},
		"binary, key of 4,097 bytes":                                {event("Ce-Key", long), undecodable, "key has 4097 bytes"},
		"binary, 1,001 attributes":                                  {many(996), undecodable, "1001 attributes"},
		"binary, no key anywhere":                                   {without("Ce-Key"), noKey, "no key"},
		"not a POST: GET":                                           {method("GET"), notAllowed, ""},
		"not a POST: PUT":                                           {method("PUT"), notAllowed, ""},
		"not a POST: a method that nobody knows":                    {method("BREW"), notAllowed, ""},
		"no `ce-` headers, no body":                                 {func() *http.Request { return request(nil) }, undecodable, "neither ce- headers nor a body"},
		"no `ce-` headers, text":                                    {func() *http.Request { return request([]byte("x"), "Content-Type", "text/plain") }, undecodable, "text/plain"},
		"no `ce-` headers, a form": {func() *http.Request {
			return request([]byte("a=b"), "Content-Type", "application/x-www-form-urlencoded")
		}, undecodable, "form"},
		"no `ce-` headers, random bytes without `Content-Type`":       {func() *http.Request { return request([]byte("\x1f\x8b\x08\x00\xff")) }, undecodable, "is not Unicode text"},
		"no `ce-` headers, a body of no event in `application/json`":  {func() *http.Request { return request([]byte(`{"a":1}`), "Content-Type", "application/json") }, undecodable, `"message"`},
		"Knative's Kafka source: the topic is the source":             {event("Ce-Type", "dev.knative.kafka.event", "Ce-Source", "/apis/v1/x#event1"), accepted, ""},
		"Knative's Kafka source, no topic: `ce-source` is the source": {event("Ce-Type", "dev.knative.kafka.event", "Ce-Source", "/apis/v1/x"), accepted, ""},
	}
}

func structuredHostiles() map[string]hostile {
	body := func(body string) func() *http.Request {
		return func() *http.Request { return request([]byte(body), "Content-Type", "application/cloudevents+json") }
	}
	typed := func(contentType, body string) func() *http.Request {
		return func() *http.Request { return request([]byte(body), "Content-Type", contentType) }
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"x%d":1`, i)
	}
	return map[string]hostile{
		"structured, `application/cloudevents+json`":               {body(cloudEvent(`,"data":{"a":1}`)), accepted, ""},
		"structured, with `charset=utf-8`, in capitals":            {typed("Application/CloudEvents+JSON; charset=UTF-8", cloudEvent(``)), accepted, ""},
		"structured, binary data":                                  {body(cloudEvent(`,"data_base64":"AP8="`)), accepted, ""},
		"structured, data null":                                    {body(cloudEvent(`,"data":null`)), accepted, ""},
		"structured, unknown extensions":                           {body(cloudEvent(`,"x":1,"y":true,"z":"z"`)), accepted, ""},
		"structured, member that can't be an attribute: left out":  {body(cloudEvent(`,"not a name":{}`)), accepted, ""},
		"structured, member twice: the last counts":                {body(cloudEvent(`,"id":"2"`)), accepted, ""},
		"structured, member null: as if absent":                    {body(cloudEvent(`,"subject":null`)), accepted, ""},
		"structured, integer beyond 32 bits: kept as its digits":   {body(cloudEvent(`,"x":9007199254740993`)), accepted, ""},
		"structured, empty body":                                   {body(``), undecodable, "empty"},
		"structured, malformed":                                    {body(`{"id"`), undecodable, "malformed JSON"},
		"structured, an array":                                     {body(`[]`), undecodable, "no JSON object"},
		"structured, cut short":                                    {body(cloudEvent(``)[:40]), undecodable, "malformed JSON"},
		"structured, byte order mark before it":                    {body("\ufeff" + cloudEvent(``)), undecodable, "malformed JSON"},
		"structured, not UTF-8":                                    {body(cloudEvent(`,"x":"` + "\xe9" + `"`)), undecodable, "not UTF-8"},
		"structured, UTF-16":                                       {body("\xff\xfe{\x00}\x00"), undecodable, "not UTF-8"},
		"structured, more behind it":                               {body(cloudEvent(``) + `{}`), undecodable, "malformed JSON"},
		"structured, required attribute missing":                   {body(`{"specversion":"1.0","source":"s","type":"t"}`), undecodable, "id is missing"},
		"structured, required attribute null":                      {body(`{"specversion":"1.0","id":null,"source":"s","type":"t"}`), undecodable, "id is missing"},
		"structured, required attribute empty":                     {body(`{"specversion":"1.0","id":"","source":"s","type":"t"}`), undecodable, "id is missing"},
		"structured, required attribute a number":                  {body(`{"specversion":1.0,"id":"1","source":"s","type":"t"}`), undecodable, `"specversion" must be a string`},
		"structured, `time` no time":                               {body(cloudEvent(`,"time":"now"`)), undecodable, "time"},
		"structured, `dataschema` no URI: not looked at":           {body(cloudEvent(`,"dataschema":"%zz"`)), accepted, ""},
		"structured, extension an object":                          {body(cloudEvent(`,"x":{}`)), undecodable, `"x" must be a string`},
		"structured, extension with half a surrogate":              {body(cloudEvent(`,"x":"\ud800"`)), undecodable, "Unicode"},
		"structured, `data` and `data_base64`":                     {body(cloudEvent(`,"data":1,"data_base64":""`)), undecodable, "both"},
		"structured, `data_base64` not base64":                     {body(cloudEvent(`,"data_base64":"a"`)), undecodable, "not base64"},
		"structured, `data_base64` a number":                       {body(cloudEvent(`,"data_base64":1`)), undecodable, "must be a string"},
		"structured, data an object though it says `text/plain`":   {body(cloudEvent(`,"datacontenttype":"text/plain","data":{}`)), undecodable, "data_base64"},
		"structured, 100,000 extensions":                           {body(cloudEvent(many.String())), undecodable, "100005 attributes"},
		"structured, key of 1 MB":                                  {body(strings.Replace(cloudEvent(``), `"k"`, `"`+strings.Repeat("k", 1<<20)+`"`, 1)), undecodable, "key has 1048576 bytes"},
		"structured, no key anywhere":                              {body(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`), noKey, "no key"},
		"batch (`application/cloudevents-batch+json`)":             {typed("application/cloudevents-batch+json", `[`+cloudEvent(``)+`]`), undecodable, "batches"},
		"batch, empty":                                             {typed("application/cloudevents-batch+json", `[]`), undecodable, "batches"},
		"another format (`application/cloudevents+xml`)":           {typed("application/cloudevents+xml", `<event/>`), undecodable, "application/cloudevents+xml"},
		"another format (`application/cloudevents+protobuf`)":      {typed("application/cloudevents+protobuf", "\x0a\x01"), undecodable, "protobuf"},
		"structured, with `ce-` headers as well: the body decides": {func() *http.Request { return binary(cloudEvent(``), "Content-Type", "application/cloudevents+json") }, accepted, ""},
	}
}

func pushHostiles() map[string]hostile {
	body := func(body string) func() *http.Request {
		return func() *http.Request { return request([]byte(body), "Content-Type", "application/json") }
	}
	message := func(members string) func() *http.Request {
		return body(`{"message":{"messageId":"1","attributes":{"key":"k"}` + members + `},"subscription":"projects/p/subscriptions/s"}`)
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"x%d":"1"`, i)
	}
	nested := "x"
	for range 5 {
		nested = string(wrapped(`{"ce-specversion":"1.0","ce-id":"i","ce-source":"s","ce-type":"`+pubsubType+`"}`, nested))
	}
	wrap := func(attributes, data string) func() *http.Request { return body(string(wrapped(attributes, data))) }
	return map[string]hostile{
		"push":                                {message(`,"data":"e30="`), accepted, ""},
		"push, no data":                       {message(``), accepted, ""},
		"push, unknown fields":                {message(`,"new":{"a":[1]}`), accepted, ""},
		"push, random bytes as data":          {message(`,"data":"AP8="`), accepted, ""},
		"push, ID and time in both spellings": {message(`,"message_id":"1","publishTime":"2021-02-05T04:06:14Z","publish_time":"2021-02-05T04:06:14Z"`), accepted, ""},
		"push, malformed":                     {body(`{"message":{`), undecodable, "malformed JSON"},
		"push, no message":                    {body(`{"subscription":"s"}`), undecodable, `"message"`},
		"push, message null":                  {body(`{"message":null,"subscription":"s"}`), undecodable, `"message"`},
		"push, an array":                      {body(`[]`), undecodable, "push"},
		"push, no message ID":                 {body(`{"message":{},"subscription":"s"}`), undecodable, "message.messageId"},
		"push, no subscription":               {body(`{"message":{"messageId":"1"}}`), undecodable, "subscription"},
		"push, data not base64":               {message(`,"data":"a"`), undecodable, "message.data"},
		"push, data a number":                 {message(`,"data":1`), undecodable, "message.data"},
		"push, time no time":                  {message(`,"publishTime":"now"`), undecodable, "message.publishTime"},
		"push, attribute a number":            {message(`,"attributes":{"a":1}`), undecodable, "message.attributes"},
		"push, attributes a list":             {message(`,"attributes":[]`), undecodable, "message.attributes"},
		"push, half a surrogate":              {message(`,"attributes":{"a":"\udc00"}`), undecodable, "Unicode"},
		"push, not UTF-8":                     {message(`,"attributes":{"a":"` + "\xe9" + `"}`), undecodable, "Unicode"},
		"push, attempt beyond 64 bits":        {message(`,"deliveryAttempt":99999999999999999999`), undecodable, "deliveryAttempt"},
		"push, 100,000 attributes":            {message(`,"attributes":{"key":"k"` + many.String() + `}`), undecodable, "attributes: it must not have more than 1000"},
		"push, message ID of 4,097 bytes":     {body(`{"message":{"messageId":"` + strings.Repeat("1", convert.MaxName+1) + `"},"subscription":"s"}`), undecodable, "4097 bytes"},
		"push, no key anywhere":               {body(`{"message":{"messageId":"1"},"subscription":"s"}`), noKey, "no key"},
		"wrapped, binary":                     {wrap(`{"ce-specversion":"1.0","ce-id":"i","ce-source":"s","ce-type":"t","ce-key":"k"}`, "x"), accepted, ""},
		"wrapped, structured":                 {wrap(`{"content-type":"application/cloudevents+json"}`, cloudEvent(``)), accepted, ""},
		"wrapped, binary, `ce-id` missing":    {wrap(`{"ce-specversion":"1.0","ce-source":"s","ce-type":"t","key":"k"}`, "x"), undecodable, "ce-id"},
		"wrapped, structured, malformed":      {wrap(`{"content-type":"application/cloudevents+json"}`, `{`), undecodable, "malformed JSON"},
		"wrapped, batch":                      {wrap(`{"content-type":"application/cloudevents-batch+json"}`, `[]`), undecodable, "batches"},
		"wrapped, five times":                 {body(nested), undecodable, "more than 4 deep"},
		"Eventarc's Pub/Sub event, no body":   {func() *http.Request { return binary("", "Ce-Type", pubsubType) }, undecodable, "empty"},
		"Eventarc's Pub/Sub event, protobuf": {func() *http.Request {
			return binary("\x0a\x00", "Ce-Type", pubsubType, "Content-Type", "application/protobuf")
		}, undecodable, "application/protobuf"},
	}
}

// Every input gets its answer, at the first delivery and at each further one: what
// can never succeed is kept whole, with the reason, and acknowledged.
func TestHostileInput(t *testing.T) {
	for name, h := range hostiles(t) {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				r := h.request()
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				header := r.Header.Clone()
				store := memstore.New()
				w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.DeadLetters(store), quiet), r)
				answer, letters := fmt.Sprint(w.Code), store.DeadLetters()
				for _, d := range letters {
					answer += fmt.Sprintf(" `%s`", d.Reason)
				}
				if answer != h.answer {
					t.Fatalf("answered %s, %.300s; want %s", answer, w.Body, h.answer)
				}
				if len(letters) == 0 {
					continue
				}
				d := letters[0]
				if header.Get("Ce-Specversion") == "" && d.Header["Ce-Type"] != nil { // a push, kept as Eventarc would have sent it
					maps.DeleteFunc(d.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Ce-") && header[name] == nil })
				}
				if !bytes.Equal(d.Body, body) || !maps.EqualFunc(d.Header, header, slices.Equal) || !strings.Contains(d.Error, h.says) {
					t.Errorf("kept with %.300q, want that it says %q; body of %d bytes, want %d; header %.300v", d.Error, h.says, len(d.Body), len(body), d.Header)
				}
			}
		})
	}
}

// The same from many clients at once.
func TestHostileInputAtOnce(t *testing.T) {
	store := memstore.New()
	server := httptest.NewServer(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.DeadLetters(store), quiet))
	defer server.Close()
	all := hostiles(t)
	letters := 0
	for _, h := range all {
		if strings.HasPrefix(h.answer, "200 ") {
			letters++
		}
	}
	const clients = 8
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			for name, h := range all {
				r := h.request()
				r.RequestURI, r.URL = "", mustURL(t, server.URL)
				answer, err := server.Client().Do(r)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if want := h.answer[:3]; fmt.Sprint(answer.StatusCode) != want {
					t.Errorf("%s: %d; want %s", name, answer.StatusCode, want)
				}
			}
		})
	}
	wait.Wait()
	if n := len(store.DeadLetters()); n != clients*letters {
		t.Errorf("%d dead letters; want %d", n, clients*letters)
	}
}

var row = regexp.MustCompile(`(?m)^\| (.+?) \| (\d{3}(?: .+)?) \|$`)

// The tables of docs/input.md list these inputs and no others.
func TestHostileInputIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/input.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("\n## Events\n"))
	text, _, _ = bytes.Cut(text, []byte("\n## "))
	documented := map[string]string{}
	for _, m := range row.FindAllSubmatch(text, -1) {
		documented[string(m[1])] = string(m[2])
	}
	all := hostiles(t)
	for name, h := range all {
		if documented[name] != h.answer {
			t.Errorf("docs/input.md lacks the row\n| %s | %s |", name, h.answer)
		}
	}
	for name := range documented {
		if _, ok := all[name]; !ok {
			t.Errorf("docs/input.md has a row that no test has: %s", name)
		}
	}
}

// What is known of an event with names that are too long is kept, and they are not.
func TestLongNamesAreNotRepeated(t *testing.T) {
	long := strings.Repeat("k", 1<<19)
	d := deadLetter(t, binary(`{}`, "Ce-Key", long))
	if d.Key != "" || d.ID != "id-1" || len(d.Error) > 1000 || len(d.Header["Ce-Key"][0]) != len(long) {
		t.Errorf("key of %d bytes, ID %q, error of %d bytes", len(d.Key), d.ID, len(d.Error))
	}
	d = deadLetter(t, request(nil, "Content-Type", "application/"+strings.Repeat("é", 1<<18)))
	if len(d.Error) > 40<<10 || !strings.Contains(d.Error, " bytes)") || d.Reason != driver.ReasonUndecodable {
		t.Errorf("%s, error of %d bytes: %.100s", d.Reason, len(d.Error), d.Error)
	}
}
