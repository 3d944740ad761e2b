package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
)

// TestPublish: an event is published, delivered twice, held back and let go.
func TestPublish(t *testing.T) {
	s := serve(t)
	status, ids := s.post("publish", map[string]any{"events": []event{
		{"event1", "order-1", "one", map[string]string{"a": "b"}}, {"event2", "order-1", "two", nil}}})
	if status != http.StatusOK || len(ids["ids"].([]any)) != 2 || len(s.bus.all()) != 2 {
		t.Fatalf("%d %v, delivered %v", status, ids, s.bus.all())
	}
	if status, last := s.get("/api/last", "source", "event1"); status != http.StatusOK || last["text"] != "one" ||
		last["attributes"].(map[string]any)["a"] != "b" {
		t.Errorf("the last content: %d %v", status, last)
	}
	if status, _ := s.get("/api/last", "source", "event9"); status != http.StatusNotFound {
		t.Errorf("of a source without events: %d", status)
	}
	first := ids["ids"].([]any)[0]
	if status, said := s.post("duplicate", map[string]any{"id": first}); status != http.StatusOK || len(s.bus.all()) != 3 ||
		s.bus.all()[2].ID != first || string(s.bus.all()[2].Content) != "one" {
		t.Errorf("duplicate: %d %v, %v", status, said, s.bus.all())
	}
	if status, _ := s.post("duplicate", map[string]any{"id": "99"}); status != http.StatusNotFound {
		t.Errorf("a duplicate of nothing: %d", status)
	}
	where := map[string]any{"source": "event1", "key": "order-2"}
	if status, said := s.post("hold", where); status != http.StatusOK {
		t.Errorf("hold: %d %v", status, said)
	}
	s.post("publish", map[string]any{"events": []event{{"event1", "order-2", "held", nil}}})
	if n := len(s.bus.all()); n != 3 {
		t.Errorf("what is held back was delivered: %d", n)
	}
	if status, _ := s.post("letgo", where); status != http.StatusOK || len(s.bus.all()) != 4 {
		t.Errorf("let go: %d, %v", status, s.bus.all())
	}
}

func TestTroubles(t *testing.T) {
	s := serve(t)
	for _, r := range []request{
		{Kind: trouble.Fail, Key: "order-1", Times: 2}, {Kind: trouble.Panic}, {Kind: trouble.Hang, Seconds: 1.5, Times: 1},
		{Kind: trouble.Lose, Operation: trouble.Complete, Times: 1}, {Kind: trouble.Slow, Seconds: 1e9},
	} {
		if status, said := s.post("trouble", r); status != http.StatusOK {
			t.Errorf("%s: %d %v", r.Kind, status, said)
		}
	}
	want := []trouble.Trouble{{Kind: trouble.Fail, Key: "order-1", Times: 2}, {Kind: trouble.Panic, Times: trouble.Until},
		{Kind: trouble.Hang, Times: 1, For: 1500 * time.Millisecond}, {Kind: trouble.Lose, Operation: trouble.Complete, Times: 1},
		{Kind: trouble.Slow, For: time.Hour}}
	list := s.lab.Troubles.List()
	for i := range want {
		if len(list) != len(want) || list[i] != want[i] {
			t.Fatalf("troubles %+v, want %+v", list, want)
		}
	}
	if status, _ := s.post("trouble", request{Kind: "flood"}); status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown trouble: %d", status)
	}
	misspelled := request{Kind: trouble.Lose, Operation: "complete a kye"}
	status, _ := s.post("trouble", misspelled)
	if list := s.lab.Troubles.List(); status != http.StatusUnprocessableEntity || len(list) != len(want) {
		t.Errorf("an unknown operation: %d, %v", status, list)
	}
	if status, _ := s.post("clear", request{}); status != http.StatusOK || len(s.lab.Troubles.List()) != 0 {
		t.Errorf("clear: %d, %v", status, s.lab.Troubles.List())
	}
}

// TestInstances: the only instance is the program itself, and can't be killed.
func TestInstances(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		id, do string
		want   int
	}{{"1", "kill", http.StatusConflict}, {"9", "kill", http.StatusNotFound}, {"1", "bless", http.StatusUnprocessableEntity}} {
		if status, said := s.post("instance", request{ID: c.id, Do: c.do}); status != c.want {
			t.Errorf("%s %s: %d %v, want %d", c.do, c.id, status, said, c.want)
		}
	}
}

// TestStory: a key's page has its records, and those of instances and troubles since.
func TestStory(t *testing.T) {
	s := serve(t)
	next := s.stream()
	began := time.Now()
	for i, r := range []records.Record{
		{Kind: records.Instance, Message: "before"},
		{Kind: records.Published, Key: "order-1", Message: "published"},
		{Kind: records.Published, Key: "order-2", Message: "another's"},
		{Kind: records.Instance, Instance: "2", Message: "killed"},
		{Kind: records.Log, Instance: "2", Message: "not told"},
		{Kind: records.Run, Key: "order-1", Message: "the run begins", Attributes: map[string]any{"token": 7}},
	} {
		r.Time = began.Add(time.Duration(i) * time.Second)
		s.lab.Records.Add(r)
	}
	s.keep("order-1", "event1", "{}")
	s.lab.Records.Add(records.Record{Kind: records.Answered, Key: "order-1", Message: "answered", Time: began.Add(time.Minute)})
	awaitRow(s, next, "order-1", func(r row) bool { return r.Records == 3 })
	_, p := s.get("/api/key", "key", "order-1")
	var told []string
	for _, r := range p["story"].([]any) {
		told = append(told, r.(map[string]any)["message"].(string))
	}
	if got := strings.Join(told, ", "); got != "published, killed, the run begins, answered" {
		t.Errorf("the story is: %s", got)
	}
}
