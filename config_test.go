package eventdriver

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/joiner"
)

func configFrom(variables map[string]string) (Config, error) {
	return ConfigFromEnv(func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
}

func TestConfigDefaults(t *testing.T) {
	c, err := configFrom(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Sources: []string{"event1", "event2", "event3"}, EraseSources: []string{"event1"}, BodyLimit: convert.DefaultBodyLimit,
		EventStore: StoreMemory, ClaimStore: StoreMemory, Folder: "event-driver",
		Retention:      c.Retention, // of a store that may be left out
		ConflictPolicy: joiner.KeepFirst, DeadLetters: true, LogLevel: slog.LevelInfo, Telemetry: TelemetryOff, TelemetryKeys: "plain",
	}
	if !reflect.DeepEqual(c, want) || !reflect.DeepEqual(DefaultConfig(), want) || want.Validate() != nil {
		t.Errorf("got %+v and %+v; want %+v, which is valid: %v", c, DefaultConfig(), want, want.Validate())
	}
}

type goodVariables struct {
	variables string // NAME=value NAME=value
	get       func(Config) any
	want      any
}

func (g goodVariables) all() map[string]string {
	variables := make(map[string]string)
	for v := range strings.SplitSeq(g.variables, " ") {
		name, value, _ := strings.Cut(v, "=")
		variables[name] = value
	}
	return variables
}

// good are variables that are right, and what they make of a field.
var good = []goodVariables{
	{"EVENT_SOURCES=paid,packed", func(c Config) any { return fmt.Sprint(c.Sources, c.EraseSources) }, "[paid packed] []"},
	{"EVENT_SOURCES=event1,other", func(c Config) any { return fmt.Sprint(c.EraseSources) }, "[event1]"},
	{"ERASE_SOURCES=event2,event3", func(c Config) any { return fmt.Sprint(c.EraseSources) }, "[event2 event3]"},
	{"ERASE_SOURCES=", func(c Config) any { return len(c.EraseSources) }, 0},
	{"SOURCE_ALIASES=event1:orders,event1:orders-v2,event2:urn:x:y", func(c Config) any { return fmt.Sprint(c.SourceAliases) },
		"map[event1:[orders orders-v2] event2:[urn:x:y]]"},
	{"KEY_POINTER=/order/id", func(c Config) any { return c.KeyPointer }, "/order/id"},
	{"KEY_POINTER=/a,b:/c", func(c Config) any { return c.KeyPointer }, "/a,b:/c"},
	{"KEY_POINTER=event1:/order/id,event3:/",
		func(c Config) any { return fmt.Sprint(c.KeyPointer, c.KeyPointers) }, "map[event1:/order/id event3:/]"},
	{"EVENT_SOURCES=urn:a,urn:a:b KEY_POINTER=urn:a:b:/id,urn:a:/k",
		func(c Config) any { return fmt.Sprint(c.KeyPointers) }, "map[urn:a:/k urn:a:b:/id]"},
	{"EVENT_SOURCES=https://shop/o KEY_POINTER=https://shop/o:/id", func(c Config) any { return fmt.Sprint(c.KeyPointers) }, "map[https://shop/o:/id]"},
	{"EVENT_SOURCES=/orders,/paid KEY_POINTER=/paid:/id,/orders:/order/id", func(c Config) any { return fmt.Sprint(c.KeyPointer, c.KeyPointers) },
		"map[/orders:/order/id /paid:/id]"},
	{"EVENT_SOURCES=/orders KEY_POINTER=/orders/id", func(c Config) any { return fmt.Sprint(c.KeyPointer, c.KeyPointers) }, "/orders/idmap[]"},
	{"EVENT_SOURCES=Shop:Orders,Shop SOURCE_ALIASES=Shop:Orders:new,Shop:old", func(c Config) any { return fmt.Sprint(c.SourceAliases) },
		"map[Shop:[old] Shop:Orders:[new]]"},
	{"CONTENT=event1:text,event2:JSON", func(c Config) any { return fmt.Sprint(c.Content) }, "map[event1:text event2:json]"},
	{"EVENT_SOURCES=urn:a CONTENT=urn:a:bytes", func(c Config) any { return fmt.Sprint(c.Content) }, "map[urn:a:bytes]"},
	{"GCS_BUCKET=b", func(c Config) any { return c.EventStore + c.ClaimStore + c.Bucket }, "gcsgcsb"},
	{"GCS_BUCKET=b EVENT_STORE=memory", func(c Config) any { return c.EventStore + c.ClaimStore }, "memorymemory"},
	{"GCS_BUCKET=b CLAIM_STORE=memory", func(c Config) any { return c.EventStore + c.ClaimStore }, "gcsmemory"},
	{"K_SERVICE=orders", func(c Config) any { return c.Folder }, "orders"},
	{"BODY_LIMIT=100", func(c Config) any { return c.BodyLimit }, int64(100)},
	{"GCS_FOLDER=f K_SERVICE=orders", func(c Config) any { return c.Folder }, "f"},
	{"STORE_TIMEOUT=3s", func(c Config) any { return c.StoreTimeout }, 3 * time.Second},
	{"LEASE=8s", func(c Config) any { return c.acquireTimeout() }, 4 * time.Second},
	{"LEASE=8s STORE_TIMEOUT=5s", func(c Config) any { return c.acquireTimeout() }, 5 * time.Second},
	{"LEASE=2m", func(c Config) any { return c.Lease }, 2 * time.Minute},
	{"ON_LEASE_EXPIRY=quarantine", func(c Config) any { return c.QuarantineOnExpiry }, true},
	{"CONFLICT_POLICY=last", func(c Config) any { return c.ConflictPolicy }, joiner.KeepLast},
	{"CONFLICT_POLICY=reject", func(c Config) any { return c.ConflictPolicy }, joiner.Reject},
	{"JOIN_DEADLINE=24h EVENT_STORE=bigquery GCS_BUCKET=b BIGQUERY_DATASET=d GOOGLE_CLOUD_PROJECT=p-12345", func(c Config) any { return c.JoinDeadline }, 24 * time.Hour},
	{"JOIN_DEADLINE=24h", func(c Config) any { return c.JoinDeadline }, 24 * time.Hour},
	{"JOIN_DEADLINE=24h ON_DEADLINE=process DEAD_LETTERS=off", func(c Config) any { return c.ProcessIncomplete }, true},
	{"DEAD_LETTERS=off", func(c Config) any { return c.DeadLetters }, false},
	{"MAX_ATTEMPTS=20", func(c Config) any { return c.MaxAttempts }, 20},
	{"MAX_EVENT_AGE=20h", func(c Config) any { return c.MaxEventAge }, 20 * time.Hour},
	{"DEAD_LETTER_TOPIC=projects/p/topics/dead", func(c Config) any { return c.DeadLetterTopic }, "projects/p/topics/dead"},
	{"OUTPUT_TOPIC=projects/p/topics/out", func(c Config) any { return c.OutputTopic }, "projects/p/topics/out"},
	{"LOG_LEVEL=DEBUG", func(c Config) any { return c.LogLevel }, slog.LevelDebug},
}

func TestConfigFromEnv(t *testing.T) {
	for _, c := range good {
		config, err := configFrom(c.all())
		if got := c.get(config); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v; want %v", c.variables, got, err, c.want)
		}
	}
}

type badVariable struct {
	name, value, says string
	beside            string // NAME=value NAME=value, which are right
}

// bad are variables that are wrong, and what the error says.
var bad = []badVariable{
	{"EVENT_SOURCES", "", "event1,event2,event3", ""},
	{"EVENT_SOURCES", "a,,b", "a name is empty", ""},
	{"EVENT_SOURCES", "a,b,a", `"a" is there twice`, ""},
	{"EVENT_SOURCES", "a,\xff", "UTF-8", ""},
	{"EVENT_SOURCES", "a," + strings.Repeat("b", 4097), "up to 4096 bytes", ""},
	{"EVENT_SOURCES", sourceNames(101), "these are 101", ""},
	{"OUTPUT_TOPIC", "projects/my project/topics/out", "projects/my-project/topics/my-topic", ""},
	{"ERASE_SOURCES", "event1,", "a name is empty", ""},
	{"SOURCE_ALIASES", "event1:x,,event2:y", "a comma too many", ""},
	{"KEY_POINTER", "/order/id,", "a comma too many", ""},
	{"ERASE_SOURCES", "event9", `"event9" is not one of EVENT_SOURCES`, ""},
	{"SOURCE_ALIASES", "event1", "event1:orders-created", ""},
	{"SOURCE_ALIASES", "event9:x", `"event9:x" does not`, ""},
	{"SOURCE_ALIASES", "event1:x,event2:x", `"x"`, ""},
	{"KEY_POINTER", "order", "/order/id", ""},
	{"KEY_POINTER", "/a~2b", "JSON pointer", ""},
	{"KEY_POINTER", "event1:id", "JSON pointer", ""},
	{"KEY_POINTER", "event9:/id", `"event9:/id" does not`, ""},
	{"KEY_POINTER", "event1:/id,/id", `"/id" does not`, ""},
	{"KEY_POINTER", "event1:", `"event1:"`, ""},
	{"KEY_POINTER", "event1:/a,event1:/b", "once", ""},
	{"KEY_POINTER", "/id,event2:/order", "name the event before each", ""},
	{"CONTENT", "text", "as in event1:text,event2:json", ""},
	{"CONTENT", "event9:text", `"event9:text" does not`, ""},
	{"CONTENT", "event1:xml", "must be auto, json, text or bytes", ""},
	{"CONTENT", "event1:text,event1:json", "once", ""},
	{"CONTENT", "event1:", `"event1:"`, ""},
	{"EVENT_STORE", "redis", "must be memory", ""},
	{"CLAIM_STORE", "redis", "must be memory", ""},
	{"STORE_TIMEOUT", "soon", "as in 10s", ""},
	{"STORE_TIMEOUT", "-1s", "as in 10s", ""},
	{"LEASE", "10", "as in 2m", ""},
	{"LEASE", "1s", "2s or more", ""},
	{"ON_LEASE_EXPIRY", "panic", "retry or quarantine", ""},
	{"CONFLICT_POLICY", "newest", "first, last or reject", ""},
	{"JOIN_DEADLINE", "1 day", "as in 24h", ""},
	{"JOIN_DEADLINE", "168h", "BIGQUERY_RETENTION is 168h", "EVENT_STORE=bigquery BIGQUERY_DATASET=d GOOGLE_CLOUD_PROJECT=p-12345"},
	{"JOIN_DEADLINE", "24h", "EVENT_STORE is gcs, and CLAIM_STORE memory", "GCS_BUCKET=b CLAIM_STORE=memory"},
	{"ON_DEADLINE", "ignore", "letter or process", ""},
	{"ON_DEADLINE", "letter", "process where", "JOIN_DEADLINE=1h DEAD_LETTERS=off"},
	{"DEAD_LETTERS", "yes", "on or off", ""},
	{"MAX_EVENT_AGE", "a day", "as in 20h", ""},
	{"MAX_ATTEMPTS", "many", "a whole number", ""},
	{"MAX_ATTEMPTS", "-1", "0 to 1000", ""},
	{"MAX_ATTEMPTS", "1001", "0 to 1000", ""},
	{"MAX_ATTEMPTS", "20", "0 where DEAD_LETTERS is off", "DEAD_LETTERS=off"},
	{"DEAD_LETTER_TOPIC", "dead", "projects/my-project/topics/my-topic", ""},
	{"OUTPUT_TOPIC", "projects/p/topic/out", "projects/my-project/topics/my-topic", ""},
	{"OUTPUT_TOPIC", "projects/p/topics/event2", `"event2" comes from`, ""},
	{"DEAD_LETTER_TOPIC", "projects/p/topics/event1", `"event1" comes from`, ""},
	{"GCS_BUCKET", "gs://bucket", "name of a bucket", ""},
	{"GCS_FOLDER", "/orders", "team/orders", ""},
	{"BODY_LIMIT", "10MB", "number of bytes", ""},
	{"BODY_LIMIT", "0", "from 1 to", ""},
	{"LOG_LEVEL", "loud", "debug, info, warn or error", ""},
}

func TestBadConfigNamesTheVariableAndWhatItShouldBe(t *testing.T) {
	for _, c := range bad {
		variables := goodVariables{variables: c.beside}.all()
		variables[c.name] = c.value
		_, err := configFrom(variables)
		if err == nil {
			t.Errorf("%s=%s is accepted", c.name, c.value)
			continue
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		if !strings.HasPrefix(first, c.name+" must be ") || !strings.Contains(first, quoted(c.value)) || !strings.Contains(first, c.says) {
			t.Errorf("%s=%.40q: %s\nwant the variable, its value and %q", c.name, c.value, first, c.says)
		}
	}
}

// TestOneErrorForAFault: one line names it, and other variables are not blamed.
func TestOneErrorForAFault(t *testing.T) {
	for _, variables := range []string{
		"EVENT_SOURCES=a,,b ERASE_SOURCES=a SOURCE_ALIASES=a:x CONTENT=a:json KEY_POINTER=a:/id",
		"EVENT_SOURCES=a,b,", "EVENT_SOURCES=,a", "EVENT_SOURCES=,", "EVENT_SOURCES=a,a,a",
		"EVENT_SOURCES= ERASE_SOURCES=a SOURCE_ALIASES=a:x CONTENT=a:json KEY_POINTER=a:/id",
		"ERASE_SOURCES=event1,", "ERASE_SOURCES=,,",
		"SOURCE_ALIASES=event1:x,", "SOURCE_ALIASES=,event1:x,,event2:y,", "SOURCE_ALIASES=,", "SOURCE_ALIASES=event1:",
		"CONTENT=event1:json,,", "CONTENT=event1:json,event1:json,event1:json",
		"KEY_POINTER=event1:/id,", "KEY_POINTER=/id,", "KEY_POINTER=,",
	} {
		_, err := configFrom(goodVariables{variables: variables}.all())
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "; ") != 1 { // ; it is
			t.Errorf("%s: %v", variables, err)
		}
	}
}

// A setting that is added gets a row in both tables above.
func TestEverySettingIsTested(t *testing.T) {
	for _, s := range settings() {
		isRead := slices.ContainsFunc(good, func(c goodVariables) bool { return c.all()[s.name] != "" })
		isRefused := slices.ContainsFunc(bad, func(c badVariable) bool { return c.name == s.name })
		if !isRead || !isRefused {
			t.Errorf("%s: a right value is tested: %v, a wrong one: %v; want both", s.name, isRead, isRefused)
		}
	}
}

// What a field is written as is read as the same.
func TestSettingsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, row := range good {
		c, err := configFrom(row.all())
		if err != nil {
			t.Fatal(err)
		}
		again, err := ConfigFromEnv(func(name string) (string, bool) {
			for _, s := range settings() {
				if s.name == name {
					return s.field(&c).String(), true
				}
			}
			return "", false
		})
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%s: %+v, %v; want %+v", row.variables, again, err, c)
		}
	}
}

// Values that no variable can have are refused, too.
func TestConfigByHandIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"CONFLICT_POLICY": func(c *Config) { c.ConflictPolicy = 9 },
		"LOG_LEVEL":       func(c *Config) { c.LogLevel = 1 },
		"LEASE":           func(c *Config) { c.Lease = -time.Minute },
		"MAX_EVENT_AGE":   func(c *Config) { c.MaxEventAge = -1 },
		"STORE_TIMEOUT":   func(c *Config) { c.StoreTimeout = -1 },
		"SOURCE_ALIASES":  func(c *Config) { c.SourceAliases = map[string][]string{"event9": {"x"}} },
		"KEY_POINTER":     func(c *Config) { c.KeyPointers = map[string]string{"event9": "/id"} },
		"CONTENT":         func(c *Config) { c.Content = map[string]decode.ContentKind{"event1": "xml"} },
		"EVENT_STORE":     func(c *Config) { c.EventStore = "" },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+" must be ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is published must not come back as an event, nor must letters and orders mix.
func TestTopicsThatLoop(t *testing.T) {
	for _, aliases := range []string{"event1:created", "event1:projects/p/topics/created", "event1://pubsub.googleapis.com/projects/p/topics/created"} {
		_, err := configFrom(map[string]string{"SOURCE_ALIASES": aliases, "OUTPUT_TOPIC": "projects/p/topics/created"})
		if err == nil || !strings.Contains(err.Error(), `OUTPUT_TOPIC must be`) || !strings.Contains(err.Error(), `"event1" comes from there`) {
			t.Errorf("%s: %v", aliases, err)
		}
	}
	_, err := configFrom(map[string]string{"OUTPUT_TOPIC": "projects/p/topics/orders", "DEAD_LETTER_TOPIC": "projects/p/topics/orders"})
	if err == nil || !strings.Contains(err.Error(), "OUTPUT_TOPIC is the same topic") {
		t.Error(err)
	}
}

func sourceNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("source", i)
	}
	return strings.Join(names, ",")
}

// As many sources as may be joined are joined.
func TestHundredSources(t *testing.T) {
	config, err := configFrom(map[string]string{"EVENT_SOURCES": sourceNames(maxSources)})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server := serve(t, config, business)
	for _, source := range config.Sources {
		deliver(t, server.URL, source, "order-1", `{"n":1}`)
	}
	business.once(t, "order-1")
	if n := strings.Count(business.contents["order-1"], `{"n":1}`); n != maxSources {
		t.Errorf("joined %d events; want %d", n, maxSources)
	}
}

func TestStoreOfCloudStorageNeedsABucket(t *testing.T) {
	for _, name := range []string{"EVENT_STORE", "CLAIM_STORE"} {
		if _, err := configFrom(map[string]string{name: "gcs"}); err == nil || !strings.Contains(err.Error(), "GCS_BUCKET must be the name of a bucket") {
			t.Errorf("%s=gcs alone: %v", name, err)
		}
	}
}

// A plain build has all stores; nobigquery_test.go tests one that lacks BigQuery.
func TestStoresAreFoundByName(t *testing.T) {
	kinds := []storeKind{memoryStore(), {name: "tape", leftOut: "notape"}}
	if kind, err := findStore(kinds, StoreMemory); err != nil || kind.name != StoreMemory {
		t.Errorf("found %q, %v", kind.name, err)
	}
	if _, err := findStore(kinds, "tape"); err == nil || !strings.Contains(err.Error(), "-tags notape") {
		t.Errorf("%v; want the tag that left the store out", err)
	}
	if _, err := findStore(kinds, "redis"); !errors.Is(err, errInvalid) {
		t.Errorf("%v; want %v", err, errInvalid)
	}
}

func TestDeadLettersThatAreOffCanGoNowhere(t *testing.T) {
	for name, value := range map[string]string{"MAX_EVENT_AGE": "20h", "DEAD_LETTER_TOPIC": "projects/p/topics/dead"} {
		if _, err := configFrom(map[string]string{"DEAD_LETTERS": "off", name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s with DEAD_LETTERS=off: %v", name, err)
		}
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := configFrom(map[string]string{"LEASE": "x", "LOG_LEVEL": "x", "EVENT_SOURCES": ""})
	for _, name := range []string{"LEASE", "LOG_LEVEL", "EVENT_SOURCES"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not name %s", err, name)
		}
	}
}

// A store that may take as long as the lease is relied upon hands out claims that are of
// no use.
func TestLeaseAndStoreTimeout(t *testing.T) {
	for _, c := range []struct {
		lease, timeout string
		ok             bool
	}{
		{"2s", "1s", true}, {"2s", "1499ms", true}, {"2s", "1500ms", false}, {"2s", "10s", false}, {"5s", "10s", false},
		{"1m", "49s", true}, {"1m", "50s", false}, {"2m", "10s", true}, {"2s", "", true}, {"", "1h", true},
	} {
		variables := map[string]string{"STORE_TIMEOUT": c.timeout}
		if c.lease != "" {
			variables["LEASE"] = c.lease
		}
		_, err := configFrom(variables)
		if (err == nil) != c.ok || err != nil && (!strings.Contains(err.Error(), "STORE_TIMEOUT ") || !strings.Contains(err.Error(), "LEASE")) {
			t.Errorf("LEASE=%s STORE_TIMEOUT=%s: %v", c.lease, c.timeout, err)
		}
	}
	c := DefaultConfig()
	if c.Lease = 3 * time.Second; c.Validate() != nil || c.acquireTimeout() != c.Lease/2 {
		t.Errorf("with a lease of 3s: %v, and claiming a key may take %v", c.Validate(), c.acquireTimeout())
	}
	if c.StoreTimeout = 4 * time.Second; c.Validate() == nil {
		t.Error("a store that takes longer than the lease is not refused")
	}
}
