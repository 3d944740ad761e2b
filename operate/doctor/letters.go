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
	if !f.Config.DeadLetters && (len(f.Routes) == 0 || slices.ContainsFunc(f.Routes, withoutLetters)) {
		n := on(f.resource())
		n.add(Warning, "DEAD_LETTERS is off",
			"an event that can never succeed comes again until Pub/Sub deletes it, without a trace",
			f.update("DEAD_LETTERS=on"))
		all = n.all
	}
	for _, name := range f.letterTopics() {
		if t := f.Topics[name]; t != nil {
			all = append(all, letterTopic(name, t)...)
		}
	}
	if t := f.Topics[f.Config.OutputTopic]; t != nil {
		all = append(all, outputTopic(f.Config.OutputTopic, t)...)
	}
	return all
}

// outputTopic looks whether somebody gets the joined messages.
func outputTopic(name string, t *deployed.Topic) []Finding {
	n := on(name)
	if t.Gone {
		n.add(Error, "OUTPUT_TOPIC does not exist",
			"no joined message can be published: each order is processed again and again, and never completed",
			"gcloud pubsub topics create "+name)
	}
	if t.Info != nil && t.Info.SchemaSettings != nil {
		n.add(Warning, "OUTPUT_TOPIC has a schema",
			"a joined message that does not fit can't be published: its order is processed again and again, and never completed",
			"gcloud pubsub topics update "+name+" --clear-schema-settings")
	}
	if t.Listed && len(slices.DeleteFunc(slices.Clone(t.Subscriptions), broken)) == 0 {
		n.add(Cost, "no subscription gets the joined messages of OUTPUT_TOPIC", "Pub/Sub deletes each message at once: if "+
			"somebody should act upon them, nobody does; else they are paid for in vain",
			"create the subscription of whoever acts upon them: gcloud pubsub subscriptions create NAME --topic="+name+
				"; or remove OUTPUT_TOPIC")
	}
	return n.all
}

// withoutLetters says that Pub/Sub does not dead-letter a route's events either.
func withoutLetters(r deployed.Route) bool {
	return r.Subscription == nil || r.Subscription.DeadLetterPolicy == nil
}

// letterTopics returns the topics to which the function or Pub/Sub dead-letters.
func (f facts) letterTopics() (names []string) {
	names = []string{f.Config.DeadLetterTopic}
	for _, r := range f.Routes {
		if !withoutLetters(r) {
			names = append(names, r.Subscription.DeadLetterPolicy.DeadLetterTopic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func letterTopic(name string, t *deployed.Topic) []Finding {
	n := on(name)
	if t.Gone {
		n.add(Error, "the topic of dead letters does not exist",
			"no event can be dead-lettered: such events come again until Pub/Sub deletes them",
			"gcloud pubsub topics create "+name)
	}
	if t.Info != nil && t.Info.SchemaSettings != nil {
		n.add(Warning, "the topic of dead letters has a schema",
			"letters are events of any form, and those that do not fit can't be published",
			"gcloud pubsub topics update "+name+" --clear-schema-settings")
	}
	if t.Listed {
		readers(n, slices.DeleteFunc(slices.Clone(t.Subscriptions), broken))
	}
	return n.all
}

// readers looks whether one of the subscriptions of a topic has all dead letters for long enough.
func readers(n *notes, all []*pubsub.Subscription) {
	create := "gcloud pubsub subscriptions create " + short(n.resource) + " --topic=" + n.resource +
		" --message-retention-duration=7d --expiration-period=never"
	switch {
	case len(all) == 0:
		n.add(Error, "no subscription gets its dead letters", "Pub/Sub deletes each letter at once, and the order is lost",
			create)
	case !slices.ContainsFunc(all, everything):
		n.add(Warning, "each of its subscriptions has a filter", "letters that match none are deleted at once", create)
	case !slices.ContainsFunc(all, lasting):
		n.add(Warning, "its subscriptions are deleted when nobody uses them for a time", "later letters are lost",
			"gcloud pubsub subscriptions update "+all[0].Name+" --expiration-period=never")
	case !slices.ContainsFunc(all, func(s *pubsub.Subscription) bool {
		return everything(s) && lasting(s) &&
			keepsFor(s) >= lettersAge
	}):
		n.add(Warning, "a dead letter is deleted after "+days(keepsFor(all[0])),
			"nobody may have read it by then, and the order is lost",
			"gcloud pubsub subscriptions update "+all[0].Name+" --message-retention-duration=7d")
	}
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
