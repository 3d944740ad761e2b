package deployed

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	eventarc "google.golang.org/api/eventarc/v1"
	pubsub "google.golang.org/api/pubsub/v1"
)

// pageSize is how much of a list is asked for at once.
const pageSize = 1000

// routes reads all of the project's triggers and subscriptions, and finds those that call
// the service.
func (r *reader) routes() {
	parent := "projects/" + r.d.Project
	err := r.pubsub.Projects.Subscriptions.List(parent).PageSize(pageSize).Pages(r.ctx,
		each(func(page *pubsub.ListSubscriptionsResponse) {
			for _, s := range page.Subscriptions {
				r.d.subscribed[s.Name] = s
			}
		}))
	listed := r.read("subscriptions of "+parent, rolePubsub, err)
	r.d.Hidden = !r.listTriggers() || !listed
	for _, t := range r.triggers {
		if path, calls := r.calls(t.Destination); calls {
			r.d.Routes = append(r.d.Routes, r.route(t, path))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.d.subscribed)) {
		s := r.d.subscribed[name]
		ofTrigger := slices.ContainsFunc(r.d.Routes, func(route Route) bool { return route.Subscription == s })
		if s == nil || s.PushConfig == nil || ofTrigger {
			continue
		}
		if path, called := r.d.Called(s.PushConfig.PushEndpoint); called {
			binary := strings.Contains(s.PushConfig.PushEndpoint, "?__GCP_CloudEventsMode=CUSTOM_PUBSUB_")
			r.d.Routes = append(r.d.Routes, Route{Subscription: s, Path: path, Binary: binary})
		}
	}
}

// listTriggers lists the triggers of the project, and says whether these are all.
func (r *reader) listTriggers() (complete bool) {
	complete = true
	parent := "projects/" + r.d.Project + "/locations/-"
	err := r.eventarc.Projects.Locations.Triggers.List(parent).PageSize(pageSize).Pages(r.ctx,
		each(func(page *eventarc.ListTriggersResponse) {
			r.triggers = append(r.triggers, page.Triggers...)
			for _, location := range page.Unreachable {
				complete = false
				r.d.Unread = append(r.d.Unread, Unread{"triggers in " + location, "Eventarc can't reach the location",
					"try again later"})
			}
		}))
	return r.read("triggers in "+parent, roleEventarc, err) && complete
}

// calls says whether a trigger calls the service, and by which path.
func (r *reader) calls(d *eventarc.Destination) (path string, calls bool) {
	switch {
	case d == nil:
		return "", false
	case d.CloudRun != nil:
		return d.CloudRun.Path, last(d.CloudRun.Service) == r.d.Target.Service && (d.CloudRun.Region == r.d.Region ||
			d.CloudRun.Region == "")
	case d.CloudFunction != "":
		return "", strings.HasSuffix(d.CloudFunction, "/locations/"+r.d.Region+"/functions/"+r.d.Target.Service)
	case d.HttpEndpoint != nil:
		return r.d.Called(d.HttpEndpoint.Uri)
	}
	return "", false
}

// route returns the route of a trigger, with its subscription.
func (r *reader) route(t *eventarc.Trigger, path string) Route {
	route := Route{Trigger: t, Path: path}
	if t.Transport == nil || t.Transport.Pubsub == nil || t.Transport.Pubsub.Subscription == "" {
		return route
	}
	route.Subscription, route.Gone = r.subscription(t.Transport.Pubsub.Subscription)
	return route
}

// subscription returns a subscription; nil: it can't be read, or is gone.
func (r *reader) subscription(name string) (s *pubsub.Subscription, gone bool) {
	if s, read := r.d.subscribed[name]; read {
		return s, s == nil
	}
	s, err := got(r.pubsub.Projects.Subscriptions.Get(name).Context(r.ctx).Do())
	if r.read("subscription "+name, rolePubsub, err) || absent(err) {
		r.d.subscribed[name] = s
	}
	return s, absent(err)
}

// topics reads the topics that events come from and go to.
func (r *reader) topics() {
	for _, name := range []string{r.d.Config.DeadLetterTopic, r.d.Config.OutputTopic} {
		r.topic(name, true)
	}
	for _, route := range r.d.Routes {
		if s := route.Subscription; s != nil && s.DeadLetterPolicy != nil {
			r.topic(s.DeadLetterPolicy.DeadLetterTopic, true)
		}
		r.topic(route.Topic(), false)
	}
}

// topic reads who may use a topic, and if it is one that the function publishes to, all of it.
func (r *reader) topic(name string, published bool) {
	if r.d.Topics[name] != nil || !strings.HasPrefix(name, "projects/") {
		return
	}
	t := &Topic{}
	r.d.Topics[name] = t
	if published {
		info, err := got(r.pubsub.Projects.Topics.Get(name).Context(r.ctx).Do())
		if t.Gone = absent(err); !r.read("topic "+name, rolePubsub, err) {
			return
		}
		t.Info = info
		r.subscriptionsOf(name, t)
	}
	call := r.pubsub.Projects.Topics.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion)
	policy, err := got(call.Context(r.ctx).Do())
	t.Policy = r.policy("the topic "+name, policy, err)
}

func (r *reader) subscriptionsOf(name string, t *Topic) {
	err := r.pubsub.Projects.Topics.Subscriptions.List(name).Pages(r.ctx,
		each(func(page *pubsub.ListTopicSubscriptionsResponse) {
			for _, name := range page.Subscriptions {
				if s, gone := r.subscription(name); !gone {
					t.Subscriptions = append(t.Subscriptions, s)
				}
			}
		}))
	t.Listed = r.read("subscriptions of "+name, rolePubsub, err)
}

// inURL finds the region in a service's URL of the form SERVICE-NUMBER.REGION.run.app.
var inURL = regexp.MustCompile(`-[0-9]+\.([a-z0-9-]+)\.run\.app$`)

// regions returns those of the service, and of whatever else gets events in the project.
func (r *reader) regions() []string {
	found := map[string]bool{r.d.Region: true}
	for _, t := range r.triggers {
		if t.Destination != nil && t.Destination.CloudRun != nil && t.Destination.CloudRun.Region != "" {
			found[t.Destination.CloudRun.Region] = true
		}
	}
	for _, s := range r.d.subscribed {
		if s == nil || s.PushConfig == nil {
			continue
		}
		if m := inURL.FindStringSubmatch(hostOf(s.PushConfig.PushEndpoint)); m != nil {
			found[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
