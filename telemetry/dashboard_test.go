package telemetry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
	"example.com/eventdriver/telemetry"
)

// series is what is recorded of a metric: its kind, and the values of its attributes.
type series struct {
	kind   string // counter, gauge or histogram
	values map[string][]string
}

// recorded returns the metrics of a pipeline to which all happens that they are of, by name.
func recorded(t *testing.T) map[string]series {
	t.Helper()
	observed, _, reader := open(t, telemetry.Sources("event1", "event2"))
	memory := memstore.New()
	claims, letters := observed.ClaimStore("memory", memory), observed.DeadLetterStore("memory", memory)
	ship := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil })
	pipeline := driver.New(observed.Handlers(joiner.New(joiner.MatchAll("event1", "event2"), observed.EventStore("memory", memory)),
		cache.New(claims), observed.Business(ship))...)
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, observed.Processor(pipeline), convert.Observe(observed.Observe))
	old, err := claims.Acquire(t.Context(), driver.NewClaim("order-1"), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"event1", "event2"} {
		send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler(w, r.WithContext(observed.Arrive(r.Context(), r.Header)))
		}), source)
	}
	_, lost := claims.Renew(t.Context(), old, time.Hour)
	fenced := claims.Complete(t.Context(), old, "")
	if lost == nil || fenced == nil {
		t.Fatal("the first holder still has the key")
	}
	if err := letters.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: driver.ReasonNoKey, Source: "event1"}); err != nil {
		t.Fatal(err)
	}
	observed.Observe(t.Context(), convert.Outcome{Verdict: convert.TurnedAway, Source: "event1", Size: 7})
	storage := observed.Transport(telemetry.CloudStorage, answers{})
	for _, path := range []string{"/storage/v1/b/bucket/o", "/storage/v1/b/bucket/o/a"} {
		_, _ = storage.RoundTrip(httptest.NewRequest(http.MethodGet, path, nil))
	}
	observed.Waiting().Begin()
	observed.Waiting().Add([]string{"event1"}, 25*time.Hour)
	observed.Waiting().End()
	if err := observed.InFlight(func() int64 { return 1 }); err != nil {
		t.Fatal(err)
	}
	return collected(t, reader)
}

// answers answers all requests.
type answers struct{}

func (answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func collected(t *testing.T, reader *metric.ManualReader) map[string]series {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]series)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			s := series{values: make(map[string][]string)}
			add := func(attrs attribute.Set) {
				for _, a := range attrs.ToSlice() {
					s.values[string(a.Key)] = append(s.values[string(a.Key)], a.Value.String())
				}
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				s.kind = "counter"
				for _, p := range data.DataPoints {
					add(p.Attributes)
				}
			case metricdata.Gauge[int64]:
				s.kind = "gauge"
				for _, p := range data.DataPoints {
					add(p.Attributes)
				}
			case metricdata.Histogram[float64]:
				s.kind = "histogram"
				for _, p := range data.DataPoints {
					add(p.Attributes)
				}
			}
			found[m.Name] = s
		}
	}
	return found
}

var (
	selector = regexp.MustCompile(`(rate\(|increase\()?\{"([^"]+)"((?:,[^{}]*)?)\}`)
	matcher  = regexp.MustCompile(`"?([\w.]+)"?="([^"]*)"`)
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
	// What Google takes: https://docs.cloud.google.com/stackdriver/docs/otlp-metrics/overview.
	googleMetric = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_:./]*$`)
	googleLabel  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.]*$`)

	ofGoogle = []string{"job", "location", "le"} // Cloud Monitoring adds them
)

// unrecorded returns what a query asks for and nothing records.
func unrecorded(query string, metrics map[string]series) (problems []string) {
	selectors := selector.FindAllStringSubmatch(query, -1)
	if len(selectors) == 0 {
		problems = append(problems, "names no metric")
	}
	for _, found := range selectors {
		name, isBucket := strings.CutSuffix(found[2], "_bucket")
		m, known := metrics[name]
		switch {
		case !known:
			problems = append(problems, name+" is not recorded")
			continue
		case isBucket != (m.kind == "histogram"), m.kind == "gauge" && found[1] != "":
			problems = append(problems, fmt.Sprintf("%s is a %s", name, m.kind))
		}
		for _, match := range matcher.FindAllStringSubmatch(found[3], -1) {
			if !slices.Contains(ofGoogle, match[1]) && !slices.Contains(m.values[match[1]], match[2]) {
				problems = append(problems, fmt.Sprintf("%s never has %s=%q", name, match[1], match[2]))
			}
		}
		if !strings.Contains(found[3], "job=") || !strings.Contains(found[3], "location=") {
			problems = append(problems, name+" may be another function's")
		}
		for _, by := range grouping.FindAllStringSubmatch(query, -1) {
			for label := range strings.SplitSeq(by[1], ",") {
				if label = strings.Trim(label, `" `); !slices.Contains(ofGoogle, label) && m.values[label] == nil {
					problems = append(problems, name+" has no "+label)
				}
			}
		}
	}
	return problems
}

// shown returns the queries of the dashboard.
func shown(t *testing.T, text string) (queries []string) {
	t.Helper()
	var board struct {
		MosaicLayout struct {
			Tiles []struct {
				Widget struct {
					Title   string
					XYChart struct {
						DataSets []struct {
							TimeSeriesQuery struct{ PrometheusQuery string }
						}
					}
				}
			}
		}
	}
	text = strings.NewReplacer("${name}", "n", "${region}", "r").Replace(text) // as templatefile does
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	for _, tile := range board.MosaicLayout.Tiles {
		if tile.Widget.Title == "" || len(tile.Widget.XYChart.DataSets) == 0 {
			t.Errorf("%+v shows nothing", tile)
		}
		for _, set := range tile.Widget.XYChart.DataSets {
			queries = append(queries, set.TimeSeriesQuery.PrometheusQuery)
		}
	}
	return queries
}

// alerting returns the lines of telemetry.tf that have queries, and those of a metric with each that it may be.
func alerting(t *testing.T, text string) (queries []string) {
	t.Helper()
	_, list, _ := strings.Cut(text, "lost_keys = [")
	list, _, _ = strings.Cut(list, "]")
	for line := range strings.SplitSeq(strings.NewReplacer(`\"`, `"`, "${local.own_series}", `job="n",location="r"`).Replace(text), "\n") {
		switch {
		case strings.Contains(line, `{"${metric}"`):
			for metric := range strings.SplitSeq(list, ",") {
				queries = append(queries, strings.ReplaceAll(line, "${metric}", strings.Trim(metric, `" `)))
			}
		case strings.Contains(line, `job="n"`):
			queries = append(queries, line)
		}
	}
	return queries
}

// TestDashboardShowsWhatIsRecorded: each query of the dashboard and of the alerts names metrics, attributes and values
// that a pipeline records.
func TestDashboardShowsWhatIsRecorded(t *testing.T) {
	metrics := recorded(t)
	if want := 14; len(metrics) < want {
		t.Fatalf("%d metrics only: %q", len(metrics), slices.Sorted(maps.Keys(metrics)))
	}
	for name, series := range metrics {
		if !googleMetric.MatchString(name) {
			t.Errorf("Google takes no metric %q", name)
		}
		for label := range series.values {
			if !googleLabel.MatchString(label) {
				t.Errorf("Google takes no attribute %q of %s", label, name)
			}
		}
	}
	board, alerts := read(t, "../terraform/dashboard.json"), read(t, "../terraform/telemetry.tf")
	queries := shown(t, board)
	if n, a := len(queries), len(alerting(t, alerts)); n < 15 || a < 5 {
		t.Fatalf("%d queries and %d alerts only", n, a)
	}
	for _, query := range append(queries, alerting(t, alerts)...) {
		for _, problem := range unrecorded(query, metrics) {
			t.Errorf("%s: %s", query, problem)
		}
	}
	for _, wrong := range [][3]string{
		{"eventdriver.join.wait_bucket", "eventdriver.join.waits_bucket", "eventdriver.join.waits is not recorded"},
		{"eventdriver.join.wait_bucket", "eventdriver.join.wait", "eventdriver.join.wait is a histogram"},
		{"eventdriver.missing", "eventdriver.lacking", "eventdriver.joins.waiting has no eventdriver.lacking"},
		{`billing_class\"=\"A`, `billing_class\"=\"C`, `eventdriver.store.requests never has eventdriver.billing_class="C"`},
		{`repeated\"=\"true`, `again\"=\"true`, `eventdriver.runs never has eventdriver.again="true"`},
		{`,job=\"${name}\"`, "", "may be another function's"},
	} {
		checkLie(t, shown(t, strings.ReplaceAll(board, wrong[0], wrong[1])), metrics, wrong)
	}
	for _, wrong := range [][3]string{
		{"eventdriver.leases.lost", "eventdriver.leases.gone", "eventdriver.leases.gone is not recorded"},
		{">=1d", ">1d", `eventdriver.joins.waiting never has eventdriver.age=">1d"`},
	} {
		checkLie(t, alerting(t, strings.ReplaceAll(alerts, wrong[0], wrong[1])), metrics, wrong)
	}
}

// checkLie expects that a problem is found in queries where one text is another.
func checkLie(t *testing.T, queries []string, metrics map[string]series, wrong [3]string) {
	t.Helper()
	var problems []string
	for _, query := range queries {
		problems = append(problems, unrecorded(query, metrics)...)
	}
	if !strings.Contains(strings.Join(problems, "\n"), wrong[2]) {
		t.Errorf("with %s for %s it says %q, want %s", wrong[1], wrong[0], problems, wrong[2])
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
