package eventdriver

import (
	"flag"
	"fmt"
	"log/slog"
	"time"

	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/joiner"
)

// Config is what the function is set up with. The zero value is not valid: take
// [DefaultConfig] or [ConfigFromEnv] and change that. Each field is set by the
// variable in brackets, which docs/configuration.md describes.
type Config struct {
	Sources       []string                      // the events to join [EVENT_SOURCES]
	EraseSources  []string                      // those whose content is not kept [ERASE_SOURCES]
	SourceAliases map[string][]string           // where an event comes from, by its name [SOURCE_ALIASES]
	KeyPointer    string                        // a JSON pointer to the key in the content; "": not there [KEY_POINTER]
	KeyPointers   map[string]string             // those of single events, by their names [KEY_POINTER]
	Content       map[string]decode.ContentKind // what an event's data is, by its name [CONTENT]

	EventStore   string        // the name of a store [EVENT_STORE]
	ClaimStore   string        // likewise [CLAIM_STORE]
	Bucket       string        // of [StoreGCS] [GCS_BUCKET]
	Folder       string        // in Bucket [GCS_FOLDER]
	Project      string        // of [StoreBigQuery] [BIGQUERY_PROJECT]
	Dataset      string        // in Project [BIGQUERY_DATASET]
	Location     string        // of Dataset; "": BigQuery is asked for it [BIGQUERY_LOCATION]
	Retention    time.Duration // for how long StoreBigQuery sees its rows [BIGQUERY_RETENTION]
	StoreTimeout time.Duration // of each call of a store; 0: see docs/configuration.md [STORE_TIMEOUT]

	Lease              time.Duration         // of a key whose holder vanished; 0: see [cache.Lease] [LEASE]
	QuarantineOnExpiry bool                  // dead-letter a key whose holder vanished [ON_LEASE_EXPIRY]
	ConflictPolicy     joiner.ConflictPolicy // for an event that comes again with other content [CONFLICT_POLICY]
	JoinDeadline       time.Duration         // when a join that is not complete ends; 0: never [JOIN_DEADLINE]
	ProcessIncomplete  bool                  // give it to the business then, instead of dead-lettering it [ON_DEADLINE]
	DeadLetters        bool                  // dead-letter events that can never succeed [DEAD_LETTERS]
	DeadLetterTopic    string                // where to, instead of the event store; "": that [DEAD_LETTER_TOPIC]
	MaxEventAge        time.Duration         // when an event that still fails is dead-lettered; 0: never [MAX_EVENT_AGE]
	MaxAttempts        int                   // runs that may fail before a key is dead-lettered; 0: any number [MAX_ATTEMPTS]
	OutputTopic        string                // where joined messages are published; "": nowhere [OUTPUT_TOPIC]
	BodyLimit          int64                 // bytes of a request; a longer one is cut and dead-lettered [BODY_LIMIT]
	LogLevel           slog.Level            // the least severe level that is logged [LOG_LEVEL]
	Telemetry          string                // where traces and metrics are sent [TELEMETRY]
	TelemetryKeys      string                // how traces show keys [TELEMETRY_KEYS]
}

// Limits of settings.
const (
	// A join of n events reads n² − 1 times: at 100, four dollars a thousand joins.
	maxSources = 100
	// A lease is renewed no more often than once a second, which is what Cloud Storage
	// takes for one object.
	shortestLease = 2 * time.Second
	// Cloud Run passes on bodies up to 32 MiB.
	longestBody = 32 << 20
	// defaultStoreTimeout is for the stores that have none of their own.
	defaultStoreTimeout = 10 * time.Second
)

// inputSettings are about the events. A row here, a field above and the code that uses
// it make a setting; see CONTRIBUTING.md.
var inputSettings = []setting{{
	name:  "EVENT_SOURCES",
	unset: "event1,event2,event3",
	must:  "up to 100 names of events, as in event1,event2,event3",
	field: func(c *Config) flag.Value { return (*list)(&c.Sources) },
	check: Config.checkSources,
	about: "the names of the events to join, up to 100; requests bring them to [their paths](input.md#paths)",
}, {
	name:      "ERASE_SOURCES",
	infer:     func(c Config, _ environment) string { return c.ifJoined("event1") },
	unsetText: "`event1`, if it is joined",
	must:      "events of EVENT_SOURCES, as in event1,event2",
	field:     func(c *Config) flag.Value { return (*list)(&c.EraseSources) },
	check:     func(c Config) error { return c.checkNames(c.EraseSources) },
	about:     "the events whose content is not kept",
}, {
	name:  "SOURCE_ALIASES",
	must:  "an alias for each event, as in event1:orders-created,event2:payments, and none for two",
	field: func(c *Config) flag.Value { return aliases{c} },
	check: Config.checkAliases,
	about: "other names of the sources, for requests [without a source's path](input.md#paths): " +
		"`event1:orders-created,event1:orders-v2`. An alias is the short name of a topic, bucket or Kafka " +
		"topic, or a whole `ce-source` without a comma.",
}, {
	name:  "KEY_POINTER",
	must:  "a JSON pointer, as in /order/id, or one for each event, as in event1:/order/id,event2:/id",
	field: func(c *Config) flag.Value { return pointers{c} },
	check: Config.checkPointers,
	about: "JSON pointer to the key in the content, a string or a number: `/order/id` for all events, " +
		"`event1:/order/id,event2:/id` for some. Other events have their key in the extension `key`, else in " +
		"`partitionkey`, the Pub/Sub attribute `key`, the ordering key or, except Google's own events, the " +
		"subject.",
}, {
	name:      "CONTENT",
	unsetText: "`auto` for each",
	must:      "auto, json, text or bytes for each event, as in event1:text,event2:json",
	field:     func(c *Config) flag.Value { return contents{c} },
	check:     Config.checkContent,
	about: "what the data of events is, whatever they [declare](input.md#what-becomes-of-the-data): " +
		"`event1:text,event2:json`. Each is `json`, `text` in UTF-8, `bytes` or `auto`.",
}, {
	name:  "BODY_LIMIT",
	unset: "14000000",
	must:  "a number of bytes from 1 to 33554432, which is Cloud Run's own limit, as in 10485760",
	field: func(c *Config) flag.Value { return (*size)(&c.BodyLimit) },
	check: func(c Config) error { return unless(c.BodyLimit >= 1 && c.BodyLimit <= longestBody) },
	about: "how many bytes a request may have, up to 33554432. The default is enough for Pub/Sub's largest " +
		"message.",
}}

// storeSettings are about what the function remembers. Each store adds its own.
var storeSettings = []setting{{
	name:      "EVENT_STORE",
	infer:     func(_ Config, env environment) string { return defaultStore(env) },
	unsetText: "`gcs` if `GCS_BUCKET` is set, else `memory`",
	must:      oneOf(Stores()),
	field:     func(c *Config) flag.Value { return (*text)(&c.EventStore) },
	check:     func(c Config) error { return checkStore(c.EventStore) },
	about:     "where events and dead letters are kept: " + oneOf(inCode(Stores())),
}, {
	name:      "CLAIM_STORE",
	infer:     func(c Config, env environment) string { return defaultClaimStore(c.EventStore, env) },
	unsetText: "the same as `EVENT_STORE`; `gcs` if that is `bigquery` and `GCS_BUCKET` is set",
	must:      oneOf(Stores()),
	field:     func(c *Config) flag.Value { return (*text)(&c.ClaimStore) },
	check:     func(c Config) error { return checkStore(c.ClaimStore) },
	about: "where claims and completions are kept: " + oneOf(inCode(Stores())) +
		"; BigQuery takes [about one join a second](bigquery.md)",
}, {
	name:      "STORE_TIMEOUT",
	unsetText: "`10s`; `1m` if a store is `bigquery`",
	must:      "a length of time, as in 10s, that is less than LEASE minus its margin",
	field:     func(c *Config) flag.Value { return (*duration)(&c.StoreTimeout) },
	check:     Config.checkTimeout,
	about: "how long a store operation may take, retries included. It must be less than `LEASE` minus 10 s, or " +
		"than three quarters of a `LEASE` below 40 s; with BigQuery at least `45s`.",
}}

// runSettings are about what the function does.
var runSettings = []setting{{
	name:      "LEASE",
	unsetText: "the request's remaining time and 10 s; without a deadline 10 min",
	must:      "a length of time of 2s or more, as in 2m",
	field:     func(c *Config) flag.Value { return (*duration)(&c.Lease) },
	check:     Config.checkLease,
	about: "how long a key stays held when its holder has vanished; at least `2s`, with claims in " +
		"BigQuery `75s`. A handler [may take longer](operations.md#leases-and-timeouts).",
}, {
	name:  "ON_LEASE_EXPIRY",
	unset: "retry",
	must:  oneOf(leaseExpiries.names()),
	field: func(c *Config) flag.Value { return choice[bool]{&c.QuarantineOnExpiry, leaseExpiries} },
	about: "what happens to a key whose last run [may have acted](guarantees.md#the-one-window): `retry` " +
		"processes it again, `quarantine` dead-letters its events as `outcome-unknown`",
}, {
	name:  "CONFLICT_POLICY",
	unset: "first",
	must:  oneOf(conflictPolicies.names()),
	field: func(c *Config) flag.Value { return choice[joiner.ConflictPolicy]{&c.ConflictPolicy, conflictPolicies} },
	about: "which content is kept if an event comes again with another: the `first`, or the `last` by the " +
		"event's own time; `reject` dead-letters the new one",
}, {
	name:  "JOIN_DEADLINE",
	must:  "a length of time, as in 24h, shorter than events are kept, and claims must not be in memory alone",
	field: func(c *Config) flag.Value { return (*duration)(&c.JoinDeadline) },
	check: Config.checkDeadline,
	about: "how long a join may wait, from when its first event was kept; no end by default. Something must call " +
		"[`/sweep`](operations.md#deadlines). Events in a store need claims in one, not in memory. An event that comes " +
		"later is dead-lettered as `too-late`.",
}, {
	name:  "ON_DEADLINE",
	unset: "letter",
	must:  oneOf(deadlines.names()) + ", and process where JOIN_DEADLINE is set and DEAD_LETTERS is off",
	field: func(c *Config) flag.Value { return choice[bool]{&c.ProcessIncomplete, deadlines} },
	check: func(c Config) error { return unless(c.ProcessIncomplete || c.DeadLetters || c.JoinDeadline == 0) },
	about: "what becomes of a join then: a dead `letter`, as `incomplete`, or `process`, with what is missing in the " +
		"message's `Missing`",
}, {
	name:  "DEAD_LETTERS",
	unset: "on",
	must:  oneOf(switches.names()) + ", and on where DEAD_LETTER_TOPIC or MAX_EVENT_AGE is set",
	field: func(c *Config) flag.Value { return choice[bool]{&c.DeadLetters, switches} },
	check: func(c Config) error { return unless(c.DeadLetters || c.DeadLetterTopic == "" && c.MaxEventAge == 0) },
	about: "whether events that can never succeed are dead-lettered; `off` answers 400, and they come again " +
		"until the platform gives up",
}, {
	name:  "DEAD_LETTER_TOPIC",
	must:  "a topic, as in projects/my-project/topics/my-topic, other than OUTPUT_TOPIC, that no event comes from",
	field: func(c *Config) flag.Value { return (*text)(&c.DeadLetterTopic) },
	check: func(c Config) error { return c.checkTopic(c.DeadLetterTopic, c.OutputTopic) },
	about: "the topic, as `projects/PROJECT/topics/TOPIC`, for dead letters, instead of the event store. A " +
		"letter is the event as it came, with the attributes `reason`, `error`, `handler`, `id`, `key`, " +
		"`source`, `path`, `attempts` and `time`; published unchanged to a source's topic, it is the event " +
		"again. Of a letter that does not fit into a message the topic gets what fits, with the attribute " +
		"`left-out`, and the event store the whole.",
}, {
	name:  "MAX_EVENT_AGE",
	must:  "a length of time, as in 20h",
	field: func(c *Config) flag.Value { return (*duration)(&c.MaxEventAge) },
	about: "an event that fails when its `ce-time`, for Pub/Sub the time of publishing, is longer ago is " +
		"dead-lettered as `too-old`. Pub/Sub forgets an event after 24 hours, so use `20h`.",
}, {
	name:  "MAX_ATTEMPTS",
	unset: "0",
	must:  "a whole number of 0 to 1000, and 0 where DEAD_LETTERS is off",
	field: func(c *Config) flag.Value { return (*number)(&c.MaxAttempts) },
	check: func(c Config) error {
		return unless(c.MaxAttempts >= 0 && c.MaxAttempts <= 1000 && (c.DeadLetters || c.MaxAttempts == 0))
	},
	about: "how many runs of a key may [fail](guarantees.md#attempts) before it is dead-lettered as `too-many-attempts`; `0`: " +
		"any number. With `20` and Eventarc's pauses of up to ten minutes, that takes two hours or more.",
}, {
	name:  "OUTPUT_TOPIC",
	must:  "a topic, as in projects/my-project/topics/my-topic, that no event comes from",
	field: func(c *Config) flag.Value { return (*text)(&c.OutputTopic) },
	check: func(c Config) error { return c.checkTopic(c.OutputTopic, "") },
	about: "the topic, as `projects/PROJECT/topics/TOPIC`, to which joined messages are published after the " +
		"business handler. Each is a CloudEvent of type `dev.eventdriver.joined.v1`, with the key as " +
		"ordering key and `ce-key`, and the fencing token as `ce-fencingtoken`.",
}, {
	name:  "LOG_LEVEL",
	unset: "info",
	must:  oneOf(logLevels.names()),
	field: func(c *Config) flag.Value { return choice[slog.Level]{&c.LogLevel, logLevels} },
	about: "the least severe level that is logged: " + oneOf(inCode(logLevels.names())),
}, {
	name:      "TELEMETRY",
	infer:     func(_ Config, env environment) string { return defaultTelemetry(env) },
	unsetText: "`otlp` if a variable `OTEL_EXPORTER_OTLP_…ENDPOINT` is set, else `off`",
	must:      oneOf(telemetries.names()),
	field:     func(c *Config) flag.Value { return choice[string]{&c.Telemetry, telemetries} },
	check:     Config.checkTelemetry,
	about: "where [traces and metrics](how-to/telemetry.md) are sent: to the collector that the standard variables " +
		"`OTEL_*` name (`otlp`), to Google's own endpoint (`google`), or nowhere (`off`)",
}, {
	name:  "TELEMETRY_KEYS",
	unset: "plain",
	must:  oneOf(telemetryKeys.names()),
	field: func(c *Config) flag.Value { return choice[string]{&c.TelemetryKeys, telemetryKeys} },
	about: "how traces show keys: as they are (`plain`), the beginning of their SHA-256 (`hashed`), or not at all " +
		"(`off`). Metrics never have them.",
}}

// The values of TELEMETRY.
const (
	TelemetryOff    = "off"
	TelemetryOTLP   = "otlp"
	TelemetryGoogle = "google"
)

// defaultTelemetry is otlp where a collector is named.
func defaultTelemetry(env environment) string {
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		named := env.text("OTEL_EXPORTER_OTLP_"+signal+"ENDPOINT") != ""
		if named && telemetryLeftOut == "" {
			return TelemetryOTLP
		}
	}
	return TelemetryOff
}

func (c Config) checkTelemetry() error {
	if c.Telemetry != TelemetryOff && telemetryLeftOut != "" {
		return fmt.Errorf("it was left out of this program, which was built with -tags %s", telemetryLeftOut)
	}
	return nil
}

// The words for values that are not written out.
var (
	leaseExpiries    = words[bool]{{"retry", false}, {"quarantine", true}}
	conflictPolicies = words[joiner.ConflictPolicy]{
		{"first", joiner.KeepFirst}, {"last", joiner.KeepLast}, {"reject", joiner.Reject}}
	deadlines     = words[bool]{{"letter", false}, {"process", true}}
	switches      = words[bool]{{"on", true}, {"off", false}}
	telemetries   = words[string]{{TelemetryOff, TelemetryOff}, {TelemetryOTLP, TelemetryOTLP}, {TelemetryGoogle, TelemetryGoogle}}
	telemetryKeys = words[string]{{"plain", "plain"}, {"hashed", "hashed"}, {"off", "off"}}
	logLevels     = words[slog.Level]{
		{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"error", slog.LevelError}}
)

// platformVariables are read, too. Nobody needs to set them by hand.
var platformVariables = []struct{ name, setBy, use string }{
	{"FUNCTION_TARGET", "Cloud Functions, the Functions Framework",
		"tells that the process serves a function: wrong settings end it, and SIGTERM lets it finish"},
	{"K_SERVICE", "Cloud Run",
		"tells that the process runs in the cloud, where the memory store is worth a warning; the default of `GCS_FOLDER`"},
	{"GOOGLE_CLOUD_PROJECT", "you, if at all",
		"links the log lines of a request in Cloud Logging; the default of `BIGQUERY_PROJECT`"},
	{"GOGC", "you, if at all", "how much garbage there may be, in percent of what is in use, before Go collects it; " +
		"400 where the memory is known"},
	{"OTEL_SDK_DISABLED", "you, if at all", "`true` turns traces and metrics off, whatever `TELEMETRY` says"},
}
