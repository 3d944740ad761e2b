package eventdriver

import (
	"slices"
	"strings"
	"testing"
)

func TestUnknownVariablesAreNamed(t *testing.T) {
	misspelled := map[string]string{
		"EVENT_SOURCE":     "EVENT_SOURCES",
		"EVENTS_SOURCES":   "EVENT_SOURCES",
		"EVENTSOURCES":     "EVENT_SOURCES",
		"event_sources":    "EVENT_SOURCES",
		"SOURCE_ALIAS":     "SOURCE_ALIASES",
		"KEY_POINTERS":     "KEY_POINTER",
		"KEYPOINTER":       "KEY_POINTER",
		"GCS_BUKCET":       "GCS_BUCKET",
		"GCS_PREFIX":       "GCS_BUCKET", // not near, but it begins like it
		"STORE_TIMEOUTS":   "STORE_TIMEOUT",
		"LEASES":           "LEASE",
		"DEADLETTERS":      "DEAD_LETTERS",
		"DEAD_LETTERTOPIC": "DEAD_LETTER_TOPIC",
		"BODY_LIMITS":      "BODY_LIMIT",
		"LOG_LEVL":         "LOG_LEVEL",
	}
	if slices.Contains(Stores(), StoreBigQuery) {
		misspelled["BIGQUERY_DATASE"] = "BIGQUERY_DATASET"
	}
	for variable, nearest := range misspelled {
		got := UnknownVariables([]string{"PATH=/bin", variable + "=a=b", "HOME=/"})
		if len(got) != 1 || !strings.HasPrefix(got[0], variable+" ") || !strings.HasSuffix(got[0], " "+nearest) {
			t.Errorf("%s: %q; want one sentence that names it and %s", variable, got, nearest)
		}
	}
}

func TestVariablesThatAreKnownOrForeign(t *testing.T) {
	environ := []string{"PATH=/bin", "HOME=/", "PORT=8080", "HOSTNAME=h", "FUNCTION_TARGET=EventDriver", "FUNCTION_SIGNATURE_TYPE=http", "K_SERVICE=s",
		"K_REVISION=r", "K_CONFIGURATION=s", "GOOGLE_CLOUD_PROJECT=p", "GOOGLE_APPLICATION_CREDENTIALS=f", "CLOUD_RUN_TIMEOUT_SECONDS=60",
		"LOG_EXECUTION_ID=true", "STORAGE_EMULATOR_HOST=h", "PUBSUB_EMULATOR_HOST=h", "BIGQUERY_EMULATOR_HOST=h", "GOMEMLIMIT=1GiB",
		"OTEL_EXPORTER_OTLP_ENDPOINT=u", "OTEL_SERVICE_NAME=s", "EVENT_DRIVER_SERVICE_HOST=h", "EVENT_DRIVER_SERVICE_PORT=1", "EVENT_DRIVER_PORT_80_TCP_ADDR=h", "RELEASE=1", "SHOP_URL=u", "", "=C:=C:"}
	for _, name := range knownVariables() {
		environ = append(environ, name+"=x")
	}
	if len(environ) < 40 {
		t.Errorf("%d variables only: the known ones are not among them", len(environ))
	}
	if got := UnknownVariables(environ); len(got) != 0 {
		t.Errorf("%q; want nothing", got)
	}
}

// The process says so when it starts, and serves.
func TestProcessNamesUnknownVariables(t *testing.T) {
	p := start(t, "EVENT_SOURCE=a,b")
	p.Terminate()
	found := 0
	for line := range p.lines {
		text, _ := line["message"].(string)
		if line["severity"] == "WARNING" && strings.Contains(text, "EVENT_SOURCE ") && strings.Contains(text, "EVENT_SOURCES") {
			found++
		}
	}
	if found != 1 || p.ExitCode() != 0 {
		t.Errorf("%d warnings, exit code %d; want one and 0", found, p.ExitCode())
	}
}
