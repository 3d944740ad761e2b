package bqstore

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"
)

// Defaults of the settings.
const (
	// DefaultTimeout is how long an operation may take where nothing else is
	// set. A statement that writes takes seconds, more when others queue.
	DefaultTimeout = 60 * time.Second
	// ShortestTimeout is the least that an operation should be given: in this time it finds out
	// that a slot of another service account has no row, and never will have. With less, such a
	// key fails until its account is back.
	ShortestTimeout = 45 * time.Second
	// DefaultRetention is how long rows are seen.
	DefaultRetention = 7 * 24 * time.Hour
)

// Settings say how a store works. They are values: each method returns a changed
// copy. Start with [Config]. [New] checks them.
type Settings struct {
	project   string
	dataset   string
	location  string
	timeout   time.Duration
	retention time.Duration
}

// Config returns the settings of a store in a project's dataset.
func Config(project, dataset string) Settings {
	return Settings{project: project, dataset: dataset, timeout: DefaultTimeout, retention: DefaultRetention}
}

// WithLocation names the dataset's location, such as "EU" or "europe-west3".
// Without it the store asks for it, once.
func (s Settings) WithLocation(location string) Settings {
	s.location = location
	return s
}

// WithTimeout sets how long a call of the store may take, retries included. It must be
// positive, and should be no less than [ShortestTimeout].
func (s Settings) WithTimeout(d time.Duration) Settings {
	s.timeout = d
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
	projectName  = compiled(`^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,62}$`)
	datasetName  = compiled(`^[A-Za-z0-9_]+$`)
	locationName = compiled(`^[A-Za-z0-9-]*$`)
)

// compiled returns what compiles a regular expression when it is needed first, and not in programs that only have
// this package linked.
func compiled(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Check returns an error that names each setting that is wrong, or nil.
func (s Settings) Check() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !projectName().MatchString(s.project) {
		wrong("project %q: must be the ID of a project", s.project)
	}
	if !datasetName().MatchString(s.dataset) {
		wrong("dataset %q: must be of letters, digits and underscores", s.dataset)
	}
	if !locationName().MatchString(s.location) {
		wrong(`location %q: must be like "EU" or "europe-west3"`, s.location)
	}
	if s.retention < time.Hour || s.retention > 150*24*time.Hour {
		wrong("retention %v: must be from 1h to 150 days", s.retention)
	}
	if s.timeout <= 0 {
		wrong("timeout %v: must be positive", s.timeout)
	}
	return errors.Join(problems...)
}
