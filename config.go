package eventdriver

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/bqstore"
	"example.com/eventdriver/stores/gcsstore"
)

// Config is what the function is set up with. The zero value is not valid: take
// [DefaultConfig] or [ConfigFromEnv] and change that.
type Config struct {
	// Sources are the events that are joined (EVENT_SOURCES).
	Sources []string
	// EraseSources are those of them whose content is not kept (ERASE_SOURCES).
	EraseSources []string
	// SourceAliases says which topics, buckets or CloudEvents sources an event
	// comes from, where these are not called like the event (SOURCE_ALIASES).
	SourceAliases map[string][]string
	// KeyPointer is a JSON pointer to the key in the content, "/order/id" for
	// example; empty: the key is not taken from the content. KeyPointers are those of
	// single events, by their names, and prevail (KEY_POINTER).
	KeyPointer  string
	KeyPointers map[string]string
	// Content says what the data of an event is, by its name, where that is not what
	// the event declares (CONTENT).
	Content map[string]convert.ContentKind

	// EventStore and ClaimStore name the stores: StoreMemory, StoreGCS or
	// StoreBigQuery (EVENT_STORE, CLAIM_STORE).
	EventStore, ClaimStore string
	// Bucket and Folder are where StoreGCS keeps its objects (GCS_BUCKET,
	// GCS_FOLDER). Functions that share a folder share its keys, too: what one has
	// completed, the other skips.
	Bucket, Folder string
	// Project, Dataset and Location are where StoreBigQuery keeps its tables; an
	// empty location is asked for (BIGQUERY_PROJECT, BIGQUERY_DATASET,
	// BIGQUERY_LOCATION).
	Project, Dataset, Location string
	// Retention is for how long StoreBigQuery sees its rows (BIGQUERY_RETENTION).
	Retention time.Duration
	// EventWriter is how StoreBigQuery writes events (BIGQUERY_EVENT_WRITER).
	EventWriter bqstore.EventWriter
	// StoreTimeout bounds each call of a store (STORE_TIMEOUT). As long as it is the
	// default, a key must be claimed within half of Lease, too.
	StoreTimeout time.Duration

	// Lease is how long a key is held if the instance that processes it
	// vanishes; 0: the time left of the request, and a margin (LEASE).
	Lease time.Duration
	// QuarantineOnExpiry sets a key aside, instead of processing it again, after
	// an instance vanished while it processed it (ON_LEASE_EXPIRY=quarantine).
	QuarantineOnExpiry bool
	// ConflictPolicy is for an event that comes again with other content
	// (CONFLICT_POLICY: first, last or reject).
	ConflictPolicy joiner.ConflictPolicy
	// DeadLetters sets events aside that can never succeed; otherwise they are
	// answered 400, and delivered again until they are too old (DEAD_LETTERS).
	DeadLetters bool

	// MaxEventAge sets events aside that still fail when they are older than this;
	// 0: they are delivered again until the platform gives up (MAX_EVENT_AGE).
	MaxEventAge time.Duration
	// DeadLetterTopic is where events are set aside instead of in the event store,
	// and OutputTopic where joined messages are published when the business handler
	// goes on, both in the form projects/PROJECT/topics/TOPIC; empty: nowhere
	// (DEAD_LETTER_TOPIC, OUTPUT_TOPIC).
	DeadLetterTopic, OutputTopic string

	// BodyLimit is how many bytes a request's body may have; a longer one is cut
	// and set aside (BODY_LIMIT).
	BodyLimit int64

	// LogLevel is the least severe level that is logged (LOG_LEVEL).
	LogLevel slog.Level
}

// The names of stores.
const (
	StoreMemory   = "memory"   // of the process: for local runs and tests
	StoreGCS      = "gcs"      // Cloud Storage
	StoreBigQuery = "bigquery" // BigQuery
)

// A lease is renewed no more often than once a second, which is what Cloud Storage
// takes for one object; and Cloud Run passes on bodies up to 32 MiB.
const (
	shortestLease = 2 * time.Second
	longestBody   = 32 << 20
	// A join of n events reads n² − 1 times: at 100, four dollars a thousand joins.
	maxSources = 100
	// A statement that writes to BigQuery takes seconds, more when others queue.
	bigQueryTimeout = time.Minute
)

// DefaultConfig is what holds where no variable is set.
func DefaultConfig() Config {
	return Config{
		Sources:      []string{"event1", "event2", "event3"},
		EraseSources: []string{"event1"},
		EventStore:   StoreMemory,
		ClaimStore:   StoreMemory,
		Folder:       "event-driver",
		Retention:    bqstore.DefaultRetention,
		EventWriter:  bqstore.StorageWrite,
		StoreTimeout: 10 * time.Second,
		DeadLetters:  true,
		BodyLimit:    convert.DefaultBodyLimit,
		LogLevel:     slog.LevelInfo,
	}
}

// ConfigFromEnv reads the configuration with lookup, usually [os.LookupEnv]. Its
// error lists everything that is wrong, each with the variable's name and what it
// should be. The variables and their defaults are listed in docs/configuration.md.
func ConfigFromEnv(lookup func(name string) (string, bool)) (Config, error) {
	c := DefaultConfig()
	e := env{lookup: lookup}

	c.Sources = e.list("EVENT_SOURCES", c.Sources)
	c.EraseSources = e.list("ERASE_SOURCES", slices.DeleteFunc(c.EraseSources, func(s string) bool {
		return !slices.Contains(c.Sources, s)
	}))
	c.SourceAliases = e.aliases("SOURCE_ALIASES", c.Sources)
	c.KeyPointer, c.KeyPointers = e.keyPointers("KEY_POINTER", c.Sources)
	c.Content = e.content("CONTENT", c.Sources)
	c.Bucket = e.text("GCS_BUCKET", c.Bucket)
	c.Folder = e.text("GCS_FOLDER", e.text("K_SERVICE", c.Folder))
	if c.Bucket != "" {
		c.EventStore = StoreGCS
	}
	c.EventStore = e.text("EVENT_STORE", c.EventStore)
	c.ClaimStore = e.text("CLAIM_STORE", c.EventStore)
	c.Project = e.text("BIGQUERY_PROJECT", e.text("GOOGLE_CLOUD_PROJECT", ""))
	c.Dataset = e.text("BIGQUERY_DATASET", "")
	c.Location = e.text("BIGQUERY_LOCATION", "")
	c.Retention = e.duration("BIGQUERY_RETENTION", c.Retention)
	c.EventWriter = choice(&e, "BIGQUERY_EVENT_WRITER", string(bqstore.StorageWrite), map[string]bqstore.EventWriter{
		string(bqstore.StorageWrite): bqstore.StorageWrite, string(bqstore.DML): bqstore.DML})
	if c.uses(StoreBigQuery) {
		c.StoreTimeout = bigQueryTimeout
	}
	c.StoreTimeout = e.duration("STORE_TIMEOUT", c.StoreTimeout)
	c.Lease = e.duration("LEASE", c.Lease)
	if chosen := e.text("STORE_TIMEOUT", "") != ""; chosen && c.acquireTimeout() != c.StoreTimeout { // otherwise Validate says it
		e.errs = append(e.errs, c.checkTimeout(c.StoreTimeout))
	}
	c.QuarantineOnExpiry = choice(&e, "ON_LEASE_EXPIRY", "retry", map[string]bool{"retry": false, "quarantine": true})
	c.ConflictPolicy = choice(&e, "CONFLICT_POLICY", "first", map[string]joiner.ConflictPolicy{
		"first": joiner.KeepFirst, "last": joiner.KeepLast, "reject": joiner.Reject})
	c.DeadLetters = choice(&e, "DEAD_LETTERS", "on", map[string]bool{"on": true, "off": false})
	c.MaxEventAge = e.duration("MAX_EVENT_AGE", c.MaxEventAge)
	c.DeadLetterTopic = e.text("DEAD_LETTER_TOPIC", c.DeadLetterTopic)
	c.OutputTopic = e.text("OUTPUT_TOPIC", c.OutputTopic)
	c.BodyLimit = e.bytes("BODY_LIMIT", c.BodyLimit)
	c.LogLevel = choice(&e, "LOG_LEVEL", "info", map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError})

	return c, errors.Join(errors.Join(e.errs...), c.Validate())
}

// Validate returns an error that lists everything that is wrong, each with the
// variable's name and what it should be, or nil.
func (c Config) Validate() error {
	var errs []error
	wrong := func(variable, format string, args ...any) {
		errs = append(errs, fmt.Errorf(variable+" "+format, args...))
	}
	if len(c.Sources) == 0 || slices.Contains(c.Sources, "") {
		wrong("EVENT_SOURCES", "must name the events to join, as in event1,event2,event3; it is %q", c.Sources)
	}
	if len(c.Sources) > maxSources {
		wrong("EVENT_SOURCES", "must not name more than %d events, since each reads all the others; it names %d", maxSources, len(c.Sources))
	}
	for i, source := range c.Sources {
		if len(source) > convert.MaxName || !utf8.ValidString(source) {
			wrong("EVENT_SOURCES", "must name events in UTF-8 of up to %d bytes, as no other can arrive; %.40q has %d", convert.MaxName, source, len(source))
		}
		if slices.Contains(c.Sources[:i], source) {
			wrong("EVENT_SOURCES", "names %q twice", source)
		}
	}
	for _, source := range c.EraseSources {
		if !slices.Contains(c.Sources, source) {
			wrong("ERASE_SOURCES", "names %q, which is not one of EVENT_SOURCES, %q", source, c.Sources)
		}
	}
	for name := range c.SourceAliases {
		if !slices.Contains(c.Sources, name) {
			wrong("SOURCE_ALIASES", "names %q, which is not one of EVENT_SOURCES, %q", name, c.Sources)
		}
	}
	if _, err := convert.NewInput(c.sourceNames()); err != nil {
		wrong("SOURCE_ALIASES", "must be event1:orders-created,event2:…: %w", err)
	}
	errs = append(errs, c.checkInput()...)
	for _, v := range []struct{ name, value string }{{"EVENT_STORE", c.EventStore}, {"CLAIM_STORE", c.ClaimStore}} {
		if !slices.Contains([]string{StoreMemory, StoreGCS, StoreBigQuery}, v.value) {
			wrong(v.name, "must be %s, %s or %s; it is %q", StoreMemory, StoreGCS, StoreBigQuery, v.value)
		}
	}
	if c.Bucket == "" && c.uses(StoreGCS) {
		wrong("GCS_BUCKET", "must name a bucket, since EVENT_STORE or CLAIM_STORE is %s", StoreGCS)
	}
	if c.uses(StoreBigQuery) {
		errs = append(errs, c.checkBigQuery()...)
	}
	if c.Bucket != "" {
		if err := gcsstore.Config(c.Bucket).Check(); err != nil {
			wrong("GCS_BUCKET", "must be the name of a bucket: %w", err)
		}
	}
	if err := gcsstore.Config("bucket").WithFolder(c.Folder).Check(); err != nil {
		wrong("GCS_FOLDER", "must be like orders or team/orders: %w", err)
	}
	if c.StoreTimeout <= 0 {
		wrong("STORE_TIMEOUT", "must be more than 0, as in 10s; it is %v", c.StoreTimeout)
	}
	if c.Lease != 0 && c.Lease < shortestLease {
		wrong("LEASE", "must be %v or more, as in 2m, or not set; it is %v", shortestLease, c.Lease)
	}
	if err := c.checkTimeout(c.acquireTimeout()); err != nil {
		errs = append(errs, err)
	}
	if c.BodyLimit < 1 || c.BodyLimit > longestBody {
		wrong("BODY_LIMIT", "must be from 1 to %d bytes, which is Cloud Run's own limit; it is %d", longestBody, c.BodyLimit)
	}
	return errors.Join(errors.Join(errs...), c.validateTopics())
}

// uses says whether a store is of that kind.
func (c Config) uses(store string) bool { return c.EventStore == store || c.ClaimStore == store }

// checkBigQuery tries each variable beside others that are right.
func (c Config) checkBigQuery() (errs []error) {
	for _, v := range []struct {
		name, means string
		settings    bqstore.Settings
	}{
		{"BIGQUERY_PROJECT", "the ID of a project", bqstore.Config(c.Project, "d")},
		{"BIGQUERY_DATASET", "the name of a dataset", bqstore.Config("project", c.Dataset)},
		{"BIGQUERY_RETENTION", "a length of time that is longer than events are delivered again", bqstore.Config("project", "d").WithRetention(c.Retention)},
		{"BIGQUERY_LOCATION", "the dataset's location, as in EU, or not set", bqstore.Config("project", "d").WithLocation(c.Location)},
	} {
		if err := v.settings.Check(); err != nil {
			errs = append(errs, fmt.Errorf("%s must be %s, since EVENT_STORE or CLAIM_STORE is %s: %w", v.name, v.means, StoreBigQuery, err))
		}
	}
	if c.ClaimStore == StoreBigQuery && c.Lease > c.Retention {
		errs = append(errs, fmt.Errorf("LEASE must not be longer than BIGQUERY_RETENTION, %v; it is %v", c.Retention, c.Lease))
	}
	return errs
}

// checkInput checks what is said of the events' data.
func (c Config) checkInput() (errs []error) {
	wrong := func(variable, format string, args ...any) {
		errs = append(errs, fmt.Errorf(variable+" "+format, args...))
	}
	if _, err := convert.NewInput(c.keyPointers()...); err != nil {
		wrong("KEY_POINTER", "must be a JSON pointer, as in /order/id, or one for each event, as in event1:/order/id,event2:/id: %w", err)
	}
	if _, err := convert.NewInput(convert.Content(c.Content)); err != nil {
		wrong("CONTENT", "must be auto, json, text or bytes for each event, as in event1:text,event2:json: %w", err)
	}
	for _, source := range sortedKeys(c.KeyPointers) {
		if !slices.Contains(c.Sources, source) {
			wrong("KEY_POINTER", "names %q, which is not one of EVENT_SOURCES, %q", source, c.Sources)
		}
	}
	for _, source := range sortedKeys(c.Content) {
		if !slices.Contains(c.Sources, source) {
			wrong("CONTENT", "names %q, which is not one of EVENT_SOURCES, %q", source, c.Sources)
		}
	}
	return errs
}

// input returns what makes messages of events.
func (c Config) input() (convert.InputConverter, error) {
	return convert.NewInput(append(c.keyPointers(), c.sourceNames(), convert.Content(c.Content), convert.ContentLimit(c.BodyLimit))...)
}

// keyPointers has the pointer for all events unless it is empty: the empty JSON
// pointer would point at the whole content.
func (c Config) keyPointers() []convert.InputOption {
	each := convert.KeyPointers(c.KeyPointers)
	if c.KeyPointer == "" {
		return []convert.InputOption{each}
	}
	return []convert.InputOption{convert.KeyPointer(c.KeyPointer), each}
}

// sourceNames gives each source's aliases, also where it has none: so that a
// topic that is called like an event is known to be that event's.
func (c Config) sourceNames() convert.InputOption {
	names := make(map[string][]string)
	for _, source := range c.Sources {
		names[source] = c.SourceAliases[source]
	}
	return convert.SourceAliases(names)
}

// deployed says whether the process was started to serve a function, rather than
// a test or a tool: the Functions Framework's FUNCTION_TARGET is set then.
func deployed() bool { return os.Getenv("FUNCTION_TARGET") != "" }

// inCloud says whether the process runs on Cloud Run, which sets K_SERVICE.
func inCloud() bool { return os.Getenv("K_SERVICE") != "" }
