package bqstore

import (
	"errors"
	"fmt"
	"maps"
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
	timeout   Timeout
	retention time.Duration
}

// Config returns the settings of a store in a project's dataset.
func Config(project, dataset string) Settings {
	return Settings{project: project, dataset: dataset, retention: DefaultRetention,
		tables: Tables{Events: "events", Claims: "claims", DeadLetters: "dead_letters", Keys: "keys"}}
}

// Timeout says how long operations may take, retries included.
type Timeout struct {
	// Default is for every operation that is not in Operation; nil:
	// [DefaultTimeout].
	Default *time.Duration
	// Operation has precedence over Default.
	Operation map[Operation]time.Duration
}

// Operation names a method of [Store].
type Operation string

// The operations, one for each method that sends requests.
const (
	OpPersist          Operation = "persist"
	OpReplace          Operation = "replace"
	OpLookUp           Operation = "look up"
	OpLookUpByKey      Operation = "look up by key"
	OpListSourcesByKey Operation = "list sources by key"
	OpDecide           Operation = "decide"
	OpListDecided      Operation = "list decided"
	OpAcquire          Operation = "acquire"
	OpRenew            Operation = "renew"
	OpComplete         Operation = "complete"
	OpRelease          Operation = "release"
	OpAddDeadLetter    Operation = "add dead letter"
	OpDeadLetters      Operation = "dead letters"
	OpEnsureTables     Operation = "ensure tables"
)

var operations = []Operation{OpPersist, OpReplace, OpLookUp, OpLookUpByKey, OpListSourcesByKey, OpDecide, OpListDecided,
	OpAcquire, OpRenew, OpComplete, OpRelease, OpAddDeadLetter, OpDeadLetters, OpEnsureTables}

// WithTables names the tables; an empty name leaves the one that is set.
func (s Settings) WithTables(t Tables) Settings {
	for _, name := range []struct {
		to   *string
		from string
	}{{&s.tables.Events, t.Events}, {&s.tables.Claims, t.Claims}, {&s.tables.DeadLetters, t.DeadLetters}, {&s.tables.Keys, t.Keys}} {
		if name.from != "" {
			*name.to = name.from
		}
	}
	return s
}

// WithLocation names the dataset's location, such as "EU" or "europe-west3".
// Without it the store asks for it, once.
func (s Settings) WithLocation(location string) Settings {
	s.location = location
	return s
}

// WithTimeout sets how long operations may take. Each timeout must be positive.
func (s Settings) WithTimeout(t Timeout) Settings {
	if t.Default != nil {
		d := *t.Default
		t.Default = &d
	}
	t.Operation = maps.Clone(t.Operation)
	s.timeout = t
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

// check returns what is wrong with the settings, all of it.
func (s Settings) check() error {
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
	if d := s.timeout.Default; d != nil && *d <= 0 {
		wrong("Timeout.Default %v: must be positive", *d)
	}
	for op, d := range s.timeout.Operation {
		if !slices.Contains(operations, op) {
			wrong("Timeout.Operation[%q]: must be one of the operations, such as OpPersist", op)
		}
		if d <= 0 {
			wrong("Timeout.Operation[%q] %v: must be positive", op, d)
		}
	}
	return errors.Join(problems...)
}

// Check returns an error that names each setting that is wrong, or nil.
func (s Settings) Check() error { return s.check() }

// timeoutOf returns how long op may take.
func (s Settings) timeoutOf(op Operation) time.Duration {
	if d, ok := s.timeout.Operation[op]; ok {
		return d
	}
	if s.timeout.Default != nil {
		return *s.timeout.Default
	}
	return DefaultTimeout
}
