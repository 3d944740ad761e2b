# A source goes, and its topic stays, unless it is asked to go.
mock_provider "google" { source = "./tests/mocks" }

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

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "three_sources" {
  assert {
    condition     = sort(keys(google_pubsub_topic.source)) == tolist(["event1", "event2", "event3"]) && alltrue([for t in google_pubsub_topic.source : t.deletion_policy == "ABANDON"])
    error_message = "A topic must outlive its source."
  }
}

# Terraform goes by the policy that was applied, so the source can go in one step.
run "a_source_less" {
  variables {
    sources = { event1 = {}, event2 = {} }
  }
  assert {
    condition     = sort(keys(google_pubsub_topic.source)) == tolist(["event1", "event2"]) && sort(keys(google_eventarc_trigger.this)) == tolist(["event1", "event2"])
    error_message = "The source must go, with its trigger."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["EVENT_SOURCES"] == "event1,event2"
    error_message = "The function must not wait for the source."
  }
}

# The topic that stayed is that of the source that returns.
run "it_returns" {
  variables {
    sources = { event1 = {}, event2 = {}, event3 = { topic = { id = "orders-event3" } } }
  }
  assert {
    condition     = google_eventarc_trigger.this["event3"].transport[0].pubsub[0].topic == "projects/p-123456/topics/orders-event3" && !contains(keys(google_pubsub_topic.source), "event3")
    error_message = "The topic is there, and must not be made again."
  }
}

run "asked_to_go" {
  variables {
    delete_topics = true
  }
  assert {
    condition     = alltrue([for t in google_pubsub_topic.source : t.deletion_policy == "DELETE"])
    error_message = "With delete_topics, topics must go with their sources."
  }
}
