package cloudlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
	logging "google.golang.org/api/logging/v2"

	"example.com/eventdriver/operate/deployed"
)

// Query says which entries [Log.Follow] returns.
type Query struct {
	Since time.Time // the time of the first
	Key   string    // of the events; "": any
	// Trouble is told of a failure after which Follow tries again; nil: nobody is.
	Trouble func(error)
}

const (
	// pause is between two requests: Cloud Logging allows a project 60 in a minute.
	pause = 3 * time.Second
	// longestPause is between two where they fail.
	longestPause = 30 * time.Second
	// late is how long after its time an entry may arrive and is not missed.
	late = 30 * time.Second
	// perPage is the most that Cloud Logging returns.
	perPage = 1000
)

// Follow calls each with the entries of the service's log, each once, as Cloud Logging's API has them
// in JSON: what the function writes, what Cloud Run says of its instances, and what operators change.
// They are in the order of their times, but for those that arrive late. It returns when ctx ends, or
// each fails, or what it asks for is refused.
func (l *Log) Follow(ctx context.Context, q Query, each func(entry []byte) error) error {
	f := follower{Log: l, query: q, from: q.Since, seen: make(map[string]time.Time), each: each}
	for wait := l.pause; ; {
		switch err := f.poll(ctx); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			wait = l.pause
		case !passes(err):
			return l.failed(err, "roles/logging.viewer")
		default:
			wait = min(2*wait, longestPause)
			if q.Trouble != nil {
				q.Trouble(err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// passes says whether another try may succeed: Google is busy, or can't be reached.
func passes(err error) bool {
	var answer *googleapi.Error
	if errors.As(err, &answer) {
		return answer.Code == http.StatusTooManyRequests || answer.Code >= 500
	}
	var told callerError
	return !errors.As(err, &told)
}

// callerError is one of the function that gets the entries.
type callerError struct{ error }

func (e callerError) Unwrap() error { return e.error }

type follower struct {
	*Log
	query  Query
	from   time.Time            // what is older has been seen
	newest time.Time            // the time of the latest entry
	seen   map[string]time.Time // the times of entries that were returned and are not older than from, by ID
	each   func([]byte) error
}

// poll returns the entries that are new.
func (f *follower) poll(ctx context.Context) error {
	request := &logging.ListLogEntriesRequest{ResourceNames: []string{"projects/" + f.target.Project}, Filter: f.filter(),
		OrderBy: "timestamp asc", PageSize: perPage}
	err := f.client.Entries.List(request).Pages(ctx, func(page *logging.ListLogEntriesResponse) error {
		if err := deployed.Check(page); err != nil {
			return fmt.Errorf("entries of Cloud Logging: %w: look at proxies and --endpoint", err)
		}
		for _, e := range page.Entries {
			if err := f.add(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if from := f.newest.Add(-late); from.After(f.from) {
		f.from = from
		for id, at := range f.seen {
			if at.Before(from) {
				delete(f.seen, id)
			}
		}
	}
	return nil
}

func (f *follower) add(e *logging.LogEntry) error {
	id := e.LogName + " " + e.Timestamp + " " + e.InsertId
	if _, again := f.seen[id]; again {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, e.Timestamp)
	if err != nil {
		return callerError{fmt.Errorf("an entry's time: %w", err)}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return callerError{err}
	}
	if err := f.each(text); err != nil {
		return callerError{err}
	}
	f.seen[id] = at
	if at.After(f.newest) {
		f.newest = at
	}
	return nil
}

// filter is in Cloud Logging's query language.
func (f *follower) filter() string {
	var logs []string
	for _, name := range []string{"run.googleapis.com/stderr", "run.googleapis.com/stdout", "run.googleapis.com/varlog/system", Audit} {
		logs = append(logs, fmt.Sprintf("logName=%q", f.name(name)))
	}
	all := []string{fmt.Sprintf("resource.type=%q", resource),
		fmt.Sprintf("resource.labels.service_name=%q", f.target.Service),
		fmt.Sprintf("resource.labels.location=%q", f.target.Region),
		"(" + strings.Join(logs, " OR ") + ")",
		fmt.Sprintf("timestamp>=%q", f.from.UTC().Format(time.RFC3339Nano))}
	if f.query.Key != "" {
		all = append(all, "jsonPayload.key="+quoted(f.query.Key))
	}
	return strings.Join(all, " AND ")
}

// quoted returns a string of the query language, in which only quotes and backslashes are escaped.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
