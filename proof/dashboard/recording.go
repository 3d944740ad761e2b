// Package dashboard draws the dashboard that Terraform makes, terraform/dashboard.json, from what the function has sent
// in a run that was recorded: see proof/cmd/dashboard. Its queries are evaluated as Prometheus does.
package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/eventdriver/internal/fake/otlp"
)

// Recording is what the instances of the function have sent, in the order of time.
type Recording struct {
	// About says how the run was made.
	About string `json:"about"`
	// Seconds is how long it took.
	Seconds float64  `json:"seconds"`
	Sent    []Series `json:"series"`

	expanded map[string][]timeSeries // by metric
}

// Series is a time series as OTLP has it.
type Series struct {
	Metric     string            `json:"metric"`
	Instance   string            `json:"instance"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Bounds are those of a histogram's buckets.
	Bounds []float64 `json:"bounds,omitempty"`
	// Points have the seconds since the start, and the value; of a histogram, how many values each bucket has,
	// up to the last one that has any.
	Points [][]float64 `json:"points"`
}

// timeSeries is a time series as Prometheus has it.
type timeSeries struct {
	labels map[string]string
	points []point // ordered by time
}

type point struct{ at, value float64 }

// within returns the points after from, up to to.
func (s timeSeries) within(from, to float64) []point {
	after := func(at float64) int {
		i, _ := slices.BinarySearchFunc(s.points, at, func(p point, at float64) int {
			if p.at <= at {
				return -1
			}
			return 1
		})
		return i
	}
	return s.points[after(from):after(to)]
}

// What the run is of, as the dashboard's template names it.
const (
	ofFunction = "orders"
	inRegion   = "europe-west3"
)

// series returns the series of a metric as Cloud Monitoring shows them to PromQL: a bucket is one of its own.
func (r *Recording) series(metric string) []timeSeries {
	if r.expanded != nil {
		return r.expanded[metric]
	}
	r.expanded = make(map[string][]timeSeries)
	for _, s := range r.Sent {
		if s.Bounds == nil {
			r.expanded[s.Metric] = append(r.expanded[s.Metric], s.expand("", 1))
			continue
		}
		of := s.Metric + "_bucket"
		for i := range len(s.Bounds) + 1 {
			upTo := "+Inf"
			if i < len(s.Bounds) {
				upTo = strconv.FormatFloat(s.Bounds[i], 'g', -1, 64)
			}
			r.expanded[of] = append(r.expanded[of], s.expand(upTo, i+1))
		}
	}
	return r.expanded[metric]
}

// expand returns the series of the sums of the first values of each point.
func (s Series) expand(upTo string, values int) timeSeries {
	one := timeSeries{labels: maps.Clone(s.Attributes)}
	if one.labels == nil {
		one.labels = make(map[string]string)
	}
	one.labels["job"], one.labels["location"], one.labels["instance"] = ofFunction, inRegion, s.Instance
	if upTo != "" {
		one.labels["le"] = upTo
	}
	for _, p := range s.Points {
		sum := 0.0
		for _, v := range p[1:min(len(p), 1+values)] {
			sum += v
		}
		one.points = append(one.points, point{p[0], sum})
	}
	return one
}

// Read reads a recording.
func Read(from io.Reader) (*Recording, error) {
	r := new(Recording)
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	return r, decoder.Decode(r)
}

// Write writes a recording, a series a line.
func (r *Recording) Write(to io.Writer) error {
	var b strings.Builder
	about, err := json.Marshal(r.About)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "{\"about\": %s,\n\"seconds\": %.0f,\n\"series\": [\n", about, r.Seconds)
	for i, s := range r.Sent {
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		b.Write(line)
		if i < len(r.Sent)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]}\n")
	_, err = io.WriteString(to, b.String())
	return err
}

// recorder records what a collector receives.
type recorder struct {
	series map[string]*Series
	last   map[string]float64 // the time of the last point, by series
}

func newRecorder() *recorder {
	return &recorder{series: make(map[string]*Series), last: make(map[string]float64)}
}

// add adds the points that are new. began is when the run began.
func (r *recorder) add(points []otlp.Point, began float64) {
	for _, p := range points {
		which := p.Metric + "\x00" + p.Instance + "\x00" + name(p.Attributes)
		at := float64(int(p.Time - began))
		if last, known := r.last[which]; known && at <= last {
			continue
		}
		r.last[which] = at
		s := r.series[which]
		if s == nil {
			s = &Series{Metric: p.Metric, Instance: p.Instance, Attributes: p.Attributes, Bounds: p.Bounds}
			r.series[which] = s
		}
		s.Points = append(s.Points, append([]float64{at}, values(p)...))
	}
}

// values are what a recording keeps of a point.
func values(p otlp.Point) []float64 {
	if p.Bounds == nil {
		return []float64{p.Value}
	}
	end := len(p.Counts)
	for end > 1 && p.Counts[end-1] == 0 {
		end--
	}
	return p.Counts[:end]
}

// recording returns what was recorded.
func (r *recorder) recording(about string, seconds float64) *Recording {
	recording := &Recording{About: about, Seconds: seconds}
	for _, s := range r.series {
		recording.Sent = append(recording.Sent, *s)
	}
	slices.SortFunc(recording.Sent, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Instance, b.Instance),
			cmp.Compare(name(a.Attributes), name(b.Attributes)))
	})
	return recording
}
