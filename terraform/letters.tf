locals {
  full_topic = { for kind, topic in { output = var.output_topic == null ? null : { id = var.output_topic.id }, dead_letter = var.dead_letter_topic } :
    kind => topic == null ? null : startswith(topic.id, "projects/") ? topic.id : "projects/${var.project_id}/topics/${topic.id}"
  }
  output_topic      = local.full_topic.output
  dead_letter_topic = coalesce(local.full_topic.dead_letter, "projects/${var.project_id}/topics/${var.name}-dead-letters")

  # Those of them by which the function would know a source. It does not start then.
  coming_back = [for topic in values(local.published) : topic
    if contains(concat(keys(var.sources), flatten(values(local.known_by))), reverse(split("/", topic))[0]) || contains(values(local.topics), topic)
  ]

  dead_letter_subscription = var.dead_letter_subscription == null ? one(google_pubsub_subscription.dead_letters[*].name) : reverse(split("/", var.dead_letter_subscription.id))[0]
  makes                    = { dead_letters = var.dead_letter_topic == null, output = try(var.output_topic.create, false) }

  # What the function publishes to, by what for.
  published = merge({ dead_letters = local.dead_letter_topic }, var.output_topic == null ? {} : { output = local.output_topic })
}

resource "google_pubsub_topic" "dead_letters" {
  count = var.dead_letter_topic == null ? 1 : 0

  project      = var.project_id
  name         = "${var.name}-dead-letters"
  kms_key_name = local.kms_key
  labels       = var.labels

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

# It keeps letters for a week, so that somebody can look, and does not expire itself.
resource "google_pubsub_subscription" "dead_letters" {
  count = var.dead_letter_subscription == null ? 1 : 0

  project                    = var.project_id
  name                       = "${var.name}-dead-letters"
  topic                      = local.dead_letter_topic
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"
  retain_acked_messages      = false
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_project_service.this, google_pubsub_topic.dead_letters]
}

resource "google_pubsub_topic" "output" {
  count = try(var.output_topic.create, false) ? 1 : 0

  project      = var.project_id
  name         = var.output_topic.id
  kms_key_name = local.kms_key
  labels       = var.labels

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

resource "google_pubsub_topic_iam_member" "run_publisher" {
  for_each = { for kind, topic in local.published : kind => topic if var.grant_roles || local.makes[kind] }

  project = split("/", each.value)[1]
  topic   = split("/", each.value)[3]
  role    = "roles/pubsub.publisher"
  member  = local.members.run

  depends_on = [google_pubsub_topic.dead_letters, google_pubsub_topic.output]
}
