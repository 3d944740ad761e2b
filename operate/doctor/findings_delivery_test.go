package doctor

import (
	cloudfunctions "google.golang.org/api/cloudfunctions/v2"
	eventarc "google.golang.org/api/eventarc/v1"
	pubsub "google.golang.org/api/pubsub/v1"

	"example.com/eventdriver/internal/fake/googleapis"
)

var retriesMistakes = []mistake{
	{name: "one attempt", make: func(w *world) { w.triggers[0].RetryPolicy = &eventarc.RetryPolicy{MaxAttempts: 1} },
		severity: Error, problem: "retries are off"},
	{name: "one attempt at a document", world: ofAllKinds,
		make:     func(w *world) { w.triggers[2].RetryPolicy = &eventarc.RetryPolicy{MaxAttempts: 1} },
		severity: Error, problem: "orders-event3"},
	{name: "a function's trigger without --retry", make: func(w *world) {
		w.function.Name, w.function.EventTrigger = "orders",
			&cloudfunctions.EventTrigger{RetryPolicy: "RETRY_POLICY_DO_NOT_RETRY"}
	}, severity: Error, problem: "--retry"},
	{name: "ten minutes", make: func(w *world) { w.sub().MessageRetentionDuration = "600s" }, severity: Error,
		problem: "deleted after 10m0s"},
	{name: "a day", make: set("MAX_EVENT_AGE", "24h"), severity: Error, problem: "MAX_EVENT_AGE is 24h"},
	{name: "no age", make: func(w *world) { delete(w.variables, "MAX_EVENT_AGE") }, severity: Warning,
		problem: "MAX_EVENT_AGE is not set"},
	{name: "five attempts at once", world: pushed, make: func(w *world) {
		w.policies[letter] = append(w.policies[letter], grant("roles/pubsub.publisher", agentOfPubSub))
		w.subs["orders-event3-push"].DeadLetterPolicy = &pubsub.DeadLetterPolicy{DeadLetterTopic: letter,
			MaxDeliveryAttempts: 5}
	}, severity: Error, problem: "after 5 attempts"},
	{name: "five attempts against a long lease", make: func(w *world) {
		w.variables["LEASE"] = "10m"
		w.policies[letter] = append(w.policies[letter], grant("roles/pubsub.publisher", agentOfPubSub))
		w.sub().DeadLetterPolicy = &pubsub.DeadLetterPolicy{DeadLetterTopic: letter, MaxDeliveryAttempts: 5}
	}, severity: Error, problem: "over after 2m30s"},
}

var deliveryMistakes = []mistake{
	{name: "a subscription that is gone", make: func(w *world) {
		delete(w.subs,
			"eventarc-"+region+"-orders-event1-sub-123")
	}, severity: Error, problem: "does not exist"},
	{name: "a topic that is gone", make: func(w *world) { w.sub().Topic = "_deleted-topic_" }, severity: Error,
		problem: "topic was deleted"},
	{name: "detached", make: func(w *world) { w.sub().Detached = true }, severity: Error, problem: "detached"},
	{name: "broken", make: func(w *world) { w.sub().State = "RESOURCE_ERROR" }, severity: Error,
		problem: "RESOURCE_ERROR"},
	{name: "expires", make: func(w *world) { w.sub().ExpirationPolicy.Ttl = "86400s" }, severity: Warning,
		problem: "1 day"},
	{name: "Pub/Sub's default, of one's own", world: pushed,
		make:     func(w *world) { w.subs["orders-event3-push"].ExpirationPolicy.Ttl = "2678400s" },
		severity: Warning, problem: "31 days"},
	{name: "a condition", make: func(w *world) {
		w.triggers[0].Conditions = map[string]eventarc.StateCondition{"Service": {Code: "NOT_FOUND",
			Message: "the service is gone"}}
	}, severity: Error, problem: "the service is gone"},
	{name: "no token", world: pushed, make: func(w *world) { w.subs["orders-event3-push"].PushConfig.OidcToken = nil },
		severity: Error, problem: "without a token"},
	{name: "another audience", world: pushed,
		make:     func(w *world) { w.subs["orders-event3-push"].PushConfig.OidcToken.Audience = "https://example.com" },
		severity: Error, problem: "audience"},
	{name: "bare", world: pushed,
		make: func(w *world) { w.subs["orders-event3-push"].PushConfig.NoWrapper = &pubsub.NoWrapper{} }, severity: Error,
		problem: "without a wrapper"},
}

var ackDeadlineMistakes = []mistake{
	{name: "of one's own", world: pushed, make: func(w *world) { w.subs["orders-event3-push"].AckDeadlineSeconds = 30 },
		severity: Warning, problem: "end after 30s"},
	{name: "the default of one's own", world: pushed,
		make: func(w *world) { w.subs["orders-event3-push"].AckDeadlineSeconds = 0 }, severity: Warning,
		problem: "end after 10s"},
	{name: "a raised timeout", make: func(w *world) {
		w.template().Timeout,
			w.variables["CLOUD_RUN_TIMEOUT_SECONDS"] = "300s", "300"
	},
		severity: Warning, problem: "--ack-deadline=300"},
	{name: "a timeout beyond all deadlines", make: func(w *world) {
		w.template().Timeout = "3600s"
		for _, s := range w.subs {
			s.AckDeadlineSeconds = 600
		}
	}, severity: Warning, problem: "lower the service's timeout"},
}

var sourcesMistakes = []mistake{
	{name: "no trigger", make: func(w *world) {
		w.triggers = w.triggers[:2]
		delete(w.subs, "eventarc-"+region+"-orders-event3-sub-123")
	},
		severity: Error, problem: "source event3"},
	{name: "a source more", make: func(w *world) {
		w.variables["EVENT_SOURCES"] = "event1,event2,event3,event4"
		w.bucket().Lifecycle = lifecycle("orders", 7, "event1", "event2", "event3", "event4")
	}, severity: Error, problem: "source event4"},
	{name: "no source", make: func(w *world) { w.addTrigger("event9") }, severity: Error,
		problem: `"event9", which is not one of EVENT_SOURCES`},
	{name: "a misspelled path", make: func(w *world) { w.triggers[0].Destination.CloudRun.Path = "/events/evnet1" },
		severity: Error, problem: "evnet1"},
	{name: "another service", make: func(w *world) {
		w.triggers[0].Destination.CloudRun.Service = "returns"
		w.sub().PushConfig.PushEndpoint = "https://returns-abcdef-ew.a.run.app"
	}, severity: Error, problem: "source event1"},
	{name: "a topic without an alias", make: func(w *world) {
		delete(w.variables, "SOURCE_ALIASES")
		for _, t := range w.triggers {
			t.Destination.CloudRun.Path = ""
		}
	}, severity: Error, problem: `"orders-event2"`},
	{name: "a bucket without an alias", world: ofAllKinds, make: func(w *world) {
		w.triggers[1].Destination.CloudRun.Path = "/"
		w.variables["SOURCE_ALIASES"] = "event1:orders-event1"
	}, severity: Error, problem: `"invoices", which is not one of`},
	{name: "two more sources than unclear triggers", world: ofAllKinds, make: func(w *world) {
		w.triggers[2].Destination.CloudRun.Path = "/"
		w.variables["EVENT_SOURCES"] = "event1,event2,event3,a:b"
		w.bucket().Lifecycle = lifecycle("orders", 7, "event1", "event2", "event3", "a=3Ab")
	}, severity: Error, problem: "with an alias in SOURCE_ALIASES"},
	{name: "a path that redirects", make: func(w *world) { w.triggers[0].Destination.CloudRun.Path = "//events/event1" },
		severity: Error, problem: "not clean"},
	{name: "the path of the sweep, pushed", world: func() *world { return at(pushed(), "/sweep") }, make: func(*world) {},
		severity: Warning, problem: "/sweep names no source"},
	{name: "a misspelled folder of paths", world: func() *world { return at(pushed(), "/event/event3") },
		make: func(*world) {}, severity: Warning, problem: "/event/event3 names no source"},
	{name: "a path with a slash more", world: func() *world { return at(pushed(), "/events/event3/") },
		make: func(*world) {}, severity: Warning, problem: "/events/event3/ names no source"},
	{name: "paths for an entry point that knows none", make: func(w *world) {
		w.function.BuildConfig.EntryPoint, w.template().MaxInstanceRequestConcurrency = "EventDriverCloudEvent", 1
		delete(w.variables, "SOURCE_ALIASES")
	}, severity: Error, problem: `"orders-event1", which is not one of`},
	{name: "the bucket of the state", world: ofAllKinds, make: func(w *world) {
		for _, filter := range w.triggers[1].EventFilters {
			if filter.Attribute == "bucket" {
				filter.Value = "shop-prod-orders-events"
			}
		}
	}, severity: Error, problem: "comes as the next event, without end"},
	{name: "letters of Pub/Sub come back", world: pushed, make: func(w *world) {
		w.subs["orders-event3-push"].DeadLetterPolicy = &pubsub.DeadLetterPolicy{MaxDeliveryAttempts: 50,
			DeadLetterTopic: project + "/topics/orders-event3"}
		w.policies[project+"/topics/orders-event3"] = []binding{grant("roles/pubsub.publisher", agentOfPubSub)}
	}, severity: Error, problem: "comes back as a new one"},
	{name: "dead letters come back", make: func(w *world) { w.triggers[0].Transport.Pubsub.Topic = letter },
		severity: Error, problem: "comes back"},
	{name: "one topic for two", make: func(w *world) {
		w.triggers[1].Transport.Pubsub.Topic = project + "/topics/orders-event1"
	}, severity: Warning, problem: "both event1 and event2"},
	{name: "one filter of a topic for two", world: filtered,
		make: func(w *world) { w.subs["orders-event2-push"].Filter = w.subs["orders-event3-push"].Filter }, severity: Warning,
		problem: "both event2 and event3"},
	{name: "a filter of a topic beside none", world: filtered,
		make: func(w *world) { w.subs["orders-event2-push"].Filter = "" }, severity: Warning,
		problem: "both event2 and event3"},
	{name: "one trigger's filters for two", world: ofAllKinds,
		make:     func(w *world) { w.triggers[2].EventFilters = w.triggers[1].EventFilters },
		severity: Warning, problem: "both event2 and event3"},
	{name: "protobuf", make: func(w *world) { w.triggers[0].EventDataContentType = "application/protobuf" },
		severity: Error, problem: "application/protobuf"},
	{name: "Datastore", world: ofAllKinds,
		make:     func(w *world) { w.triggers[2].EventFilters[0].Value = "google.cloud.datastore.entity.v1.written" },
		severity: Error, problem: "Datastore"},
}

var lettersMistakes = []mistake{
	{name: "off", make: func(w *world) {
		w.variables["DEAD_LETTERS"] = "off"
		delete(w.variables, "DEAD_LETTER_TOPIC")
		delete(w.variables, "MAX_EVENT_AGE")
	}, severity: Warning, problem: "DEAD_LETTERS is off"},
	{name: "no topic", make: func(w *world) { delete(w.topics, "orders-dead-letters") }, severity: Error,
		problem: "does not exist"},
	{name: "no output topic", make: set("OUTPUT_TOPIC", project+"/topics/done"), severity: Error,
		problem: "OUTPUT_TOPIC does not exist"},
	{name: "nobody gets joined messages", make: func(w *world) { publishing(w); delete(w.subs, "complete") },
		severity: Cost, problem: "joined messages of OUTPUT_TOPIC"},
	{name: "only a detached subscription gets joined messages",
		make:     func(w *world) { publishing(w).subs["complete"].Detached = true },
		severity: Cost, problem: "joined messages of OUTPUT_TOPIC"},
	{name: "a schema of joined messages", make: func(w *world) {
		publishing(w).topics["complete"].SchemaSettings = &pubsub.SchemaSettings{Schema: "s"}
	}, severity: Warning, problem: "OUTPUT_TOPIC has a schema"},
	{name: "no subscription", make: func(w *world) { delete(w.subs, "orders-dead-letters") }, severity: Error,
		problem: "no subscription"},
	{name: "a detached subscription", make: func(w *world) { w.subs["orders-dead-letters"].Detached = true },
		severity: Error, problem: "no subscription"},
	{name: "a subscription that expires",
		make: func(w *world) { w.subs["orders-dead-letters"].ExpirationPolicy.Ttl = "86400s" }, severity: Warning,
		problem: "nobody uses them"},
	{name: "an hour", make: func(w *world) { w.subs["orders-dead-letters"].MessageRetentionDuration = "3600s" },
		severity: Warning, problem: "1h0m0s"},
	{name: "a filter", make: func(w *world) { w.subs["orders-dead-letters"].Filter = `attributes.reason = "no-key"` },
		severity: Warning, problem: "filter"},
	{name: "a schema",
		make:     func(w *world) { w.topics["orders-dead-letters"].SchemaSettings = &pubsub.SchemaSettings{Schema: "s"} },
		severity: Warning, problem: "schema"},
	{name: "Pub/Sub's own", world: pushed, make: func(w *world) {
		w.addTopic("given-up", grant("roles/pubsub.publisher", agentOfPubSub))
		w.subs["orders-event3-push"].DeadLetterPolicy = &pubsub.DeadLetterPolicy{DeadLetterTopic: project +
			"/topics/given-up", MaxDeliveryAttempts: 50}
	}, severity: Error, problem: "no subscription"},
}

// refused returns a mistake in which an API does not answer.
func refused(path string, r googleapis.Refusal) func(*world) {
	return func(w *world) { w.instead[path] = r }
}

var (
	forbidden   = googleapis.Refusal{Code: 403, Message: "Permission denied"}
	disabledAPI = googleapis.Refusal{Code: 403, Message: "Eventarc API has not been used in project 424242 before or " +
		"it is disabled.", Reason: "SERVICE_DISABLED"}
)

// unreadMistakes are none of the deployment.
var unreadMistakes = []mistake{
	jobsUnread,
	{name: "subscriptions", make: refused("/v1/"+project+"/subscriptions", forbidden), severity: Warning,
		problem: "roles/pubsub.viewer"},
	{name: "subscriptions of one's own", world: pushed, make: refused("/v1/"+project+"/subscriptions", forbidden),
		severity: Warning, problem: "roles/pubsub.viewer"},
	{name: "triggers", make: func(w *world) {
		w.instead["/v1/"+project+"/locations/-/triggers"] = disabledAPI
		for _, s := range w.subs {
			s.PushConfig = nil // they are not seen to be of the service
		}
	}, severity: Warning, problem: "the API is disabled"},
	{name: "revisions", make: refused("/v2/"+target.String()+"/revisions", forbidden), severity: Warning,
		problem: "roles/run.viewer"},
	{name: "policies", make: refused("/v2/"+target.String()+":getIamPolicy", forbidden), severity: Warning,
		problem: "roles/iam.securityReviewer"},
	{name: "the project's policy", make: refused("/v3/"+project+":getIamPolicy", forbidden), severity: Warning,
		problem: "roles/iam.securityReviewer"},
	{name: "the bucket", make: refused("/storage/v1/b/shop-prod-orders-events", forbidden), severity: Warning,
		problem: "roles/storage.bucketViewer"},
	{name: "the bucket's policy", make: refused("/storage/v1/b/shop-prod-orders-events/iam", forbidden),
		severity: Warning, problem: "roles/iam.securityReviewer"},
	{name: "the dataset", world: bigQueryOnly, make: refused("/bigquery/v2/"+project+"/datasets/orders", forbidden),
		severity: Warning, problem: "roles/bigquery.metadataViewer"},
	{name: "a table", world: bigQueryOnly, make: refused("/bigquery/v2/"+project+"/datasets/orders/tables/claims",
		forbidden), severity: Warning, problem: "orders.claims"},
	{name: "an account", make: refused("/v1/"+project+"/serviceAccounts/"+runner, forbidden), severity: Warning,
		problem: runner},
	{name: "the function", make: refused("/v2/"+project+"/locations/"+region+"/functions/orders", forbidden),
		severity: Warning, problem: "roles/cloudfunctions.viewer"},
	{name: "a role", make: func(w *world) {
		w.policies["shop-prod-orders-events"] = []binding{grant(project+"/roles/keeper", account(runner))}
		w.instead["/v1/"+project+"/roles/keeper"] = forbidden
	}, severity: Warning, problem: "roles/keeper"},
	{name: "an outage", make: refused("/v1/"+letter, googleapis.Refusal{Code: 500, Message: "try again"}),
		severity: Warning, problem: "the API answered 500"},
	{name: "a location", make: func(w *world) {
		w.instead["/v1/"+project+"/locations/-/triggers"] = map[string]any{"triggers": w.triggers[:2],
			"unreachable": []string{"europe-west9"}}
	}, severity: Warning, problem: "europe-west9"},
	{name: "objects of an earlier place", make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2020-01-01T00:00:00Z", map[string]string{"GCS_BUCKET": "elsewhere"}))
		w.revisions = append(w.revisions, earlier(w, "2020-01-02T00:00:00Z", nil))
		w.instead["/storage/v1/b/elsewhere/o"] = forbidden
	}, severity: Warning, problem: "roles/storage.legacyBucketReader granted to you on the bucket"},
}
