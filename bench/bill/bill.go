// Package bill is a proxy in front of a Cloud Storage. It delays each request as a network would,
// and counts the requests as Cloud Storage charges them: those that were refused are free
// (https://cloud.google.com/storage/pricing, Operation charges).
package bill

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"example.com/eventdriver/internal/fake/gcs"
)

// Dollars a million operations of a class.
const (
	DollarsA = 5.0
	DollarsB = 0.4
)

// Counts are requests by what they cost.
type Counts struct {
	A       int // charged as Class A
	B       int // charged as Class B
	Free    int // deletes, and the later parts of an upload
	Refused int // answered with 4xx, so not charged, of any class
	// WouldBe is what the refused ones would cost if they were charged: dollars for a million of
	// each of them.
	WouldBe float64
}

// All is the number of requests.
func (c Counts) All() int { return c.A + c.B + c.Free + c.Refused }

// Dollars is what a million times these requests cost.
func (c Counts) Dollars() float64 { return float64(c.A)*DollarsA + float64(c.B)*DollarsB }

// DollarsOfAll is Dollars, if refused requests were charged, too.
func (c Counts) DollarsOfAll() float64 { return c.Dollars() + c.WouldBe }

// Proxy is the proxy, an [http.Handler]. It is safe for concurrent use.
type Proxy struct {
	delay time.Duration
	next  http.Handler

	mu     sync.Mutex
	counts Counts
}

// New returns a proxy that passes on to the server at target, an URL.
func New(target string, delay time.Duration) (*Proxy, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{delay: delay}
	p.next = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error { return p.answered(r, to) },
		Transport:      &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
	}
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(p.delay)
	p.next.ServeHTTP(w, r)
}

// answered counts a request by its answer. An upload in parts goes on through the proxy.
func (p *Proxy) answered(r *http.Response, target *url.URL) error {
	if at := r.Header.Get("Location"); strings.HasPrefix(at, target.String()) {
		r.Header.Set("Location", "http://"+r.Request.Host+strings.TrimPrefix(at, target.String()))
	}
	class := gcs.Classify(r.Request).Class
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.add(class, r.StatusCode)
	return nil
}

func (c *Counts) add(class gcs.Class, status int) {
	refused := status >= 400
	switch {
	case refused:
		c.Refused++
		c.WouldBe += map[gcs.Class]float64{gcs.A: DollarsA, gcs.B: DollarsB}[class]
	case class == gcs.A:
		c.A++
	case class == gcs.B:
		c.B++
	default:
		c.Free++
	}
}

// Take returns the counts since it was called last.
func (p *Proxy) Take() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	p.counts = Counts{}
	return c
}
