package doctor

import (
	"fmt"
	"time"

	pubsub "google.golang.org/api/pubsub/v1"

	"example.com/eventdriver/operate/deployed"
)

// retries looks for what gives up on an event before it was handled or dead-lettered.
func retries(f facts) (all []Finding) {
	for _, r := range f.Routes {
		n := on(r.Name())
		if t := r.Trigger; t != nil && t.RetryPolicy != nil && t.RetryPolicy.MaxAttempts > 0 {
			n.add(Error, fmt.Sprintf("retries are off: an event is delivered %d time at most", t.RetryPolicy.MaxAttempts),
				onceOnly,
				`remove the trigger's retry policy, as by: curl -X PATCH -H "Authorization: Bearer $(gcloud auth `+
					`print-access-token)" -H 'Content-Type: application/json' -d '{}' `+
					`'https://eventarc.googleapis.com/v1/`+t.Name+`?updateMask=retryPolicy'`)
		}
		if r.Subscription != nil {
			n.resource = r.Subscription.Name
			f.keptFor(n, r)
			f.attempts(n, r.Subscription)
		}
		all = append(all, n.all...)
	}
	if fn := f.Function; fn != nil && fn.EventTrigger != nil && fn.EventTrigger.RetryPolicy != "RETRY_POLICY_RETRY" {
		n := on(fn.Name)
		n.add(Error, "the function's event trigger does not retry", onceOnly,
			"gcloud functions deploy "+f.flags()+" --gen2 --retry")
		all = append(all, n.all...)
	}
	return all
}

const onceOnly = "an event that fails once, or that another delivery's lease sends away, is lost"

// keptFor looks for how long a route's subscription keeps an event that fails.
func (f facts) keptFor(n *notes, r deployed.Route) {
	kept, age := retention(r), f.Config.MaxEventAge
	switch {
	case kept < day:
		n.add(Error, fmt.Sprintf("an event that is not acknowledged is deleted after %v", kept),
			"an outage, or a mistake that is fixed later than that, loses events without a trace",
			"gcloud pubsub subscriptions update "+n.resource+" --message-retention-duration=24h")
	case f.Config.DeadLetters && age >= kept:
		n.add(Error, fmt.Sprintf("an event that is not acknowledged is deleted after %v, and MAX_EVENT_AGE is %v", kept,
			age),
			"an event that keeps failing is deleted before it is dead-lettered", f.update("MAX_EVENT_AGE=20h"))
	case f.Config.DeadLetters && age == 0 && r.Subscription.DeadLetterPolicy == nil:
		n.add(Warning, fmt.Sprintf("an event that keeps failing is deleted after %v, and MAX_EVENT_AGE is not set", kept),
			"such an event is lost without a dead letter", f.update("MAX_EVENT_AGE=20h"))
	}
}

// attempts looks whether Pub/Sub dead-letters an event while its key may still be held.
func (f facts) attempts(n *notes, s *pubsub.Subscription) {
	p := s.DeadLetterPolicy
	if p == nil || attemptsLast(s) > f.lease {
		return
	}
	n.add(Error, fmt.Sprintf("Pub/Sub gives up on an event after %d attempts, which may be over after %v",
		p.MaxDeliveryAttempts, attemptsLast(s)),
		fmt.Sprintf("a key may be held for a lease, %v, and its events are sent away meanwhile: they end in %s, and "+
			"their order waits",
			f.lease, p.DeadLetterTopic),
		"gcloud pubsub subscriptions update "+n.resource+" --clear-dead-letter-policy, since the function has dead "+
			"letters and "+
			"MAX_EVENT_AGE; or --max-delivery-attempts=100 --min-retry-delay=10s")
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
