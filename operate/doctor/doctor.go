// Package doctor finds what makes a deployed function lose orders, process them twice, or cost
// more than it must. It looks at the deployed state that package deployed has read, and at
// nothing else. What both deployments make by default is sound. Where it can't be known whether
// something is wrong, there is no finding, except that it could not be read.
package doctor

import (
	"cmp"
	"fmt"
	"slices"

	"example.com/eventdriver/operate/deployed"
)

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // orders are lost or doubled, or no event is handled
	Warning Severity = "warning" // the same happens under some circumstances
	Cost    Severity = "cost"    // it only costs money
)

var severities = []Severity{Error, Warning, Cost}

// ParseSeverity returns the severity of that name.
func ParseSeverity(name string) (Severity, error) {
	if s := Severity(name); slices.Contains(severities, s) {
		return s, nil
	}
	return "", fmt.Errorf("a severity must be error, warning or cost; it is %q", name)
}

// AtLeast says whether a severity is as bad as another.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(severities, s) <= slices.Index(severities, other)
}

// Finding is something that is wrong with a deployment.
type Finding struct {
	Check    string   `json:"check"` // the name of the check that found it
	Severity Severity `json:"severity"`
	Resource string   `json:"resource"` // what it is wrong with
	Problem  string   `json:"problem"`  // what is wrong
	Why      string   `json:"why"`      // what that does to orders
	Remedy   string   `json:"remedy"`   // a command or a setting
}

// notes collects what is wrong with one resource.
type notes struct {
	resource string
	all      []Finding
}

// on returns notes about a resource.
func on(resource string) *notes { return &notes{resource: resource} }

func (n *notes) add(s Severity, problem, why, remedy string) {
	n.all = append(n.all, Finding{Severity: s, Resource: n.resource, Problem: problem, Why: why, Remedy: remedy})
}

// Check looks for one kind of mistake.
type Check struct {
	Name  string
	About string // what is looked for, in a few words
	look  func(facts) []Finding
}

// Checks returns all checks, in the order in which they look.
func Checks() []Check {
	return []Check{
		{"unread", "what could not be read, so that other checks do not see it", unread},
		{"settings", "variables that are wrong, misspelled or hidden", settings},
		{"timing", "LEASE, STORE_TIMEOUT, MAX_EVENT_AGE and the timeout", timing},
		{"memory", "the memory, for GOMEMLIMIT, BODY_LIMIT and the concurrency", memory},
		{"service", "revisions that fail or share the events, a service that can't be called", service},
		{"retries", "triggers and subscriptions that give up on an event", retries},
		{"delivery", "subscriptions that are gone, broken or expire", delivery},
		{"ack-deadline", "push requests that end before the run may", ackDeadline},
		{"sources", "sources without a trigger, triggers without a source", sources},
		{"sweep", "deadlines that nothing looks for", sweep},
		{"letters", "dead letters that nobody gets", letters},
		{"bucket", "holds, retention policies, versions, soft delete, location", bucket},
		{"dataset", "expirations, location and collation of the dataset and its tables", dataset},
		{"state", "events, claims, completions and letters that are deleted too early", state},
		{"shared", "two functions with one folder or dataset", shared},
		{"moved", "keys that wait where the function does not look any more", moved},
		{"permissions", "roles that the function's and the triggers' accounts lack", permissions},
		{"public", "what everybody may call, read or publish to", public},
	}
}

// Examine returns what is wrong with a deployment, the worst first.
func Examine(d *deployed.Deployment) (all []Finding) {
	f := newFacts(d)
	for _, check := range Checks() {
		found := check.look(f)
		slices.SortFunc(found, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Problem, b.Problem))
		})
		for _, finding := range found {
			finding.Check = check.Name
			all = append(all, finding)
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
	})
	return all
}

// unread reports what the other checks could not look at.
func unread(f facts) (all []Finding) {
	for _, u := range f.Unread {
		all = append(all, Finding{Severity: Warning, Resource: u.Resource, Problem: u.Why,
			Why: "nobody knows what is wrong with what was not read", Remedy: u.Remedy})
	}
	return all
}
