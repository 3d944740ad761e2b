package doctor

import (
	"slices"
	"strings"

	pubsub "google.golang.org/api/pubsub/v1"

	"example.com/eventdriver/operate/deployed"
)

// delivery looks for subscriptions that do not deliver.
func delivery(f facts) (all []Finding) {
	for _, r := range f.Routes {
		n := on(r.Name())
		if r.Gone {
			n.add(Error, "its subscription does not exist", noEvent, "delete the trigger and create it again")
		}
		if r.Trigger != nil {
			for kind, c := range r.Trigger.Conditions {
				if c.Code != "" && c.Code != "OK" {
					n.add(Error, "its condition "+kind+" is "+c.Code+": "+c.Message, noEvent, "do what the condition says")
				}
			}
		}
		if r.Subscription != nil {
			n.resource = r.Subscription.Name
			subscription(n, r)
		}
		if r.Trigger == nil && r.Subscription.PushConfig != nil {
			f.push(n, r.Subscription.PushConfig)
		}
		all = append(all, n.all...)
	}
	return all
}

const noEvent = "no event of this source arrives, so no order is completed"

// defaultExpiration is after how long Pub/Sub deletes a subscription that nobody uses.
const defaultExpiration = 31 * day

func subscription(n *notes, r deployed.Route) {
	s := r.Subscription
	if strings.HasPrefix(s.Topic, "_deleted") {
		n.add(Error, "its topic was deleted", noEvent, "create the topic, then the subscription or trigger, again")
	}
	if s.Detached {
		n.add(Error, "it is detached from its topic", noEvent, "delete it, and create the subscription or trigger again")
	}
	if s.State == "RESOURCE_ERROR" {
		n.add(Error, "its state is RESOURCE_ERROR", noEvent, "gcloud pubsub subscriptions describe "+s.Name+" says more")
	}
	// Pub/Sub's default is nobody's decision where Eventarc made the subscription.
	if e := s.ExpirationPolicy; e != nil && e.Ttl != "" && !(r.Eventarc() && seconds(e.Ttl) >= defaultExpiration) {
		n.add(Warning, "it is deleted when it has not been used for "+days(seconds(e.Ttl)),
			"after a quiet time the events of this source are lost",
			"gcloud pubsub subscriptions update "+s.Name+" --expiration-period=never")
	}
}

// push looks at how a subscription of one's own calls the service.
func (f facts) push(n *notes, p *pubsub.PushConfig) {
	update := "gcloud pubsub subscriptions update " + n.resource
	switch token := p.OidcToken; {
	case token == nil && !f.invokedByAll():
		n.add(Error, "it calls the service without a token", "the service answers 403, and no event arrives",
			update+" --push-endpoint="+p.PushEndpoint+" --push-auth-service-account=…")
	case token != nil && token.Audience != "" && !f.audience(token.Audience):
		n.add(Error, "its token is for the audience "+token.Audience+", which is not the service",
			"the service answers 401, and no event arrives",
			update+" --push-endpoint="+p.PushEndpoint+" --push-auth-token-audience="+f.Service.Uri)
	}
	if raw := p.NoWrapper; raw != nil && !raw.WriteMetadata {
		n.add(Error, "it pushes messages without a wrapper and without their attributes",
			"the function can't read them as events, and dead-letters each", update+" --clear-push-no-wrapper-config")
	}
}

// audience says whether a token for it opens the service.
func (f facts) audience(audience string) bool {
	_, called := f.Called(audience)
	return called || slices.Contains(f.Service.CustomAudiences, audience)
}
