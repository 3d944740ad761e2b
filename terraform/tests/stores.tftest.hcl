# Where the state is kept, and what happens to dead letters.
mock_provider "google" { source = "./tests/mocks" }

# What the provider knows of an account before it is there.
override_resource {
  target = google_service_account.sweep
  values = {
    email  = "orders-sweep@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-sweep@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.run
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-run@p-123456.iam.gserviceaccount.com"
    email  = "orders-run@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-run@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.trigger
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-trigger@p-123456.iam.gserviceaccount.com"
    email  = "orders-trigger@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-trigger@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.build
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-build@p-123456.iam.gserviceaccount.com"
    email  = "orders-build@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-build@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_eventarc_trigger.this
  values = { transport = { pubsub = { subscription = "projects/p-123456/subscriptions/eventarc-europe-west1-orders-event1-sub-123" } } }
}

variables {
  state_moved    = "by_default" # other than where a run moves
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "deleted_state_is_kept" {
  variables {
    soft_delete_days = 7
  }
  assert {
    condition     = google_storage_bucket.events[0].soft_delete_policy[0].retention_duration_seconds == 604800
    error_message = "Deleted state must be kept for as long as that is asked for."
  }
}

run "cloud_storage" {
  assert {
    condition     = google_storage_bucket.events[0].uniform_bucket_level_access && google_storage_bucket.events[0].public_access_prevention == "enforced"
    error_message = "The bucket must have uniform access and prevent public access."
  }
  assert {
    condition     = google_storage_bucket.events[0].soft_delete_policy[0].retention_duration_seconds == 0 && google_storage_bucket.source[0].soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "Soft delete must be off."
  }
  assert {
    condition     = google_storage_bucket.source[0].uniform_bucket_level_access && google_storage_bucket.source[0].public_access_prevention == "enforced"
    error_message = "The source's bucket must have uniform access and prevent public access, too."
  }
  assert {
    condition     = !google_storage_bucket.events[0].force_destroy && !google_storage_managed_folder.events[0].force_destroy
    error_message = "Destroying must stop at a bucket with events in it, unless that is asked for."
  }
  assert {
    condition     = google_storage_managed_folder.events[0].name == "orders/" && google_storage_managed_folder.events[0].bucket == "p-123456-orders-events"
    error_message = "The folder that refuses to go must be the one that has the events."
  }
  assert {
    condition = [for r in google_storage_bucket.events[0].lifecycle_rule :
      "${one(r.action).type} ${one(r.condition).age} ${join(" ", coalesce(one(r.condition).matches_suffix, ["others"]))}"
    ] == ["Delete 7 /events/event1 /events/event2 /events/event3", "Delete 8 /claim", "Delete 9 others"]
    error_message = "The bucket must forget events after retention_days, then completions, then claims."
  }
  assert {
    condition = alltrue([for i in range(256) :
      length([for p in one(google_storage_bucket.events[0].lifecycle_rule[2].condition).matches_prefix : p if startswith(format("orders/%02x/order-1/claim", i), p)]) == 1
    ])
    error_message = "The bucket must forget all keys."
  }
  assert {
    condition = alltrue(flatten([for r in google_storage_bucket.events[0].lifecycle_rule : [
      length(concat(coalesce(one(r.condition).matches_prefix, []), coalesce(one(r.condition).matches_suffix, []))) > 0,
      [for p in coalesce(one(r.condition).matches_prefix, []) : !startswith("orders/deadletters/2026-01-31/no-key-0123.json", p)],
      [for s in coalesce(one(r.condition).matches_suffix, []) : !endswith("orders/deadletters/2026-01-31/no-key-0123.json", s)],
    ]]))
    error_message = "The bucket must keep dead letters."
  }
  assert {
    condition     = length(google_bigquery_dataset.events) == 0 && output.dataset == null && output.bucket == "p-123456-orders-events"
    error_message = "There must be a bucket, and no dataset."
  }
}

run "folder" {
  variables {
    state_moved = "folder"
    environment = { GCS_FOLDER = " team/orders " }
  }
  assert {
    condition     = alltrue([for p in one(google_storage_bucket.events[0].lifecycle_rule[2].condition).matches_prefix : can(regex("^team/orders/([0-9a-f]|d[0-9a-f]|de/)$", p))])
    error_message = "The keys of the folder that the function uses must be forgotten."
  }
}

run "letters_in_bigquery" {
  command = plan
  variables {
    store          = "bigquery"
    retention_days = 2
  }
  assert {
    condition     = { for table, t in google_bigquery_table.this : table => t.time_partitioning[0].expiration_ms / 86400000 } == { events = 3, claims = 3, dead_letters = 8 }
    error_message = "Letters must stay for a week at least, for somebody to read them."
  }
}

run "all_in_bigquery" {
  variables {
    store          = "bigquery"
    claim_store    = "bigquery"
    retention_days = 30
  }
  assert {
    condition     = google_bigquery_dataset.events[0].dataset_id == "orders" && google_bigquery_dataset.events[0].location == "europe-west1" && length(google_storage_bucket.events) == 0
    error_message = "There must be a dataset in the region, and no bucket."
  }
  assert {
    condition     = alltrue([for t in google_bigquery_table.this : t.time_partitioning[0].expiration_ms == 31 * 86400000 && t.time_partitioning[0].field == "created_at"])
    error_message = "The tables must forget after retention_days, when the last row of a partition is that old."
  }
  assert {
    condition     = { for table, t in google_bigquery_table.this : table => join(",", t.clustering) } == { events = "key,source", claims = "key", dead_letters = "reason,key" }
    error_message = "There must be the store's three tables, clustered by what is looked up."
  }
  assert {
    condition     = alltrue([for table, t in google_bigquery_table.this : t.schema == file("../stores/bqstore/schema/${table}.json")])
    error_message = "The tables must have the store's own schema."
  }
  assert {
    condition = google_bigquery_table.keys[0].view[0].query == replace(replace(file("../stores/bqstore/schema/keys.sql"),
    "$${events}", "`p-123456.orders.events`"), "$${claims}", "`p-123456.orders.claims`") && !google_bigquery_table.keys[0].view[0].use_legacy_sql
    error_message = "The view must be the store's own statement on these tables."
  }
  assert {
    condition     = !google_bigquery_dataset.events[0].delete_contents_on_destroy && alltrue(concat(values(google_bigquery_table.this), google_bigquery_table.keys)[*].deletion_protection)
    error_message = "Destroying must stop at the tables and at a dataset with more in it, unless that is asked for."
  }
  assert {
    condition     = [for api in keys(google_project_service.this) : api if startswith(api, "bigquery")] == ["bigquery.googleapis.com"]
    error_message = "BigQuery's API must be enabled, and no other of its family."
  }
  assert {
    condition = { for k, v in google_cloudfunctions2_function.this[0].service_config[0].environment_variables : k => v
      if can(regex("STORE|BUCKET|BIGQUERY", k)) } == {
      EVENT_STORE      = "bigquery", CLAIM_STORE = "bigquery"
      BIGQUERY_PROJECT = "p-123456", BIGQUERY_DATASET = "orders", BIGQUERY_LOCATION = "europe-west1", BIGQUERY_RETENTION = "720h"
    }
    error_message = "The function must be told where its state is."
  }
  assert {
    condition     = google_bigquery_dataset_iam_member.run[0].role == "roles/bigquery.dataEditor" && google_bigquery_dataset_iam_member.run[0].dataset_id == "orders"
    error_message = "The function must be allowed to edit its own dataset."
  }
}

run "all_in_bigquery_to_be_destroyed" {
  command = plan
  variables {
    store         = "bigquery"
    claim_store   = "bigquery"
    force_destroy = true
  }
  assert {
    condition     = !anytrue(concat(values(google_bigquery_table.this), google_bigquery_table.keys)[*].deletion_protection)
    error_message = "Destroying must not stop at the tables where that is asked for."
  }
}

run "events_in_bigquery" {
  variables {
    state_moved = "events_in_bigquery"
    store       = "bigquery"
  }
  assert {
    condition     = output.bucket == "p-123456-orders-events" && output.dataset == "orders"
    error_message = "Claims must be in Cloud Storage by default, beside events in BigQuery."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["EVENT_STORE"] == "bigquery" && google_cloudfunctions2_function.this[0].service_config[0].environment_variables["CLAIM_STORE"] == "gcs" && google_cloudfunctions2_function.this[0].service_config[0].environment_variables["GCS_BUCKET"] == "p-123456-orders-events"
    error_message = "The function must be told of both."
  }
}

run "dead_letters" {
  assert {
    condition     = google_pubsub_subscription.dead_letters[0].message_retention_duration == "604800s" && google_pubsub_subscription.dead_letters[0].expiration_policy[0].ttl == ""
    error_message = "Dead letters must be kept for 7 days, and their subscription for ever."
  }
  assert {
    condition     = google_pubsub_subscription.dead_letters[0].topic == "projects/p-123456/topics/orders-dead-letters" && google_pubsub_topic.dead_letters[0].name == "orders-dead-letters"
    error_message = "The subscription must be of the topic that the function publishes to."
  }
}

run "dead_letters_elsewhere" {
  command = plan
  variables {
    dead_letter_topic = { id = "projects/other-project/topics/dead" }
    state_moved       = "letters"
  }
  assert {
    condition     = length(google_pubsub_topic.dead_letters) == 0 && google_pubsub_subscription.dead_letters[0].topic == "projects/other-project/topics/dead" && google_pubsub_topic_iam_member.run_publisher["dead_letters"].project == "other-project"
    error_message = "A topic that exists must be used, in its project."
  }
}

run "alerts" {
  variables {
    alert_channels = ["projects/p-123456/notificationChannels/1"]
    erase_sources  = []
    sources = {
      event1  = {}
      invoice = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "invoices" }, location = "eu" }
    }
  }
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.this)) == toset(["dead-letters", "failures", "waiting-event1", "waiting-invoice"])
    error_message = "There must be alerts for dead letters, failures and, for each trigger, events that wait."
  }
  assert {
    condition = alltrue([for alert, want in {
      dead-letters    = "resource.labels.subscription_id = \"orders-dead-letters\""
      failures        = "resource.labels.service_name = \"orders\" AND metric.labels.response_code_class != \"2xx\""
      waiting-event1  = "resource.labels.subscription_id = \"eventarc-europe-west1-orders-event1-sub-123\""
      waiting-invoice = "resource.labels.subscription_id = monitoring.regex.full_match(\"eventarc-eu-orders-invoice-sub-[0-9]+\")"
    } : strcontains(google_monitoring_alert_policy.this[alert].conditions[0].condition_threshold[0].filter, want)])
    error_message = "Each alert must look at what is this function's."
  }
  assert {
    condition = alltrue([for a in concat(values(google_monitoring_alert_policy.this), values(google_monitoring_alert_policy.log)) :
    a.notification_channels == tolist(["projects/p-123456/notificationChannels/1"])])
    error_message = "The alerts must go to the channels."
  }
}

run "alerts_of_logs" {
  variables {
    alert_channels = ["projects/p-123456/notificationChannels/1"]
    join_deadline  = "24h"
    runbook_url    = "https://git.example.com/docs/operations.md"
  }
  assert {
    condition = { for alert, a in google_monitoring_alert_policy.log : alert => a.conditions[0].condition_matched_log[0].filter } == {
      for alert, lines in {
        letters   = "jsonPayload.message = \"event dead-lettered\""
        takeovers = "jsonPayload.message : \"took over an expired lease\""
        overdue   = "jsonPayload.message = \"sweep\" AND jsonPayload.report.expired > 0"
        sweeps    = "jsonPayload.message = (\"the sweep failed\" OR \"a key that was swept failed\")"
      } : alert => "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"orders\" AND ${lines}"
    }
    error_message = "New letters, runs that vanish, joins that end and sweeps that fail must be found in this function's log."
  }
  assert {
    condition = google_monitoring_alert_policy.log["overdue"].documentation[0].content == join("\n\n", [
      "First run: `go run ./cmd/eventdriver letters list --reason=incomplete --service=orders --region=europe-west1 --project=p-123456`",
      "[What it means, and what to do](https://git.example.com/docs/operations.md#joins-lack-events-at-their-deadline)",
    ])
    error_message = "An alert must say what to run first, and link to its section."
  }
  assert {
    condition = alltrue([for a in concat(values(google_monitoring_alert_policy.this), values(google_monitoring_alert_policy.log)) :
    strcontains(a.documentation[0].content, "(https://git.example.com/docs/operations.md#")])
    error_message = "Each alert must link to its section."
  }
}

run "no_deadline_to_alert_of" {
  variables {
    alert_channels = ["projects/p-123456/notificationChannels/1"]
  }
  assert {
    condition     = join(" ", keys(google_monitoring_alert_policy.log)) == "letters sweeps takeovers"
    error_message = "Without a deadline there must be no alert of it."
  }
}

run "no_sweeps_to_alert_of" {
  variables {
    alert_channels = ["projects/p-123456/notificationChannels/1"]
    sweep_schedule = "none"
  }
  assert {
    condition     = join(" ", keys(google_monitoring_alert_policy.log)) == "letters takeovers"
    error_message = "Without sweeps there must be no alerts of them."
  }
}

run "no_alerts_without_channels" {
  variables {
    join_deadline = "24h"
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this) + length(google_monitoring_alert_policy.log) == 0
    error_message = "Without channels there must be no alerts."
  }
}
