# Messages of topics that a push subscription of the module delivers, instead of a trigger.
mock_provider "google" { source = "./tests/mocks" }

# What the provider knows of an account before it is there.
override_resource {
  target = google_service_account.sweep
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-sweep@p-123456.iam.gserviceaccount.com"
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
  values = { transport = { pubsub = { subscription = "projects/p-123456/subscriptions/eventarc-europe-west1-orders-paid-sub-123" } } }
}

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
  erase_sources  = []
}

run "one_pushed_beside_one_triggered" {
  variables {
    sources        = { placed = { delivery = "pubsub" }, paid = {} }
    alert_channels = ["projects/p-123456/notificationChannels/1"]
    labels         = { team = "shop" }
  }
  assert {
    condition     = keys(google_eventarc_trigger.this) == ["paid"] && keys(google_pubsub_subscription.source) == ["placed"]
    error_message = "A source must have a trigger or a push subscription, and not both."
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].push_config[0].push_endpoint == "https://orders-abc-ew.a.run.app${replace(google_eventarc_trigger.this["paid"].destination[0].cloud_run_service[0].path, "paid", "placed")}"
    error_message = "It must call the path that a trigger would."
  }
  assert {
    condition = (google_pubsub_subscription.source["placed"].push_config[0].oidc_token[0].service_account_email == google_service_account.trigger[0].email
      && google_pubsub_subscription.source["placed"].push_config[0].oidc_token[0].audience == "https://orders-abc-ew.a.run.app"
    )
    error_message = "It must call as the triggers' account, with a token for the service."
  }
  assert {
    condition     = length(google_pubsub_subscription.source["placed"].push_config[0].no_wrapper) == 0
    error_message = "The function must get the message's ID and time, which are in its wrapper."
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].ack_deadline_seconds == 600 && google_pubsub_subscription.source["placed"].ack_deadline_seconds > google_cloudfunctions2_function.this[0].service_config[0].timeout_seconds
    error_message = "A request must outlast the function's timeout, so that no event comes again while it is handled."
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].message_retention_duration == "86400s" && google_pubsub_subscription.source["placed"].expiration_policy[0].ttl == ""
    error_message = "It must deliver again for a day, as Eventarc does, and not expire."
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.source["placed"].retry_policy[0].maximum_backoff == "600s"
    error_message = "Its pauses must be those of Eventarc by default."
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].topic == output.topics["placed"] && google_pubsub_subscription.source["placed"].labels == tomap({ team = "shop" })
    error_message = "It must be of the source's topic, with the labels."
  }
  assert {
    condition     = output.triggers == { paid = "orders-paid" }
    error_message = "The output must have the triggers alone."
  }
  assert {
    condition = { for event, ids in output.subscriptions : event => join(" ", ids) } == {
      placed = "projects/p-123456/subscriptions/orders-placed-push", paid = "projects/p-123456/subscriptions/eventarc-europe-west1-orders-paid-sub-123"
    }
    error_message = "The output must have the subscriptions of both."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["waiting-placed"].conditions[0].condition_threshold[0].filter, "subscription_id = \"orders-placed-push\"")
    error_message = "The alert of events that wait must look at it."
  }
}

run "pauses_order_and_filter" {
  variables {
    sources = { placed = { delivery = "pubsub", min_backoff = "0.5s", max_backoff = "60s", ordered = true, message_filter = "attributes.kind = \"placed\"" } }
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].retry_policy[0].minimum_backoff == "0.5s" && google_pubsub_subscription.source["placed"].retry_policy[0].maximum_backoff == "60s"
    error_message = "The pauses must be those of the source."
  }
  assert {
    condition     = google_pubsub_subscription.source["placed"].enable_message_ordering && google_pubsub_subscription.source["placed"].filter == "attributes.kind = \"placed\""
    error_message = "The subscription must have the order and the filter of the source."
  }
}

run "two_sources_of_one_topic_by_filters" {
  variables {
    sources = {
      placed = { delivery = "pubsub", create_topic = "orders", message_filter = "attributes.kind = \"placed\"" }
      paid   = { delivery = "pubsub", topic = { id = "orders" }, message_filter = "attributes.kind = \"paid\"" }
    }
  }
  assert {
    condition     = toset([for s in google_pubsub_subscription.source : s.topic]) == toset(["projects/p-123456/topics/orders"]) && keys(google_pubsub_topic.source) == ["placed"]
    error_message = "Both must have the one topic."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["SOURCE_ALIASES"] == ""
    error_message = "The topic must be the alias of neither."
  }
}

run "both_while_the_delivery_changes" {
  variables {
    sources        = { paid = { delivery = "both" } }
    alert_channels = ["projects/p-123456/notificationChannels/1"]
  }
  assert {
    condition     = keys(google_eventarc_trigger.this) == ["paid"] && keys(google_pubsub_subscription.source) == ["paid"]
    error_message = "There must be a trigger and a push subscription."
  }
  assert {
    condition = output.triggers == { paid = "orders-paid" } && join(" ", output.subscriptions.paid) == join(" ", [
      "projects/p-123456/subscriptions/eventarc-europe-west1-orders-paid-sub-123", "projects/p-123456/subscriptions/orders-paid-push"
    ])
    error_message = "The outputs must name both."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["waiting-paid"].conditions[0].condition_threshold[0].filter, "subscription_id = one_of(\"eventarc-europe-west1-orders-paid-sub-123\", \"orders-paid-push\")")
    error_message = "The alert of events that wait must look at both."
  }
}

run "filter_beside_a_trigger" {
  command = plan
  variables {
    sources = { event1 = { delivery = "both", message_filter = "attributes:kind" } }
  }
  expect_failures = [var.sources]
}

run "topic_of_another_project" {
  variables {
    sources = { paid = { delivery = "pubsub", topic = { id = "projects/their-project/topics/payments" } } }
  }
  assert {
    condition     = google_pubsub_subscription.source["paid"].topic == "projects/their-project/topics/payments" && google_pubsub_subscription.source["paid"].project == "p-123456"
    error_message = "The subscription must be in this project, of their topic."
  }
}

run "unknown_delivery" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pull" } }
  }
  expect_failures = [var.sources]
}

run "push_of_a_buckets_events" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", event_type = "google.cloud.storage.object.v1.finalized" } }
  }
  expect_failures = [var.sources]
}

run "push_with_a_location" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", location = "eu" } }
  }
  expect_failures = [var.sources]
}

run "pauses_of_a_trigger" {
  command = plan
  variables {
    sources = { event1 = { min_backoff = "1s" } }
  }
  expect_failures = [var.sources]
}

run "longest_pause_of_a_trigger" {
  command = plan
  variables {
    sources = { event1 = { max_backoff = "60s" } }
  }
  expect_failures = [var.sources]
}

run "order_of_a_trigger" {
  command = plan
  variables {
    sources = { event1 = { ordered = true } }
  }
  expect_failures = [var.sources]
}

run "filter_of_a_trigger" {
  command = plan
  variables {
    sources = { event1 = { message_filter = "attributes:kind" } }
  }
  expect_failures = [var.sources]
}

run "pause_without_unit" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", min_backoff = "10" } }
  }
  expect_failures = [var.sources]
}

run "pause_of_an_hour" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", max_backoff = "3600s" } }
  }
  expect_failures = [var.sources]
}

run "pauses_that_shrink" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", min_backoff = "60s", max_backoff = "30s" } }
  }
  expect_failures = [var.sources]
}

run "empty_filter" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", message_filter = " " } }
  }
  expect_failures = [var.sources]
}

run "long_filter" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", message_filter = join("", [for i in range(257) : "a"]) } }
  }
  expect_failures = [var.sources]
}

run "one_topic_by_the_same_filter" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", topic = { id = "orders" }, message_filter = "attributes:a" }, event2 = { delivery = "pubsub", topic = { id = "orders" }, message_filter = "attributes:a" } }
  }
  expect_failures = [var.sources]
}

run "one_topic_with_a_filter_and_without" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", topic = { id = "orders" }, message_filter = "attributes:a" }, event2 = { delivery = "pubsub", topic = { id = "orders" } } }
  }
  expect_failures = [var.sources]
}

run "one_topic_created_twice" {
  command = plan
  variables {
    sources = { event1 = { delivery = "pubsub", create_topic = "orders", message_filter = "attributes:a" }, event2 = { delivery = "pubsub", create_topic = "orders", message_filter = "attributes:b" } }
  }
  expect_failures = [var.sources]
}
