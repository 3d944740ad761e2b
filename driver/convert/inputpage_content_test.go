package convert_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/repo/doctable"
	"example.com/eventdriver/stores/memstore"
)

// joinable is a row of docs/input.md: data of an event, as the event declares it, and its value in
// the joined object.
type joinable struct {
	name   string
	inputs inputs
	media  string // of the message
	joined string
	shown  string // in the document, where that is not joined
}

const hello = "hello" // in base64 aGVsbG8=

func joinables() []joinable {
	typed := func(contentType, body string) inputs {
		return one(func() *http.Request { return eventtest.Binary(body, "Content-Type", contentType) })
	}
	untypedBody := func(body string) inputs {
		return one(func() *http.Request { r := eventtest.Binary(body); r.Header.Del("Content-Type"); return r })
	}
	inner := `{"ce-specversion":"1.0","ce-id":"i","ce-source":"event1","ce-type":"t","ce-key":"k"%s}`
	wrappedAs := func(contentType, data string) inputs {
		return wrap(fmt.Sprintf(inner, `,"content-type":"`+contentType+`"`), data)
	}
	structuredAs := func(contentType, member string) inputs {
		return membered(`"datacontenttype":"` + contentType + `",` + member)
	}
	// all returns the data in each of the forms that an event has.
	all := func(contentType, text string) inputs {
		quoted, _ := json.Marshal(text)
		data := `"data":` + string(quoted)
		if strings.Contains(strings.ToLower(contentType), "json") {
			data = `"data":` + text
		}
		return each(typed(contentType, text), structuredAs(contentType, data), wrappedAs(contentType, text),
			wrap(`{"content-type":"application/cloudevents+json"}`, eventtest.Structured(`,"datacontenttype":"`+contentType+`",`+data)),
			pushed(`,"content-type":"`+contentType+`"`, text))
	}
	return []joinable{
		{"`application/json`: `{\"a\": 1.0}`", each(all("application/json", `{"a": 1.0}`), all("Application/JSON; charset=utf-8", `{"a": 1.0}`)), "application/json", `{"a": 1.0}`, ""},
		{"`application/vnd.shop+json`: `42`", all("application/vnd.shop+json", `42`), "application/vnd.shop+json", `42`, ""},
		{"[`application/json`, a byte order mark before it]", each(typed("application/json", "\ufeff[1]"), wrappedAs("application/json", "\ufeff[1]")), "application/json", `[1]`, ""},
		{"[`text/plain`: `hello`]", all("text/plain", hello), "text/plain", `"hello"`, ""},
		{"`text/plain`: `0042`", all("text/plain; charset=utf-8", "0042"), "text/plain", `"0042"`, ""},
		{"[`text/csv`: `true`, `null`, `{\"a\":`]", all("text/csv", `{"a":`), "text/csv", `"{\"a\":"`, ""},
		{"[`text/plain`: `null`]", all("text/plain", `null`), "text/plain", `"null"`, ""},
		{"[`text/plain`: `\"quoted\"`]", all("text/plain", `"quoted"`), "text/plain", `"\"quoted\""`, ""},
		{"`application/octet-stream`: `hello`", all("application/octet-stream", hello), "application/octet-stream", `"aGVsbG8="`, ""},
		{"[`application/xml`: `<a/>`]", all("application/xml", `<a/>`), "application/xml", `"PGEvPg=="`, ""},
		{"[`application/x-www-form-urlencoded`: `42`]", all("application/x-www-form-urlencoded", `42`), "application/x-www-form-urlencoded", `"NDI="`, ""},
		{"[`image/png`: the bytes `0xFF 0x00`]", each(typed("image/png", "\xff\x00"), structuredAs("image/png", `"data_base64":"/wA="`), wrappedAs("image/png", "\xff\x00")), "image/png", `"/wA="`, ""},
		{"`data_base64`, whatever is declared: `hello`", each(membered(`"data_base64":"aGVsbG8="`), structuredAs("application/json", `"data_base64":"aGVsbG8="`),
			structuredAs("text/plain", `"data_base64":"aGVsbG8="`), structuredAs("nonsense", `"data_base64":"aGVsbG8="`),
			structured(`{"specversion":"1.0","id":"1","source":"s","type":"google.cloud.scheduler.job.v1.executed","key":"k","data_base64":"aGVsbG8="}`),
			structured(`{"specversion":"0.3","id":"1","source":"s","type":"t","key":"k","datacontentencoding":"base64","datacontenttype":"application/json","data":"aGVsbG8="}`)),
			"application/octet-stream", `"aGVsbG8="`, ""},
		{"structured, `data` without `datacontenttype`: `\"hello\"`", membered(`"data":"hello"`), "application/json", `"hello"`, ""},
		{"[structured, `data` without `datacontenttype`: `0.50`]", membered(`"data":0.50`, `"datacontenttype":null,"data":0.50`), "application/json", `0.50`, ""},
		{"nothing declared: `{\"a\": 1}`, `42`, `true`", each(untypedBody(`42`), pushed(``, `42`), wrap(fmt.Sprintf(inner, ``), `42`)), "", `42`, "the JSON as it is"},
		{"[nothing declared: `null`]", each(untypedBody(`null`), pushed(``, `null`)), "", `null`, ""},
		{"nothing declared: `hello`", each(untypedBody(hello), pushed(``, hello), wrap(fmt.Sprintf(inner, ``), hello)), "", `"hello"`, ""},
		{"nothing declared: `0042`", each(untypedBody(`0042`), pushed(``, `0042`)), "", `"0042"`, ""},
		{"nothing declared: the bytes `0xFF 0x00`", each(untypedBody("\xff\x00"), pushed(``, "\xff\x00")), "", `"/wA="`, ""},
		{"a Pub/Sub schema, `BINARY`: `hello`", each(pushed(`,"googclient_schemaencoding":"BINARY"`, hello),
			wrap(fmt.Sprintf(inner, `,"googclient_schemaencoding":"BINARY"`), hello)), "application/octet-stream", `"aGVsbG8="`, ""},
		{"[a Pub/Sub schema, `JSON`: `42`]", pushed(`,"googclient_schemaencoding":"JSON"`, `42`), "application/json", `42`, ""},
		{"no data, whatever is declared", each(typed("application/json", ""), typed("text/plain", ""), typed("image/png", ""), untypedBody(""), message(``), messages(`"data":""`),
			pushed(`,"googclient_schemaencoding":"JSON"`, ""), wrappedAs("application/json", ""), structured(eventtest.Structured(``)),
			membered(`"data":null`, `"data_base64":null`, `"data_base64":""`, `"datacontenttype":"application/json","data":null`, `"datacontenttype":"text/plain","data":""`)), "", `null`, ""},
	}
}

// Each event is joined as docs/input.md says, whatever form it has.
func TestJoinedContent(t *testing.T) {
	for _, row := range joinables() {
		t.Run(row.name, func(t *testing.T) {
			for i, input := range row.inputs {
				m := convertRequest(t, convert.CloudEventToInput, input())
				if m.MediaType != row.media {
					t.Errorf("input %d: media type %q, want %q", i, m.MediaType, row.media)
				}
				if got := joinedAlone(t, input()); got != row.joined {
					t.Errorf("input %d: joined as %s, want %s", i, got, row.joined)
				}
			}
		})
	}
}

// joinedAlone returns the value of a request's event in the joined object, whatever its source.
func joinedAlone(t testing.TB, r *http.Request) (content string) {
	t.Helper()
	store := memstore.New()
	take := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		var joined map[string]json.RawMessage
		if err := json.Unmarshal(m.Content, &joined); err != nil {
			return err
		}
		content = string(joined["event1"])
		return nil
	})
	pipeline := driver.New(joiner.New(joiner.MatchAll("event1"), store), take)
	if w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, quiet), to(t, "/events/event1", r)); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	return content
}

// The table of docs/input.md is made from these rows. To write it anew:
//
//	go test ./driver/convert -run TestInputPage -update
func TestInputPageJoinedContent(t *testing.T) {
	rows := [][]string{{"the event's data", "in the joined object"}}
	for _, row := range joinables() {
		if strings.HasPrefix(row.name, "[") { // a variant, for the test alone
			continue
		}
		shown := row.shown
		if shown == "" {
			shown = "`" + row.joined + "`"
		}
		rows = append(rows, []string{row.name, shown})
	}
	doctable.Check(t, "../../docs/input.md", "## What becomes of the data", rows, *update)
}
