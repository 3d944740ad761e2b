package doctor

import (
	"maps"
	"testing"

	bigquery "google.golang.org/api/bigquery/v2"
	pubsub "google.golang.org/api/pubsub/v1"
	run "google.golang.org/api/run/v2"
	storage "google.golang.org/api/storage/v1"
)

// sound are deployments of which nothing is wrong.
var sound = map[string]func() *world{
	"Terraform's defaults": byTerraform,
	"a deployment that leaves most to the defaults": func() *world {
		w := byTerraform()
		for _, name := range []string{"EVENT_STORE", "CLAIM_STORE", "SOURCE_ALIASES", "LOG_EXECUTION_ID"} {
			delete(w.variables, name)
		}
		w.template().Containers[0].Resources.Limits["memory"] = "536870912"
		return w
	},
	"a service without a function, for BigQuery": func() *world {
		w := bigQueryOnly()
		w.service.Labels, w.function = nil, nil
		w.template().Containers[0].Resources.CpuIdle = false
		return w
	},
	"events in BigQuery, claims in Cloud Storage": mixed,
	"all in BigQuery": bigQueryOnly,
	"events in Cloud Storage, claims in BigQuery": func() *world {
		w := bigQueryOnly()
		cloudStorage := byTerraform()
		w.buckets, w.policies["shop-prod-orders-events"] = cloudStorage.buckets,
			cloudStorage.policies["shop-prod-orders-events"]
		maps.Copy(w.variables, map[string]string{"EVENT_STORE": "gcs", "GCS_BUCKET": "shop-prod-orders-events"})
		return w
	},
	"subscriptions of Eventarc with Pub/Sub's default expiration": func() *world {
		w := byTerraform()
		w.sub().ExpirationPolicy.Ttl = "2678400s"
		return w
	},
	"a push subscription of one's own": pushed,
	"a push subscription whose topic is in its path": func() *world {
		return at(pushed(),
			"/projects/shop-prod/topics/orders-event3")
	},
	"a push subscription that is known by its own name": func() *world {
		w := at(pushed(), "/")
		w.variables["SOURCE_ALIASES"] = "event3:orders-event3-push"
		return w
	},
	"a push subscription that sends messages as Eventarc does": func() *world {
		w := at(pushed(), "/?__GCP_CloudEventsMode=CUSTOM_PUBSUB_projects%2Fshop-prod%2Ftopics%2Forders-event3")
		w.subs["orders-event3-push"].PushConfig.OidcToken.Audience = host + "/"
		return w
	},
	"dead letters in the store": func() *world {
		w := byTerraform()
		delete(w.variables, "DEAD_LETTER_TOPIC")
		return w
	},
	"dead letters that go on to BigQuery": func() *world {
		w := byTerraform()
		w.subs["orders-dead-letters"] = &pubsub.Subscription{Topic: letter, MessageRetentionDuration: "600s",
			ExpirationPolicy: &pubsub.ExpirationPolicy{Ttl: "2678400s"}, BigqueryConfig: &pubsub.BigQueryConfig{Table: "t"}}
		return w
	},
	"dead letters of Pub/Sub": func() *world {
		w := pushed()
		w.policies[letter] = append(w.policies[letter], grant("roles/pubsub.publisher", agentOfPubSub))
		delete(w.variables, "MAX_EVENT_AGE")
		for _, s := range w.subs {
			if s.Topic != letter {
				s.DeadLetterPolicy = &pubsub.DeadLetterPolicy{DeadLetterTopic: letter, MaxDeliveryAttempts: 20}
			}
		}
		return w
	},
	"triggers of a bucket, a database and a topic": ofAllKinds,
	"triggers of a bucket and a database that call /": func() *world {
		w := ofAllKinds()
		for _, t := range w.triggers {
			t.Destination.CloudRun.Path = "/"
		}
		return w
	},
	"a source with an odd name": func() *world {
		w := ofAllKinds()
		w.variables["EVENT_SOURCES"], w.variables["SOURCE_ALIASES"] = "event1,event2,a:b",
			"event1:orders-event1,event2:invoices"
		w.bucket().Lifecycle = lifecycle("orders", 7, "event1", "event2", "a=3Ab")
		w.triggers[2].Destination.CloudRun.Path = "/"
		return w
	},
	"a push subscription of CloudEvents that say their source": func() *world { return at(pushed(), "/") },
	"a custom audience": func() *world {
		w := pushed()
		w.service.CustomAudiences = []string{"orders"}
		w.subs["orders-event3-push"].PushConfig.OidcToken.Audience = "orders"
		return w
	},
	"two sources of one topic, by filters": filtered,
	"Terraform's push subscription, for runs of nine minutes": func() *world {
		w := pushed()
		w.template().Timeout, w.variables["CLOUD_RUN_TIMEOUT_SECONDS"] = "540s", "540"
		for _, s := range w.subs {
			s.AckDeadlineSeconds = 600
		}
		s := w.subs["orders-event3-push"]
		s.MessageRetentionDuration, s.EnableMessageOrdering = "86400s", true
		s.RetryPolicy = &pubsub.RetryPolicy{MinimumBackoff: "10s", MaximumBackoff: "600s"}
		s.PushConfig.PushEndpoint = w.service.Uri + "/events/event3"
		s.PushConfig.OidcToken.Audience = w.service.Uri
		return w
	},
	"a dataset by other kinds of grants": func() *world {
		w := bigQueryOnly()
		w.dataset().Access = []*bigquery.DatasetAccess{{Role: "roles/bigquery.dataEditor", IamMember: account(runner)}}
		return w
	},
	"a dataset by a group": func() *world {
		w := bigQueryOnly()
		w.dataset().Access = []*bigquery.DatasetAccess{{Role: "WRITER", GroupByEmail: "functions@example.com"}}
		return w
	},
	"a bucket of another project, whose policy is unknown": func() *world {
		w := byTerraform()
		w.bucket().ProjectNumber = 171717
		w.policies["shop-prod-orders-events"] = nil
		return w
	},
	"a role of Google's that is not known here": func() *world {
		w := byTerraform()
		w.roles["roles/storage.everything"] = []string{"storage.objects.create", "storage.objects.get",
			"storage.objects.list", "storage.objects.delete"}
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.everything", account(runner))}
		return w
	},
	"an editor, by the bucket's grant to editors": func() *world {
		w := byTerraform()
		w.policies[project] = append(w.policies[project], grant("roles/editor", account(runner)))
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.legacyBucketOwner",
			"projectEditor:shop-prod"),
			grant("roles/storage.legacyObjectOwner", "projectEditor:shop-prod")}
		return w
	},
	"a rule for what was written long ago": func() *world {
		w := byTerraform()
		w.bucket().StorageClass = ""
		w.bucket().Lifecycle.Rule = append(w.bucket().Lifecycle.Rule, &storage.BucketLifecycleRule{
			Action:    &storage.BucketLifecycleRuleAction{Type: "Delete"},
			Condition: &storage.BucketLifecycleRuleCondition{CreatedBefore: "2020-01-01"}},
			&storage.BucketLifecycleRule{Action: &storage.BucketLifecycleRuleAction{Type: "Delete"},
				Condition: &storage.BucketLifecycleRuleCondition{MatchesStorageClass: []string{"ARCHIVE"}}},
			&storage.BucketLifecycleRule{Action: &storage.BucketLifecycleRuleAction{Type: "Delete"},
				Condition: &storage.BucketLifecycleRuleCondition{MatchesPattern: "^other/"}})
		return w
	},
	"triggers that call /": func() *world {
		w := byTerraform()
		for _, t := range w.triggers {
			t.Destination.CloudRun.Path = ""
		}
		return w
	},
	"a long timeout with deadlines to match": func() *world {
		w := byTerraform()
		w.template().Timeout, w.variables["CLOUD_RUN_TIMEOUT_SECONDS"] = "540s", "540"
		for _, s := range w.subs {
			s.AckDeadlineSeconds = 600
		}
		return w
	},
	"a short lease, with CPU that is always there": func() *world {
		w := byTerraform()
		w.variables["LEASE"] = "30s"
		w.template().Containers[0].Resources.CpuIdle = false
		return w
	},
	"an old project, in which Pub/Sub makes tokens of one account": func() *world {
		w := byTerraform()
		w.created, w.policies[project] = "2019-01-01T00:00:00Z", w.policies[project][:2]
		w.policies[caller] = []binding{grant("roles/iam.serviceAccountTokenCreator", agentOfPubSub)}
		return w
	},
	"an old project, in which Pub/Sub makes tokens of all": func() *world {
		w := byTerraform()
		w.created = "2019-01-01T00:00:00Z"
		return w
	},
	"a young project": func() *world {
		w := byTerraform()
		w.created, w.policies[project] = "2021-04-09T00:00:00Z", w.policies[project][:2]
		return w
	},
	"a deadline": swept,
	"sweeps without a deadline": func() *world {
		w := swept()
		delete(w.variables, "JOIN_DEADLINE")
		w.job.HttpTarget.OidcToken.Audience = w.service.Uri
		return w
	},
	"sweeps once a month without a deadline": func() *world {
		w := swept()
		delete(w.variables, "JOIN_DEADLINE")
		w.job.Schedule = "0 3 1 * *"
		return w
	},
	"a deadline, and sweeps every day": func() *world {
		w := swept()
		w.job.Schedule = "30 4 * * *"
		return w
	},
	"joined messages for a subscription": func() *world { return publishing(byTerraform()) },
	"two revisions that join the same": func() *world {
		w := byTerraform()
		shared40(w, map[string]string{"EVENT_SOURCES": "event3,event1,event2", "LOG_LEVEL": "debug"})
		return w
	},
	"a grant on the function's folder, from now on": func() *world {
		w := byTerraform()
		when(`request.time > timestamp("2026-01-01T00:00:00Z") && ` +
			`resource.name.startsWith("projects/_/buckets/shop-prod-orders-events/objects/orders/")`)(w)
		return w
	},
	"a grant on another folder or on all": func() *world {
		w := byTerraform()
		when(`resource.name.startsWith("projects/_/buckets/b/objects/returns/") || resource.name.startsWith("projects")`)(w)
		return w
	},
	"no deadline, and no Cloud Scheduler": func() *world {
		w := byTerraform()
		w.instead[schedulerJobs] = disabledAPI
		return w
	},
	"little memory": func() *world {
		w := byTerraform()
		w.template().Containers[0].Resources.Limits["memory"], w.variables["GOMEMLIMIT"] = "256Mi", "256MiB"
		w.template().MaxInstanceRequestConcurrency = 32
		return w
	},
	"less memory by hand": func() *world {
		w := byTerraform()
		w.variables["GOMEMLIMIT"] = "440MiB"
		w.template().MaxInstanceRequestConcurrency = 80
		return w
	},
	"another function in another folder of the bucket": func() *world {
		w := byTerraform()
		w.neighbours = append(w.neighbours, neighbour("returns",
			map[string]string{"GCS_BUCKET": "shop-prod-orders-events"}),
			neighbour("web", map[string]string{"DATABASE": "x"}))
		return w
	},
	"another variable changed": func() *world {
		w := byTerraform()
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"LOG_LEVEL": "debug"}))
		return w
	},
	"a folder that was left when nothing waited there": func() *world {
		w := byTerraform()
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"GCS_FOLDER": "old"}))
		w.objects["shop-prod-orders-events"] = []string{"old/00/order-1/events/event1", "old/00/order-1/done",
			"old/deadletters/2026-01-31/x.json"}
		return w
	},
	"a dataset that was left long ago": func() *world {
		w := bigQueryOnly()
		w.begun = "2026-11-01T00:00:00Z"
		w.revisions = append(w.revisions, earlier(w, "2026-10-01T00:00:00Z", map[string]string{"BIGQUERY_DATASET": "old"}))
		return w
	},
	"claims that were left when retries had ended": func() *world {
		w := bigQueryOnly()
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"CLAIM_STORE": "gcs",
			"GCS_BUCKET": "b"}))
		return w
	},
	"a revision with another folder that never was ready": func() *world {
		w := byTerraform()
		failed := earlier(w, "2026-11-19T00:00:00Z", map[string]string{"GCS_FOLDER": "old"})
		failed.Conditions = []*run.GoogleCloudRunV2Condition{{Type: "Ready", State: "CONDITION_FAILED"}}
		w.revisions = append(w.revisions, failed)
		return w
	},
	"rules that also delete old versions, and letters after a year": func() *world {
		w := byTerraform()
		year, old := int64(365), false
		w.bucket().Lifecycle.Rule = append(w.bucket().Lifecycle.Rule,
			&storage.BucketLifecycleRule{Action: &storage.BucketLifecycleRuleAction{Type: "Delete"},
				Condition: &storage.BucketLifecycleRuleCondition{Age: &year, MatchesPrefix: []string{"orders/deadletters/"}}},
			&storage.BucketLifecycleRule{Action: &storage.BucketLifecycleRuleAction{Type: "Delete"},
				Condition: &storage.BucketLifecycleRuleCondition{IsLive: &old}},
			&storage.BucketLifecycleRule{Action: &storage.BucketLifecycleRuleAction{Type: "AbortIncompleteMultipartUpload"},
				Condition: &storage.BucketLifecycleRuleCondition{Age: new(int64)}})
		return w
	},
	"a multi-region": func() *world {
		w := byTerraform()
		w.bucket().Location = "EU"
		return w
	},
	"the default service account, an editor": func() *world {
		w := byTerraform()
		const standard = "424242-compute@developer.gserviceaccount.com"
		w.template().ServiceAccount, w.accounts = "", append(w.accounts, standard)
		w.policies[project] = append(w.policies[project], grant("roles/editor", account(standard)))
		return w
	},
	"a role of one's own": func() *world {
		w := byTerraform()
		w.roles[project+"/roles/keeper"] = []string{"storage.objects.create", "storage.objects.get", "storage.objects.list",
			"storage.objects.delete"}
		w.policies["shop-prod-orders-events"] = []binding{grant(project+"/roles/keeper", account(runner))}
		return w
	},
	"roles by a group": func() *world {
		w := byTerraform()
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.objectUser", "group:functions@example.com")}
		return w
	},
}

// TestSoundDeploymentsHaveNoFinding.
func TestSoundDeploymentsHaveNoFinding(t *testing.T) {
	for name, world := range sound {
		t.Run(name, func(t *testing.T) {
			for _, f := range world().examine(t) {
				t.Errorf("a false alarm: %s", f)
			}
		})
	}
}
