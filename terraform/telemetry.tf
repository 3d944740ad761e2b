# Traces and metrics in OpenTelemetry. What is sent to Google has a dashboard, and alerts where there are
# alert_channels. docs/how-to/telemetry.md describes the metrics; a test compares them with the queries here and in
# dashboard.json.

locals {
  google_telemetry = var.telemetry == "google" ? 1 : 0

  own_series = "job=\"${var.name}\",location=\"${var.region}\""

  lost_keys = ["eventdriver.takeovers", "eventdriver.leases.lost", "eventdriver.completions.fenced"]

  metric_alerts = { for alert, says in {
    slow-joins = {
      title   = "Joins take too long"
      queries = { "" = "histogram_quantile(0.95, sum by (le) (rate({\"eventdriver.join.wait_bucket\",${local.own_series}}[1h]))) > ${var.slow_join_seconds}" }
      command = "waiting"
    }
    old-joins = {
      title   = "Joins wait for more than a day"
      queries = { "" = "max by (\"eventdriver.missing\") ({\"eventdriver.joins.waiting\",${local.own_series},\"eventdriver.age\"=\">=1d\"}) > 0" }
      command = "waiting --older-than=24h"
    }
    # A series that is new has counted within the hour all that it has.
    lost-keys = {
      title = "Runs lose their keys"
      queries = { for metric in local.lost_keys : metric => replace(
        "sum((SERIES unless SERIES offset 1h) or increase(SERIES[1h])) > 3",
        "SERIES", "{\"${metric}\",${local.own_series}}"
      ) }
      command = "doctor"
    }
    } : alert => says if local.alerting && local.google_telemetry > 0 && (
    alert != "old-joins" || local.sweeps > 0 && var.slow_join_seconds <= 86400
  ) }
}

# It belongs to the project, and nothing smaller can be granted.
resource "google_project_iam_member" "run_telemetry" {
  count = var.grant_roles ? local.google_telemetry : 0

  project = var.project_id
  role    = "roles/telemetry.writer"
  member  = local.members.run
}

resource "google_monitoring_dashboard" "this" {
  count = local.google_telemetry

  project        = var.project_id
  dashboard_json = templatefile("${path.module}/dashboard.json", { name = var.name, region = var.region })

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = local.metric_alerts

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = var.alert_channels
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = each.value.queries
    content {
      display_name = trimsuffix("${each.value.title}: ${conditions.key}", ": ")

      condition_prometheus_query_language {
        query               = conditions.value
        duration            = "0s"
        evaluation_interval = "60s"
        # Cloud Monitoring learns of a metric with its first point.
        disable_metric_validation = true
      }
    }
  }

  documentation {
    content   = local.help[each.key]
    mime_type = "text/markdown"
  }

  depends_on = [google_project_service.this, terraform_data.service]
}
