# Something looks for joins that are overdue, and for orders that nobody acts upon.
mock_provider "google" { source = "./tests/mocks" }

override_resource {
  target = google_service_account.sweep
  values = {
    email  = "orders-sweep@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-sweep@p-123456.iam.gserviceaccount.com"
  }
}

variables {
  state_moved    = "by_default" # other than where a run moves
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "deadline" {
  variables {
    region         = "us-central1"
    join_deadline  = "36h30m"
    on_deadline    = "process"
    sweep_schedule = "0 * * * *"

    timeout_seconds = 540
  }
  assert {
    condition = { for k, v in google_cloudfunctions2_function.this[0].service_config[0].environment_variables : k => v if can(regex("DEADLINE", k)) } == {
      JOIN_DEADLINE = "36h30m", ON_DEADLINE = "process"
    }
    error_message = "The function must be told of the deadline."
  }
  assert {
    condition = [for job in google_cloud_scheduler_job.sweep : "${job.name} ${job.region} ${job.schedule} ${job.time_zone} ${job.attempt_deadline}"] == [
      "orders-sweep us-central1 0 * * * * Etc/UTC 540s"
    ]
    error_message = "The job must run as the schedule says, and wait for as long as the function may take."
  }
  assert {
    condition = [for target in google_cloud_scheduler_job.sweep[0].http_target : "${target.http_method} ${target.uri} ${join(" ", values(one(target.oidc_token)))}"] == [
      "POST https://orders-abc-ew.a.run.app/sweep https://orders-abc-ew.a.run.app orders-sweep@p-123456.iam.gserviceaccount.com"
    ]
    error_message = "The job must POST to the function's /sweep, with a token for the function of the sweep's own account."
  }
  assert {
    condition = [for grant in google_cloud_run_v2_service_iam_member.sweep_invoker : "${grant.location} ${grant.name} ${grant.role} ${grant.member}"] == [
      "us-central1 orders roles/run.invoker serviceAccount:orders-sweep@p-123456.iam.gserviceaccount.com"
    ]
    error_message = "The sweep's account must be allowed to call this service."
  }
  assert {
    condition     = google_service_account.sweep[0].account_id == "orders-sweep" && contains(keys(google_project_service.this), "cloudscheduler.googleapis.com")
    error_message = "The account and the API must be there."
  }
}

run "deadline_by_default" {
  variables {
    state_moved     = "deadline_by_default"
    join_deadline   = "24h"
    timeout_seconds = 5
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["ON_DEADLINE"] == "letter"
    error_message = "An overdue join must be dead-lettered by default."
  }
  assert {
    condition     = "${google_cloud_scheduler_job.sweep[0].schedule} ${google_cloud_scheduler_job.sweep[0].attempt_deadline}" == "*/15 * * * * 15s"
    error_message = "There must be a sweep every quarter of an hour, within what Cloud Scheduler takes."
  }
}

run "no_sweeps" {
  variables {
    sweep_schedule = "none"
  }
  assert {
    condition     = length(google_cloud_scheduler_job.sweep) + length(google_service_account.sweep) + length(google_cloud_run_v2_service_iam_member.sweep_invoker) == 0
    error_message = "There must be no job."
  }
  assert {
    condition     = !contains(keys(google_project_service.this), "cloudscheduler.googleapis.com")
    error_message = "The API must not be asked for."
  }
}

run "deadline_without_sweeps" {
  command = plan
  variables {
    join_deadline  = "24h"
    sweep_schedule = "none"
  }
  expect_failures = [var.sweep_schedule]
}

run "no_deadline_in_bigquery" {
  command = plan
  variables {
    state_moved = "no_deadline_in_bigquery"
    store       = "bigquery"
    claim_store = "gcs"
  }
  assert {
    condition     = length(google_cloud_scheduler_job.sweep) == 0
    error_message = "Queries that nobody has asked for must cost nothing."
  }
}

run "no_deadline" {
  assert {
    condition     = google_cloud_scheduler_job.sweep[0].schedule == "17 * * * *"
    error_message = "Without a deadline there must be a sweep every hour, for orders that nobody acts upon."
  }
  assert {
    condition     = length([for k in keys(google_cloudfunctions2_function.this[0].service_config[0].environment_variables) : k if can(regex("DEADLINE", k))]) == 0
    error_message = "Without a deadline the function must not be told of one."
  }
}

# What the function would refuse at its start, the plan refuses.
run "no_length_of_time" {
  command = plan
  variables {
    join_deadline = "1d"
  }
  expect_failures = [var.join_deadline]
}

run "no_time_at_all" {
  command = plan
  variables {
    join_deadline = "0h"
  }
  expect_failures = [var.join_deadline]
}

run "any_stores" {
  command = plan
  variables {
    state_moved   = "any_stores"
    join_deadline = "24h"
    store         = "bigquery"
    claim_store   = "gcs"
  }
  assert {
    condition     = length(google_cloud_scheduler_job.sweep) == 1
    error_message = "A deadline must be possible with events in BigQuery."
  }
}

run "deadline_after_the_events_are_deleted" {
  command = plan
  variables {
    join_deadline  = "47h59m60s"
    retention_days = 2
  }
  expect_failures = [var.join_deadline]
}

run "deadline_before_the_events_are_deleted" {
  command = plan
  variables {
    join_deadline  = "47h59m59s999ms"
    retention_days = 2
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["JOIN_DEADLINE"] == "47h59m59s999ms"
    error_message = "A deadline that is shorter must be allowed."
  }
}

run "neither_letter_nor_process" {
  command = plan
  variables {
    join_deadline = "24h"
    on_deadline   = "drop"
  }
  expect_failures = [var.on_deadline]
}

run "letters_that_are_off" {
  command = plan
  variables {
    join_deadline = "24h"
    environment   = { DEAD_LETTERS = "Off" }
  }
  expect_failures = [var.on_deadline]
}

run "processed_without_letters" {
  command = plan
  variables {
    join_deadline = "24h"
    on_deadline   = "process"
    environment   = { DEAD_LETTERS = "off" }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["ON_DEADLINE"] == "process"
    error_message = "What is there can be processed where letters are off."
  }
}

run "schedule_of_seconds" {
  command = plan
  variables {
    sweep_schedule = "0 */5 * * * *"
  }
  expect_failures = [var.sweep_schedule]
}

run "deadline_in_the_environment" {
  command = plan
  variables {
    environment = { JOIN_DEADLINE = "24h" }
  }
  expect_failures = [var.environment]
}
