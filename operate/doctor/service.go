package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/operate/deployed"
)

// service looks at what keeps the service from getting events, or from handling them alike.
func service(f facts) []Finding {
	s := f.Service
	if s == nil {
		return nil
	}
	n := on(f.resource())
	f.rollout(n)
	if s.Ingress == "INGRESS_TRAFFIC_NONE" {
		n.add(Error, "the ingress lets no request in", "no event arrives",
			"gcloud run services update "+f.flags()+" --ingress=internal")
	}
	if s.DefaultUriDisabled && len(f.Routes) > 0 {
		n.add(Error, "the run.app URL is disabled", "Eventarc and Pub/Sub call the service by this URL: no event arrives",
			"gcloud beta run services update "+f.flags()+" --default-url")
	}
	if s.Scaling != nil && s.Scaling.ScalingMode == "MANUAL" && s.Scaling.ManualInstanceCount == 0 {
		n.add(Error, "scaling is manual, to 0 instances", "no event is handled, and Pub/Sub forgets events after their "+
			"retention",
			"gcloud beta run services update "+f.flags()+" --scaling=auto")
	}
	f.probe(n)
	if f.entryPoint() == withoutPaths && f.serving.Concurrency != 1 {
		n.add(Error, fmt.Sprintf("the entry point is EventDriverCloudEvent, and an instance handles %d events at once",
			f.serving.Concurrency), "under concurrent requests some of them hang",
			"deploy with --entry-point=EventDriver, or with --concurrency=1")
	}
	if f.entryPoint() == withoutPaths && f.Config.JoinDeadline > 0 {
		n.add(Error, "the entry point is EventDriverCloudEvent, which can't sweep, and JOIN_DEADLINE is set", neverEnds,
			"deploy with --entry-point=EventDriver")
	}
	return n.all
}

// withoutPaths is the entry point that gets events without the paths of their requests.
const withoutPaths = "EventDriverCloudEvent"

// probe looks for a liveness probe of a function: the framework serves all paths with it.
func (f facts) probe(n *notes) {
	if f.serving.Liveness && f.entryPoint() != "" {
		n.add(Error, "the container has a liveness probe", "the function answers requests other than POST with 405, so "+
			"Cloud Run ends instances again and again, in the middle of runs",
			"gcloud run services update "+f.flags()+" --liveness-probe=''")
	}
}

// rollout looks at revisions that are not ready, and at those that share the events.
func (f facts) rollout(n *notes) {
	if created, ready := short(f.Service.LatestCreatedRevision), short(f.Service.LatestReadyRevision); created != ready {
		n.add(Warning, fmt.Sprintf("the newest revision %s is not ready; the newest that is: %s", created, ready),
			"what was deployed last has no effect, or is still starting",
			"gcloud run revisions describe "+created+" --project="+f.Project+" --region="+f.Region+
				" says why; fix that and deploy again")
	}
	newest := short(f.Service.LatestReadyRevision)
	for _, r := range f.Revisions {
		if r.Name == newest && r.Percent == 0 {
			n.add(Warning, "the newest revision "+newest+" gets no events", "after a roll back, what is deployed has no effect",
				"gcloud run services update-traffic "+f.flags()+" --to-latest, once the fault is fixed")
		}
		if theirs, most := places(f, r), places(f, f.serving); r.Percent > 0 && theirs != most {
			n.add(Error, fmt.Sprintf("revision %s gets %d%% of the events and keeps its state in %s, others in %s",
				r.Name, r.Percent, theirs, most),
				"the events of one order are split between two places, so neither sees it complete",
				"gcloud run services update-traffic "+f.flags()+" --to-latest")
		}
		if theirs, most := joins(f, r), joins(f, f.serving); r.Percent > 0 && theirs != most {
			n.add(Error, fmt.Sprintf("revision %s gets %d%% of the events and joins %s, others %s", r.Name, r.Percent,
				theirs, most),
				"which events make an order depends on which revision gets the last one: it is processed without some, or never",
				"gcloud run services update-traffic "+f.flags()+" --to-latest")
		}
	}
}

// entryPoint returns the function that the service serves; "": unknown.
func (f facts) entryPoint() string {
	switch {
	case f.Function != nil && f.Function.BuildConfig != nil:
		return f.Function.BuildConfig.EntryPoint
	case f.Service.BuildConfig != nil && f.Service.BuildConfig.FunctionTarget != "":
		return f.Service.BuildConfig.FunctionTarget
	}
	return f.Variables["FUNCTION_TARGET"]
}

// places says where a revision keeps events and claims.
func places(f facts, r deployed.Revision) string {
	c, _ := deployed.ConfigOf(f.Target.Service, r.Variables)
	events, claims := deployed.Places(c)
	if events == claims {
		return string(events)
	}
	return string(events) + " and " + string(claims)
}

// joins says which events a revision joins, and where their keys are.
func joins(f facts, r deployed.Revision) string {
	c, _ := deployed.ConfigOf(f.Target.Service, r.Variables)
	sources := slices.Sorted(slices.Values(c.Sources))
	by := ""
	for _, source := range sources {
		if pointer := cmp.Or(c.KeyPointers[source], c.KeyPointer); pointer != "" {
			by += fmt.Sprintf(", %s by %s", source, pointer)
		}
	}
	return strings.Join(sources, ",") + by
}
