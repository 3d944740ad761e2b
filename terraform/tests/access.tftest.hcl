# What each account may do, and nothing else.
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

run "grants" {
  variables {
    output_topic = { id = "complete", create = true }
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.trigger_invoker.role == "roles/run.invoker" && google_cloud_run_v2_service_iam_member.trigger_invoker.name == "orders" && google_cloud_run_v2_service_iam_member.trigger_invoker.member == google_service_account.trigger[0].member
    error_message = "The triggers' account must be allowed to call this service, and no other."
  }
  assert {
    condition     = google_project_iam_member.trigger_receiver[0].role == "roles/eventarc.eventReceiver" && google_project_iam_member.trigger_receiver[0].member == google_service_account.trigger[0].member
    error_message = "The triggers' account must be allowed to receive events."
  }
  assert {
    condition     = google_service_account_iam_member.pubsub_token[0].role == "roles/iam.serviceAccountTokenCreator" && google_service_account_iam_member.pubsub_token[0].service_account_id == google_service_account.trigger[0].name && google_service_account_iam_member.pubsub_token[0].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub must be allowed to make tokens of the triggers' account alone."
  }
  assert {
    condition     = google_storage_bucket_iam_member.run[0].role == "roles/storage.objectUser" && google_storage_bucket_iam_member.run[0].bucket == "p-123456-orders-events" && google_storage_bucket_iam_member.run[0].member == google_service_account.run[0].member
    error_message = "The function must be allowed to read and write objects of its bucket."
  }
  assert {
    condition = { for k, m in google_pubsub_topic_iam_member.run_publisher : k => "${m.topic} ${m.role} ${m.member}" } == {
      dead_letters = "orders-dead-letters roles/pubsub.publisher ${google_service_account.run[0].member}"
      output       = "complete roles/pubsub.publisher ${google_service_account.run[0].member}"
    }
    error_message = "The function must be allowed to publish to its two topics."
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.build_writer[0].role == "roles/artifactregistry.writer" && google_artifact_registry_repository_iam_member.build_writer[0].member == google_service_account.build[0].member
    error_message = "The build must be allowed to write to its repository."
  }
  assert {
    condition     = google_storage_bucket_iam_member.build_source[0].role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.build_source[0].bucket == "p-123456-orders-source" && google_storage_bucket_iam_member.build_source[0].member == google_service_account.build[0].member
    error_message = "The build must be allowed to read the source."
  }
  assert {
    condition     = google_project_iam_member.build_copied_source[0].condition[0].expression == "resource.name == \"projects/_/buckets/gcf-v2-sources-123456789012-europe-west1\" || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-europe-west1/\")"
    error_message = "The build must be able to read one bucket of the project only."
  }
}

# The whole list of grants on the project, in the largest configuration.
run "project_grants_are_these_and_no_others" {
  variables {
    state_moved  = "project_grants_are_these_and_no_others"
    store        = "bigquery"
    claim_store  = "gcs"
    output_topic = { id = "complete" }
    kms_key      = { id = "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    sources = {
      event1  = {}
      invoice = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "invoices" } }
    }
  }
  assert {
    condition = toset([for m in concat([
      google_project_iam_member.trigger_receiver[0], google_project_iam_member.build_copied_source[0], google_project_iam_member.build_logs[0],
      ], google_project_iam_member.storage_publisher, google_project_iam_member.run_jobs) : "${trimprefix(split("@", m.member)[0], "serviceAccount:")} ${m.role}"]) == toset([
      "orders-trigger roles/eventarc.eventReceiver",
      "orders-build roles/storage.objectViewer",
      "orders-build roles/logging.logWriter",
      "service-123456789012 roles/pubsub.publisher",
      "orders-run roles/bigquery.jobUser",
    ])
    error_message = "The grants on the project must be those that Google has nothing smaller for."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].build_config[0].environment_variables == tomap({ GOFLAGS = "-tags=disable_grpc_modules,notelemetry", GOOGLE_GOLDFLAGS = "-s -w" })
    error_message = "A function that keeps events in BigQuery must be built with BigQuery."
  }
  assert {
    condition = alltrue([for m in concat(
      [google_cloud_run_v2_service_iam_member.trigger_invoker.member, google_service_account_iam_member.pubsub_token[0].member],
      [google_project_iam_member.trigger_receiver[0].member, google_project_iam_member.build_copied_source[0].member, google_project_iam_member.build_logs[0].member],
      [google_artifact_registry_repository_iam_member.build_writer[0].member, google_storage_bucket_iam_member.build_source[0].member],
      google_storage_bucket_iam_member.run[*].member, google_bigquery_dataset_iam_member.run[*].member,
      google_project_iam_member.run_jobs[*].member, google_project_iam_member.storage_publisher[*].member,
      values(google_pubsub_topic_iam_member.run_publisher)[*].member, values(google_kms_crypto_key_iam_member.this)[*].member,
    ) : startswith(m, "serviceAccount:")])
    error_message = "Nobody but service accounts may be granted anything: no allUsers, no people."
  }
  assert {
    condition     = google_project_iam_member.build_copied_source[0].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-europe-west1-\")"
    error_message = "With a key, the build must be able to read the buckets for keys only."
  }
  assert {
    condition     = toset(keys(google_kms_crypto_key_iam_member.this)) == toset(["artifactregistry", "bigquery", "eventarc", "functions", "pubsub", "run", "storage"])
    error_message = "Each of Google's services that keeps data must be allowed to use the key."
  }
  assert {
    condition     = google_kms_crypto_key_iam_member.this["bigquery"].member == "serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com"
    error_message = "BigQuery's account must be asked for, since that creates it."
  }
}

run "no_grants_for_what_is_not_used" {
  assert {
    condition     = length(google_project_iam_member.run_jobs) + length(google_bigquery_dataset_iam_member.run) + length(google_project_iam_member.storage_publisher) + length(google_kms_crypto_key_iam_member.this) == 0
    error_message = "Without BigQuery, a bucket's events and a key there must be no grants for them."
  }
  assert {
    condition     = join(" ", keys(google_pubsub_topic_iam_member.run_publisher)) == "dead_letters"
    error_message = "Without an output topic the function must not publish to one."
  }
}

run "nothing_is_looked_up_that_is_told" {
  command = plan
  variables {
    state_moved    = "nothing_is_looked_up_that_is_told"
    project_number = "987654321098"
    store          = "bigquery"
    kms_key        = { id = "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    sources        = { event1 = {}, invoice = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "invoices" } } }
  }
  assert {
    condition = length(data.google_project.this) == 0 && alltrue([for member in concat(
      values(google_kms_crypto_key_iam_member.this)[*].member, google_project_iam_member.storage_publisher[*].member,
      [google_service_account_iam_member.pubsub_token[0].member],
    ) : strcontains(member, "987654321098")])
    error_message = "Grants must be made of the project's number, so that a lookup that is deferred replaces none."
  }
  assert {
    condition     = strcontains(google_project_iam_member.build_copied_source[0].condition[0].expression, "gcf-v2-sources-987654321098-")
    error_message = "The condition of the build's grant must be made of the number, too."
  }
}
