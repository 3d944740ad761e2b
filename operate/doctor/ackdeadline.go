package doctor

import (
	"fmt"
	"time"

	"example.com/eventdriver/operate/deployed"
)

// The deadline that Eventarc gives to its subscriptions, and the timeout up to which that does:
// both deployments have them. The request of a longer run ends, and the run goes on.
const (
	deadlineOfEventarc  = 10 * time.Second
	timeoutOfDeployment = time.Minute
)

// ackDeadline looks for push requests that end long before the run may.
func ackDeadline(f facts) (all []Finding) {
	timeout := f.serving.Timeout
	for _, r := range f.Routes {
		d, known := deadline(r)
		if !known || d >= timeout || r.Eventarc() && d >= deadlineOfEventarc && timeout <= timeoutOfDeployment {
			continue
		}
		why := "the event of a longer run comes again meanwhile, and is answered 503, after which the pauses grow: " +
			"if the run fails, the next one may be minutes late"
		if f.serving.CPUIdle {
			why += "; and the run has CPU only while its instance has another request, so it may stop until then"
		}
		remedy := fmt.Sprintf("gcloud pubsub subscriptions update %s --ack-deadline=%d", r.Subscription.Name, min(600,
			int(timeout.Seconds())))
		if timeout > 10*time.Minute {
			remedy += ", which is the most; and lower the service's timeout to 600s"
		}
		all = append(all, Finding{Severity: Warning, Resource: r.Subscription.Name,
			Problem: fmt.Sprintf("push requests end after %v, and a run may take %v", d, timeout), Why: why, Remedy: remedy})
	}
	return all
}

// deadline returns how long a push request of a route may take.
func deadline(r deployed.Route) (time.Duration, bool) {
	if r.Subscription == nil {
		return 0, false
	}
	if r.Subscription.AckDeadlineSeconds == 0 {
		return deadlineOfEventarc, true // Pub/Sub's default
	}
	return time.Duration(r.Subscription.AckDeadlineSeconds) * time.Second, true
}

func shortestDeadline(f facts) (shortest time.Duration, found bool) {
	for _, r := range f.Routes {
		if d, known := deadline(r); known && (!found || d < shortest) {
			shortest, found = d, true
		}
	}
	return shortest, found
}
