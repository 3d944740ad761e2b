# Each alert's title is also the heading of what to do about it, in docs/operations.md:
# a test compares them, and what is looked for in logs with what the function logs.
locals {
  alerting = length(var.alert_channels) > 0

  # The subscriptions of each source, as filters take them. Eventarc tells the name of a topic's; those of its other
  # triggers are called eventarc-LOCATION-TRIGGER-sub-NUMBER.
  subscriptions = { for event, s in var.sources : event => (s.event_type == null
    ? format(length(local.of_topics[event]) == 1 ? "%s" : "one_of(%s)", join(", ", [for id in local.of_topics[event] : "\"${reverse(split("/", id))[0]}\""]))
    : "monitoring.regex.full_match(\"eventarc-${coalesce(s.location, var.region)}-${local.trigger_names[event]}-sub-[0-9]+\")"
  ) if local.alerting }

  alerts = local.alerting ? merge({
    dead-letters = {
      title     = "Dead letters wait"
      filter    = "metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${local.dead_letter_subscription}\""
      aligner   = "ALIGN_MAX"
      threshold = 0
      duration  = "0s"
      command   = "letters list"
    }
    failures = {
      title     = "Events fail and are delivered again"
      filter    = "metric.type = \"run.googleapis.com/request_count\" AND resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${var.name}\" AND metric.labels.response_code_class != \"2xx\""
      aligner   = "ALIGN_DELTA"
      threshold = 10
      duration  = "300s"
      command   = "doctor"
    }
    }, { for event, subscription in local.subscriptions : "waiting-${event}" => {
      title     = "Events wait for more than an hour"
      filter    = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = ${subscription}"
      aligner   = "ALIGN_MAX"
      threshold = 3600
      duration  = "0s"
      command   = "doctor"
  } }) : {}

  no_alerts = concat(var.join_deadline == null ? ["overdue"] : [], local.sweeps == 0 ? ["sweeps"] : [])

  # What one line of the function's log is enough for.
  log_alerts = { for alert, says in {
    letters = {
      title   = "An event was dead-lettered"
      lines   = "jsonPayload.message = \"event dead-lettered\""
      command = "letters list"
    }
    takeovers = {
      title   = "A run vanished"
      lines   = "jsonPayload.message : \"took over an expired lease\""
      command = "why KEY"
    }
    overdue = {
      title   = "Joins lack events at their deadline"
      lines   = "jsonPayload.message = \"sweep\" AND jsonPayload.report.expired > 0"
      command = "letters list --reason=incomplete"
    }
    sweeps = {
      title   = "Sweeps fail"
      lines   = "jsonPayload.message = (\"the sweep failed\" OR \"a key that was swept failed\")"
      command = "doctor"
    }
  } : alert => says if local.alerting && !contains(local.no_alerts, alert) }

  # What an alert says: the first command to run, and where to read on.
  help = { for alert, says in merge(local.alerts, local.log_alerts, local.metric_alerts) : alert => join("\n\n", [
    "First run: `go run ./cmd/eventdriver ${says.command} --service=${var.name} --region=${var.region} --project=${var.project_id}`",
    "[What it means, and what to do](${var.runbook_url}#${replace(lower(says.title), " ", "-")})",
  ]) }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}${startswith(each.key, "waiting-") ? " (${trimprefix(each.key, "waiting-")})" : ""}"
  combiner              = "OR"
  notification_channels = var.alert_channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = each.value.duration

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.aligner == "ALIGN_DELTA" ? "REDUCE_SUM" : "REDUCE_MAX"
      }
    }
  }

  documentation {
    content   = local.help[each.key]
    mime_type = "text/markdown"
  }

  depends_on = [google_project_service.this, terraform_data.service]
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.log_alerts

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = var.alert_channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${var.name}\" AND ${each.value.lines}"
    }
  }

  alert_strategy {
    notification_rate_limit {
      period = each.key == "letters" ? "300s" : "3600s"
    }
  }

  documentation {
    content   = local.help[each.key]
    mime_type = "text/markdown"
  }

  depends_on = [google_project_service.this, terraform_data.service]
}
