// Package googlecloud is a stand-in for the APIs of Google Cloud that the Terraform module changes: what they keep,
// what they add to it, and what they refuse. It runs nothing. Each API has a folder of the server for an address, as
// in http://127.0.0.1:8080/pubsub/v1/, which Terraform's provider takes as a custom endpoint.
package googlecloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Item is a resource in its API's JSON form.
type Item = map[string]any

// Number is the number of every project.
const Number = "123456789012"

// Cloud keeps resources by the name of their API and their own name, as in pubsub/projects/P/topics/T. Its methods may
// be called by several goroutines at once.
type Cloud struct {
	mu       sync.Mutex
	items    map[string]Item
	policies map[string][]Item // bindings
	etags    map[string]int    // of policies
	numbers  int
	writes   []string
}

// New returns an empty cloud: projects have no API enabled.
func New() *Cloud {
	return &Cloud{items: map[string]Item{}, policies: map[string][]Item{}, etags: map[string]int{}}
}

// Refusal is an error that an API answers.
type Refusal struct {
	Code    int
	Message string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

func refuse(code int, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Writes returns what was changed since the last call, in order: a method with the resource, or a role that was
// granted or revoked with its member and the resource.
func (c *Cloud) Writes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.writes = nil }()
	return c.writes
}

// Names returns the names of all resources, and each grant as "ROLE MEMBER RESOURCE", sorted.
func (c *Cloud) Names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := slices.Collect(maps.Keys(c.items))
	for name, bindings := range c.policies {
		for grant := range grants(bindings) {
			names = append(names, grant+" "+name)
		}
	}
	slices.Sort(names)
	return names
}

// Item returns a copy of a resource, or nil.
func (c *Cloud) Item(name string) Item {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clone(c.items[name])
}

func clone(item Item) Item {
	if item == nil {
		return nil
	}
	text, _ := json.Marshal(item)
	copied, _ := decode(text)
	return copied
}

// decode keeps numbers as they are written: a generation has more digits than a float.
func decode(text []byte) (Item, error) {
	var item Item
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(&item)
	return item, err
}

func (c *Cloud) next() int {
	c.numbers++
	return c.numbers
}

func (c *Cloud) wrote(format string, args ...any) {
	c.writes = append(c.writes, fmt.Sprintf(format, args...))
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }

// call is a request, taken apart: POST pubsub/v1/projects/P/topics/T:publish?a=b.
type call struct {
	method, api, name, verb string
	query                   url.Values
	body                    Item
	raw                     []byte
	contentType             string
}

var (
	version  = regexp.MustCompile(`^v[0-9]+(beta[0-9]+)?$`)
	withVerb = regexp.MustCompile(`^(.*):([A-Za-z]+)$`)
)

func parse(r *http.Request) (*call, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if parts[0] == "upload" {
		parts = parts[1:]
	}
	k := &call{method: r.Method, api: parts[0], query: r.URL.Query(), raw: raw, contentType: r.Header.Get("Content-Type")}
	parts = slices.DeleteFunc(parts[1:], version.MatchString)
	if len(parts) > 0 && k.api != "storage" {
		if found := withVerb.FindStringSubmatch(parts[len(parts)-1]); found != nil {
			parts[len(parts)-1], k.verb = found[1], found[2]
		}
	}
	k.name = k.api + "/" + strings.Join(parts, "/")
	if len(raw) > 0 && strings.HasPrefix(k.contentType, "application/json") {
		if k.body, err = decode(raw); err != nil {
			return nil, refuse(400, "the body is no JSON: %v", err)
		}
	}
	return k, nil
}

// ServeHTTP implements [http.Handler].
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k, err := parse(r)
	var answer []byte
	if err == nil {
		answer, err = c.answer(k)
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		code := http.StatusInternalServerError
		if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
			code = refusal.Code
		}
		w.WriteHeader(code)
		answer, _ = json.Marshal(Item{"error": Item{"code": code, "message": err.Error()}})
	}
	_, _ = w.Write(answer)
}

// answer returns JSON: the next call may change the resources that this one answers.
func (c *Cloud) answer(k *call) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, err := c.act(k)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		answer = Item{}
	}
	return json.Marshal(answer)
}

func (c *Cloud) act(k *call) (any, error) {
	if err := c.enabled(k); err != nil {
		return nil, err
	}
	switch k.api {
	case "storage":
		return c.storage(k)
	case "bigquery":
		return c.bigquery(k)
	case "cloudresourcemanager", "serviceusage", "cloudbilling":
		return c.project(k)
	}
	switch k.verb {
	case "getIamPolicy", "setIamPolicy":
		return c.policy(k)
	case "pause", "resume":
		return c.items[k.name], nil
	}
	return c.resource(k)
}
