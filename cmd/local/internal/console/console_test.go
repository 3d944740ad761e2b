package console

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/letters"
)

// TestLive: a page is told all that there is, and then what changes, and nothing else.
func TestLive(t *testing.T) {
	s := serve(t)
	for i := range 50 {
		s.keep(fmt.Sprintf("order-%d", i), "event1", "{}")
	}
	next := s.stream()
	first, seen := next(), 0
	if !first.Reset {
		t.Errorf("the first view is no whole one: %+v", first)
	}
	for v := first; ; v = next() {
		if seen += len(v.Rows); v.Looked {
			break
		}
	}
	if seen != 50 {
		t.Errorf("%d rows at first, want 50", seen)
	}
	s.keep("order-7", "event2", "{}")
	s.complete("order-7")
	s.lab.Records.Add(records.Record{Kind: records.Answered, Key: "order-7"})
	v := next()
	if len(v.Rows) != 1 || v.Reset || v.Rows[0].Key != "order-7" || v.Rows[0].State != joiner.Done || v.Rows[0].Records != 1 {
		t.Errorf("after one key has changed: %+v", v)
	}
	if err := s.store.AddDeadLetter(t.Context(), driver.DeadLetter{Key: "order-8", Reason: driver.ReasonPermanent}); err != nil {
		t.Fatal(err)
	}
	s.watch.touch("order-8")
	awaitRow(s, next, "order-8", func(r row) bool { return r.Letters == 1 })
	if err := s.store.AddDeadLetter(t.Context(), driver.DeadLetter{Key: "order-99", Reason: driver.ReasonPermanent}); err != nil {
		t.Fatal(err)
	}
	s.watch.touch("")
	awaitRow(s, next, "order-99", func(r row) bool { return r.Letters == 1 && r.State == keys.None })
}

// TestNobodyWatches: without a page the store is left alone.
func TestNobodyWatches(t *testing.T) {
	s := serve(t)
	s.watch.touch("order-1")
	s.watch.touch("")
	if some, all := s.watch.take(); len(some) != 0 || all {
		t.Errorf("looks at %v, all: %t", some, all)
	}
}

func TestKeyPage(t *testing.T) {
	s := serve(t)
	odd := "a/../b c?#%ö\u2028" + strings.Repeat("x", 300)
	s.keep(odd, "event1", `{"n":9007199254740993}`)
	status, p := s.get("/api/key", "key", odd)
	if status != http.StatusOK || p["key"] != odd || p["state"] != "waiting" || p["joined"] != nil ||
		!strings.Contains(fmt.Sprint(p["next"]), "It waits for event2") {
		t.Errorf("%d %v", status, p)
	}
	s.keep(odd, "event2", "\xff\xfe")
	_, p = s.get("/api/key", "key", odd)
	contents := p["contents"].([]any)
	one, two := contents[0].(map[string]any), contents[1].(map[string]any)
	if one["text"] != `{"n":9007199254740993}` || one["attributes"].(map[string]any)["a"] != "b" {
		t.Errorf("first content %v", one)
	}
	if two["text"] != "//4=" || two["base64"] != true {
		t.Errorf("second content %v", two)
	}
	if joined := p["joined"].(map[string]any); joined["text"] != `{"event1":{"n":9007199254740993},"event2":"//4="}` {
		t.Errorf("joined %v", joined)
	}
	if status, p := s.get("/api/key", "key", "nothing"); status != http.StatusOK || p["state"] != "none" {
		t.Errorf("a key of which nothing is kept: %d %v", status, p)
	}
	if status, _ := s.get("/api/key"); status != http.StatusUnprocessableEntity {
		t.Errorf("no key: %d", status)
	}
}

// TestLongContentIsCut at a whole character.
func TestLongContentIsCut(t *testing.T) {
	c := shown(driver.Message{Content: []byte("x" + strings.Repeat("ö", shownLimit))})
	if c.Base64 || len(c.Text) != shownLimit-1 || c.Size != 2*shownLimit+1 {
		t.Errorf("%d bytes of %d, base64 %t", len(c.Text), c.Size, c.Base64)
	}
}

func TestChanges(t *testing.T) {
	s := serve(t)
	s.keep("order-1", "event1", "{}")
	s.complete("order-1")
	for _, c := range []struct {
		name   string
		status int
		state  string
	}{
		{"release", http.StatusConflict, "done"},
		{"rerun", http.StatusOK, "waiting"},
		{"rerun", http.StatusConflict, "waiting"},
		{"complete", http.StatusOK, "done"},
	} {
		status, said := s.post(c.name, request{Key: "order-1"})
		_, p := s.get("/api/key", "key", "order-1")
		if status != c.status || p["state"] != c.state {
			t.Errorf("%s: %d %v, then %v; want %d and %s", c.name, status, said, p["state"], c.status, c.state)
		}
	}
	answer, err := http.Post(s.url+"/api/purge", "application/json", strings.NewReader(`{"key":"order-1"}{"key":"order-2"}`))
	if err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("two objects: %+v, %v", answer, err)
	}
	if status, said := s.post("complete", map[string]any{"Key": "order-1", "kee": 1}); status != http.StatusBadRequest {
		t.Errorf("a misspelled field: %d %v", status, said)
	}
}

// TestReplaceAndPurge: an event is corrected, with who and why, and a key is deleted.
func TestReplaceAndPurge(t *testing.T) {
	s := serve(t)
	s.keep("order-1", "event1", `{"n":1}`)
	corrected := request{Key: "order-1", Source: "event1", Content: `{"n":2}`, Why: "n was wrong"}
	silent, absent := corrected, corrected
	silent.Why, absent.Source = "", "event2"
	for _, c := range []struct {
		r    request
		want int
	}{{silent, http.StatusUnprocessableEntity}, {absent, http.StatusNotFound}, {corrected, http.StatusOK}, {corrected, http.StatusConflict}} {
		if status, said := s.post("replace", c.r); status != c.want {
			t.Errorf("%+v: %d %v, want %d", c.r, status, said, c.want)
		}
	}
	_, p := s.get("/api/key", "key", "order-1")
	source := p["sources"].([]any)[0].(map[string]any)
	if text := p["contents"].([]any)[0].(map[string]any)["text"]; text != `{"n":2}` {
		t.Errorf("the content is %v", text)
	}
	if c := source["corrections"].([]any)[0].(map[string]any); c["why"] != "n was wrong" || c["by"] != "console" {
		t.Errorf("the correction is %v", c)
	}
	if status, said := s.post("purge", request{Key: "order-1"}); status != http.StatusOK {
		t.Errorf("purge: %d %v", status, said)
	}
	if _, p := s.get("/api/key", "key", "order-1"); p["state"] != "none" {
		t.Errorf("after the purge: %v", p)
	}
}

func TestLetters(t *testing.T) {
	s := serve(t)
	add := func(reason driver.Reason, body string) string {
		t.Helper()
		letter := driver.DeadLetter{Key: "order-1", Reason: reason, ID: body, Body: []byte(body)}
		if err := s.store.AddDeadLetter(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		page, err := s.store.ListLetters(t.Context(), driver.LetterQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Letters {
			if l.ID == body {
				return l.Ref
			}
		}
		t.Fatalf("no letter %q", body)
		return ""
	}
	count := func() int {
		page, _ := s.store.ListLetters(t.Context(), driver.LetterQuery{})
		return len(page.Letters)
	}
	ref := add(driver.ReasonPermanent, "wrong")
	status, l := s.get("/api/letter", "ref", ref)
	if status != http.StatusOK || l["body"] != "wrong" || l["reason"] != string(driver.ReasonPermanent) {
		t.Fatalf("%d %v", status, l)
	}
	s.sender.answer = letters.Answer{Result: letters.Waits, Status: http.StatusAccepted}
	if status, said := s.post("resend", map[string]any{"ref": ref}); status != http.StatusOK || said["dropped"] != false || count() != 1 {
		t.Errorf("a letter whose event waits: %d %v, %d letters are left", status, said, count())
	}
	s.sender.answer = letters.Answer{Result: letters.Processed, Status: http.StatusNoContent}
	l["body"] = "right"
	status, said := s.post("resend", map[string]any{"ref": ref, "letter": l})
	if status != http.StatusOK || said["dropped"] != true || count() != 0 || string(s.sender.letters[1].Body) != "right" {
		t.Errorf("a letter that was changed: %d %v, sent %s", status, said, s.sender.letters[1].Body)
	}
	if status, _ := s.post("resend", map[string]any{"ref": ref}); status != http.StatusNotFound {
		t.Errorf("a letter that is gone: %d", status)
	}
	ended := add(driver.ReasonIncomplete, "ended")
	if status, _ := s.post("resend", map[string]any{"ref": ended}); status != http.StatusUnprocessableEntity || len(s.sender.letters) != 2 {
		t.Errorf("the letter of a join that has ended: %d", status)
	}
	changed := letters.Describe("", driver.DeadLetter{Header: map[string][]string{"Ce-Type": {convert.JoinedType}},
		Body: []byte(`{"v":1,"events":[{"key":"order-1","source":"event1","content":"right"}]}`)}, true)
	s.keep("order-1", "event1", "wrong")
	status, said = s.post("resend", map[string]any{"ref": ended, "letter": changed})
	if status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(said), "other content") ||
		len(s.sender.letters) != 2 {
		t.Errorf("a changed order of which an event is kept: %d %v", status, said)
	}
	if status, _ := s.post("drop", map[string]any{"ref": ended}); status != http.StatusOK || count() != 0 {
		t.Errorf("drop: %d", status)
	}
}

// TestAssets: all that the page needs is embedded, and says what it is.
func TestAssets(t *testing.T) {
	s := serve(t)
	for path, mediaType := range map[string]string{"/": "text/html", "/style.css": "text/css", "/app.js": "text/javascript",
		"/icon.svg": "image/svg+xml"} {
		answer, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		h := answer.Header
		if err != nil || answer.StatusCode != http.StatusOK || len(text) == 0 || !strings.HasPrefix(h.Get("Content-Type"), mediaType) {
			t.Errorf("%s: %s, %s, %v", path, answer.Status, h.Get("Content-Type"), err)
		}
		if p := h.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'self'") || strings.Contains(p, "unsafe") ||
			!strings.Contains(p, "frame-ancestors 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}
