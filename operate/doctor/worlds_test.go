package doctor

import (
	"maps"

	bigquery "google.golang.org/api/bigquery/v2"
	eventarc "google.golang.org/api/eventarc/v1"
	pubsub "google.golang.org/api/pubsub/v1"
	run "google.golang.org/api/run/v2"
)

// neighbour is another service of the project.
func neighbour(name string, variables map[string]string) *run.GoogleCloudRunV2Service {
	return &run.GoogleCloudRunV2Service{Name: project + "/locations/" + region + "/services/" + name,
		Template: &run.GoogleCloudRunV2RevisionTemplate{Containers: []*run.GoogleCloudRunV2Container{{Env: env(variables)}}}}
}

// earlier is a revision that got the events before, with some variables changed.
func earlier(w *world, created string, changed map[string]string) *run.GoogleCloudRunV2Revision {
	variables := maps.Clone(w.variables)
	maps.Copy(variables, changed)
	return &run.GoogleCloudRunV2Revision{Name: target.String() + "/revisions/orders-00001-xyz", CreateTime: created,
		Containers: []*run.GoogleCloudRunV2Container{{Env: env(variables)}}}
}

// pushed has the messages of event3 pushed by a subscription without a trigger.
func pushed() *world {
	w := byTerraform()
	w.triggers = w.triggers[:2]
	delete(w.subs, "eventarc-"+region+"-orders-event3-sub-123")
	w.subs["orders-event3-push"] = &pubsub.Subscription{
		Topic: project + "/topics/orders-event3", AckDeadlineSeconds: 60, MessageRetentionDuration: "604800s",
		State:            "ACTIVE",
		ExpirationPolicy: &pubsub.ExpirationPolicy{},
		PushConfig: &pubsub.PushConfig{PushEndpoint: host + "/events/event3",
			OidcToken: &pubsub.OidcToken{ServiceAccountEmail: caller, Audience: host}},
	}
	return w
}

// filtered has two sources of one topic, each by a filter of its push subscription.
func filtered() *world {
	w := pushed()
	w.triggers = w.triggers[:1]
	delete(w.subs, "eventarc-"+region+"-orders-event2-sub-123")
	second, third := *w.subs["orders-event3-push"], *w.subs["orders-event3-push"]
	push := *second.PushConfig
	push.PushEndpoint, second.PushConfig = host+"/events/event2", &push
	second.Filter, third.Filter = `attributes.kind = "2"`, `attributes.kind = "3"`
	w.subs["orders-event2-push"], w.subs["orders-event3-push"] = &second, &third
	return w
}

// at has the push subscription call another path.
func at(w *world, path string) *world {
	w.subs["orders-event3-push"].PushConfig.PushEndpoint = host + path
	return w
}

// publishing has joined messages published to a topic with a subscription.
func publishing(w *world) *world {
	w.addTopic("complete", grant("roles/pubsub.publisher", account(runner)))
	w.variables["OUTPUT_TOPIC"] = project + "/topics/complete"
	w.subs["complete"] = &pubsub.Subscription{Topic: project + "/topics/complete", AckDeadlineSeconds: 60, State: "ACTIVE"}
	return w
}

func bigQueryOnly() *world {
	w := byTerraform()
	w.buckets = nil
	delete(w.variables, "GCS_BUCKET")
	maps.Copy(w.variables, map[string]string{"EVENT_STORE": "bigquery", "CLAIM_STORE": "bigquery",
		"BIGQUERY_PROJECT": "shop-prod",
		"BIGQUERY_DATASET": "orders", "BIGQUERY_LOCATION": region, "BIGQUERY_RETENTION": "168h"})
	w.datasets = map[string]*bigquery.Dataset{"orders": {Location: region,
		DatasetReference: &bigquery.DatasetReference{ProjectId: "shop-prod", DatasetId: "orders"},
		Access: []*bigquery.DatasetAccess{{Role: "OWNER", SpecialGroup: "projectOwners"}, {Role: "WRITER",
			UserByEmail: runner}}}}
	for _, id := range []string{"events", "claims", "dead_letters"} {
		w.tables["orders."+id] = &bigquery.Table{TimePartitioning: &bigquery.TimePartitioning{Field: "created_at",
			Type: "DAY", ExpirationMs: 8 * 24 * 3600 * 1000}}
	}
	w.policies[project] = append(w.policies[project], grant("roles/bigquery.jobUser", account(runner)))
	return w
}

// mixed keeps events in BigQuery for 30 days, and claims in Cloud Storage.
func mixed() *world {
	w, cloudStorage := bigQueryOnly(), byTerraform()
	w.buckets, w.policies["shop-prod-orders-events"] = cloudStorage.buckets,
		cloudStorage.policies["shop-prod-orders-events"]
	w.bucket().Lifecycle = lifecycle("orders", 30, "event1", "event2", "event3")
	maps.Copy(w.variables, map[string]string{"CLAIM_STORE": "gcs", "GCS_BUCKET": "shop-prod-orders-events",
		"BIGQUERY_RETENTION": "720h"})
	for _, table := range w.tables {
		table.TimePartitioning.ExpirationMs = 31 * 24 * 3600 * 1000
	}
	return w
}

// ofAllKinds has triggers for objects, documents and messages.
func ofAllKinds() *world {
	w := byTerraform()
	w.variables["SOURCE_ALIASES"] = "event1:orders-event1,event2:invoices"
	w.triggers[1].EventFilters = []*eventarc.EventFilter{{Attribute: "type",
		Value: "google.cloud.storage.object.v1.finalized"}, {Attribute: "bucket", Value: "invoices"}}
	w.triggers[2].EventFilters = []*eventarc.EventFilter{{Attribute: "type",
		Value: "google.cloud.firestore.document.v1.written"}, {Attribute: "database", Value: "(default)"}}
	w.triggers[2].EventDataContentType = "application/protobuf"
	w.policies[project] = append(w.policies[project], grant("roles/pubsub.publisher",
		account("service-424242@gs-project-accounts.iam.gserviceaccount.com")))
	return w
}
