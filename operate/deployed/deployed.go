// Package deployed reads what is deployed of a function from Google's APIs: the Cloud Run
// service and its revisions, the triggers and subscriptions that call it, the topics, buckets
// and datasets that it is set up with, and who may use them. It changes nothing.
package deployed

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
	cloudfunctions "google.golang.org/api/cloudfunctions/v2"
	scheduler "google.golang.org/api/cloudscheduler/v1"
	eventarc "google.golang.org/api/eventarc/v1"
	iam "google.golang.org/api/iam/v1"
	pubsub "google.golang.org/api/pubsub/v1"
	run "google.golang.org/api/run/v2"
	storage "google.golang.org/api/storage/v1"

	"example.com/eventdriver"
)

// Target names a Cloud Run service.
type Target struct {
	Project string // its ID
	Region  string
	Service string // "": none, only what the variables name is looked at
}

// String returns the service's name in the API.
func (t Target) String() string {
	return "projects/" + t.Project + "/locations/" + t.Region + "/services/" + t.Service
}

// Deployment is what is deployed, mostly as Google's APIs put it. A pointer is nil where the
// thing does not exist, or could not be read; Unread has the latter.
type Deployment struct {
	Target
	Now    time.Time // when it was read
	Number string    // of the project; "": unknown
	Began  time.Time // when the project was made; zero: unknown

	Service    *run.GoogleCloudRunV2Service
	Function   *cloudfunctions.Function        // that made the service; nil: none did
	Revisions  []Revision                      // of the service, the newest first
	Neighbours []*run.GoogleCloudRunV2Service  // the project's other services in the regions that are known
	Routes     []Route                         // by which events come
	Hidden     bool                            // there may be more of them, which can't be read
	Jobs       []*scheduler.Job                // of Cloud Scheduler that call the service
	JobsRead   bool                            // false: there may be others
	Topics     map[string]*Topic               // by their full names
	Buckets    map[string]*Bucket              // by their names
	Datasets   map[string]*Dataset             // by PROJECT.DATASET
	Accounts   map[string]*iam.ServiceAccount  // by e-mail; nil: there is none
	Policies   map[string]Policy               // of the project, of services and of accounts, by their names
	Roles      map[string][]string             // permissions of roles, by name, of those that had to be asked for
	Waiting    map[Place]Keys                  // what lies in places that earlier revisions used
	Config     eventdriver.Config              // of the revision that gets the events
	ConfigErr  error                           // what is wrong with its variables
	Variables  map[string]string               // of that revision, or of the process
	Unread     []Unread                        // what could not be read
	subscribed map[string]*pubsub.Subscription // all that were read, by their full names
}

// Route is a way for events to the service: a trigger of Eventarc and its subscription, or a
// push subscription alone.
type Route struct {
	Trigger      *eventarc.Trigger    // nil: there is none
	Subscription *pubsub.Subscription // nil: unknown, or gone
	Gone         bool                 // the trigger's subscription does not exist
	Path         string               // of the requests, as it is sent
	Binary       bool                 // without a trigger: Pub/Sub sends messages as Eventarc does
}

// Name returns the name of the trigger, else of the subscription.
func (r Route) Name() string {
	if r.Trigger != nil {
		return r.Trigger.Name
	}
	return r.Subscription.Name
}

// Eventarc says whether Eventarc made the subscription.
func (r Route) Eventarc() bool {
	return r.Trigger != nil || strings.Contains(r.Subscription.Name, "/subscriptions/eventarc-")
}

// Topic returns the full name of the topic that the events come through; "": unknown.
func (r Route) Topic() string {
	if r.Trigger != nil && r.Trigger.Transport != nil && r.Trigger.Transport.Pubsub != nil {
		return r.Trigger.Transport.Pubsub.Topic
	}
	if r.Subscription != nil {
		return r.Subscription.Topic
	}
	return ""
}

// Account returns the e-mail of the service account that calls the service; "": none does.
func (r Route) Account() string {
	if r.Trigger != nil {
		return r.Trigger.ServiceAccount
	}
	if push := r.Subscription.PushConfig; push != nil && push.OidcToken != nil {
		return push.OidcToken.ServiceAccountEmail
	}
	return ""
}

// Topic is a topic of Pub/Sub.
type Topic struct {
	Info          *pubsub.Topic // nil: unread, or Gone, or the function does not publish to it
	Gone          bool
	Policy        Policy
	Subscriptions []*pubsub.Subscription // nil unless Listed
	Listed        bool
}

// Bucket is a bucket of Cloud Storage.
type Bucket struct {
	Info   *storage.Bucket
	Gone   bool
	Policy Policy
}

// Dataset is a dataset of BigQuery, with those of the store's tables that exist.
type Dataset struct {
	Info    *bigquery.Dataset
	Gone    bool
	Tables  map[string]*bigquery.Table
	Missing []string // tables of the store that do not exist
}

// Policy says who has which role.
type Policy struct {
	Read     bool // false: it is unknown
	Bindings []Binding
}

// Binding gives a role to members.
type Binding struct {
	Role      string   `json:"role"`
	Members   []string `json:"members"`
	Condition struct {
		Expression string `json:"expression"`
	} `json:"condition"`
}

// Unread is something that could not be read.
type Unread struct {
	Resource string
	Why      string
	Remedy   string
}

// Error implements error.
func (u Unread) Error() string { return u.Resource + ": " + u.Why + "\nRemedy: " + u.Remedy }

// Keys are the keys in a place.
type Keys struct {
	Listed  bool // false: they are unknown
	Waiting int  // how many are not completed, among the first objects
}

// Serving returns the revision that gets the most events.
func (d *Deployment) Serving() (most Revision) {
	for _, r := range d.Revisions {
		if r.Percent > most.Percent {
			most = r
		}
	}
	return most
}

// Account returns the e-mail of the account that the function runs as; "": unknown.
func (d *Deployment) Account() string {
	if d.Service == nil {
		return ""
	}
	account := d.Serving().Account
	if account == "" && d.Number != "" {
		account = d.Number + "-compute@developer.gserviceaccount.com"
	}
	return account
}

// MayNotMakeTokens says that the project is older than the right of Pub/Sub's agent to make tokens of each account.
func (d *Deployment) MayNotMakeTokens() bool {
	return !d.Began.IsZero() && d.Began.Before(time.Date(2021, time.April, 9, 0, 0, 0, 0, time.UTC))
}

// Hosts returns the hosts of the service's URLs.
func (d *Deployment) Hosts() (hosts []string) {
	for _, u := range append([]string{d.Service.Uri}, d.Service.Urls...) {
		if host := hostOf(u); host != "" {
			hosts = append(hosts, host)
		}
	}
	if d.Number != "" {
		hosts = append(hosts, d.Target.Service+"-"+d.Number+"."+d.Region+".run.app")
	}
	return hosts
}

// Called says whether a request to an address reaches the service, and by which path.
func (d *Deployment) Called(address string) (path string, called bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	host, path := strings.ToLower(u.Host), u.EscapedPath()
	if host != d.functionsHost() {
		return path, slices.Contains(d.Hosts(), host)
	}
	rest, called := strings.CutPrefix(path, "/"+d.Target.Service)
	return rest, called && (rest == "" || rest[0] == '/')
}

// functionsHost is what all functions of the region are called by, too, each by its name.
func (d *Deployment) functionsHost() string {
	return d.Region + "-" + d.Project + ".cloudfunctions.net"
}

// Place is where a function keeps events or claims: a folder of a bucket, a dataset.
type Place string

// Places returns where a configuration keeps events and claims; "": in memory.
func Places(c eventdriver.Config) (events, claims Place) {
	of := func(store string) Place {
		switch store {
		case eventdriver.StoreGCS:
			return Place("gs://" + c.Bucket + "/" + c.Folder)
		case eventdriver.StoreBigQuery:
			return Place(c.Project + "." + c.Dataset)
		}
		return ""
	}
	return of(c.EventStore), of(c.ClaimStore)
}

// Bucket returns the bucket and folder of a place; ok is false if it is none in Cloud Storage.
func (p Place) Bucket() (bucket, folder string, ok bool) {
	name, ok := strings.CutPrefix(string(p), "gs://")
	bucket, folder, _ = strings.Cut(name, "/")
	return bucket, folder, ok
}

// ConfigOf returns the configuration of a service with these variables, and what is wrong
// with them.
func ConfigOf(service string, variables map[string]string) (eventdriver.Config, error) {
	return eventdriver.ConfigFromEnv(func(name string) (string, bool) {
		value, set := variables[name]
		if name == "K_SERVICE" {
			return cmp.Or(value, service), true // the platform sets it
		}
		return value, set
	})
}
