package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// counted is a recording of two instances: a counter that grows by 6 a minute and one that begins late, a gauge, and
// a histogram.
func counted() *Recording {
	r := &Recording{Seconds: 1200}
	add := func(metric, instance string, attributes map[string]string, bounds []float64, points ...[]float64) {
		r.Sent = append(r.Sent, Series{metric, instance, attributes, bounds, points})
	}
	var grows, falls [][]float64
	for minute := range 20 {
		grows = append(grows, []float64{float64(60 * minute), float64(6 * minute)})
		falls = append(falls, []float64{float64(60 * minute), float64(6 * (minute % 10))})
	}
	add("a.grows", "1", map[string]string{"kind": "x", "a.b": "c"}, nil, grows...)
	add("a.grows", "2", map[string]string{"kind": "y"}, nil, []float64{600, 5}, []float64{660, 5}, []float64{720, 5})
	add("a.falls", "1", nil, nil, falls...)
	add("a.gauge", "1", map[string]string{"kind": "x"}, nil, []float64{0, 3}, []float64{60, 4})
	add("a.gauge", "2", map[string]string{"kind": "x"}, nil, []float64{0, 10})
	add("a.time", "1", nil, []float64{1, 2, 4}, []float64{0, 0}, []float64{300, 0, 10, 20, 10})
	return r
}

// TestQueries: expected values are Prometheus's.
func TestQueries(t *testing.T) {
	for _, c := range []struct {
		query string
		at    float64
		want  string
	}{
		{`{"a.gauge"}`, 60, "kind=x: 4; kind=x: 10"},
		{`sum({"a.gauge",job="orders"})`, 60, "14"},
		{`sum({"a.gauge",job="other"})`, 60, ""},
		{`max by (kind) ({"a.gauge"})`, 60, "kind=x: 10"},
		{`sum({"a.gauge"})`, 350, "4"}, // what is five minutes old is gone
		{`sum({"a.gauge"})`, 400, ""},
		{`{"a.grows","a.b"="c"} offset 5m`, 600, "a.b=c kind=x: 30"},
		{`sum(rate({"a.grows",kind="x"}[5m]))`, 600, "0.1"},
		{`sum(increase({"a.grows",kind="x"}[5m]))`, 600, "30"},
		{`sum(increase({"a.falls"}[5m]))`, 720, "22.5"}, // it began anew
		{`sum(rate({"a.grows",kind="x"}[5m])) * 86400 * 5 / 1e6`, 600, "0.0432"},
		{`sum by (kind) (({"a.grows",kind="y"} unless {"a.grows",kind="y"} offset 10m) or increase({"a.grows",kind="y"}[10m]))`, 720, "kind=y: 5"},
		{`sum by (kind) (({"a.grows",kind="y"} unless {"a.grows",kind="y"} offset 1m) or increase({"a.grows",kind="y"}[10m]))`, 720, "kind=y: 0"},
		{`histogram_quantile(0.5, sum by (le) (rate({"a.time_bucket"}[10m])))`, 300, "3"},
		{`histogram_quantile(0.25, sum by (le) (rate({"a.time_bucket"}[10m])))`, 300, "2"},
		{`histogram_quantile(0.99, sum by (le) (rate({"a.time_bucket"}[10m])))`, 300, "4"}, // the highest bound,
		{`histogram_quantile(0.99, sum by (le) (rate({"a.time_bucket"}[10m])))`, 0, ""},
		{`sum({"a.gauge"}) > 14`, 60, ""},
		{`sum({"a.gauge"}) > 13`, 60, "14"},
	} {
		q, err := Parse(c.query)
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		var got []string
		for _, s := range q.eval(counted(), c.at) {
			if s.labels["job"] != "" {
				delete(s.labels, "job")
				delete(s.labels, "location")
				delete(s.labels, "instance")
			}
			text := ""
			if len(s.labels) > 0 {
				text = strings.NewReplacer("map[", "", "]", ": ", ":", "=").Replace(fmt.Sprint(s.labels))
			}
			got = append(got, text+fmt.Sprint(math.Round(s.value*1e6)/1e6))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s at %v is %q, want %q", c.query, c.at, strings.Join(got, "; "), c.want)
		}
	}
}

// TestQueriesThatAreNotKnown are errors, not empty panels.
func TestQueriesThatAreNotKnown(t *testing.T) {
	for _, query := range []string{
		"", `avg({"a"})`, `sum({"a"}`, `{"a"} {"b"}`, `rate({"a"})`, `rate({"a"}[soon])`, `{job="x"}`,
		`sum({"a"}) * {"b"}`, `{"a" "b"}`, `sum by (x y) ({"a"})`, `{"a"} and {"b"}`, `sum without (x) ({"a"})`, `{"a"} + 1`} {
		if _, err := Parse(query); err == nil {
			t.Errorf("%s is taken", query)
		}
	}
}

// TestMetricsOfTheBoard are those that are sent: of a histogram, not its buckets.
func TestMetricsOfTheBoard(t *testing.T) {
	b, _, err := Open("../..")
	if err != nil {
		t.Fatal(err)
	}
	got := b.Metrics()
	for _, want := range []string{"eventdriver.joins", "eventdriver.join.wait", "messaging.process.duration"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	for _, metric := range got {
		if strings.HasSuffix(metric, "_bucket") {
			t.Errorf("%s is no metric", metric)
		}
	}
}
