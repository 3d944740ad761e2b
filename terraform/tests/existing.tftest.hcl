# What exists is used instead of made, and with grant_roles = false nothing is granted on it or on the project.
mock_provider "google" { source = "./tests/mocks" }

variables {
  project_id     = "p-123456"
  project_number = "123456789012"
  name           = "orders"
  settle_seconds = 0

  store          = "bigquery"
  create_bucket  = false
  bucket_name    = "theirs"
  create_dataset = false
  dataset_id     = "theirs"
  repository     = { id = "projects/p-images/locations/europe-west1/repositories/theirs" }

  dead_letter_topic        = { id = "projects/p-123456/topics/dead" }
  dead_letter_subscription = { id = "projects/p-123456/subscriptions/dead" }
  source_archive           = "gs://builds/orders.zip#1"

  service_accounts = {
    run     = { email = "run@p-123456.iam.gserviceaccount.com" }
    trigger = { email = "trigger@p-123456.iam.gserviceaccount.com" }
    build   = { email = "build@p-123456.iam.gserviceaccount.com" }
    sweep   = { email = "sweep@p-123456.iam.gserviceaccount.com" }
  }
  sweep_schedule = "0 * * * *"
  secrets        = { shop = { id = "shop", environment = "SHOP_PASSWORD" } }
}

run "used" {
  assert {
    condition = 0 == length(google_service_account.run) + length(google_service_account.trigger) + length(google_service_account.build) + length(
      google_service_account.sweep) + length(google_storage_bucket.events) + length(google_bigquery_dataset.events) + length(
    google_artifact_registry_repository.images) + length(google_pubsub_topic.dead_letters) + length(google_pubsub_subscription.dead_letters)
    error_message = "What exists must not be made."
  }
  assert {
    condition = { for name in ["GCS_BUCKET", "BIGQUERY_DATASET", "DEAD_LETTER_TOPIC"] : name => google_cloudfunctions2_function.this[0].service_config[0].environment_variables[name] } == {
      GCS_BUCKET = "theirs", BIGQUERY_DATASET = "theirs", DEAD_LETTER_TOPIC = "projects/p-123456/topics/dead"
    }
    error_message = "The function must be told what it is given."
  }
  assert {
    condition     = [output.bucket, output.dataset, output.dead_letter_subscription] == ["theirs", "theirs", "dead"]
    error_message = "The outputs must name what is given."
  }
  assert {
    condition = [for c in google_cloudfunctions2_function.this[0].build_config : "${c.docker_repository} ${c.service_account}"] == [
    "projects/p-images/locations/europe-west1/repositories/theirs projects/p-123456/serviceAccounts/build@p-123456.iam.gserviceaccount.com"]
    error_message = "The function must be built by the account that is given, into the repository that is given."
  }
  assert {
    condition = [google_cloudfunctions2_function.this[0].service_config[0].service_account_email, google_eventarc_trigger.this["event1"].service_account, google_cloud_scheduler_job.sweep[0].http_target[0].oidc_token[0].service_account_email] == [
    "run@p-123456.iam.gserviceaccount.com", "trigger@p-123456.iam.gserviceaccount.com", "sweep@p-123456.iam.gserviceaccount.com"]
    error_message = "The function, triggers and job must use the accounts that are given."
  }
  assert {
    condition = [for grant in [google_storage_bucket_iam_member.run[0], google_storage_bucket_iam_member.build_given_source[0]] : "${grant.bucket} ${grant.member}"] == [
    "theirs serviceAccount:run@p-123456.iam.gserviceaccount.com", "builds serviceAccount:build@p-123456.iam.gserviceaccount.com"]
    error_message = "The accounts must be granted what they need on what is given."
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.build_writer[0].project == "p-images" && google_artifact_registry_repository_iam_member.build_writer[0].repository == "theirs"
    error_message = "The build must be allowed to write to the repository, in its project."
  }
  assert {
    condition     = google_service_account_iam_member.pubsub_token[0].service_account_id == "projects/p-123456/serviceAccounts/trigger@p-123456.iam.gserviceaccount.com"
    error_message = "Pub/Sub must be allowed to make tokens of the account that is given."
  }
}

run "secret" {
  command = plan
  assert {
    condition     = google_secret_manager_secret_iam_member.run["shop"].member == "serviceAccount:run@p-123456.iam.gserviceaccount.com"
    error_message = "The account must be allowed to read the secret."
  }
}

run "granted_by_others" {
  variables {
    grant_roles = false
  }
  assert {
    condition = 0 == length(google_project_iam_member.trigger_receiver) + length(google_project_iam_member.build_copied_source) + length(
      google_project_iam_member.build_logs) + length(google_project_iam_member.run_jobs) + length(google_storage_bucket_iam_member.run) + length(
      google_bigquery_dataset_iam_member.run) + length(google_artifact_registry_repository_iam_member.build_writer) + length(
      google_storage_bucket_iam_member.build_given_source) + length(google_service_account_iam_member.pubsub_token) + length(
    google_pubsub_topic_iam_member.run_publisher) + length(google_secret_manager_secret_iam_member.run)
    error_message = "Nothing must be granted on the project, or on what is given."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.trigger_invoker.member == "serviceAccount:trigger@p-123456.iam.gserviceaccount.com" && google_cloud_run_v2_service_iam_member.sweep_invoker[0].member == "serviceAccount:sweep@p-123456.iam.gserviceaccount.com"
    error_message = "On the service, which the module makes, it must grant all the same."
  }
}

run "bucket_that_is_made_after_all" {
  command = plan
  variables {
    create_bucket = true
  }
  expect_failures = [terraform_data.place]
}

run "bucket_without_name" {
  command = plan
  variables {
    bucket_name = null
  }
  expect_failures = [var.create_bucket]
}

run "location_of_a_bucket_that_exists" {
  command = plan
  variables {
    bucket_location = "EU"
  }
  expect_failures = [var.create_bucket]
}

run "dataset_without_id" {
  command = plan
  variables {
    dataset_id = null
  }
  expect_failures = [var.create_dataset]
}

run "repository_by_name" {
  command = plan
  variables {
    repository = { id = "theirs" }
  }
  expect_failures = [var.repository]
}

run "subscription_of_no_topic_that_is_given" {
  command = plan
  variables {
    dead_letter_topic = null
  }
  expect_failures = [var.dead_letter_subscription]
}

run "subscription_of_another_project" {
  command = plan
  variables {
    dead_letter_subscription = { id = "projects/p-others/subscriptions/dead" }
  }
  expect_failures = [var.dead_letter_subscription]
}

run "account_of_another_project" {
  command = plan
  variables {
    service_accounts = { run = { email = "run@p-others.iam.gserviceaccount.com" } }
  }
  expect_failures = [var.service_accounts]
}

run "roles_of_accounts_that_are_yet_to_be_made" {
  command = plan
  variables {
    grant_roles      = false
    service_accounts = {}
  }
  expect_failures = [var.grant_roles]
}
