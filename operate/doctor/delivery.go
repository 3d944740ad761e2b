package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	pubsub "google.golang.org/api/pubsub/v1"

	"example.com/eventdriver/operate/deployed"
)

// retries looks for what gives up on an event before it was handled or dead-lettered.
func retries(f facts) (all []Finding) {
	for _, r := range f.Routes {
		all = append(all, f.triggerRetries(r)...)
		if r.Subscription != nil {
			all = append(all, f.subscriptionRetries(r)...)
		}
	}
	if fn := f.Function; fn != nil && fn.EventTrigger != nil && fn.EventTrigger.RetryPolicy != "RETRY_POLICY_RETRY" {
		all = append(all, Finding{Severity: Error, Resource: fn.Name,
			Problem: "the function's event trigger does not retry",
			Why:     onceOnly, Remedy: "gcloud functions deploy " + f.flags() + " --gen2 --retry"})
	}
	return all
}

const onceOnly = "an event that fails once, or that another delivery's lease sends away, is lost"

func (f facts) triggerRetries(r deployed.Route) []Finding {
	if r.Trigger == nil || r.Trigger.RetryPolicy == nil || r.Trigger.RetryPolicy.MaxAttempts == 0 {
		return nil
	}
	return []Finding{{Severity: Error, Resource: r.Name(),
		Problem: fmt.Sprintf("retries are off: an event is delivered %d time at most", r.Trigger.RetryPolicy.MaxAttempts),
		Why:     onceOnly,
		Remedy: "remove the trigger's retry policy, as by: curl -X PATCH -H \"Authorization: Bearer $(gcloud auth " +
			"print-access-token)\" " +
			"-H 'Content-Type: application/json' -d '{}' 'https://eventarc.googleapis.com/v1/" + r.Name() +
			"?updateMask=retryPolicy'"}}
}

func (f facts) subscriptionRetries(r deployed.Route) (all []Finding) {
	s, kept, age := r.Subscription, retention(r), f.Config.MaxEventAge
	add := func(severity Severity, problem, why, remedy string) {
		all = append(all, Finding{Severity: severity, Resource: s.Name, Problem: problem, Why: why, Remedy: remedy})
	}
	longer := "gcloud pubsub subscriptions update " + s.Name + " --message-retention-duration="
	switch {
	case kept < day:
		add(Error, fmt.Sprintf("an event that is not acknowledged is deleted after %v", kept),
			"an outage, or a mistake that is fixed later than that, loses events without a trace", longer+"24h")
	case f.Config.DeadLetters && age >= kept:
		add(Error, fmt.Sprintf("an event that is not acknowledged is deleted after %v, and MAX_EVENT_AGE is %v", kept, age),
			"an event that keeps failing is deleted before it is dead-lettered", f.update("MAX_EVENT_AGE=20h"))
	case f.Config.DeadLetters && age == 0 && s.DeadLetterPolicy == nil:
		add(Warning, fmt.Sprintf("an event that keeps failing is deleted after %v, and MAX_EVENT_AGE is not set", kept),
			"such an event is lost without a dead letter", f.update("MAX_EVENT_AGE=20h"))
	}
	if p := s.DeadLetterPolicy; p != nil {
		if lasts := attemptsLast(s); lasts <= f.lease {
			add(Error, fmt.Sprintf("Pub/Sub gives up on an event after %d attempts, which may be over after %v",
				p.MaxDeliveryAttempts, lasts),
				fmt.Sprintf("a key may be held for a lease, %v, and its events are sent away meanwhile: they end in %s, and "+
					"their order waits",
					f.lease, p.DeadLetterTopic),
				"gcloud pubsub subscriptions update "+s.Name+" --clear-dead-letter-policy, since the function has dead letters "+
					"and MAX_EVENT_AGE; "+
					"or --max-delivery-attempts=100 --min-retry-delay=10s")
		}
	}
	return all
}

// attemptsLast returns how long a subscription's attempts go on at least. Without a retry
// policy Pub/Sub waits for a tenth of a second at first.
func attemptsLast(s *pubsub.Subscription) (total time.Duration) {
	delay, most := 100*time.Millisecond, time.Minute
	if p := s.RetryPolicy; p != nil {
		delay, most = 10*time.Second, 10*time.Minute
		if p.MinimumBackoff != "" {
			delay = seconds(p.MinimumBackoff)
		}
		if p.MaximumBackoff != "" {
			most = seconds(p.MaximumBackoff)
		}
	}
	attempts := s.DeadLetterPolicy.MaxDeliveryAttempts
	if attempts == 0 {
		attempts = 5 // Pub/Sub's default
	}
	for range attempts - 1 {
		total += delay
		delay = min(2*delay, most)
	}
	return total
}

// delivery looks for subscriptions that do not deliver.
func delivery(f facts) (all []Finding) {
	for _, r := range f.Routes {
		add := func(severity Severity, problem, why, remedy string) {
			all = append(all, Finding{Severity: severity, Resource: r.Name(), Problem: problem, Why: why, Remedy: remedy})
		}
		if r.Gone {
			add(Error, "its subscription does not exist", noEvent, "delete the trigger and create it again")
		}
		if r.Trigger != nil {
			for kind, c := range r.Trigger.Conditions {
				if c.Code != "" && c.Code != "OK" {
					add(Error, "its condition "+kind+" is "+c.Code+": "+c.Message, noEvent, "do what the condition says")
				}
			}
		}
		if r.Subscription != nil {
			all = append(all, f.subscription(r)...)
		}
	}
	return all
}

const noEvent = "no event of this source arrives, so no order is completed"

func (f facts) subscription(r deployed.Route) (all []Finding) {
	s := r.Subscription
	add := func(severity Severity, problem, why, remedy string) {
		all = append(all, Finding{Severity: severity, Resource: s.Name, Problem: problem, Why: why, Remedy: remedy})
	}
	if strings.HasPrefix(s.Topic, "_deleted") {
		add(Error, "its topic was deleted", noEvent, "create the topic, then the subscription or trigger, again")
	}
	if s.Detached {
		add(Error, "it is detached from its topic", noEvent, "delete it, and create the subscription or trigger again")
	}
	if s.State == "RESOURCE_ERROR" {
		add(Error, "its state is RESOURCE_ERROR", noEvent, "gcloud pubsub subscriptions describe "+s.Name+" says more")
	}
	if e := s.ExpirationPolicy; e != nil && e.Ttl != "" {
		add(Warning, "it is deleted when it has not been used for "+days(seconds(e.Ttl)),
			"after a quiet time the events of this source are "+
				"lost", "gcloud pubsub subscriptions update "+s.Name+" --expiration-period=never")
	}
	if r.Trigger == nil && s.PushConfig != nil {
		all = append(all, f.push(s)...)
	}
	return all
}

// push looks at how a subscription of one's own calls the service.
func (f facts) push(s *pubsub.Subscription) (all []Finding) {
	token := s.PushConfig.OidcToken
	endpoint := s.PushConfig.PushEndpoint
	if token == nil && !f.invokedByAll() {
		all = append(all, Finding{Severity: Error, Resource: s.Name, Problem: "it calls the service without a token",
			Why: "the service answers 403, and no event arrives",
			Remedy: "gcloud pubsub subscriptions update " + s.Name + " --push-endpoint=" + endpoint +
				" --push-auth-service-account=…"})
	}
	if token != nil && token.Audience != "" && !f.audience(token.Audience) {
		all = append(all, Finding{Severity: Error, Resource: s.Name, Problem: "its token is for the audience " +
			token.Audience + ", which is not the service",
			Why: "the service answers 401, and no event arrives",
			Remedy: "gcloud pubsub subscriptions update " + s.Name + " --push-endpoint=" + endpoint +
				" --push-auth-token-audience=" + f.Service.Uri})
	}
	if raw := s.PushConfig.NoWrapper; raw != nil && !raw.WriteMetadata {
		all = append(all, Finding{Severity: Error, Resource: s.Name,
			Problem: "it pushes messages without a wrapper and without their attributes",
			Why:     "the function can't read them as events, and dead-letters each",
			Remedy:  "gcloud pubsub subscriptions update " + s.Name + " --clear-push-no-wrapper-config"})
	}
	return all
}

// audience says whether a token for it opens the service.
func (f facts) audience(audience string) bool {
	if slices.Contains(f.Service.CustomAudiences, audience) {
		return true
	}
	u, err := url.Parse(audience)
	return err == nil && slices.Contains(f.Hosts(), strings.ToLower(u.Host))
}

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
		why := "the event of a longer run comes again meanwhile, which costs a request each time"
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
