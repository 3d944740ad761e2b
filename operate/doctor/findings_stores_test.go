package doctor

import (
	"strings"
	"testing"

	bigquery "google.golang.org/api/bigquery/v2"
	pubsub "google.golang.org/api/pubsub/v1"
	storage "google.golang.org/api/storage/v1"

	"example.com/eventdriver/internal/fake/googleapis"
)

var bucketMistakes = []mistake{
	{name: "versions", make: func(w *world) { w.bucket().Versioning = &storage.BucketVersioning{Enabled: true} },
		severity: Cost, problem: "versions"},
	{name: "soft delete", make: func(w *world) { w.bucket().SoftDeletePolicy.RetentionDurationSeconds = 604800 },
		severity: Cost, problem: "deleted objects for 7 days"},
	{name: "a class for archives", make: func(w *world) {
		w.bucket().StorageClass = "NEARLINE"
	}, severity: Cost, problem: "NEARLINE"},
	{name: "a rule for another class", make: also(&storage.BucketLifecycleRule{
		Action:    &storage.BucketLifecycleRuleAction{Type: "SetStorageClass", StorageClass: "COLDLINE"},
		Condition: &storage.BucketLifecycleRuleCondition{}}), severity: Cost, problem: "class of objects"},
	{name: "far away", make: func(w *world) { w.bucket().Location = "US" }, severity: Cost, problem: "it is in US"},
	{name: "holds", make: func(w *world) { w.bucket().DefaultEventBasedHold = true }, severity: Error,
		problem: "holds each new object"},
	{name: "a retention policy",
		make:     func(w *world) { w.bucket().RetentionPolicy = &storage.BucketRetentionPolicy{RetentionPeriod: 86400} },
		severity: Error, problem: "protects each object for 1 day"},
	{name: "requester pays", make: func(w *world) { w.bucket().Billing = &storage.BucketBilling{RequesterPays: true} },
		severity: Error, problem: "requester pays"},
	{name: "an IP filter", make: func(w *world) { w.bucket().IpFilter = &storage.BucketIpFilter{Mode: "Enabled"} },
		severity: Warning, problem: "IP filter"},
	{name: "gone", make: func(w *world) { delete(w.buckets, "shop-prod-orders-events") }, severity: Error,
		problem: "the bucket does not exist"},
}

const dayMs = 24 * 3600 * 1000

var datasetMistakes = []mistake{
	{name: "gone", world: bigQueryOnly, make: func(w *world) { w.datasets = nil }, severity: Error,
		problem: "the dataset does not exist"},
	{name: "a table that does not exist", world: bigQueryOnly, make: func(w *world) { delete(w.tables, "orders.claims") },
		severity: Error, problem: "table claims does not exist"},
	{name: "no table of letters", world: mixed, make: func(w *world) { delete(w.tables, "orders.dead_letters") },
		severity: Error, problem: "table dead_letters does not exist"},
	{name: "a sandbox", world: bigQueryOnly, make: func(w *world) { w.dataset().DefaultTableExpirationMs = 60 * dayMs },
		severity: Warning, problem: "60 days"},
	{name: "a sandbox without tables", world: bigQueryOnly, make: func(w *world) {
		w.dataset().DefaultTableExpirationMs,
			w.tables = 60*dayMs, nil
	}, severity: Error, problem: "60 days"},
	{name: "new partitions", world: mixed, make: func(w *world) {
		w.dataset().DefaultPartitionExpirationMs = 7 * dayMs
		delete(w.tables, "orders.claims")
	}, severity: Warning, problem: "partitions of its new tables"},
	{name: "a table that expires", world: bigQueryOnly,
		make: func(w *world) { w.tables["orders.events"].ExpirationTime = 1800000000000 }, severity: Error,
		problem: "2027-01-15"},
	{name: "partitions", world: bigQueryOnly,
		make: func(w *world) { w.tables["orders.claims"].TimePartitioning.ExpirationMs = 2 * dayMs }, severity: Error,
		problem: "orders.claims"},
	{name: "partitions, by a day", world: bigQueryOnly,
		make: func(w *world) { w.tables["orders.events"].TimePartitioning.ExpirationMs = 7 * dayMs }, severity: Error,
		problem: "orders.events"},
	{name: "letters", world: bigQueryOnly,
		make: func(w *world) { w.tables["orders.dead_letters"].TimePartitioning.ExpirationMs = dayMs }, severity: Warning,
		problem: "a dead letter is deleted after 1 day"},
	{name: "no partitions", world: bigQueryOnly,
		make: func(w *world) { w.tables["orders.events"].TimePartitioning = nil }, severity: Cost,
		problem: "never deleted"},
	{name: "another location", world: bigQueryOnly, make: func(w *world) { w.dataset().Location = "US" },
		severity: Error, problem: "BIGQUERY_LOCATION is europe-west1"},
	{name: "letter case", world: bigQueryOnly, make: func(w *world) {
		w.tables["orders.events"].Schema = &bigquery.TableSchema{Fields: []*bigquery.TableFieldSchema{{Name: "key",
			Collation: "und:ci"}}}
	}, severity: Error, problem: "letter case"},
}

// when returns a mistake in the condition of the bucket's grant to the function.
func when(expression string) func(*world) {
	return func(w *world) {
		w.policies["shop-prod-orders-events"][0]["condition"] = map[string]string{"expression": expression}
	}
}

// rule returns a rule that deletes objects.
func rule(age int64, prefixes, suffixes []string) *storage.BucketLifecycleRule {
	return &storage.BucketLifecycleRule{Action: &storage.BucketLifecycleRuleAction{Type: "Delete"},
		Condition: &storage.BucketLifecycleRuleCondition{Age: &age, MatchesPrefix: prefixes, MatchesSuffix: suffixes}}
}

// ruled returns a mistake in the bucket's rules.
func ruled(all ...*storage.BucketLifecycleRule) func(*world) {
	return func(w *world) { w.bucket().Lifecycle = &storage.BucketLifecycle{Rule: all} }
}

// also returns a mistake by one more rule.
func also(one *storage.BucketLifecycleRule) func(*world) {
	return func(w *world) { w.bucket().Lifecycle.Rule = append(w.bucket().Lifecycle.Rule, one) }
}

var stateMistakes = []mistake{
	{name: "one rule for all", make: ruled(rule(7, nil, nil)), severity: Warning,
		problem: "a dead letter is deleted after 7 days"},
	{name: "one rule for all, with letters in the store", make: func(w *world) {
		ruled(rule(30, nil, nil))(w)
		delete(w.variables, "DEAD_LETTER_TOPIC")
	}, severity: Error, problem: "a dead letter is deleted after 30 days"},
	{name: "one rule for all, on one day", make: ruled(rule(7, nil, nil)), severity: Warning,
		problem: "within a day the rules work in any order"},
	{name: "a rule for the folder of letters", make: also(rule(3, []string{"orders/dead"}, nil)), severity: Warning,
		problem: "a dead letter is deleted after 3 days"},
	{name: "a rule for letters by their suffix", make: also(rule(3, nil, []string{".json"})), severity: Warning,
		problem: "a dead letter"},
	{name: "claims early", make: also(rule(2, nil, []string{"/claim"})), severity: Error,
		problem: "a claim is deleted after 2 days"},
	{name: "completions early", make: also(rule(2, nil, []string{"/done"})), severity: Error,
		problem: "a completion is deleted after 2 days"},
	{name: "completions at once", make: also(rule(0, nil, []string{"/done"})), severity: Error,
		problem: "a late delivery"},
	{name: "events before retries end", make: also(rule(0, nil, []string{"/events/event2"})), severity: Error,
		problem: "an event is deleted after 0 days"},
	{name: "events before the retries of one's own subscription end", world: pushed,
		make:     func(w *world) { w.bucket().Lifecycle = lifecycle("orders", 3, "event1", "event2", "event3") },
		severity: Error, problem: "events come again for 7 days"},
	{name: "a source that has no rule", make: func(w *world) {
		w.bucket().Lifecycle = lifecycle("orders", 7, "event1",
			"event2")
	},
		severity: Error, problem: "events of event3 after 9 days"},
	{name: "no rules", make: ruled(), severity: Cost, problem: "no lifecycle rule"},
	{name: "events alone", make: ruled(rule(7, nil, []string{"/events/event1", "/events/event2", "/events/event3"})),
		severity: Cost,
		problem:  "no lifecycle rule"},
	{name: "claims at once", make: also(rule(0, nil, []string{"/claim"})), severity: Error, problem: "looks free"},
	{name: "by a pattern", make: func(w *world) {
		one := rule(1, nil, nil)
		one.Condition.MatchesPattern = "^orders/.*/done$"
		also(one)(w)
	}, severity: Error, problem: "a completion is deleted after 1 day"},
	{name: "a deadline after the events are gone", world: swept, make: set("JOIN_DEADLINE", "168h"), severity: Error,
		problem: "JOIN_DEADLINE is 7 days"},
	{name: "some keys only", make: also(rule(1, []string{"orders/a"}, []string{"/done"})), severity: Error,
		problem: "a completion is deleted after 1 day"},
	{name: "by a date to come", make: func(w *world) {
		one := rule(1, nil, []string{"/done"})
		one.Condition.CreatedBefore = "2999-01-01"
		also(one)(w)
	}, severity: Error, problem: "a completion is deleted after 1 day"},
	{name: "rows of events", world: mixed, make: func(w *world) {
		w.variables["BIGQUERY_RETENTION"] = "960h"
		w.tables["orders.events"].TimePartitioning.ExpirationMs = 41 * dayMs
	}, severity: Error, problem: "a claim is deleted after 31 days"},
	{name: "rows before retries end", world: bigQueryOnly, make: set("BIGQUERY_RETENTION", "12h"), severity: Error,
		problem: "an event is deleted after 12h"},
	{name: "rows before the retries of one's own subscription end", world: func() *world {
		w, p := bigQueryOnly(), pushed()
		w.triggers, w.subs = p.triggers, p.subs
		return w
	}, make: set("BIGQUERY_RETENTION", "48h"), severity: Error, problem: "a completion is deleted after 2 days"},
}

var permissionsMistakes = []mistake{
	{name: "bucket", make: func(w *world) { w.policies["shop-prod-orders-events"] = nil }, severity: Error,
		problem: "roles/storage.objectUser"},
	{name: "tokens in an old project", make: func(w *world) {
		w.created = "2021-04-08T23:00:00Z"
		w.policies[project] = w.policies[project][:2]
	}, severity: Error, problem: "roles/iam.serviceAccountTokenCreator"},
	{name: "reading only", make: func(w *world) {
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.objectViewer", account(runner))}
	}, severity: Error, problem: "storage.objects.create"},
	{name: "no overwriting", make: func(w *world) {
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.objectViewer", account(runner)),
			grant("roles/storage.objectCreator", account(runner))}
	}, severity: Error, problem: "storage.objects.delete"},
	{name: "a role of one's own", make: func(w *world) {
		w.roles[project+"/roles/keeper"] = []string{"storage.objects.create", "storage.objects.get", "storage.objects.list"}
		w.policies["shop-prod-orders-events"] = []binding{grant(project+"/roles/keeper", account(runner))}
	}, severity: Error, problem: "storage.objects.delete"},
	{name: "a grant that has ended", make: func(w *world) {
		ended := map[string]string{"expression": `request.time < timestamp("2026-01-01T00:00:00Z")`}
		w.policies["shop-prod-orders-events"][0]["condition"] = ended
	}, severity: Error, problem: "roles/storage.objectUser"},
	{name: "a grant that has not begun", make: when(`request.time >= timestamp("2027-01-01T00:00:00Z")`), severity: Error,
		problem: "roles/storage.objectUser"},
	{name: "a grant on another folder",
		make:     when(`resource.name.startsWith("projects/_/buckets/shop-prod-orders-events/objects/returns/")`),
		severity: Error, problem: "storage.objects.create"},
	{name: "another account's", make: func(w *world) {
		w.template().ServiceAccount = "new@shop-prod.iam.gserviceaccount.com"
		w.accounts = append(w.accounts, "new@shop-prod.iam.gserviceaccount.com")
	}, severity: Error, problem: "DEAD_LETTER_TOPIC"},
	{name: "dataset", world: bigQueryOnly, make: func(w *world) { w.dataset().Access = w.dataset().Access[:1] },
		severity: Error, problem: "roles/bigquery.dataEditor"},
	{name: "reading the dataset only", world: bigQueryOnly,
		make: func(w *world) { w.dataset().Access[1].Role = "READER" }, severity: Error,
		problem: "bigquery.tables.updateData"},
	{name: "jobs", world: bigQueryOnly, make: func(w *world) { w.policies[project] = w.policies[project][:3] },
		severity: Error, problem: "roles/bigquery.jobUser"},
	{name: "letters", make: func(w *world) { w.policies[letter] = nil }, severity: Error, problem: "DEAD_LETTER_TOPIC"},
	{name: "letters of Pub/Sub", make: func(w *world) {
		w.sub().DeadLetterPolicy = &pubsub.DeadLetterPolicy{DeadLetterTopic: letter, MaxDeliveryAttempts: 50}
	}, severity: Error, problem: "gcp-sa-pubsub"},
	{name: "output", make: func(w *world) {
		publishing(w).policies[project+"/topics/complete"] = nil
	}, severity: Error, problem: "OUTPUT_TOPIC"},
	{name: "calling", make: func(w *world) { w.policies[target.String()] = nil }, severity: Error,
		problem: "roles/run.invoker"},
	{name: "a role of Google's that is not enough", make: func(w *world) {
		w.roles["roles/storage.folderAdmin"] = []string{"storage.folders.get"}
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.folderAdmin", account(runner))}
	}, severity: Error, problem: "storage.objects.create"},
	{name: "an editor of another project", make: func(w *world) {
		w.policies["shop-prod-orders-events"] = []binding{grant("roles/storage.objectUser", "projectEditor:shop-prod")}
	}, severity: Error, problem: "storage.objects.create"},
	{name: "pushing", world: pushed, make: func(w *world) {
		w.subs["orders-event3-push"].PushConfig.OidcToken.ServiceAccountEmail = "pusher@shop-prod.iam.gserviceaccount.com"
		w.accounts = append(w.accounts, "pusher@shop-prod.iam.gserviceaccount.com")
	}, severity: Error, problem: "pusher@"},
	{name: "a trigger's account", make: func(w *world) { w.triggers[0].ServiceAccount = "" }, severity: Error,
		problem: "no service account"},
	{name: "receiving", world: ofAllKinds, make: func(w *world) { w.policies[project] = w.policies[project][1:] },
		severity: Error, problem: "roles/eventarc.eventReceiver"},
	{name: "Cloud Storage's publishing", world: ofAllKinds,
		make: func(w *world) { w.policies[project] = w.policies[project][:3] }, severity: Error,
		problem: "gs-project-accounts"},
	{name: "a disabled account", make: func(w *world) { w.disabled = runner }, severity: Error, problem: "disabled"},
	{name: "an account that is gone", make: func(w *world) {
		w.instead["/v1/"+project+"/serviceAccounts/"+caller] = googleapis.Refusal{Code: 404,
			Message: "Unknown service account"}
	}, severity: Error, problem: caller},
}

var publicMistakes = []mistake{
	{name: "callers", make: func(w *world) {
		w.policies[target.String()] = append(w.policies[target.String()], grant("roles/run.invoker", "allUsers"))
	},
		severity: Error, problem: "allUsers have the role roles/run.invoker"},
	{name: "callers with an account", make: func(w *world) {
		w.policies[target.String()][0]["members"] = []string{account(caller), "allAuthenticatedUsers"}
	},
		severity: Error, problem: "allAuthenticatedUsers"},
	{name: "callers without a check", make: func(w *world) { w.service.InvokerIamDisabled = true }, severity: Error,
		problem: "callers need no permission"},
	{name: "in the project", make: func(w *world) {
		w.policies[project] = append(w.policies[project], grant("roles/run.invoker", "allAuthenticatedUsers"))
	},
		severity: Error, problem: "allAuthenticatedUsers"},
	{name: "the bucket", make: func(w *world) {
		w.policies["shop-prod-orders-events"] = append(w.policies["shop-prod-orders-events"],
			grant("roles/storage.objectViewer", "allUsers"))
	}, severity: Error, problem: "gs://shop-prod-orders-events"},
	{name: "by access control lists", make: func(w *world) {
		w.bucket().IamConfiguration = nil
		w.bucket().DefaultObjectAcl = []*storage.ObjectAccessControl{{Entity: "allUsers", Role: "READER"}}
	}, severity: Error, problem: "access control lists"},
	{name: "by the bucket's own list", make: func(w *world) {
		w.bucket().IamConfiguration = nil
		w.bucket().Acl = []*storage.BucketAccessControl{{Entity: "allAuthenticatedUsers", Role: "READER"}}
	}, severity: Error, problem: "access control lists"},
	{name: "a topic", make: func(w *world) {
		w.policies[project+"/topics/orders-event1"] = []binding{grant("roles/pubsub.publisher", "allUsers")}
	},
		severity: Error, problem: "topics/orders-event1"},
	{name: "the dataset", world: bigQueryOnly, make: func(w *world) {
		w.dataset().Access = append(w.dataset().Access, &bigquery.DatasetAccess{Role: "READER",
			SpecialGroup: "allAuthenticatedUsers"})
	}, severity: Error, problem: "shop-prod.orders"},
}

// TestRemedyForLettersIsEnough: with a short retention, letters must stay for longer than the other rows.
func TestRemedyForLettersIsEnough(t *testing.T) {
	w := bigQueryOnly()
	w.variables["BIGQUERY_RETENTION"] = "48h"
	w.tables["orders.dead_letters"].TimePartitioning.ExpirationMs = 3 * dayMs
	for _, f := range w.examine(t) {
		if strings.Contains(f.Problem, "a dead letter is deleted") {
			if !strings.Contains(f.Remedy, "--time_partitioning_expiration=691200 ") {
				t.Errorf("the remedy for letters is %s; want 8 days", f.Remedy)
			}
			return
		}
	}
	t.Error("letters that are deleted after three days are not found")
}
