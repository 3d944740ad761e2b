// Package cloudlogging is a stand-in for the entries of Cloud Logging's API: it keeps what is written,
// and lists it in pages. Of a filter it knows the comparisons of timestamp, jsonPayload.key, logName and
// of a resource's labels.
package cloudlogging

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	logging "google.golang.org/api/logging/v2"

	"example.com/eventdriver/internal/fake/googleapis"
)

// Log is what was written.
type Log struct {
	mu      sync.Mutex
	entries []*logging.LogEntry
	refusal *googleapis.Refusal
}

// Answers are those of the API, for [googleapis.New].
func (l *Log) Answers() map[string]any {
	return map[string]any{"/v2/entries:list": l.list, "/v2/entries:write": l.write}
}

// Refuse has each request refused, for nil none.
func (l *Log) Refuse(r *googleapis.Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = r
}

// Add adds an entry, with an ID and a time where it has none.
func (l *Log) Add(e *logging.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e)
}

func (l *Log) add(e *logging.LogEntry) {
	e.InsertId = cmp.Or(e.InsertId, fmt.Sprint(len(l.entries)))
	e.Timestamp = cmp.Or(e.Timestamp, time.Now().UTC().Format(time.RFC3339Nano))
	l.entries = append(l.entries, e)
}

// Entries returns what was written, ordered by its time.
func (l *Log) Entries() []*logging.LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := slices.Clone(l.entries)
	slices.SortStableFunc(entries, func(a, b *logging.LogEntry) int { return at(a.Timestamp).Compare(at(b.Timestamp)) })
	return entries
}

// at returns the time that a text says, which is one.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func (l *Log) refused() any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusal == nil {
		return nil
	}
	return *l.refusal
}

func (l *Log) write(r *http.Request) any {
	if refused := l.refused(); refused != nil {
		return refused
	}
	var request logging.WriteLogEntriesRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return malformed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range request.Entries {
		e.LogName, e.Resource, e.Labels = request.LogName, request.Resource, request.Labels
		l.add(e)
	}
	return &logging.WriteLogEntriesResponse{}
}

func malformed(err error) any {
	return googleapis.Refusal{Code: http.StatusBadRequest, Message: err.Error()}
}

func (l *Log) list(r *http.Request) any {
	if refused := l.refused(); refused != nil {
		return refused
	}
	var request logging.ListLogEntriesRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return malformed(err)
	}
	if request.OrderBy != "timestamp asc" || len(request.ResourceNames) != 1 {
		return googleapis.Refusal{Code: http.StatusBadRequest, Message: "the stand-in knows one order, and one project"}
	}
	matches, err := parse(request.Filter)
	if err != nil {
		return malformed(err)
	}
	entries := slices.DeleteFunc(l.Entries(), func(e *logging.LogEntry) bool { return !matches(e) })
	begin, _ := strconv.Atoi(request.PageToken) // empty: 0
	end := min(begin+int(cmp.Or(request.PageSize, 50)), len(entries))
	answer := &logging.ListLogEntriesResponse{Entries: entries[begin:end]}
	if end < len(entries) {
		answer.NextPageToken = strconv.Itoa(end)
	}
	return answer
}

var comparison = regexp.MustCompile(`^([a-zA-Z_.]+)(=|>=)"(.*)"$`)

// parse reads a filter: comparisons that are joined by AND, one of which may be several logs, joined by
// OR in parentheses.
func parse(filter string) (func(*logging.LogEntry) bool, error) {
	var all []func(*logging.LogEntry) bool
	for _, part := range strings.Split(filter, " AND ") {
		var either []func(*logging.LogEntry) bool
		for _, one := range strings.Split(strings.Trim(part, "()"), " OR ") {
			c := comparison.FindStringSubmatch(one)
			if c == nil {
				return nil, fmt.Errorf("the stand-in does not know %q", one)
			}
			value := strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(c[3])
			either = append(either, func(e *logging.LogEntry) bool { return compare(e, c[1], value) })
		}
		all = append(all, func(e *logging.LogEntry) bool {
			return slices.ContainsFunc(either, func(is func(*logging.LogEntry) bool) bool { return is(e) })
		})
	}
	return func(e *logging.LogEntry) bool {
		return !slices.ContainsFunc(all, func(is func(*logging.LogEntry) bool) bool { return !is(e) })
	}, nil
}

func compare(e *logging.LogEntry, field, value string) bool {
	label, isLabel := strings.CutPrefix(field, "resource.labels.")
	switch {
	case isLabel:
		return e.Resource != nil && e.Resource.Labels[label] == value
	case field == "resource.type":
		return e.Resource != nil && e.Resource.Type == value
	case field == "logName":
		return e.LogName == value
	case field == "timestamp":
		return !at(e.Timestamp).Before(at(value))
	case field == "jsonPayload.key":
		var payload struct{ Key string }
		return json.Unmarshal(e.JsonPayload, &payload) == nil && payload.Key == value
	}
	panic("the stand-in does not know the field " + field)
}

// Entry returns one that the function of a service has written: a JSON line.
func Entry(project, region, service, line string) *logging.LogEntry {
	var fields struct{ Severity string }
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		panic(err)
	}
	return &logging.LogEntry{LogName: "projects/" + project + "/logs/run.googleapis.com%2Fstderr", Severity: fields.Severity,
		JsonPayload: []byte(line), Resource: &logging.MonitoredResource{Type: "cloud_run_revision",
			Labels: map[string]string{"project_id": project, "location": region, "service_name": service}}}
}
