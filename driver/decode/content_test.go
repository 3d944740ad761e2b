package decode_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

// The kind of a source's data in the options prevails over what its events declare.
func TestContentOfSource(t *testing.T) {
	const (
		auto, asJSON, text, bytes = decode.ContentAuto, decode.ContentJSON, decode.ContentText, decode.ContentBytes
		declaresNothing           = ""
	)
	for _, c := range []struct {
		kind           decode.ContentKind
		declares, data string
		media, content string // media empty, and content too: it is refused
	}{
		{text, declaresNothing, `{"items":`, "text/plain", `{"items":`},
		{text, "application/json", `{"items":`, "text/plain", `{"items":`},
		{text, "application/octet-stream", "\ufeffa", "text/plain", "\ufeffa"},
		{text, "text/csv", "a", "text/csv", "a"},
		{text, declaresNothing, "\xff", "", ""},
		{bytes, declaresNothing, `{"items":`, "application/octet-stream", `{"items":`},
		{bytes, "application/json", `{`, "application/octet-stream", `{`},
		{bytes, "text/plain", "\xe9", "application/octet-stream", "\xe9"},
		{bytes, "image/png", "\xff", "image/png", "\xff"},
		{asJSON, declaresNothing, `42`, "application/json", `42`},
		{asJSON, declaresNothing, `hello`, "", ""},
		{asJSON, "text/plain", `0042`, "", ""},
		{asJSON, "text/plain", "\ufeff{}", "application/json", `{}`},
		{asJSON, "application/vnd.x+json", `{}`, "application/vnd.x+json", `{}`},
		{asJSON, "application/octet-stream", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), "", ""},
		{auto, declaresNothing, `hello`, "", `hello`},
		{auto, "application/json", `{`, "", ""},
	} {
		in := decoder(t, decode.Content(map[string]decode.ContentKind{"event1": c.kind, "other": decode.ContentJSON}))
		r := eventtest.Binary(c.data)
		r.Header.Set("Content-Type", c.declares)
		m, err := read(t, in, r)
		name := fmt.Sprintf("%s, declares %q, %.20q", c.kind, c.declares, c.data)
		switch {
		case c.content == "":
			if driver.ReasonOf(err) != driver.ReasonUndecodable {
				t.Errorf("%s: %+v, %v; want undecodable", name, m, err)
			}
		case err != nil || m.MediaType != c.media || string(m.Content) != c.content:
			t.Errorf("%s: %+v, %v; want %q of %s", name, m, err, c.content, c.media)
		}
	}
	if _, err := decode.New(decode.Content(map[string]decode.ContentKind{"event1": "xml"})); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("an unknown kind: %v", err)
	}
}

// TestCharset: text in a charset in which it is another text than in UTF-8 is refused, however it comes.
func TestCharset(t *testing.T) {
	for charset, want := range map[string]map[string]bool{
		"utf-8":          {"a": true, "é": true},
		`"UTF-8"`:        {"é": true},
		"us-ascii":       {"a": true},
		"ISO-8859-1":     {"a": true, "é": false, "\xe9": false},
		"windows-1252":   {"a": true, "é": false},
		"gbk":            {"a": true, "é": false},
		"x-unknown":      {"a\r\n": true, "a\x00": false, "\x1b$B": false},
		"utf16":          {"a": false},
		"utf-16":         {"a": false, "a\x00": false},
		"iso-2022-jp":    {"a": false},
		"; charset=utf8": {"a": true}, // malformed
	} {
		for data, taken := range want {
			contentType := "text/plain; charset=" + charset
			attributes, _ := json.Marshal(map[string]string{"key": "k", "content-type": contentType})
			for form, r := range map[string]*http.Request{
				"binary": eventtest.Binary(data, "Content-Type", contentType),
				"push":   eventtest.Request(eventtest.Push(string(attributes), data), "Content-Type", "application/json"),
			} {
				m, err := read(t, zero, r)
				if (err == nil) != taken || taken && (string(m.Content) != data || m.MediaType != "text/plain") {
					t.Errorf("%s, %s, %q: %+v, %v; want it taken: %v", form, charset, data, m, err, taken)
				}
				if err != nil && !strings.Contains(err.Error(), m.Source+":bytes") {
					t.Errorf("%s, %s, %q: %v, which does not say the remedy", form, charset, data, err)
				}
			}
		}
	}
	in := decoder(t, decode.Content(map[string]decode.ContentKind{"event1": decode.ContentText}))
	overridden := eventtest.Binary("é", "Content-Type", "text/plain; charset=iso-8859-1")
	if m, err := read(t, in, overridden); err != nil || string(m.Content) != "é" {
		t.Errorf("with CONTENT: %+v, %v", m, err)
	}
	body := []byte(eventtest.Structured(`,"datacontenttype":"text/plain; charset=utf-16","data":"é"`))
	structured := eventtest.Request(body, "Content-Type", "application/cloudevents+json")
	if m, err := read(t, zero, structured); err != nil || string(m.Content) != "é" {
		t.Errorf("in JSON, which is Unicode: %+v, %v", m, err)
	}
}

// The rejection names the remedies, and shows nothing of the data.
func TestMalformedJSONNamesTheRemedy(t *testing.T) {
	m, err := rejection(t, eventtest.Request([]byte(`{"message":{"messageId":"1","attributes":{"key":"k"},"data":"`+
		base64.StdEncoding.EncodeToString([]byte(`{"`+eventtest.Secret+`":`))+`"},"subscription":"projects/p/subscriptions/event1"}`), "Content-Type", "application/json"))
	for _, part := range []string{"declares nothing", "at byte 10", "fix the publisher", "CONTENT", "event1:text"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), eventtest.Secret) || m.Key != "k" || m.Source != "event1" || m.ID != "1" {
		t.Errorf("%v, and known is %+v", err, m)
	}
}

func TestContentSurvives(t *testing.T) {
	for _, content := range []string{
		"{ \"n\": 9007199254740993,\r\n\t\"b\": 1.10, \"a\": 1e400 , \"<\": \"\\u003c\" }",
		`{"a":1,"a":2}`,
	} {
		e := eventtest.Event("com.example", "event1", []byte(content))
		m, err := zero.Message(t.Context(), e)
		if err != nil || string(m.Content) != content {
			t.Errorf("content %q, %v; want %q", m.Content, err, content)
		}
		structured := `{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k","data":` + content + `}`
		m = message(t, zero, eventtest.Request([]byte(structured), "Content-Type", "application/cloudevents+json"))
		if want := strings.TrimSpace(content); string(m.Content) != want {
			t.Errorf("structured: content %q, want %q", m.Content, want)
		}
	}
	blob := eventtest.Event("com.example", "event1", []byte("\xff\x00\xfe"))
	blob.SetDataContentType("application/octet-stream")
	if m, err := zero.Message(t.Context(), blob); err != nil || string(m.Content) != "\xff\x00\xfe" {
		t.Errorf("binary content %q, %v", m.Content, err)
	}
	// Of bytes that come without a media type, the joiner finds out what they are.
	pushed := eventtest.Request(eventtest.Push(`{"key": "k"}`, "\"\xff\xfe\""), "Content-Type", "application/json")
	if m := message(t, zero, pushed); string(m.Content) != "\"\xff\xfe\"" {
		t.Errorf("pushed content %q", m.Content)
	}
}

// An event that a program has made is what it declares, also if its data was given as a []byte, for
// which the SDK sets DataBase64.
func TestEventMadeByAProgramIsWhatItDeclares(t *testing.T) {
	for media, want := range map[string]string{"application/json": "application/json", "text/plain": "text/plain", "image/png": "image/png"} {
		e := eventtest.Event("com.example", "event1", nil)
		if err := e.SetData(media, []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		if m, err := zero.Message(t.Context(), e); err != nil || m.MediaType != want || string(m.Content) != `{"a":1}` {
			t.Errorf("%s: %s, %q, %v", media, m.MediaType, m.Content, err)
		}
	}
}
