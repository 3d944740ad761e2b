package letters_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/operate/letters"
	"example.com/eventdriver/stores/memstore"
)

func TestFind(t *testing.T) {
	store, pages := memstore.New(), 0
	for i := range 2500 {
		d := driver.DeadLetter{Reason: driver.ReasonConflict, Key: fmt.Sprint("order-", i), Source: "event1", ID: fmt.Sprint(i)}
		if i%5 == 0 {
			d.Reason, d.Key = driver.ReasonNoKey, ""
		}
		if err := store.AddDeadLetter(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	l, err := letters.Find(t.Context(), store, letters.Query{Limit: 3, Progress: func(letters.List) { pages++ }})
	want := []letters.Count{{driver.ReasonConflict, 2000}, {driver.ReasonNoKey, 500}}
	if err != nil || l.Seen != 2500 || l.Found != 2500 || !slices.Equal(l.Counts, want) || len(l.Letters) != 3 || pages != 2 {
		t.Errorf("%+v in %d pages, %v", l, pages, err)
	}
	if first := l.Letters[0]; first.Ref == "" || first.Added == nil || first.ID != "0" || first.Body != nil {
		t.Errorf("%+v", first)
	}
	for _, c := range []struct {
		query letters.Query
		want  int
	}{{letters.Query{Reason: driver.ReasonNoKey}, 500}, {letters.Query{Key: "order-7"}, 1}, {letters.Query{Key: "order-5"}, 0}} {
		if l, err := letters.Find(t.Context(), store, c.query); err != nil || l.Found != c.want || len(l.Letters) != 0 {
			t.Errorf("%+v: %+v, %v", c.query, l, err)
		}
	}
	if _, err := letters.Find(t.Context(), store, letters.Query{Reason: "no-kye"}); !errors.Is(err, letters.ErrNoReason) ||
		!strings.Contains(err.Error(), `"no-key"`) {
		t.Errorf("a reason that is misspelled: %v", err)
	}
	own := driver.DeadLetter{Reason: "fraud", Key: "order-0"}
	if err := store.AddDeadLetter(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	ownOfAnother := letters.Query{Reason: own.Reason, Key: "order-1"}
	if l, err := letters.Find(t.Context(), store, ownOfAnother); err != nil || l.Found != 0 {
		t.Errorf("a reason of a handler's own: %+v, %v", l, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := letters.Find(ended, store, letters.Query{}); !errors.Is(err, context.Canceled) || l.Letters == nil {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestSend: a letter is sent as its event came, and each answer has a result.
func TestSend(t *testing.T) {
	var status int
	var dead string
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got, body = r, string(content)
		if dead != "" {
			w.Header().Set(convert.DeadLetterHeader, dead)
			w.Header().Set(convert.ErrorHeader, "why")
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	d := driver.DeadLetter{Path: "/events/event1", Body: []byte("\x00\xff"), Header: map[string][]string{
		"Ce-Id": {"1", "2"}, "ce-source": {"/a"}, "Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}, "Authorization": {"secret"}, "X-Trace": {"t"}, "Ce-None": {}}}
	f := letters.Function{URL: server.URL + "/", Token: "token", Client: server.Client()}
	for _, c := range []struct {
		status int
		dead   string
		want   letters.Result
	}{
		{204, "", letters.Processed}, {202, "", letters.Waits}, {200, "conflict", letters.DeadLettered}, {200, "", letters.Refused},
		{403, "", letters.Refused}, {503, "", letters.Refused}, {301, "", letters.Refused},
	} {
		status, dead = c.status, c.dead
		a, err := f.Send(t.Context(), d)
		if err != nil || a.Result != c.want || a.Status != c.status || a.Text != map[bool]string{true: "why"}[c.dead != ""] {
			t.Errorf("%d: %+v, %v; want %s", c.status, a, err, c.want)
		}
	}
	header := got.Header
	if got.Method != http.MethodPost || got.URL.Path != "/events/event1" || body != "\x00\xff" || header.Get("Ce-Id") != "1" ||
		header.Get("Ce-Source") != "/a" || header.Get("Content-Type") != "text/plain" || header.Get("Authorization") != "Bearer token" ||
		header.Get("X-Trace") != "" || header.Get("Content-Encoding") != "gzip" || len(header["Ce-Id"]) != 2 {
		t.Errorf("sent %s %s with %v: %q", got.Method, got.URL, header, body)
	}
	status = http.StatusNotFound // Google's answer, with a page
	if a, err := f.Send(t.Context(), d); err != nil || a.Result != letters.Refused || !strings.Contains(a.Text, "ingress") {
		t.Errorf("404: %+v, %v", a, err)
	}
	status, d.Path = http.StatusNoContent, ""
	if _, err := f.Send(t.Context(), d); err != nil || got.URL.Path != "/" {
		t.Errorf("without a path: %s, %v", got.URL, err)
	}
}

// TestSendRefusesOtherPaths: a letter can't say where the token goes.
func TestSendRefusesOtherPaths(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	f := letters.Function{URL: "http://function.invalid", Token: "token", Client: server.Client()}
	for _, path := range []string{"@" + host + "/x", "@" + host + "/events/event1", ":80@" + host, "." + host, "event1", "/sweep", "/",
		"//" + host, "/events/", "/events/../sweep", "/events/event1/x", "/events/event1?x", "/events/event1#x", "/events//event1"} {
		if _, err := f.Send(t.Context(), driver.DeadLetter{Path: path}); !driver.IsPermanent(err) || !strings.Contains(err.Error(), "path") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if requests > 0 {
		t.Errorf("%d requests with the token have come to another host", requests)
	}
}

// TestSendRefusesACutLetter: the beginning of an event is no event.
func TestSendRefusesACutLetter(t *testing.T) {
	text, err := json.Marshal(letters.Describe("7", driver.DeadLetter{Body: []byte("the begin"), Cut: true}, true))
	if err != nil {
		t.Fatal(err)
	}
	d, err := letters.Parse(text)
	if err != nil || !d.Cut {
		t.Errorf("%s: %+v, %v; want a letter that is cut", text, d, err)
	}
	corrected := strings.Replace(string(text), "the begin", "the whole event", 1)
	if d, err := letters.Parse([]byte(corrected)); err != nil || d.Cut {
		t.Errorf("%s: %+v, %v; want one that is whole by now", corrected, d, err)
	}
	f := letters.Function{URL: "http://function.invalid", Client: &http.Client{}}
	for _, sender := range []letters.Sender{f, letters.Topic{}} {
		if _, err := sender.Send(t.Context(), d); !driver.IsPermanent(err) || !strings.Contains(err.Error(), "beginning") {
			t.Errorf("%T: %v", sender, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	d := driver.DeadLetter{Reason: driver.ReasonNoKey, Error: "why", Body: []byte("\xff")}
	if l := letters.Describe("7", d, false); l.Ref != "7" || l.Error != "why" || l.Size != 1 || l.Body != nil || l.BodyEncoding != "" {
		t.Errorf("%+v", l)
	}
	if l := letters.Describe("7", d, true); *l.Body != "/w==" || l.BodyEncoding != "base64" {
		t.Errorf("%+v", l)
	}
	for _, body := range []string{"\xff", "text \x00\u2028", ""} {
		d.Body, d.Path, d.Header = []byte(body), "/events/event1", map[string][]string{"Ce-Id": {"1"}}
		text, err := json.Marshal(letters.Describe("7", d, true))
		got, errParse := letters.Parse(text)
		if err != nil || errParse != nil || string(got.Body) != body || got.Path != d.Path || got.Header["Ce-Id"][0] != "1" || got.Error != "why" {
			t.Errorf("%q: %+v, %v, %v", body, got, err, errParse)
		}
	}
	if _, err := letters.Parse([]byte(`{"reason":"no-key"}`)); err == nil || !strings.Contains(err.Error(), "--payload") {
		t.Errorf("without a body: %v", err)
	}
}

// TestDescribeHeaders: a header that is not UTF-8 stays what it was, and is read as Cloud Storage's letters have it.
func TestDescribeHeaders(t *testing.T) {
	for _, key := range []string{"M\xfcller", "M\xf6ller", "Müller", "base64:", ""} {
		letter := driver.DeadLetter{Header: map[string][]string{"Ce-Key": {"x", key}}}
		text, err := json.Marshal(letters.Describe("7", letter, true))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := letters.Parse(text); err != nil || !slices.Equal(d.Header["Ce-Key"], []string{"x", key}) {
			t.Errorf("%q: %q, %v", key, d.Header, err)
		}
	}
	d, err := letters.Parse([]byte(`{"body":"","header":{"Ce-Key":["base64:/w=="]}}`))
	if err != nil || d.Header["Ce-Key"][0] != "\xff" {
		t.Errorf("of Cloud Storage: %q, %v", d.Header, err)
	}
}

// TestNoLetter: the error says what a letter is.
func TestNoLetter(t *testing.T) {
	for _, text := range []string{"", "order-1", "[]", "{}", `{"body":1}`, `{"body":"?","bodyEncoding":"base64"}`,
		`{"body":"eA==","bodyEncoding":"Base64"}`, `{"body":"","header":{"Ce-Id":["base64:?"]}}`} {
		if _, err := letters.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "letters show --payload --json") &&
			!strings.Contains(err.Error(), "base64") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
