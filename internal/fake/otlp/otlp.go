// Package otlp is a stand-in for a collector of OpenTelemetry: it takes spans and metrics by OTLP, over
// HTTP and over gRPC, and keeps them for tests.
package otlp

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Span is a span that was received.
type Span struct {
	Name, TraceID, SpanID, Parent string
	Kind                          trace.Span_SpanKind
	Failed                        bool
	Attributes                    map[string]string
	Links                         []Link
	Instance                      string // service.instance.id
	Raw                           *trace.Span
}

// Link is a link of a span.
type Link struct{ TraceID, SpanID string }

// Point is the last value of a time series: a sum or a gauge, or how many values a histogram has, and
// their sum.
type Point struct {
	Metric     string
	Instance   string
	Attributes map[string]string
	Value      float64 // of a histogram, the number of its values
	Sum        float64 // of a histogram
	Bounds     []float64
	Counts     []float64 // of the values up to each of the bounds, and above the last
	Time       float64   // in seconds since 1970
}

// Server is a collector. Make one with [Start].
type Server struct {
	URL  string // of HTTP
	Host string // of gRPC

	http *httptest.Server
	grpc *grpc.Server

	mu       sync.Mutex
	spans    []Span
	points   map[string]Point // by metric, instance and attributes
	resource map[string]string
	headers  []http.Header // of requests over HTTP
	hang     chan struct{} // not nil: no request is answered before it is closed
	changed  chan struct{} // closed when something was received
}

// Start starts a collector on 127.0.0.1.
func Start() (*Server, error) {
	s := &Server{points: make(map[string]Point), changed: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.grpc = grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(s.grpc, traces{s: s})
	collectormetrics.RegisterMetricsServiceServer(s.grpc, sums{s: s})
	go func() { _ = s.grpc.Serve(listener) }() // until Close
	s.Host = listener.Addr().String()
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s, nil
}

// Close stops the server.
func (s *Server) Close() {
	s.Hang(false)
	s.grpc.Stop()
	s.http.CloseClientConnections()
	s.http.Close()
}

// Hang has the server answer nothing, or answer again.
func (s *Server) Hang(hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang != nil {
		close(s.hang)
		s.hang = nil
	}
	if hang {
		s.hang = make(chan struct{})
	}
}

func (s *Server) wait(ctx context.Context) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang == nil {
		return
	}
	select {
	case <-hang:
	case <-ctx.Done():
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.wait(r.Context())
	s.mu.Lock()
	s.headers = append(s.headers, r.Header.Clone())
	s.mu.Unlock()
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	if err == nil {
		err = s.take(r.URL.Path, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (s *Server) take(path string, data []byte) error {
	if path == "/v1/metrics" {
		var request collectormetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(data, &request); err != nil {
			return err
		}
		s.addMetrics(request.ResourceMetrics)
		return nil
	}
	var request collectortrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	s.addSpans(request.ResourceSpans)
	return nil
}

type traces struct {
	collectortrace.UnimplementedTraceServiceServer
	s *Server
}

// Export implements the service of OTLP.
func (t traces) Export(ctx context.Context, r *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	t.s.wait(ctx)
	t.s.addSpans(r.ResourceSpans)
	return new(collectortrace.ExportTraceServiceResponse), nil
}

type sums struct {
	collectormetrics.UnimplementedMetricsServiceServer
	s *Server
}

// Export implements the service of OTLP.
func (m sums) Export(ctx context.Context, r *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	m.s.wait(ctx)
	m.s.addMetrics(r.ResourceMetrics)
	return new(collectormetrics.ExportMetricsServiceResponse), nil
}

func (s *Server) addSpans(resources []*trace.ResourceSpans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range resources {
		s.resource = texts(resource.Resource.Attributes)
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.spans = append(s.spans, spanOf(span, s.resource["service.instance.id"]))
			}
		}
	}
	s.tell()
}

func spanOf(span *trace.Span, instance string) Span {
	one := Span{Name: span.Name, TraceID: hex.EncodeToString(span.TraceId), SpanID: hex.EncodeToString(span.SpanId),
		Parent: hex.EncodeToString(span.ParentSpanId), Kind: span.Kind, Attributes: texts(span.Attributes), Instance: instance,
		Failed: span.Status.GetCode() == trace.Status_STATUS_CODE_ERROR, Raw: span}
	for _, link := range span.Links {
		one.Links = append(one.Links, Link{hex.EncodeToString(link.TraceId), hex.EncodeToString(link.SpanId)})
	}
	return one
}

func (s *Server) addMetrics(resources []*metrics.ResourceMetrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range resources {
		s.resource = texts(resource.Resource.Attributes)
		for _, scope := range resource.ScopeMetrics {
			for _, metric := range scope.Metrics {
				s.addPoints(metric, s.resource["service.instance.id"])
			}
		}
	}
	s.tell()
}

func (s *Server) addPoints(m *metrics.Metric, instance string) {
	add := func(attributes []*common.KeyValue, at uint64, p Point) {
		p.Metric, p.Instance, p.Attributes, p.Time = m.Name, instance, texts(attributes), float64(at)/1e9
		s.points[p.name()] = p
	}
	for _, p := range append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) {
		add(p.Attributes, p.TimeUnixNano, Point{Value: p.GetAsDouble() + float64(p.GetAsInt())})
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		one := Point{Value: float64(p.Count), Sum: p.GetSum(), Bounds: p.ExplicitBounds}
		for _, n := range p.BucketCounts {
			one.Counts = append(one.Counts, float64(n))
		}
		add(p.Attributes, p.TimeUnixNano, one)
	}
}

func texts(attributes []*common.KeyValue) map[string]string {
	all := make(map[string]string, len(attributes))
	for _, a := range attributes {
		all[a.Key] = textOf(a.Value)
	}
	return all
}

func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Changed returns a channel that is closed when something more is received.
func (s *Server) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Spans returns the spans that were received.
func (s *Server) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Span(nil), s.spans...)
}

// Resource returns the attributes of the process that has sent last.
func (s *Server) Resource() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.resource)
}

// Headers returns the headers of the requests over HTTP.
func (s *Server) Headers() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]http.Header(nil), s.headers...)
}

// Points returns the last values of a metric's time series.
func (s *Server) Points(metric string) (points []Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.points {
		if p.Metric == metric {
			points = append(points, p)
		}
	}
	return points
}

// Total returns the sum of a metric over all instances, of the series that have these attributes: pairs
// of a name and a value.
func (s *Server) Total(metric string, attributes ...string) (total float64) {
	for _, p := range s.Points(metric) {
		if p.has(attributes) {
			total += p.Value
		}
	}
	return total
}
