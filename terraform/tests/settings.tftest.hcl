# Each input reaches what it is for: all are set, to something else than their default.
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

variables {
  state_moved    = "by_default" # other than where a run moves
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "function" {
  variables {
    region          = "us-central1"
    runtime         = "go127"
    entry_point     = "Orders"
    memory          = "1Gi"
    cpu             = "2"
    timeout_seconds = 120
    concurrency     = 10
    min_instances   = 1
    max_instances   = 3
    ingress         = "ALLOW_INTERNAL_AND_GCLB"
    vpc_connector   = "projects/p-123456/locations/us-central1/connectors/c"
    vpc_egress      = "ALL_TRAFFIC"
    labels          = { team = "orders" }
    kms_key         = { id = "projects/p-123456/locations/us-central1/keyRings/r/cryptoKeys/k" }

    build_environment = { GOFLAGS = "-tags=x" }
  }
  assert {
    condition = { for name in ["runtime", "entry_point", "environment_variables"] : name => jsonencode(google_cloudfunctions2_function.this[0].build_config[0][name]) } == {
      runtime = "\"go127\"", entry_point = "\"Orders\"", environment_variables = "{\"GOFLAGS\":\"-tags=x\"}"
    }
    error_message = "The function must be built as the inputs say."
  }
  assert {
    condition = [for s in google_cloudfunctions2_function.this[0].service_config :
      "${s.available_memory} ${s.available_cpu} ${s.timeout_seconds} ${s.max_instance_request_concurrency} ${s.min_instance_count} ${s.max_instance_count}"
    ] == ["1Gi 2 120 10 1 3"]
    error_message = "Instances must be as large and as many as the inputs say."
  }
  assert {
    condition = [for s in google_cloudfunctions2_function.this[0].service_config :
      "${s.ingress_settings} ${s.vpc_connector} ${s.vpc_connector_egress_settings} ${s.all_traffic_on_latest_revision}"
    ] == ["ALLOW_INTERNAL_AND_GCLB projects/p-123456/locations/us-central1/connectors/c ALL_TRAFFIC true"]
    error_message = "Traffic must go in and out as the inputs say, and to what was deployed last."
  }
  assert {
    condition = alltrue([for place in concat(
      [google_cloudfunctions2_function.this[0].location, google_artifact_registry_repository.images[0].location, google_storage_bucket.source[0].location],
      google_storage_bucket.events[*].location, values(google_eventarc_trigger.this)[*].location,
      [for t in google_eventarc_trigger.this : t.destination[0].cloud_run_service[0].region],
      [google_cloud_run_v2_service_iam_member.trigger_invoker.location],
    ) : lower(place) == "us-central1"])
    error_message = "All of it must be in the region."
  }
  assert {
    condition = alltrue([for labels in concat(
      [google_cloudfunctions2_function.this[0].labels, google_artifact_registry_repository.images[0].labels, google_storage_bucket.source[0].labels],
      [google_pubsub_subscription.dead_letters[0].labels], google_pubsub_topic.dead_letters[*].labels,
      google_storage_bucket.events[*].labels, values(google_eventarc_trigger.this)[*].labels, values(google_pubsub_topic.source)[*].labels,
    ) : labels == tomap({ team = "orders" })])
    error_message = "All that takes labels must have them."
  }
}

run "key" {
  variables {
    state_moved  = "key"
    store        = "bigquery"
    kms_key      = { id = "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    output_topic = { id = "complete", create = true }
  }
  assert {
    condition = alltrue([for key in concat(
      [google_cloudfunctions2_function.this[0].kms_key_name, google_artifact_registry_repository.images[0].kms_key_name],
      [google_storage_bucket.source[0].encryption[0].default_kms_key_name, google_storage_bucket.events[0].encryption[0].default_kms_key_name],
      [google_bigquery_dataset.events[0].default_encryption_configuration[0].kms_key_name],
      [for t in google_bigquery_table.this : t.encryption_configuration[0].kms_key_name],
      values(google_pubsub_topic.source)[*].kms_key_name, google_pubsub_topic.dead_letters[*].kms_key_name, google_pubsub_topic.output[*].kms_key_name,
    ) : key == "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k"])
    error_message = "All that keeps data must be encrypted with the key."
  }
  assert {
    condition     = alltrue([for k in google_kms_crypto_key_iam_member.this : k.role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && k.crypto_key_id == "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k"])
    error_message = "Google's services must be allowed to use this key, and nothing more."
  }
  assert {
    condition     = toset([for k in google_kms_crypto_key_iam_member.this : one(k.condition[*].title)]) == toset(["event-driver-orders"])
    error_message = "These grants must not be those of another instance, which would go with that."
  }
}

run "topics_and_stores" {
  variables {
    output_topic        = { id = "complete", create = true }
    max_event_age       = null
    bucket_name         = "my-bucket"
    dataset_id          = "my_dataset"
    store               = "gcs"
    claim_store         = "bigquery"
    retention_days      = 9
    force_destroy       = true
    deletion_protection = true
  }
  assert {
    condition = { for k, v in google_cloudfunctions2_function.this[0].service_config[0].environment_variables : k => v
      if can(regex("TOPIC|AGE|STORE|BUCKET|BIGQUERY", k)) } == {
      OUTPUT_TOPIC     = "projects/p-123456/topics/complete", DEAD_LETTER_TOPIC = "projects/p-123456/topics/orders-dead-letters"
      EVENT_STORE      = "gcs", CLAIM_STORE = "bigquery", GCS_BUCKET = "my-bucket"
      BIGQUERY_PROJECT = "p-123456", BIGQUERY_DATASET = "my_dataset", BIGQUERY_LOCATION = "europe-west1", BIGQUERY_RETENTION = "216h"
    }
    error_message = "The function must be told of its topics and stores, and of no age unless there is one."
  }
  assert {
    condition     = google_pubsub_topic.output[0].name == "complete" && output.output_topic == "projects/p-123456/topics/complete"
    error_message = "The output topic must be created."
  }
  assert {
    condition     = google_storage_bucket.events[0].force_destroy && google_storage_managed_folder.events[0].force_destroy && google_bigquery_dataset.events[0].delete_contents_on_destroy && alltrue(concat(values(google_bigquery_table.this), google_bigquery_table.keys)[*].deletion_protection)
    error_message = "Destroying must be forced, and tables protected, where that is asked for."
  }
  assert {
    condition     = [for r in google_storage_bucket.events[0].lifecycle_rule : one(r.condition).age] == [9, 10, 11]
    error_message = "The bucket must forget after retention_days."
  }
}

run "another_instance_grants" {
  variables {
    state_moved  = "another_instance_grants"
    grant_agents = false
    kms_key      = { id = "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    sources = {
      event1  = {}
      invoice = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "invoices" } }
    }
  }
  assert {
    condition     = length(google_kms_crypto_key_iam_member.this) + length(google_project_iam_member.storage_publisher) == 0
    error_message = "An instance that doesn't grant Google's agents anything must not take it from them when it is destroyed."
  }
  assert {
    condition     = google_storage_bucket.events[0].encryption[0].default_kms_key_name == "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k"
    error_message = "It must use the key all the same."
  }
}

# A module that passes on what it may not have been given, passes null.
run "null_is_the_default" {
  variables {
    region          = null
    store           = null
    claim_store     = null
    retention_days  = null
    runtime         = null
    entry_point     = null
    memory          = null
    cpu             = null
    timeout_seconds = null
    concurrency     = null
    min_instances   = null
    max_instances   = null
    ingress         = null
    vpc_egress      = null
  }
  assert {
    condition = [for s in google_cloudfunctions2_function.this[0].service_config :
      "${s.available_memory} ${s.available_cpu} ${s.timeout_seconds} ${s.max_instance_request_concurrency} ${s.min_instance_count} ${s.max_instance_count} ${s.ingress_settings}"
    ] == ["512Mi 1 60 80 0 20 ALLOW_INTERNAL_ONLY"]
    error_message = "null must be the default."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].location == "europe-west1" && [for name in ["EVENT_STORE", "CLAIM_STORE"] : google_cloudfunctions2_function.this[0].service_config[0].environment_variables[name]] == ["gcs", "gcs"]
    error_message = "null must be the default."
  }
}

run "concurrency_quarter" {
  command = plan
  variables {
    memory = "256Mi"
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 32
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "concurrency_decimal" {
  command = plan
  variables {
    memory = "500M"
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 80
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "concurrency_large" {
  command = plan
  variables {
    cpu    = "2"
    memory = "8Gi"
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 80
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "concurrency_all_there_is" {
  command = plan
  variables {
    memory      = "512Mi"
    concurrency = 96
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 96
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "concurrency_part_of_a_cpu" {
  command = plan
  variables {
    cpu = "0.5"
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 1
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "concurrency_small_events" {
  command = plan
  variables {
    memory      = "132Mi"
    environment = { BODY_LIMIT = "500000" }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 1
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "concurrency_large_events" {
  command = plan
  variables {
    memory      = "1Gi"
    environment = { BODY_LIMIT = "33554432" }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].max_instance_request_concurrency == 80
    error_message = "An instance must handle as many events as its memory is enough for."
  }
}

run "memory_for_no_event" {
  command = plan
  variables {
    memory = "128Mi"
  }
  expect_failures = [terraform_data.ready]
}

run "memory_for_no_event_of_that_size" {
  command = plan
  variables {
    environment = { BODY_LIMIT = "33554432" }
  }
  expect_failures = [terraform_data.ready]
}

run "output_that_comes_back" {
  command = plan
  variables {
    output_topic = { id = "orders-event1" }
  }
  expect_failures = [terraform_data.ready]
}

run "output_called_like_a_source" {
  command = plan
  variables {
    output_topic = { id = "event2" }
  }
  expect_failures = [terraform_data.ready]
}

run "letters_that_come_back" {
  command = plan
  variables {
    state_moved       = "letters"
    dead_letter_topic = { id = "projects/p-123456/topics/theirs" }
    sources           = { event1 = {}, event2 = { topic = { id = "theirs" } } }
  }
  expect_failures = [terraform_data.ready]
}

run "letters_to_a_source_of_that_name" {
  command = plan
  variables {
    sources       = { event1 = {}, dead-letters = {} }
    erase_sources = []
  }
  expect_failures = [terraform_data.ready]
}

run "one_topic_for_output_and_letters" {
  command = plan
  variables {
    state_moved       = "letters"
    output_topic      = { id = "both" }
    dead_letter_topic = { id = "projects/p-123456/topics/both" }
  }
  expect_failures = [terraform_data.ready]
}

run "pointer_and_content_of_each_source" {
  command = plan
  variables {
    sources     = { placed = { key_pointer = "/order/id", content = "json" }, paid = {}, packed = { key_pointer = "/id", content = "text" } }
    key_pointer = "/key"
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["KEY_POINTER"] == "packed:/id,paid:/key,placed:/order/id"
    error_message = "Each source must have its own pointer, or that of the module."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["CONTENT"] == "packed:text,placed:json"
    error_message = "The function must be told what the data of a source is."
  }
}

run "pointer_of_one_source" {
  command = plan
  variables {
    sources = { placed = {}, paid = { key_pointer = "/id" } }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["KEY_POINTER"] == "paid:/id"
    error_message = "A source without a pointer must have its key elsewhere."
  }
}
