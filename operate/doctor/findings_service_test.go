package doctor

import (
	run "google.golang.org/api/run/v2"
)

// set returns a mistake in a variable.
func set(name, value string) func(*world) {
	return func(w *world) { w.variables[name] = value }
}

var settingsMistakes = []mistake{
	{name: "wrong value", make: set("ON_LEASE_EXPIRY", "shrug"), severity: Error,
		problem: "ON_LEASE_EXPIRY must be retry or quarantine"},
	{name: "store timeout beyond the lease", make: func(w *world) {
		w.variables["LEASE"], w.variables["STORE_TIMEOUT"] = "70s", "65s"
		w.template().Timeout, w.variables["CLOUD_RUN_TIMEOUT_SECONDS"] = "66s", "66"
		for _, s := range w.subs {
			s.AckDeadlineSeconds = 66
		}
	}, severity: Error, problem: "STORE_TIMEOUT must be"},
	{name: "misspelled", make: set("EVENT_SORCES", "a,b"), severity: Warning, problem: "EVENT_SORCES is not read"},
	{name: "secret", make: func(w *world) {
		w.template().Containers[0].Env = append(w.template().Containers[0].Env,
			&run.GoogleCloudRunV2EnvVar{Name: "LEASE", ValueSource: &run.GoogleCloudRunV2EnvVarSource{}})
	}, severity: Warning, problem: "LEASE is a secret"},
	{name: "an emulator of Cloud Storage", make: set("STORAGE_EMULATOR_HOST", "localhost:4443"), severity: Error,
		problem: "STORAGE_EMULATOR_HOST is localhost:4443"},
	{name: "an emulator of Pub/Sub", make: set("PUBSUB_EMULATOR_HOST", "localhost:8085"), severity: Error,
		problem: "PUBSUB_EMULATOR_HOST is"},
	{name: "another account's key", make: set("GOOGLE_APPLICATION_CREDENTIALS", "/secrets/key.json"), severity: Warning,
		problem: "another account"},
	{name: "memory", make: func(w *world) {
		w.variables["EVENT_STORE"], w.variables["CLAIM_STORE"] = "memory",
			"memory"
	},
		severity: Error, problem: "memory"},
	{name: "claims in memory", make: set("CLAIM_STORE", "memory"), severity: Error, problem: "memory"},
}

var timingMistakes = []mistake{
	{name: "contexts outlast requests", make: set("CLOUD_RUN_TIMEOUT_SECONDS", "300"), severity: Warning,
		problem: "CLOUD_RUN_TIMEOUT_SECONDS is 5m0s"},
	{name: "a store call may take the whole run", make: set("STORE_TIMEOUT", "90s"), severity: Warning,
		problem: "STORE_TIMEOUT is 1m30s"},
	{name: "a call of BigQuery may take the whole run", world: bigQueryOnly, make: set("STORE_TIMEOUT", "90s"),
		severity: Warning, problem: "STORE_TIMEOUT=45s"},
	{name: "a lease beyond redeliveries", make: set("LEASE", "24h"), severity: Error,
		problem: "events come again for 24h"},
	{name: "a lease beyond the age", make: set("LEASE", "21h"), severity: Error, problem: "MAX_EVENT_AGE 20h"},
	{name: "an age below the default lease", make: set("MAX_EVENT_AGE", "1m"), severity: Error,
		problem: "LEASE is 1m10s"},
	{name: "a lease far beyond the timeout", make: set("LEASE", "1h"), severity: Warning,
		problem: "no run lasts longer than 1m0s"},
	{name: "a lease below the timeout, without CPU", make: set("LEASE", "20s"), severity: Warning,
		problem: "can't renew its lease"},
}

var memoryMistakes = []mistake{
	{name: "GOMEMLIMIT", make: set("GOMEMLIMIT", "1GiB"), severity: Error, problem: "GOMEMLIMIT is 1024MiB"},
	{name: "for the largest body", make: func(w *world) {
		w.template().Containers[0].Resources.Limits["memory"], w.variables["GOMEMLIMIT"] = "192Mi", "192MiB"
		w.template().MaxInstanceRequestConcurrency = 10
	}, severity: Warning, problem: "BODY_LIMIT is 14000000"},
	{name: "for a raised BODY_LIMIT", make: set("BODY_LIMIT", "33554432"), severity: Warning,
		problem: "BODY_LIMIT is 33554432"},
	{name: "for the concurrency", make: func(w *world) { w.template().MaxInstanceRequestConcurrency = 250 },
		severity: Warning, problem: "handles 250 events"},
	{name: "for the concurrency, in gigabytes", make: func(w *world) {
		w.template().Containers[0].Resources.Limits["memory"], w.variables["GOMEMLIMIT"] = "1G", ""
		w.template().MaxInstanceRequestConcurrency = 1000
	}, severity: Warning, problem: "953MiB are enough for 206"},
}

// shared40 has a revision with other variables get 40% of the events.
func shared40(w *world, changed map[string]string) {
	w.service.TrafficStatuses[0].Percent = 60
	w.service.TrafficStatuses = append(w.service.TrafficStatuses,
		&run.GoogleCloudRunV2TrafficTargetStatus{Revision: "orders-00001-xyz", Percent: 40})
	w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", changed))
}

var serviceMistakes = []mistake{
	{name: "a revision that is not ready", make: func(w *world) {
		w.service.LatestCreatedRevision = target.String() +
			"/revisions/orders-00003-new"
	},
		severity: Warning, problem: "orders-00003-new is not ready"},
	{name: "two places", make: func(w *world) { shared40(w, map[string]string{"GCS_FOLDER": "old"}) }, severity: Error,
		problem: "gets 40% of the events"},
	{name: "two sets of sources", make: func(w *world) { shared40(w, map[string]string{"EVENT_SOURCES": "event1,event2"}) },
		severity: Error, problem: "gets 40% of the events and joins event1,event2, others event1,event2,event3"},
	{name: "two pointers to the key", make: func(w *world) { shared40(w, map[string]string{"KEY_POINTER": "event2:/id"}) },
		severity: Error, problem: "event2 by /id"},
	{name: "a liveness probe",
		make:     func(w *world) { w.template().Containers[0].LivenessProbe = &run.GoogleCloudRunV2Probe{} },
		severity: Error, problem: "405"},
	{name: "a deadline for an entry point that can't sweep", world: swept, make: func(w *world) {
		w.function.BuildConfig.EntryPoint, w.template().MaxInstanceRequestConcurrency = "EventDriverCloudEvent", 1
	}, severity: Error, problem: "can't sweep"},
	{name: "a roll back that was forgotten", make: func(w *world) {
		r := earlier(w, "2026-11-19T00:00:00Z", nil)
		r.Timeout, r.MaxInstanceRequestConcurrency, r.ServiceAccount = w.template().Timeout, 80, runner
		r.Containers[0].Resources = w.template().Containers[0].Resources
		w.revisions = append(w.revisions, r)
		w.service.TrafficStatuses = []*run.GoogleCloudRunV2TrafficTargetStatus{{Revision: "orders-00001-xyz", Percent: 100}}
	}, severity: Warning, problem: "orders-00002-abc gets no events"},
	{name: "no ingress", make: func(w *world) { w.service.Ingress = "INGRESS_TRAFFIC_NONE" }, severity: Error,
		problem: "ingress"},
	{name: "no URL", make: func(w *world) { w.service.DefaultUriDisabled = true }, severity: Error, problem: "run.app"},
	{name: "no instance",
		make:     func(w *world) { w.service.Scaling = &run.GoogleCloudRunV2ServiceScaling{ScalingMode: "MANUAL"} },
		severity: Error, problem: "0 instances"},
	{name: "the entry point", make: func(w *world) { w.function.BuildConfig.EntryPoint = "EventDriverCloudEvent" },
		severity: Error, problem: "some of them hang"},
	{name: "the entry point of a service", make: func(w *world) {
		w.service.Labels, w.function = nil, nil
		w.service.BuildConfig = &run.GoogleCloudRunV2BuildConfig{FunctionTarget: "EventDriverCloudEvent"}
	}, severity: Error, problem: "some of them hang"},
}

var sharedMistakes = []mistake{
	{name: "a folder", make: func(w *world) {
		w.neighbours = append(w.neighbours, neighbour("returns", map[string]string{"GCS_BUCKET": "shop-prod-orders-events",
			"GCS_FOLDER": "orders"}))
	}, severity: Error, problem: "services/returns keeps its state there"},
	{name: "a dataset", world: bigQueryOnly, make: func(w *world) {
		w.neighbours = append(w.neighbours, neighbour("returns", map[string]string{"EVENT_STORE": "bigquery",
			"BIGQUERY_PROJECT": "shop-prod", "BIGQUERY_DATASET": "orders"}))
	}, severity: Error, problem: "shop-prod.orders"},
	{name: "a dataset, in part", world: bigQueryOnly, make: func(w *world) {
		w.neighbours = append(w.neighbours, neighbour("returns", map[string]string{"EVENT_STORE": "bigquery",
			"CLAIM_STORE": "gcs", "GCS_BUCKET": "b",
			"GOOGLE_CLOUD_PROJECT": "shop-prod", "BIGQUERY_DATASET": "orders"}))
	}, severity: Error, problem: "shop-prod.orders"},
	{name: "in another region", make: func(w *world) {
		w.addTrigger("event9").Destination.CloudRun.Region = "us-central1"
		w.triggers[3].Destination.CloudRun.Service = "returns"
		w.subs["eventarc-"+region+"-orders-event9-sub-123"].PushConfig.PushEndpoint = "https://returns-abcdef-uc.a.run.app/events/event9"
		there := neighbour("returns", map[string]string{"GCS_BUCKET": "shop-prod-orders-events", "GCS_FOLDER": "orders"})
		w.instead["/v2/"+project+"/locations/us-central1/services"] = map[string]any{"services": []any{there}}
	}, severity: Error, problem: "returns"},
}

var movedMistakes = []mistake{
	{name: "a folder", make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2020-01-01T00:00:00Z", map[string]string{"GCS_FOLDER": "old"}))
		w.objects["shop-prod-orders-events"] = []string{"old/00/order-1/events/event1", "old/00/order-1/done",
			"old/01/order-2/events/event1"}
	}, severity: Error, problem: "at least 1 keys wait there"},
	{name: "a bucket", make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"GCS_BUCKET": "elsewhere"}))
		w.objects["elsewhere"] = []string{"orders/aa/order-1/events/event1"}
	}, severity: Error, problem: "gs://elsewhere/orders"},
	{name: "a bucket that is gone", make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"GCS_BUCKET": "elsewhere"}))
	}, severity: Error, problem: "keys may wait there"},
	{name: "after going back", make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2026-11-21T00:00:00Z", map[string]string{"GCS_FOLDER": "new"}))
		w.objects["shop-prod-orders-events"] = []string{"new/00/order-1/events/event1"}
	}, severity: Error, problem: "gs://shop-prod-orders-events/new"},
	{name: "a dataset", world: bigQueryOnly, make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"BIGQUERY_DATASET": "old"}))
	}, severity: Error, problem: "keys may wait there: revision orders-00001-xyz kept its events there, and the " +
		"function now looks in shop-prod.orders"},
	{name: "claims", world: bigQueryOnly, make: func(w *world) {
		w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"CLAIM_STORE": "gcs",
			"GCS_BUCKET": "b"}))
		w.begun = "2026-11-24T12:00:00Z"
	}, severity: Error, problem: "kept its claims and completions there"},
}
