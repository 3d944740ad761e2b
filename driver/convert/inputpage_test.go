package convert_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/repo/doctable"
	"example.com/eventdriver/stores/memstore"
)

// hostile is a kind of input in docs/input.md, with the answer that each input of the kind gets.
type hostile struct {
	inputs inputs
	answer string // the status, and the reason of a dead letter
	says   string // in the dead letter's error, or in the warning about an event that is accepted
}

// inputs make requests anew each time, since their bodies are read.
type inputs []func() *http.Request

// each returns the inputs in one row.
func each(rows ...inputs) inputs { return slices.Concat(rows...) }

func one(r func() *http.Request) inputs { return inputs{r} }

// The answers.
const (
	accepted    = "204"
	undecodable = "200 `undecodable`"
	noKey       = "200 `no-key`"
	tooLarge    = "200 `too-large`"
	notAllowed  = "405"
)

// section is a part of docs/input.md.
type section struct {
	heading string             // empty: the page says it in other words
	prefix  string             // of the names of rows, which the heading has said
	rows    map[string]hostile // by their names; see [doctable.List.Add]
}

func sections(t testing.TB) []section {
	return []section{
		{"### Binary mode, and requests that are not events", "binary, ", binaryHostiles()},
		{"### Structured mode, batches and other formats", "structured, ", structuredHostiles()},
		{"### Pub/Sub pushes, and CloudEvents in them", "push, ", pushHostiles()},
		{"### Google's payloads", "", googleHostiles(t)},
		{"", "", undeclaredHostiles()},
		{"", "", jsonHostiles()},
	}
}

// hostiles returns the rows of all sections.
func hostiles(t testing.TB) map[string]hostile {
	all := map[string]hostile{}
	for _, section := range sections(t) {
		for name, h := range section.rows {
			if _, there := all[name]; there {
				t.Fatalf("two rows are called %q", name)
			}
			all[name] = h
		}
	}
	return all
}

// Every input gets its answer, at the first delivery and at each further one. An event that can
// never succeed is dead-lettered as a whole, with the reason, and acknowledged.
func TestHostileInput(t *testing.T) {
	for name, h := range hostiles(t) {
		t.Run(name, func(t *testing.T) {
			for i, input := range h.inputs {
				for range 2 {
					h.check(t, i, input())
				}
			}
		})
	}
}

// check sends the row's i-th input.
func (h hostile) check(t *testing.T, i int, r *http.Request) {
	t.Helper()
	body := readAll(t, r.Body)
	r.Body = readCloser(body)
	header := r.Header.Clone()
	store := memstore.New()
	var log bytes.Buffer
	logger := convert.Logger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.DeadLetters(store), logger), r)
	answer, letters := fmt.Sprint(w.Code), store.DeadLetters()
	for _, d := range letters {
		answer += fmt.Sprintf(" `%s`", d.Reason)
	}
	if answer != h.answer {
		t.Fatalf("input %d: answered %s, %.300s; logged %.300s; want %s", i, answer, w.Body, log.String(), h.answer)
	}
	if len(letters) == 0 {
		if warned := strings.Contains(log.String(), "malformed attributes left out"); warned != (h.says != "") || !strings.Contains(log.String(), h.says) {
			t.Errorf("input %d: logged %.300q; want that it says %q", i, log.String(), h.says)
		}
		return
	}
	d := letters[0]
	if header.Get("Ce-Specversion") == "" && d.Header["Ce-Type"] != nil { // a push, kept as Eventarc would have sent it
		maps.DeleteFunc(d.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Ce-") && header[name] == nil })
	}
	if string(d.Body) != body || !maps.EqualFunc(d.Header, header, slices.Equal) || !strings.Contains(d.Error, h.says) {
		t.Errorf("input %d: kept with %.300q, want that it says %q; body of %d bytes, want %d; header %.300v", i, d.Error, h.says, len(d.Body), len(body), d.Header)
	}
}

// The same from eight clients at once, each of which sends a quarter of the inputs.
func TestHostileInputAtOnce(t *testing.T) {
	store := memstore.New()
	server := httptest.NewServer(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.DeadLetters(store), quiet))
	defer server.Close()
	all := hostiles(t)
	letters := 0
	for _, h := range all {
		if strings.HasPrefix(h.answer, "200 ") {
			letters += len(h.inputs)
		}
	}
	const clients, quarters = 8, 4
	names := slices.Sorted(maps.Keys(all))
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			for i := client % quarters; i < len(names); i += quarters {
				name := names[i]
				h := all[name]
				for _, input := range h.inputs {
					r := input()
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
			}
		})
	}
	wait.Wait()
	if n := len(store.DeadLetters()); n != clients/quarters*letters {
		t.Errorf("%d dead letters; want %d", n, clients/quarters*letters)
	}
}

var update = flag.Bool("update", false, "write the tables and lists of docs/input.md")

// The lists of docs/input.md are made from these. To write them anew:
//
//	go test ./driver/convert -run TestInputPage -update
func TestInputPage(t *testing.T) {
	for _, section := range sections(t) {
		if section.heading == "" {
			continue
		}
		var lists []doctable.List
		listed := 0
		for _, answer := range []string{accepted, noKey, undecodable, tooLarge, notAllowed} {
			list := doctable.List{Lead: answer}
			for name, h := range section.rows {
				if h.answer == answer {
					list.Add(strings.TrimPrefix(name, section.prefix))
					listed++
				}
			}
			if slices.Sort(list.Items); len(list.Items) > 0 {
				lists = append(lists, list)
			}
		}
		if listed != len(section.rows) {
			t.Errorf("%s: %d of %d rows have an answer that is listed", section.heading, listed, len(section.rows))
		}
		doctable.CheckLists(t, "../../docs/input.md", section.heading, lists, *update)
	}
}
