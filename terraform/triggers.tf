locals {
  created_topics = { for event, s in var.sources : event => coalesce(s.create_topic, "${var.name}-${event}")
  if s.topic == null && s.event_type == null }

  # By event, in the form projects/PROJECT/topics/TOPIC. Known at plan, unlike a
  # topic's id.
  topics = merge(
    { for event, topic in local.created_topics : event => "projects/${var.project_id}/topics/${topic}" },
    { for event, s in var.sources : event => startswith(s.topic.id, "projects/") ? s.topic.id : "projects/${var.project_id}/topics/${s.topic.id}"
    if s.topic != null },
  )

  # The sources whose events Eventarc delivers, and those for whose messages the module makes a push subscription.
  # Those that change from one to the other have both for a while.
  triggered = { for event, s in var.sources : event => s if contains(["eventarc", "both"], s.delivery) }
  pushed    = { for event, s in var.sources : event => s if contains(["pubsub", "both"], s.delivery) }

  # By event, in the form projects/PROJECT/subscriptions/SUBSCRIPTION: that of its trigger, the module's, or both.
  of_topics = { for event, s in var.sources : event => concat(
    contains(keys(local.triggered), event) ? [google_eventarc_trigger.this[event].transport[0].pubsub[0].subscription] : [],
    contains(keys(local.pushed), event) ? ["projects/${var.project_id}/subscriptions/${google_pubsub_subscription.source[event].name}"] : [],
  ) if s.event_type == null }

  # By event. The provider reads a trigger's own name back in its long form.
  trigger_names = { for event in keys(local.triggered) : event => "${var.name}-${replace(lower(event), "_", "-")}" }
}

# A topic that is not asked to go stays where its source goes: publishers do not fail, and the subscriptions of others
# go on.
resource "google_pubsub_topic" "source" {
  for_each = local.created_topics

  project         = var.project_id
  name            = each.value
  kms_key_name    = local.kms_key
  labels          = var.labels
  deletion_policy = var.delete_topics ? "DELETE" : "ABANDON"

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

# The thing that one function can't have by itself: a trigger for each source, all to
# the same service, each to the path of its source. So the function knows them apart,
# also where their events say that they come from the same place: the same bucket, the
# same database. Each has a subscription of its own, and delivers again for a day.
resource "google_eventarc_trigger" "this" {
  for_each = local.triggered

  project                 = var.project_id
  location                = coalesce(each.value.location, var.region)
  name                    = local.trigger_names[each.key]
  channel                 = each.value.channel
  service_account         = local.accounts.trigger
  event_data_content_type = coalesce(each.value.content_type, startswith(coalesce(each.value.event_type, "-"), "google.cloud.firestore.") ? "application/protobuf" : "application/json")
  labels                  = var.labels

  matching_criteria {
    attribute = "type"
    value     = coalesce(each.value.event_type, "google.cloud.pubsub.topic.v1.messagePublished")
  }

  dynamic "matching_criteria" {
    for_each = each.value.filters
    content {
      attribute = matching_criteria.key
      value     = matching_criteria.value
    }
  }

  dynamic "matching_criteria" {
    for_each = each.value.path_patterns
    content {
      attribute = matching_criteria.key
      value     = matching_criteria.value
      operator  = "match-path-pattern"
    }
  }

  destination {
    cloud_run_service {
      service = local.service.name
      region  = var.region
      path    = "/events/${each.key}"
    }
  }

  dynamic "transport" {
    for_each = each.value.event_type == null ? [local.topics[each.key]] : []
    content {
      pubsub {
        topic = transport.value
      }
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.trigger_invoker,
    google_project_iam_member.storage_publisher,
    google_project_iam_member.trigger_receiver,
    google_project_service.this,
    google_pubsub_topic.source,
    google_service_account_iam_member.pubsub_token,
  ]
}

# What Eventarc does for a topic, with what its triggers can't set: how long a request may take, the pauses between
# deliveries, order and a filter. It calls the same path, with a token of the same account, and delivers again for a
# day, too. Pub/Sub does not dead-letter: the function does, and its 503s would count as attempts.
resource "google_pubsub_subscription" "source" {
  for_each = local.pushed

  project                    = var.project_id
  name                       = "${var.name}-${each.key}-push"
  topic                      = local.topics[each.key]
  ack_deadline_seconds       = 600
  message_retention_duration = "86400s"
  enable_message_ordering    = each.value.ordered
  filter                     = each.value.message_filter
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = each.value.min_backoff
    maximum_backoff = each.value.max_backoff
  }

  push_config {
    push_endpoint = "${local.service.uri}/events/${each.key}"

    oidc_token {
      service_account_email = local.accounts.trigger
      audience              = local.service.uri
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.trigger_invoker,
    google_project_service.this,
    google_pubsub_topic.source,
    google_service_account_iam_member.pubsub_token,
  ]
}
