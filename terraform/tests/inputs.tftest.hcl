# Inputs that can not work are refused before anything is created.
mock_provider "google" { source = "./tests/mocks" }

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "project_number" {
  command = plan
  variables {
    project_id = "123456789"
  }
  expect_failures = [var.project_id]
}

run "number_that_is_an_id" {
  command = plan
  variables {
    project_number = "p-123456"
  }
  expect_failures = [var.project_number]
}

run "zone" {
  command = plan
  variables {
    region = "europe-west1-b"
  }
  expect_failures = [var.region]
}

run "long_name" {
  command = plan
  variables {
    name = "a-name-that-is-too-long-for-an-account"
  }
  expect_failures = [var.name]
}

run "upper_case_name" {
  command = plan
  variables {
    name = "Orders"
  }
  expect_failures = [var.name]
}

run "name_of_googles" {
  command = plan
  variables {
    name = "google-orders"
  }
  expect_failures = [var.name]
}

run "no_sources" {
  command = plan
  variables {
    sources = {}
  }
  expect_failures = [var.sources]
}

run "more_sources_than_the_function_takes" {
  command = plan
  variables {
    sources = { for i in range(101) : "event${i}" => {} }
  }
  expect_failures = [var.sources]
}

run "source_with_a_hyphen_at_its_end" {
  command = plan
  variables {
    sources = { "event1-" = {} }
  }
  expect_failures = [var.sources]
}

run "topic_that_google_refuses" {
  command = plan
  variables {
    sources = { event1 = { create_topic = "goog-orders" } }
  }
  expect_failures = [var.sources]
}

run "output_topic_that_google_refuses" {
  command = plan
  variables {
    output_topic = { id = "goog-orders", create = true }
  }
  expect_failures = [var.output_topic]
}

run "bucket_that_google_refuses" {
  command = plan
  variables {
    bucket_name = "my-google-orders"
  }
  expect_failures = [var.bucket_name]
}

run "source_of_two_kinds" {
  command = plan
  variables {
    sources = { event1 = { topic = { id = "t-1" }, event_type = "x" } }
  }
  expect_failures = [var.sources]
}

run "filter_on_a_topic" {
  command = plan
  variables {
    sources = { event1 = { topic = { id = "t-1" }, filters = { a = "b" } } }
  }
  expect_failures = [var.sources]
}

run "pubsub_as_event_type" {
  command = plan
  variables {
    sources = { event1 = { event_type = "google.cloud.pubsub.topic.v1.messagePublished" } }
  }
  expect_failures = [var.sources]
}

run "topic_that_is_no_topic" {
  command = plan
  variables {
    sources = { event1 = { topic = { id = "projects/p-123456/subscriptions/s" } } }
  }
  expect_failures = [var.sources]
}

run "topic_of_another_project" {
  command = plan
  variables {
    sources = { event1 = { topic = { id = "projects/p-1234567/topics/orders" } } }
  }
  expect_failures = [var.sources]
}

run "same_topic_twice" {
  command = plan
  variables {
    sources = { event1 = { topic = { id = "orders" } }, event2 = { topic = { id = "orders" } } }
  }
  expect_failures = [var.sources]
}

run "names_that_become_one" {
  command = plan
  variables {
    sources = { a_b = {}, a-b = {} }
  }
  expect_failures = [var.sources]
}

run "name_with_a_comma" {
  command = plan
  variables {
    sources = { "a,b" = {} }
  }
  expect_failures = [var.sources]
}

run "alias_with_a_comma" {
  command = plan
  variables {
    sources = { event1 = { aliases = ["a,b"] } }
  }
  expect_failures = [var.sources]
}

run "erase_unknown" {
  command = plan
  variables {
    erase_sources = ["event9"]
  }
  expect_failures = [var.erase_sources]
}

run "key_pointer_without_slash" {
  command = plan
  variables {
    key_pointer = "order.id"
  }
  expect_failures = [var.key_pointer]
}

run "pointer_of_a_source_without_slash" {
  command = plan
  variables {
    sources = { event1 = { key_pointer = "order" } }
  }
  expect_failures = [var.sources]
}

run "pointers_that_a_comma_would_cut" {
  command = plan
  variables {
    sources     = { event1 = { key_pointer = "/id" }, event2 = {} }
    key_pointer = "/order,id"
  }
  expect_failures = [var.sources]
}

run "unknown_content" {
  command = plan
  variables {
    sources = { event1 = { content = "xml" } }
  }
  expect_failures = [var.sources]
}

run "memory_store" {
  command = plan
  variables {
    store = "memory"
  }
  expect_failures = [var.store]
}

run "unknown_claim_store" {
  command = plan
  variables {
    claim_store = "redis"
  }
  expect_failures = [var.claim_store]
}

run "retention_of_a_day" {
  command = plan
  variables {
    retention_days = 1
  }
  expect_failures = [var.retention_days]
}

run "soft_delete_of_a_day" {
  command = plan
  variables {
    soft_delete_days = 1
  }
  expect_failures = [var.soft_delete_days]
}

run "dataset_with_hyphen" {
  command = plan
  variables {
    dataset_id = "my-dataset"
  }
  expect_failures = [var.dataset_id]
}

run "bucket_with_scheme" {
  command = plan
  variables {
    bucket_name = "gs://b"
  }
  expect_failures = [var.bucket_name]
}

run "old_runtime" {
  command = plan
  variables {
    runtime = "go122"
  }
  expect_failures = [var.runtime]
}

run "entry_point_that_hangs" {
  command = plan
  variables {
    entry_point = "EventDriverCloudEvent"
  }
  expect_failures = [var.entry_point]
}

run "memory_without_unit" {
  command = plan
  variables {
    memory = "512"
  }
  expect_failures = [var.memory]
}

run "more_events_than_memory" {
  command = plan
  variables {
    concurrency = 97
  }
  expect_failures = [var.concurrency]
}

run "the_old_concurrency_in_less_memory" {
  command = plan
  variables {
    memory      = "256Mi"
    concurrency = 80
  }
  expect_failures = [var.concurrency]
}

run "no_concurrency" {
  command = plan
  variables {
    concurrency = 0
  }
  expect_failures = [var.concurrency]
}

run "timeout_beyond_redelivery" {
  command = plan
  variables {
    timeout_seconds = 3600
  }
  expect_failures = [var.timeout_seconds]
}

run "concurrency_on_half_a_cpu" {
  command = plan
  variables {
    cpu         = "0.5"
    concurrency = 80
  }
  expect_failures = [var.concurrency]
}

run "min_above_max" {
  command = plan
  variables {
    min_instances = 5
    max_instances = 2
  }
  expect_failures = [var.min_instances]
}

run "environment_of_the_module" {
  command = plan
  variables {
    environment = { EVENT_STORE = "memory" }
  }
  expect_failures = [var.environment]
}

run "environment_of_the_platform" {
  command = plan
  variables {
    environment = { K_SERVICE = "x" }
  }
  expect_failures = [var.environment]
}

run "label_in_upper_case" {
  command = plan
  variables {
    labels = { Team = "x" }
  }
  expect_failures = [var.labels]
}

run "key_version" {
  command = plan
  variables {
    kms_key = { id = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1" }
  }
  expect_failures = [var.kms_key]
}

run "unknown_ingress" {
  command = plan
  variables {
    ingress = "PUBLIC"
  }
  expect_failures = [var.ingress]
}

run "short_connector" {
  command = plan
  variables {
    vpc_connector = "c"
  }
  expect_failures = [var.vpc_connector]
}

run "output_topic_that_is_no_topic" {
  command = plan
  variables {
    output_topic = { id = "projects/p/topic" }
  }
  expect_failures = [var.output_topic]
}

run "create_topic_without_name" {
  command = plan
  variables {
    output_topic = { id = "projects/p/topics/t-1", create = true }
  }
  expect_failures = [var.output_topic]
}

run "dead_letter_topic_that_is_no_topic" {
  command = plan
  variables {
    dead_letter_topic = { id = "/t" }
  }
  expect_failures = [var.dead_letter_topic]
}

run "no_age" {
  command = plan
  variables {
    max_event_age = "0s"
  }
  expect_failures = [var.max_event_age]
}

run "age_without_unit" {
  command = plan
  variables {
    max_event_age = "20"
  }
  expect_failures = [var.max_event_age]
}

run "channel_by_mail" {
  command = plan
  variables {
    alert_channels = ["me@example.com"]
  }
  expect_failures = [var.alert_channels]
}

run "retention_beyond_bigquerys_locks" {
  command = plan
  variables {
    store          = "bigquery"
    retention_days = 200
  }
  expect_failures = [var.retention_days]
}

run "too_many_cpus" {
  command = plan
  variables {
    cpu = "16"
  }
  expect_failures = [var.cpu]
}

run "three_cpus" {
  command = plan
  variables {
    cpu = "3"
  }
  expect_failures = [var.cpu]
}

run "too_much_memory_for_a_cpu" {
  command = plan
  variables {
    memory = "8Gi"
  }
  expect_failures = [terraform_data.ready]
}

run "too_much_memory_for_half_a_cpu" {
  command = plan
  variables {
    cpu    = "0.5"
    memory = "2Gi"
  }
  expect_failures = [terraform_data.ready]
}

run "too_little_memory_for_four_cpus" {
  command = plan
  variables {
    cpu = "4"
  }
  expect_failures = [terraform_data.ready]
}

run "as_much_memory_as_goes_with_two_cpus" {
  command = plan
  variables {
    cpu    = "2"
    memory = "8Gi"
  }
}

run "no_instances" {
  command = plan
  variables {
    max_instances = 0
  }
  expect_failures = [var.max_instances]
}

run "unknown_egress" {
  command = plan
  variables {
    vpc_egress = "ALL"
  }
  expect_failures = [var.vpc_egress]
}

run "wait_of_an_hour" {
  command = plan
  variables {
    settle_seconds = 3600
  }
  expect_failures = [var.settle_seconds]
}

run "part_of_a_day" {
  command = plan
  variables {
    retention_days = 2.5
  }
  expect_failures = [var.retention_days]
}

run "topic_to_create_that_is_no_topic" {
  command = plan
  variables {
    sources = { event1 = { create_topic = "1st" } }
  }
  expect_failures = [var.sources]
}

run "environment_of_bigquery" {
  command = plan
  variables {
    environment = { BIGQUERY_RETENTION = "1h" }
  }
  expect_failures = [var.environment]
}

run "same_topic_in_two_spellings" {
  command = plan
  variables {
    sources = { event1 = { topic = { id = "orders" } }, event2 = { topic = { id = "projects/p-123456/topics/orders" } } }
  }
  expect_failures = [var.sources]
}

run "same_topic_by_its_default_name" {
  command = plan
  variables {
    sources = { event1 = { create_topic = "orders-event2" }, event2 = {} }
  }
  expect_failures = [var.sources]
}

run "same_trigger_twice" {
  command = plan
  variables {
    sources = {
      event1 = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "b" } }
      event2 = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "b" }, location = "europe-west1", aliases = ["a"] }
    }
  }
  expect_failures = [var.sources]
}

run "name_that_can_be_no_path" {
  command = plan
  variables {
    sources = { "order.created" = {} }
  }
  expect_failures = [var.sources]
}

run "name_that_begins_with_a_digit" {
  command = plan
  variables {
    sources = { "1st" = {} }
  }
  expect_failures = [var.sources]
}

run "same_trigger_with_another_name_in_its_pattern" {
  command = plan
  variables {
    sources = {
      created = { event_type = "google.cloud.firestore.document.v1.created", path_patterns = { document = "orders/{id}/{rest=**}" } }
      again   = { event_type = "google.cloud.firestore.document.v1.created", path_patterns = { document = "orders/{order=*}/**" } }
    }
  }
  expect_failures = [var.sources]
}

run "same_trigger_by_filter_and_by_pattern" {
  command = plan
  variables {
    sources = {
      created = { event_type = "google.cloud.firestore.document.v1.created", path_patterns = { document = "orders/1" } }
      again   = { event_type = "google.cloud.firestore.document.v1.created", filters = { document = "orders/1" } }
    }
  }
  expect_failures = [var.sources]
}

run "events_of_datastore" {
  command = plan
  variables {
    sources = { written = { event_type = "google.cloud.datastore.entity.v1.written", filters = { database = "(default)" } } }
  }
  expect_failures = [var.sources]
}

run "messages_of_a_topic_in_protobuf" {
  command = plan
  variables {
    sources = { paid = { topic = { id = "payments" }, content_type = "application/protobuf" } }
  }
  expect_failures = [var.sources]
}

run "audit_log_in_protobuf" {
  command = plan
  variables {
    sources = { inserted = { event_type = "google.cloud.audit.log.v1.written", content_type = "application/protobuf" } }
  }
  expect_failures = [var.sources]
}

# What differs is accepted.
run "two_patterns_of_one_event_type" {
  command = plan
  variables {
    sources = {
      orders = { event_type = "google.cloud.firestore.document.v1.created", path_patterns = { document = "orders/{id}" } }
      lines  = { event_type = "google.cloud.firestore.document.v1.created", path_patterns = { document = "orders/{id}/lines/{line}" } }
      json   = { event_type = "google.cloud.firestore.document.v1.created", path_patterns = { document = "json/{id}" }, content_type = "application/json" }
      stored = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "parcels" }, content_type = "application/protobuf" }
    }
  }
}
