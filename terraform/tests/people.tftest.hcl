# What people may do with cmd/eventdriver, on what the module makes.
mock_provider "google" { source = "./tests/mocks" }

variables {
  state_moved    = "by_default" # other than where a run moves
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "state_in_cloud_storage" {
  variables {
    viewers   = { support = "group:support@example.com" }
    operators = { both = "user:both@example.com" }
    sources   = { placed = {}, paid = { topic = { id = "projects/p-123456/topics/theirs" } } }
  }
  assert {
    condition = toset([for grant in concat(values(google_cloud_run_v2_service_iam_member.people), values(google_cloud_run_v2_service_iam_member.operators)) :
      "${grant.name} ${grant.role} ${grant.member}"]) == toset([
      "orders roles/run.viewer group:support@example.com", "orders roles/run.viewer user:both@example.com", "orders roles/run.invoker user:both@example.com"
    ])
    error_message = "Both must be allowed to read the settings, and operators to call the function."
  }
  assert {
    condition = toset([for grant in concat(values(google_storage_bucket_iam_member.viewers), values(google_storage_bucket_iam_member.operators)) :
      "${grant.bucket} ${grant.role} ${grant.member}"]) == toset([
      "p-123456-orders-events roles/storage.objectViewer group:support@example.com", "p-123456-orders-events roles/storage.objectUser user:both@example.com"
    ])
    error_message = "Viewers must be allowed to read the bucket, and operators to write to it."
  }
  assert {
    condition = [for grant in concat(values(google_pubsub_subscription_iam_member.operators)) : "${grant.subscription} ${grant.role} ${grant.member}"] == [
      "orders-dead-letters roles/pubsub.subscriber user:both@example.com"
    ]
    error_message = "Operators alone must be allowed to take dead letters: who may read them may delete them."
  }
  assert {
    condition = [for grant in values(google_pubsub_topic_iam_member.operators) : "${grant.topic} ${grant.role} ${grant.member}"] == [
      "orders-placed roles/pubsub.publisher user:both@example.com"
    ]
    error_message = "Operators must be allowed to publish to the module's own topics."
  }
  assert {
    condition = toset([for grant in concat(values(google_project_iam_member.people_logs), values(google_project_iam_member.operators_audit)) :
      "${grant.role} ${grant.member}"]) == toset([
      "roles/logging.viewer group:support@example.com", "roles/logging.viewer user:both@example.com", "roles/logging.logWriter user:both@example.com"
    ])
    error_message = "Both must be allowed to read the log, and operators to write to it."
  }
  assert {
    condition = toset([for grant in concat(values(google_project_iam_member.operators_jobs), values(google_project_iam_member.operators_sweep)) :
      "${grant.role} ${grant.member}"]) == toset([
      "roles/cloudscheduler.viewer user:both@example.com", "roles/cloudscheduler.jobRunner user:both@example.com"
    ])
    error_message = "Operators must be allowed to find the job that sweeps, and to run it."
  }
  assert {
    condition     = length(google_project_iam_member.people_jobs) + length(google_bigquery_dataset_iam_member.viewers) + length(google_bigquery_dataset_iam_member.operators) == 0
    error_message = "Without BigQuery nothing must be granted there, and no jobs on the project."
  }
}

run "state_in_bigquery" {
  variables {
    state_moved = "state_in_bigquery"
    store       = "bigquery"
    claim_store = "bigquery"
    viewers     = { support = "group:support@example.com" }
    operators   = { on-call = "group:on-call@example.com" }
  }
  assert {
    condition = toset([for grant in concat(values(google_bigquery_dataset_iam_member.viewers), values(google_bigquery_dataset_iam_member.operators)) :
      "${grant.dataset_id} ${grant.role} ${grant.member}"]) == toset([
      "orders roles/bigquery.dataViewer group:support@example.com", "orders roles/bigquery.dataEditor group:on-call@example.com"
    ])
    error_message = "Viewers must be allowed to read the dataset, and operators to write to it."
  }
  assert {
    condition = toset([for grant in google_project_iam_member.people_jobs : "${grant.role} ${grant.member}"]) == toset([
      "roles/bigquery.jobUser group:support@example.com", "roles/bigquery.jobUser group:on-call@example.com"
    ])
    error_message = "Both must be allowed to query."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.viewers) + length(google_storage_bucket_iam_member.operators) == 0
    error_message = "There is no bucket to grant anything on."
  }
}

# Of this the addresses tell: what keeps its address is neither taken nor made.
run "viewers_become_operators_by_name" {
  variables {
    state_moved = "viewers_become_operators_by_name"
    store       = "bigquery"
    claim_store = "bigquery"
    viewers     = { on-call = "group:on-call@example.com" }
    operators   = { support = "group:support@example.com" }
  }
  assert {
    condition = alltrue([for grants in [google_cloud_run_v2_service_iam_member.people, google_project_iam_member.people_jobs, google_project_iam_member.people_logs] :
      { for who, grant in grants : who => grant.member } == { on-call = "group:on-call@example.com", support = "group:support@example.com" }
    ])
    error_message = "What viewers and operators both have must go by their names alone, as in the run before, where they were the other way round."
  }
}

run "nobody_by_default" {
  assert {
    condition = 0 == length(google_cloud_run_v2_service_iam_member.people) + length(google_cloud_run_v2_service_iam_member.operators) + length(
      google_storage_bucket_iam_member.viewers) + length(google_storage_bucket_iam_member.operators) + length(
    google_pubsub_subscription_iam_member.operators) + length(google_pubsub_topic_iam_member.operators)
    error_message = "Nobody must be granted anything who is not named."
  }
}

run "everybody_looks" {
  command = plan
  variables {
    viewers = { a = "allUsers" }
  }
  expect_failures = [var.viewers]
}

run "all_accounts_look" {
  command = plan
  variables {
    viewers = { a = "group:support@example.com", b = "allAuthenticatedUsers" }
  }
  expect_failures = [var.viewers]
}

run "everybody_changes" {
  command = plan
  variables {
    operators = { a = "allUsers" }
  }
  expect_failures = [var.operators]
}

run "a_domain_changes" {
  command = plan
  variables {
    operators = { a = "domain:example.com" }
  }
  expect_failures = [var.operators]
}

run "somebody_twice" {
  command = plan
  variables {
    viewers   = { support = "group:both@example.com" }
    operators = { on-call = "group:both@example.com" }
  }
  expect_failures = [var.operators]
}

run "one_name_for_two" {
  command = plan
  variables {
    viewers   = { us = "group:support@example.com" }
    operators = { us = "group:on-call@example.com" }
  }
  expect_failures = [var.operators]
}

run "no_job" {
  variables {
    sweep_schedule = "none"
    operators      = { a = "group:on-call@example.com" }
  }
  assert {
    condition     = length(google_project_iam_member.operators_jobs) + length(google_project_iam_member.operators_sweep) == 0
    error_message = "Without sweeps there is no job to run."
  }
}
