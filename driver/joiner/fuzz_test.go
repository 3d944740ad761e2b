package joiner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// What is joined is always JSON in UTF-8, with a member for each source, and nothing of
// a content is lost.
func FuzzCompose(f *testing.F) {
	f.Add("event1", []byte(`{"n":9007199254740993}`), "event2", []byte("text\x00\u2028<"), "")
	f.Add("", []byte(nil), "\"", []byte("\xff\xfe"), "application/json")
	f.Add("a", []byte("\"\xff\""), "b", []byte(` {"a":1,"a":2} `), "application/a+json")
	f.Add("a", []byte(strings.Repeat("[", deepest)+strings.Repeat("]", deepest)), "b", []byte(`"\ud800"`), "text/json")
	f.Add("a", []byte(strings.Repeat("[", deepest-1)+strings.Repeat("]", deepest-1)), "b", []byte("\ufeff1"), "text/plain")
	f.Add("\xff", []byte("12"), "\xfe", []byte("true"), "text/csv")
	f.Add("\ufffd", []byte("12"), "\xfe", []byte("1"), "application/octet-stream")
	f.Add("base64:/w==", []byte("MTI="), "\xff", []byte(`"1"`), "application/xml")
	f.Fuzz(func(t *testing.T, a string, first []byte, b string, second []byte, media string) {
		if a == b {
			return // a key has one event of a source
		}
		events := []driver.Message{{Source: a, Content: first, MediaType: media}, {Source: b, Content: second, MediaType: media}}
		plan := planOf(events)
		joined := plan.compose(ComposedSource, "k")
		for i, e := range plan.restore(joined.Content) {
			if e.Source != events[i].Source || e.MediaType != media || !bytes.Equal(e.Content, events[i].Content) {
				t.Errorf("%+v was restored as %+v", events[i], e)
			}
		}
		if !json.Valid(joined.Content) || !utf8.Valid(joined.Content) {
			t.Fatalf("%q is no JSON", joined.Content)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(joined.Content, &got); err != nil || len(got) != 2 {
			t.Fatalf("%d members, %v", len(got), err)
		}
		for source, content := range map[string][]byte{a: first, b: second} {
			member := source
			if !utf8.ValidString(source) || strings.HasPrefix(source, "base64:") || strings.Contains(source, "\x00") {
				member = "base64:" + base64.StdEncoding.EncodeToString([]byte(source))
			}
			expectValue(t, got[member], content, media)
		}
	})
}

// expectValue checks the form that content of a media type has.
func expectValue(t *testing.T, got json.RawMessage, content []byte, media string) {
	t.Helper()
	isJSON := media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
	isText := media == "" || isJSON || strings.HasPrefix(media, "text/")
	plain := bytes.TrimSpace(content)
	var text string
	errText := json.Unmarshal(got, &text)
	decoded, errBase64 := base64.StdEncoding.DecodeString(text)
	switch {
	case len(content) == 0:
		if string(got) != "null" {
			t.Errorf("no content became %q", got)
		}
	case (media == "" || isJSON) && json.Valid(plain) && utf8.Valid(plain) && bytes.Equal(got, plain):
	case errText != nil:
		t.Errorf("%q of %q became %q: %v", content, media, got, errText)
	case isText && utf8.Valid(content):
		if text != string(content) {
			t.Errorf("text %q of %q became %q", content, media, text)
		}
	case errBase64 != nil || !bytes.Equal(decoded, content):
		t.Errorf("bytes %q of %q became %q", content, media, text)
	}
}

// JSON of any depth that is JSON alone can be joined.
func TestDeepContentIsJoined(t *testing.T) {
	for _, depth := range []int{deepest - 1, deepest, deepest + 1} {
		content := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		joined := planOf([]driver.Message{{Source: "deep", Content: []byte(content)}, {Source: "n", Content: []byte("1")}}).compose(ComposedSource, "k")
		var got struct {
			Deep json.RawMessage
			N    int
		}
		if err := json.Unmarshal(joined.Content, &got); err != nil || got.N != 1 {
			t.Errorf("%d deep: %v", depth, err)
		}
		if isText := got.Deep[0] == '"'; isText != (depth >= deepest) {
			t.Errorf("%d deep became %.20s", depth, got.Deep)
		}
	}
}
