package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/operate/deployed"
)

const ofMessages = "google.cloud.pubsub.topic.v1.messagePublished"

// sources compares the sources that the function joins with what brings events.
func sources(f facts) (all []Finding) {
	if f.Service == nil {
		return nil
	}
	brought, unclear := make(map[string][]deployed.Route), 0
	for _, r := range f.Routes {
		all = append(all, f.loops(r)...)
		source, clear := f.sourceOf(r)
		if !clear {
			unclear++
			all = append(all, f.odd(r)...)
			continue
		}
		brought[source] = append(brought[source], r)
		all = append(all, f.route(r, source)...)
	}
	missing := slices.DeleteFunc(slices.Clone(f.Config.Sources), func(s string) bool { return brought[s] != nil })
	if len(missing) > unclear && !f.Hidden { // a request to / says by itself what it brings
		for _, source := range missing {
			all = append(all, Finding{Severity: Error, Resource: f.resource(),
				Problem: "nothing in the project brings events of the source " + source,
				Why:     "no order is ever complete", Remedy: "create a trigger whose path is " + pathOf(source) +
					", or remove the source from EVENT_SOURCES"})
		}
	}
	return append(all, f.twice(brought)...)
}

func pathOf(source string) string {
	if p := convert.SourcePath(source); p != "" {
		return p
	}
	return "/, with an alias in SOURCE_ALIASES"
}

// odd reports the path of a route whose source only its events can say, if it looks misspelled.
func (f facts) odd(r deployed.Route) []Finding {
	if strings.Trim(r.Path, "/") == "" || strings.Contains(r.Path, "/topics/") || !f.pathsCount() {
		return nil
	}
	return []Finding{{Severity: Warning, Resource: r.Name(), Problem: "its path " + r.Path + " names no source",
		Why: "its events are taken like those of /: one that does not say of which source it is is dead-lettered as " +
			"unknown-source, and its order waits",
		Remedy: "set the path to that of a source, as in " + pathOf(f.first()) + ", or to /"}}
}

// pathsCount says whether the entry point knows the paths of requests.
func (f facts) pathsCount() bool { return f.entryPoint() != withoutPaths }

// loops reports a route that brings what the function writes itself, or what Pub/Sub could not deliver.
func (f facts) loops(r deployed.Route) []Finding {
	n := on(r.Name())
	if topic := r.Topic(); topic != "" && (topic == f.Config.DeadLetterTopic || topic == f.Config.OutputTopic) {
		n.add(Error, "it brings what the function publishes to "+topic, "each message comes back as an event",
			"use another topic for one of the two")
	}
	if r.Trigger != nil && f.gcs() && strings.HasPrefix(filter(r, "type"), "google.cloud.storage.") &&
		filter(r, "bucket") == f.Config.Bucket {
		n.add(Error, "it brings an event for each object in gs://"+f.Config.Bucket+", where the function keeps its state",
			"each event that is kept is an object, which comes as the next event, without end",
			"use another bucket for one of the two")
	}
	if withoutLetters(r) {
		return n.all
	}
	topic := r.Subscription.DeadLetterPolicy.DeadLetterTopic
	if i := slices.IndexFunc(f.Routes, func(other deployed.Route) bool { return other.Topic() == topic }); i >= 0 {
		n.add(Error, "Pub/Sub dead-letters its events to "+topic+", of which "+f.Routes[i].Name()+" brings the messages",
			"an event that Pub/Sub gives up on comes back as a new one, without end", "use a topic that no event comes from")
	}
	return n.all
}

// route looks at one route, which brings events of a source, or of one that is not joined.
func (f facts) route(r deployed.Route, source string) (all []Finding) {
	add := func(problem, why, remedy string) {
		all = append(all, Finding{Severity: Error, Resource: r.Name(), Problem: problem, Why: why, Remedy: remedy})
	}
	if !slices.Contains(f.Config.Sources, source) {
		add(fmt.Sprintf("it brings events of %q, which is not one of EVENT_SOURCES (%s)", source,
			strings.Join(f.Config.Sources, ",")),
			"each of them is dead-lettered as unknown-source, and the order that it belongs to waits",
			"set the path to that of a source, as in "+pathOf(f.first())+"; or add the source to EVENT_SOURCES, or an alias "+
				"to SOURCE_ALIASES")
	}
	if clean := path.Clean("/" + r.Path); r.Path != "" && strings.TrimSuffix(r.Path, "/") != strings.TrimSuffix(clean,
		"/") {
		add("the path "+r.Path+" is not clean", "the function answers it with a redirect, which is not followed: no "+
			"event arrives", "set the path to "+clean)
	}
	if r.Trigger == nil {
		return all
	}
	kind, media := filter(r, "type"), r.Trigger.EventDataContentType
	if strings.HasPrefix(kind, "google.cloud.datastore.") {
		add("events of Datastore are not supported", "each is dead-lettered",
			"use a database in Firestore's native mode, or publish them to a topic")
	}
	if media != "" && media != "application/json" && (kind == ofMessages || strings.HasPrefix(kind,
		"google.cloud.audit.log.")) {
		add("its events are encoded as "+media, "the function does not read this type in it, and dead-letters each",
			"gcloud eventarc triggers update "+short(r.Name())+" --location="+location(r.Name())+" --event-data-content-type=application/json")
	}
	return all
}

func (f facts) first() string {
	if len(f.Config.Sources) == 0 {
		return "SOURCE"
	}
	return f.Config.Sources[0]
}

// sourceOf returns the source of a route's events. It is not clear where only each event can
// say it.
func (f facts) sourceOf(r deployed.Route) (source string, clear bool) {
	name := strings.TrimPrefix(r.Path, "/events/")
	if convert.SourcePath(name) == r.Path && r.Path != "" && f.pathsCount() {
		return name, true
	}
	names := namesOf(r)
	for _, source := range f.Config.Sources {
		for _, alias := range append([]string{source}, f.Config.SourceAliases[source]...) {
			if slices.Contains(names, alias) {
				return source, true
			}
		}
	}
	if len(names) == 0 || r.Trigger == nil {
		return "", false // a CloudEvent in a message may name its source
	}
	return names[0], true
}

// namesOf returns the names by which the function knows where a route's events come from.
func namesOf(r deployed.Route) []string {
	ofTopic := []string{short(r.Topic()), "//pubsub.googleapis.com/" + r.Topic()}
	_, inPath, topicInPath := strings.Cut(r.Path, "/topics/")
	switch {
	case r.Trigger == nil && r.Binary:
		return ofTopic
	case r.Trigger == nil && topicInPath:
		return []string{inPath, "//pubsub.googleapis.com" + r.Path}
	case r.Trigger == nil:
		return []string{short(r.Name()), "//pubsub.googleapis.com/" + r.Name()}
	case filter(r, "type") == ofMessages && r.Topic() != "":
		return ofTopic
	case strings.HasPrefix(filter(r, "type"), "google.cloud.storage.") && filter(r, "bucket") != "":
		bucket := filter(r, "bucket")
		return []string{bucket, "//storage.googleapis.com/projects/_/buckets/" + bucket}
	}
	return nil
}

// filter returns the value of one of a trigger's filters.
func filter(r deployed.Route, attribute string) string {
	for _, f := range r.Trigger.EventFilters {
		if f.Attribute == attribute {
			return f.Value
		}
	}
	return ""
}

// twice finds events that are those of two sources.
func (f facts) twice(brought map[string][]deployed.Route) (all []Finding) {
	for i, source := range f.Config.Sources {
		for _, other := range f.Config.Sources[:i] {
			if origin := common(brought[other], brought[source]); origin != "" {
				all = append(all, Finding{Severity: Warning, Resource: origin,
					Problem: fmt.Sprintf("the same events are those of both %s and %s", other, source),
					Why:     "one event stands for two, and orders are complete too early",
					Remedy:  "give each source a topic, or filters, of its own"})
			}
		}
	}
	return all
}

// common returns where events come from that some of both routes bring; "": none is known.
func common(some, others []deployed.Route) string {
	for _, r := range some {
		for _, other := range others {
			a, b := filterOf(r), filterOf(other)
			if origin := originOf(r); origin != "" && origin == originOf(other) && (a == b || a == "" || b == "") {
				return origin
			}
		}
	}
	return ""
}

// filterOf returns which of a topic's messages the route's subscription takes; "": all.
func filterOf(r deployed.Route) string {
	if r.Subscription == nil {
		return ""
	}
	return r.Subscription.Filter
}

// originOf tells routes apart that bring different events, if they have no filters of their subscriptions; "": it
// can't be told.
func originOf(r deployed.Route) string {
	if r.Trigger == nil || filter(r, "type") == ofMessages {
		return r.Topic()
	}
	var filters []string
	for _, f := range r.Trigger.EventFilters {
		filters = append(filters, f.Attribute+"="+f.Value)
	}
	slices.Sort(filters)
	return location(r.Name()) + " " + r.Trigger.Channel + " " + strings.Join(filters, " ")
}

// location returns the location in a name.
func location(name string) string {
	_, after, _ := strings.Cut(name, "/locations/")
	before, _, _ := strings.Cut(after, "/")
	return before
}
