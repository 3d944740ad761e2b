package cost_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/repo/cost"
	"example.com/eventdriver/internal/repo/doctable"
	"example.com/eventdriver/stores/gcsstore"
)

var update = flag.Bool("update", false, "write the tables of docs/how-to/cost.md")

const page = "../../../docs/how-to/cost.md"

var volumes = []float64{1e4, 1e6, 1e8}

// The tables of docs/how-to/cost.md are made from these, and from the requests of joins that are counted
// here. To write them anew:
//
//	go test ./internal/repo/cost -update
func TestCostPage(t *testing.T) {
	three, ten := countJoin(t, 3), countJoin(t, 10)
	head := []string{"", "10,000 joins", "1 million", "100 million"}
	rows := [][]string{head}
	for i, item := range three(volumes[0]).Bill() {
		row := []string{item.Name}
		for _, joins := range volumes {
			row = append(row, dollars(three(joins).Bill()[i].Dollars))
		}
		rows = append(rows, row)
	}
	total := []string{"**in all**"}
	for _, joins := range volumes {
		total = append(total, dollars(three(joins).Total()))
	}
	doctable.Check(t, page, "## A month of joins of three events", append(rows, total), *update)

	rows = [][]string{append([]string{"with"}, head[1:]...)}
	for _, change := range changes(ten) {
		row := []string{change.name}
		for _, joins := range volumes {
			row = append(row, difference(change.of(three(joins)).Total()-three(joins).Total()))
		}
		rows = append(rows, row)
	}
	doctable.Check(t, page, "## What moves it", rows, *update)
}

type change struct {
	name string
	of   func(cost.Deployment) cost.Deployment
}

// changes are settings other than the defaults.
func changes(ten func(joins float64) cost.Deployment) []change {
	set := func(name string, by func(*cost.Deployment)) change {
		return change{name, func(d cost.Deployment) cost.Deployment {
			by(&d)
			return d
		}}
	}
	return []change{
		{"ten events a join (`EVENT_SOURCES`)", func(d cost.Deployment) cost.Deployment { return ten(d.Joins) }},
		set("a handler of one second", func(d *cost.Deployment) { d.Business = 1 }),
		set("`LOG_LEVEL=warn`", func(d *cost.Deployment) { d.EventLines = false }),
		set("no request log (an exclusion filter of the sink `_Default`)", func(d *cost.Deployment) { d.RequestLog = false }),
		set("`min_instances = 1`", func(d *cost.Deployment) { d.MinInstances = 1 }),
		set("`OUTPUT_TOPIC`", func(d *cost.Deployment) { d.OutputTopic = true }),
		set("a bucket in a multi-region", func(d *cost.Deployment) { d.MultiRegion = true }),
		set("`retention_days = 30`", func(d *cost.Deployment) { d.RetentionDays = 30 }),
		set("`join_deadline`: a sweep every 15 minutes", func(d *cost.Deployment) { d.Sweeps *= 4 }),
		set("`sweep_schedule` once a day", func(d *cost.Deployment) { d.Sweeps /= 24 }),
	}
}

// countJoin joins n events on Cloud Storage, one after the other, and returns the deployment whose joins take as
// many operations as were charged: a request that is refused is free.
func countJoin(t *testing.T, n int) func(joins float64) cost.Deployment {
	t.Helper()
	server := gcs.New(t, "b")
	charged := &charges{}
	store, err := gcsstore.New(t.Context(), gcsstore.Config("b"), option.WithEndpoint(server.Endpoint()),
		option.WithHTTPClient(&http.Client{Transport: charged}))
	if err != nil {
		t.Fatal(err)
	}
	sources := make([]string, n)
	for i := range sources {
		sources[i] = "event" + strconv.Itoa(i+1)
	}
	acted := 0
	p := driver.New(joiner.New(joiner.MatchAll(sources...), store), cache.New(store),
		driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { acted++; return nil }))
	for _, source := range sources {
		if err := p.Process(t.Context(), driver.Message{ID: source, Key: "k", Source: source, Content: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	if acted != 1 {
		t.Fatalf("the business acted %d times", acted)
	}
	return func(joins float64) cost.Deployment { return cost.Defaults(joins, n, charged.a, charged.b) }
}

// charges counts the requests that are charged, by class.
type charges struct {
	mu   sync.Mutex
	a, b float64
}

// RoundTrip implements [http.RoundTripper].
func (c *charges) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || answer.StatusCode >= 400 {
		return answer, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch gcs.Classify(r).Class {
	case gcs.A:
		c.a++
	case gcs.B:
		c.b++
	}
	return answer, nil
}

// dollars writes cents below ten dollars, and else whole dollars.
func dollars(v float64) string {
	if v < 9.995 {
		return strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func difference(v float64) string {
	switch text := dollars(max(v, -v)); {
	case text == "0":
		return "0"
	case v < 0:
		return "−" + text
	default:
		return "+" + text
	}
}

// TestBill checks a bill by hand.
func TestBill(t *testing.T) {
	d := cost.Defaults(1e6, 3, 5, 3)
	bill := make(map[string]float64)
	for _, item := range d.Bill() {
		bill[item.Name] = item.Dollars
	}
	for name, want := range map[string]string{
		"Cloud Storage: the operations of joins":  "26", // 5 × $5 + 3 × $0.40
		"Cloud Run: requests":                     "1.20",
		"Pub/Sub: events published and delivered": "0.22", // 6 GB of $40 a TiB
		"Cloud Logging":                           "3.26", // 7 GB of $0.50 a GiB
	} {
		if got := dollars(bill[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	more := d
	more.Joins *= 100
	if d.Total()*100 < more.Total() {
		t.Error("a hundred times the joins cost more than a hundred times as much")
	}
}
