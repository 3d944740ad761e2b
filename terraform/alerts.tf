locals {
  # The subscriptions of the triggers are called eventarc-REGION-TRIGGER-sub-NUMBER.
  alerts = length(var.alert_channels) == 0 ? {} : {
    dead-letters = {
      title     = "events are dead-lettered"
      filter    = "metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\""
      aligner   = "ALIGN_MAX"
      threshold = 0
      duration  = "0s"
      help      = "Read them with: gcloud pubsub subscriptions pull ${google_pubsub_subscription.dead_letters.name} --project=${var.project_id} --limit=10. The attribute reason says why each was dead-lettered."
    }
    failures = {
      title     = "events fail and are delivered again"
      filter    = "metric.type = \"run.googleapis.com/request_count\" AND resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${var.name}\" AND metric.labels.response_code = \"500\""
      aligner   = "ALIGN_DELTA"
      threshold = 10
      duration  = "300s"
      help      = "Look for severity>=WARNING in the logs of the Cloud Run service ${var.name}."
    }
    waiting = {
      title     = "events wait for more than an hour"
      filter    = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = starts_with(\"eventarc-${var.region}-${var.name}-\")"
      aligner   = "ALIGN_MAX"
      threshold = 3600
      duration  = "0s"
      help      = "An event has not been acknowledged for an hour. Pub/Sub forgets it after 24 hours."
    }
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
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
    content   = each.value.help
    mime_type = "text/markdown"
  }

  depends_on = [google_project_service.this, google_cloudfunctions2_function.this]
}
