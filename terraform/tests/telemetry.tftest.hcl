# Traces and metrics: nothing of them by default, and all that Google needs where they go there.
mock_provider "google" { source = "./tests/mocks" }

override_resource {
  target = google_service_account.run
  values = {
    email  = "orders-run@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-run@p-123456.iam.gserviceaccount.com"
  }
}

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
  alert_channels = ["projects/p-123456/notificationChannels/1"]
}

run "off" {
  assert {
    condition     = length(google_project_iam_member.run_telemetry) + length(google_monitoring_dashboard.this) + length(google_monitoring_alert_policy.metric) == 0
    error_message = "Nothing must be made for telemetry that is off."
  }
  assert {
    condition     = !contains(keys(google_project_service.this), "telemetry.googleapis.com") && !contains(keys(google_cloudfunctions2_function.this[0].service_config[0].environment_variables), "TELEMETRY")
    error_message = "Neither the API nor the variable must be set."
  }
  assert {
    condition     = strcontains(google_cloudfunctions2_function.this[0].build_config[0].environment_variables.GOFLAGS, ",notelemetry")
    error_message = "The function must be built without it."
  }
}

run "google" {
  variables {
    telemetry   = "google"
    labels      = { team = "shop" }
    environment = { OTEL_TRACES_SAMPLER = "always_on" }
  }
  assert {
    condition     = length(setsubtract(["cloudtrace.googleapis.com", "monitoring.googleapis.com", "telemetry.googleapis.com"], keys(google_project_service.this))) == 0
    error_message = "The APIs must be enabled."
  }
  assert {
    condition = [for grant in google_project_iam_member.run_telemetry : "${grant.project} ${grant.role} ${grant.member}"] == [
      "p-123456 roles/telemetry.writer serviceAccount:orders-run@p-123456.iam.gserviceaccount.com"
    ]
    error_message = "The function's account must be able to write."
  }
  assert {
    condition = (google_cloudfunctions2_function.this[0].service_config[0].environment_variables.TELEMETRY == "google"
      && google_cloudfunctions2_function.this[0].service_config[0].environment_variables.OTEL_TRACES_SAMPLER == "always_on"
    )
    error_message = "The function must be told."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].build_config[0].environment_variables.GOFLAGS == "-tags=disable_grpc_modules,nobigquery"
    error_message = "The function must be built with it."
  }
  assert {
    condition     = jsondecode(google_monitoring_dashboard.this[0].dashboard_json).displayName == "orders (europe-west1)"
    error_message = "The dashboard must be called after the function."
  }
  assert {
    condition = alltrue(flatten([for tile in jsondecode(google_monitoring_dashboard.this[0].dashboard_json).mosaicLayout.tiles : [
      for set in tile.widget.xyChart.dataSets : strcontains(set.timeSeriesQuery.prometheusQuery, "job=\"orders\",location=\"europe-west1\"")
    ]]))
    error_message = "The dashboard must show this function alone."
  }
  assert {
    condition = { for alert, policy in google_monitoring_alert_policy.metric : alert => [for c in policy.conditions : c.condition_prometheus_query_language[0].query] } == {
      slow-joins = ["histogram_quantile(0.95, sum by (le) (rate({\"eventdriver.join.wait_bucket\",job=\"orders\",location=\"europe-west1\"}[1h]))) > 3600"]
      old-joins  = ["max by (\"eventdriver.missing\") ({\"eventdriver.joins.waiting\",job=\"orders\",location=\"europe-west1\",\"eventdriver.age\"=\">=1d\"}) > 0"]
      lost-keys = [for metric in ["eventdriver.completions.fenced", "eventdriver.leases.lost", "eventdriver.takeovers"] :
        "sum(({\"${metric}\",job=\"orders\",location=\"europe-west1\"} unless {\"${metric}\",job=\"orders\",location=\"europe-west1\"} offset 1h) or increase({\"${metric}\",job=\"orders\",location=\"europe-west1\"}[1h])) > 3"
      ]
    }
    error_message = "There must be alerts of joins that are slow, of those that wait, and of keys that are lost."
  }
  assert {
    condition = alltrue([for policy in google_monitoring_alert_policy.metric :
      policy.notification_channels == tolist(["projects/p-123456/notificationChannels/1"]) && policy.user_labels == tomap({ team = "shop" })
    && alltrue([for c in policy.conditions : c.condition_prometheus_query_language[0].disable_metric_validation])])
    error_message = "The alerts must go to the channels, and be made before the first event."
  }
  assert {
    condition = google_monitoring_alert_policy.metric["slow-joins"].documentation[0].content == join("\n\n", [
      "First run: `go run ./cmd/eventdriver waiting --service=orders --region=europe-west1 --project=p-123456`",
      "[What it means, and what to do](docs/operations.md#joins-take-too-long)",
    ])
    error_message = "An alert must say what to run first, and link to its section."
  }
}

run "long_joins" {
  variables {
    telemetry         = "google"
    slow_join_seconds = 172800
  }
  assert {
    condition     = join(" ", keys(google_monitoring_alert_policy.metric)) == "lost-keys slow-joins" && endswith(google_monitoring_alert_policy.metric["slow-joins"].conditions[0].condition_prometheus_query_language[0].query, " > 172800")
    error_message = "Where joins may take two days, one that waits for a day must not alert."
  }
}

run "no_sweeps" {
  variables {
    telemetry      = "google"
    sweep_schedule = "none"
  }
  assert {
    condition     = join(" ", keys(google_monitoring_alert_policy.metric)) == "lost-keys slow-joins"
    error_message = "Without sweeps nobody sees what waits."
  }
}

run "no_channels" {
  variables {
    telemetry      = "google"
    alert_channels = []
    grant_roles    = false
    service_accounts = {
      run     = { email = "run@p-123456.iam.gserviceaccount.com" }
      trigger = { email = "trigger@p-123456.iam.gserviceaccount.com" }
      build   = { email = "build@p-123456.iam.gserviceaccount.com" }
    }
  }
  assert {
    condition     = length(google_monitoring_alert_policy.metric) + length(google_project_iam_member.run_telemetry) == 0 && length(google_monitoring_dashboard.this) == 1
    error_message = "Without channels there must be no alerts, and without grant_roles no role on the project."
  }
}

run "collector" {
  variables {
    telemetry   = "otlp"
    environment = { OTEL_EXPORTER_OTLP_ENDPOINT = "https://collector.example.com" }
  }
  assert {
    condition     = length(google_project_iam_member.run_telemetry) + length(google_monitoring_dashboard.this) + length(google_monitoring_alert_policy.metric) == 0
    error_message = "A collector needs nothing of Google's."
  }
  assert {
    condition = (google_cloudfunctions2_function.this[0].service_config[0].environment_variables.TELEMETRY == "otlp"
      && google_cloudfunctions2_function.this[0].build_config[0].environment_variables.GOFLAGS == "-tags=disable_grpc_modules,nobigquery"
    )
    error_message = "The function must be told, and be built with it."
  }
}

run "nowhere" {
  command = plan
  variables {
    telemetry = "azure"
  }
  expect_failures = [var.telemetry]
}

run "collector_without_address" {
  command = plan
  variables {
    telemetry = "otlp"
  }
  expect_failures = [terraform_data.ready]
}

run "variables_that_are_not_read" {
  command = plan
  variables {
    environment = { OTEL_EXPORTER_OTLP_ENDPOINT = "https://collector.example.com" }
  }
  expect_failures = [var.environment]
}

run "twice" {
  command = plan
  variables {
    telemetry   = "google"
    environment = { TELEMETRY = "otlp" }
  }
  expect_failures = [var.environment]
}

run "longer_than_anything_is_kept" {
  command = plan
  variables {
    slow_join_seconds = 604800
  }
  expect_failures = [var.slow_join_seconds]
}
