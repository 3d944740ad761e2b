package doctor

import (
	"slices"
	"time"

	pubsub "google.golang.org/api/pubsub/v1"

	"example.com/eventdriver/operate/deployed"
)

// lettersAge is for how long letters should be there for somebody to read them.
const lettersAge = 7 * day

// letters looks whether dead letters are kept until somebody has read them.
func letters(f facts) (all []Finding) {
	if !f.Config.DeadLetters && slices.ContainsFunc(f.Routes, func(r deployed.Route) bool {
		return r.Subscription == nil || r.Subscription.DeadLetterPolicy == nil
	}) {
		all = append(all, Finding{Severity: Warning, Resource: f.resource(), Problem: "DEAD_LETTERS is off",
			Why:    "an event that can never succeed comes again until Pub/Sub deletes it, without a trace",
			Remedy: f.update("DEAD_LETTERS=on")})
	}
	topics := []string{f.Config.DeadLetterTopic}
	for _, r := range f.Routes {
		if r.Subscription != nil && r.Subscription.DeadLetterPolicy != nil {
			topics = append(topics, r.Subscription.DeadLetterPolicy.DeadLetterTopic)
		}
	}
	slices.Sort(topics)
	for _, name := range slices.Compact(topics) {
		if t := f.Topics[name]; t != nil {
			all = append(all, letterTopic(name, t)...)
		}
	}
	if t := f.Topics[f.Config.OutputTopic]; t != nil && t.Gone {
		all = append(all, Finding{Severity: Error, Resource: f.Config.OutputTopic, Problem: "OUTPUT_TOPIC does not exist",
			Why:    "no joined message can be published: each order is processed again and again, and never completed",
			Remedy: "gcloud pubsub topics create " + f.Config.OutputTopic})
	}
	return all
}

func letterTopic(name string, t *deployed.Topic) (all []Finding) {
	add := func(severity Severity, problem, why, remedy string) {
		all = append(all, Finding{Severity: severity, Resource: name, Problem: problem, Why: why, Remedy: remedy})
	}
	if t.Gone {
		add(Error, "the topic of dead letters does not exist", "no event can be dead-lettered: such events come again "+
			"until Pub/Sub deletes them",
			"gcloud pubsub topics create "+name)
		return all
	}
	if t.Info != nil && t.Info.SchemaSettings != nil {
		add(Warning, "the topic of dead letters has a schema", "letters are events of any form, and those that do not "+
			"fit can't be published",
			"gcloud pubsub topics update "+name+" --clear-schema-settings")
	}
	if !t.Listed {
		return all
	}
	keeps := slices.DeleteFunc(slices.Clone(t.Subscriptions), broken)
	create := "gcloud pubsub subscriptions create " + short(name) + " --topic=" + name +
		" --message-retention-duration=7d --expiration-period=never"
	switch {
	case len(keeps) == 0:
		add(Error, "no subscription gets its dead letters", "Pub/Sub deletes each letter at once, and the order is lost",
			create)
	case !slices.ContainsFunc(keeps, everything):
		add(Warning, "each of its subscriptions has a filter", "letters that match none are deleted at once", create)
	case !slices.ContainsFunc(keeps, lasting):
		add(Warning, "its subscriptions are deleted when nobody uses them for a time", "later letters are lost",
			"gcloud pubsub subscriptions update "+keeps[0].Name+" --expiration-period=never")
	case !slices.ContainsFunc(keeps, func(s *pubsub.Subscription) bool {
		return everything(s) && lasting(s) &&
			keepsFor(s) >= lettersAge
	}):
		add(Warning, "a dead letter is deleted after "+days(keepsFor(keeps[0])),
			"nobody may have read it by then, and the order is lost",
			"gcloud pubsub subscriptions update "+keeps[0].Name+" --message-retention-duration=7d")
	}
	return all
}

func broken(s *pubsub.Subscription) bool {
	return s == nil || s.Detached || s.State == "RESOURCE_ERROR"
}

func everything(s *pubsub.Subscription) bool { return s.Filter == "" }

// delivers says whether a subscription hands messages on by itself.
func delivers(s *pubsub.Subscription) bool {
	return s.BigqueryConfig != nil || s.CloudStorageConfig != nil || s.BigtableConfig != nil || s.PushConfig != nil &&
		s.PushConfig.PushEndpoint != ""
}

func lasting(s *pubsub.Subscription) bool {
	return delivers(s) || s.ExpirationPolicy == nil || s.ExpirationPolicy.Ttl == ""
}

func keepsFor(s *pubsub.Subscription) time.Duration {
	if delivers(s) {
		return never
	}
	if s.MessageRetentionDuration == "" {
		return 7 * day // Pub/Sub's default
	}
	return seconds(s.MessageRetentionDuration)
}
