package deployed

import (
	"slices"
	"strings"
	"time"

	run "google.golang.org/api/run/v2"
)

// Revision is one state of the service.
type Revision struct {
	Name        string    // without its path; "": unknown
	Created     time.Time // zero: unknown
	Failed      bool      // it never was ready
	Percent     int64     // of the requests that it gets
	Variables   map[string]string
	Secret      []string // names of variables whose values are secrets
	Limits      map[string]string
	CPUIdle     bool // it has CPU only while it handles a request
	Liveness    bool // Cloud Run ends it when it does not answer a probe
	Timeout     time.Duration
	Concurrency int64
	Account     string // "": the project's default
}

// revisions returns the service's revisions with their share of the requests, the newest
// first. Without a list there is what the service says of its newest one.
func revisions(s *run.GoogleCloudRunV2Service, list []*run.GoogleCloudRunV2Revision) (all []Revision) {
	for _, r := range list {
		one := revisionOf(r.Containers, r.Timeout)
		one.Name, one.Concurrency, one.Account = last(r.Name), r.MaxInstanceRequestConcurrency, r.ServiceAccount
		one.Created, _ = time.Parse(time.RFC3339Nano, r.CreateTime)
		one.Failed = slices.ContainsFunc(r.Conditions, func(c *run.GoogleCloudRunV2Condition) bool {
			return c.Type == "Ready" && c.State == "CONDITION_FAILED"
		})
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Revision) int { return b.Created.Compare(a.Created) })
	for _, t := range traffic(s) {
		if i := slices.IndexFunc(all, func(r Revision) bool { return r.Name == t.Revision }); i >= 0 {
			all[i].Percent += t.Percent
		}
	}
	if !slices.ContainsFunc(all, func(r Revision) bool { return r.Percent > 0 }) {
		all = append([]Revision{Newest(s)}, all...)
	}
	return all
}

// traffic returns which share of the requests goes to which revision.
func traffic(s *run.GoogleCloudRunV2Service) (shares []*run.GoogleCloudRunV2TrafficTargetStatus) {
	for _, t := range s.TrafficStatuses {
		name := last(t.Revision)
		if name == "" || t.Type == "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" {
			name = last(s.LatestReadyRevision)
		}
		shares = append(shares, &run.GoogleCloudRunV2TrafficTargetStatus{Revision: name, Percent: t.Percent})
	}
	if shares == nil {
		return []*run.GoogleCloudRunV2TrafficTargetStatus{{Revision: last(s.LatestReadyRevision), Percent: 100}}
	}
	return shares
}

// Newest returns what a service says of its newest revision.
func Newest(s *run.GoogleCloudRunV2Service) Revision {
	t := s.Template
	if t == nil {
		t = &run.GoogleCloudRunV2RevisionTemplate{}
	}
	r := revisionOf(t.Containers, t.Timeout)
	r.Name, r.Concurrency, r.Account, r.Percent = last(s.LatestReadyRevision), t.MaxInstanceRequestConcurrency,
		t.ServiceAccount, 100
	return r
}

// defaultTimeout is Cloud Run's.
const defaultTimeout = 5 * time.Minute

// revisionOf returns what the container says that takes the requests.
func revisionOf(containers []*run.GoogleCloudRunV2Container, timeout string) Revision {
	r := Revision{Variables: make(map[string]string), Timeout: defaultTimeout}
	if d, err := time.ParseDuration(timeout); err == nil {
		r.Timeout = d
	}
	if len(containers) == 0 {
		return r
	}
	c := containers[0]
	if i := slices.IndexFunc(containers,
		func(c *run.GoogleCloudRunV2Container) bool { return len(c.Ports) > 0 }); i >= 0 {
		c = containers[i]
	}
	r.Liveness = c.LivenessProbe != nil
	for _, v := range c.Env {
		if v.ValueSource != nil {
			r.Secret = append(r.Secret, v.Name)
			continue
		}
		r.Variables[v.Name] = v.Value
	}
	if c.Resources != nil {
		r.Limits, r.CPUIdle = c.Resources.Limits, c.Resources.CpuIdle
	}
	return r
}

// last returns the last part of a name.
func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
