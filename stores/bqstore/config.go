package bqstore

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Defaults of the settings.
const (
	// DefaultTimeout is how long an operation may take where nothing else is
	// set. A statement that writes takes seconds, more when others queue.
	DefaultTimeout = 60 * time.Second
	// DefaultRetention is how long rows are seen.
	DefaultRetention = 7 * 24 * time.Hour
)

// Tables names the tables of a store, within its dataset.
type Tables struct {
	Events      string // one row for each event that is kept; default "events"
	Claims      string // the log of claims; default "claims"
	DeadLetters string // events that were dead-lettered; default "dead_letters"
	Keys        string // a view, for people: one row for each key; default "keys"
}

// Settings say how a store works. They are values: each method returns a changed
// copy. Start with [Config]. [New] checks them.
type Settings struct {
	project   string
	dataset   string
	location  string
	tables    Tables
	timeout   time.Duration
	acquire   time.Duration // 0: timeout
	retention time.Duration
}

// Config returns the settings of a store in a project's dataset.
func Config(project, dataset string) Settings {
	return Settings{project: project, dataset: dataset, timeout: DefaultTimeout, retention: DefaultRetention,
		tables: Tables{Events: "events", Claims: "claims", DeadLetters: "dead_letters", Keys: "keys"}}
}

// WithTables names the tables; an empty name leaves the one that is set.
func (s Settings) WithTables(t Tables) Settings {
	s.tables = Tables{Events: cmp.Or(t.Events, s.tables.Events), Claims: cmp.Or(t.Claims, s.tables.Claims),
		DeadLetters: cmp.Or(t.DeadLetters, s.tables.DeadLetters), Keys: cmp.Or(t.Keys, s.tables.Keys)}
	return s
}

// WithLocation names the dataset's location, such as "EU" or "europe-west3".
// Without it the store asks for it, once.
func (s Settings) WithLocation(location string) Settings {
	s.location = location
	return s
}

// WithTimeout sets how long a call of the store may take, retries included. It must be
// positive.
func (s Settings) WithTimeout(d time.Duration) Settings {
	s.timeout = d
	return s
}

// WithAcquireTimeout sets how long Acquire may take, if that is not what other calls may.
// It must be positive.
func (s Settings) WithAcquireTimeout(d time.Duration) Settings {
	s.acquire = d
	return s
}

// WithRetention sets how long rows are seen: from an hour to 150 days, since
// BigQuery remembers the IDs of jobs, which are the store's locks, for six months.
// It must be longer than any event is redelivered.
func (s Settings) WithRetention(d time.Duration) Settings {
	s.retention = d
	return s
}

var (
	projectName  = regexp.MustCompile(`^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,62}$`)
	datasetName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	locationName = regexp.MustCompile(`^[A-Za-z0-9-]*$`)
)

// Check returns an error that names each setting that is wrong, or nil.
func (s Settings) Check() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !projectName.MatchString(s.project) {
		wrong("project %q: must be the ID of a project", s.project)
	}
	if !datasetName.MatchString(s.dataset) {
		wrong("dataset %q: must be of letters, digits and underscores", s.dataset)
	}
	if !locationName.MatchString(s.location) {
		wrong(`location %q: must be like "EU" or "europe-west3"`, s.location)
	}
	names := []string{s.tables.Events, s.tables.Claims, s.tables.DeadLetters, s.tables.Keys}
	for i, name := range names {
		if !datasetName.MatchString(name) || slices.Contains(names[:i], name) {
			wrong("table %q: must be of letters, digits and underscores, and no other's name", name)
		}
	}
	if s.retention < time.Hour || s.retention > 150*24*time.Hour {
		wrong("retention %v: must be from 1h to 150 days", s.retention)
	}
	if s.timeout <= 0 || s.acquire < 0 {
		wrong("timeouts %v and, of Acquire, %v: must be positive", s.timeout, s.acquire)
	}
	return errors.Join(problems...)
}
