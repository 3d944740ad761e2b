package convert

import (
	"maps"
	"strconv"

	"github.com/cloudevents/sdk-go/v2/types"
)

// The names under which a message keeps what a Pub/Sub message carries beside
// its attributes.
const (
	attributeMessageID       = "pubsub-message-id"
	attributeSubscription    = "pubsub-subscription"
	attributeOrderingKey     = "pubsub-ordering-key"
	attributeDeliveryAttempt = "pubsub-delivery-attempt"
)

// attributes returns what the event carries beside its content. Where names
// meet, what the platform says goes before what a publisher wrote, and the inner
// event before the outer.
func (d *delivery) attributes() map[string]string {
	all := map[string]string{}
	put := func(name, value string) {
		if value != "" {
			all[name] = value
		}
	}
	for _, m := range d.messages {
		maps.Copy(all, m.attributes)
	}
	for _, m := range d.messages {
		put(attributeMessageID, m.id)
		put(attributeSubscription, m.subscription)
		put(attributeOrderingKey, m.orderingKey)
		if m.deliveryAttempt > 0 {
			put(attributeDeliveryAttempt, strconv.Itoa(m.deliveryAttempt))
		}
	}
	for name, value := range d.event.Extensions() { // a copy, each time that it is asked for
		put("ce-"+name, extensionText(value))
	}
	put("ce-type", d.event.Type())
	put("ce-source", d.event.Source())
	put("ce-subject", d.event.Subject())
	return all
}

// extension returns the event's extension of that name in its canonical string
// form, or "".
func (d *delivery) extension(name string) string {
	value, ok := d.event.Extensions()[name]
	if !ok {
		return ""
	}
	return extensionText(value)
}

func extensionText(value any) string {
	text, err := types.Format(value)
	if err != nil {
		return "" // not of a CloudEvents type: the SDK's decoders don't let it in
	}
	return text
}
