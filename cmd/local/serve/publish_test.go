package serve

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/records"
)

// bin is a bus to nowhere.
type bin struct{}

func (bin) Prepare(events.Event) (string, events.Send, error) {
	return "1", func() (string, error) { return "1", nil }, nil
}

// What Pub/Sub refuses, and what a page in a browser sends, is not published.
func TestPublishRefuses(t *testing.T) {
	handler := publishHandler(events.New(bin{}, func(topic string) string { return topic }, records.New(10, nil)))
	for _, c := range []struct {
		key, origin string
		want        int
	}{
		{"order-1", "", http.StatusAccepted},
		{"ö/%2F ?", "", http.StatusAccepted},
		{strings.Repeat("x", 1024), "", http.StatusAccepted},
		{strings.Repeat("x", 1025), "", http.StatusBadRequest},
		{"\xff\xfe", "", http.StatusBadRequest},
		{"order-1", "http://evil.example", http.StatusForbidden},
		{"order-1", "null", http.StatusForbidden},
	} {
		r := httptest.NewRequest(http.MethodPost, "/publish/paid?key="+url.QueryEscape(c.key), strings.NewReader("{}"))
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("key %.20q from %q: %d, want %d: %s", c.key, c.origin, w.Code, c.want, w.Body)
		}
	}
}

// A query that is not read as a key would make an event without one.
func TestPublishRefusesQueries(t *testing.T) {
	handler := publishHandler(events.New(bin{}, func(topic string) string { return topic }, records.New(10, nil)))
	for query, want := range map[string]int{
		"": http.StatusAccepted, "?key=": http.StatusAccepted, "?key=100%25": http.StatusAccepted,
		"?key=100%": http.StatusBadRequest, "?key=a;b": http.StatusBadRequest, "?key=a&key=b": http.StatusBadRequest,
		"?kye=a": http.StatusBadRequest, "?key=a&b": http.StatusBadRequest} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/publish/paid"+query, strings.NewReader("{}")))
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %s", query, w.Code, want, w.Body)
		}
	}
}

// The trigger of each source calls the source's path, as those that Terraform makes.
func TestTriggersOfTopics(t *testing.T) {
	config := eventdriver.DefaultConfig()
	config.Sources = []string{"placed", "paid", "no path"}
	config.SourceAliases = map[string][]string{"placed": {"orders-created", "orders"}, "no path": {"third"}}
	path := triggers(config)
	for topic, want := range map[string]string{
		"placed": "/events/placed", "orders-created": "/events/placed", "orders": "/events/placed", "paid": "/events/paid",
		"no path": "", "third": "", "nobody": "",
	} {
		if got := path(topic); got != want {
			t.Errorf("the trigger of %s calls %q, want %q", topic, got, want)
		}
	}
}
