# A key, topics and a channel that are made in the root that calls the module: their ids, and the
# names of topics, accounts and groups, the source's generation and an image, are not known when it is planned.
variable "project_id" {
  type = string
}

resource "terraform_data" "suffix" {}

resource "google_kms_key_ring" "this" {
  project  = var.project_id
  name     = "orders"
  location = "europe-west1"
}

resource "google_kms_crypto_key" "this" {
  name     = "orders"
  key_ring = google_kms_key_ring.this.id
}

resource "google_pubsub_topic" "this" {
  for_each = toset(["paid", "shipped", "dead", "complete"])

  project = var.project_id
  name    = "${each.key}-${terraform_data.suffix.id}"
}

resource "google_service_account" "robot" {
  project    = var.project_id
  account_id = "robot-${terraform_data.suffix.id}"
}

resource "google_storage_bucket_object" "source" {
  bucket = "builds"
  name   = "orders.zip"
  source = "orders.zip"
}

module "orders" {
  source = "../.."

  project_id     = var.project_id
  name           = "orders"
  settle_seconds = 0
  source_archive = "gs://builds/orders.zip#${google_storage_bucket_object.source.generation}"

  sources = {
    placed  = {}
    paid    = { topic = { id = google_pubsub_topic.this["paid"].id } }
    shipped = { topic = { id = google_pubsub_topic.this["shipped"].id }, delivery = "pubsub" }
    packed  = { event_type = "com.example.packed", channel = "projects/${var.project_id}/locations/europe-west1/channels/${terraform_data.suffix.id}" }
  }
  erase_sources     = []
  kms_key           = { id = google_kms_crypto_key.this.id }
  dead_letter_topic = { id = google_pubsub_topic.this["dead"].name }
  output_topic      = { id = google_pubsub_topic.this["complete"].id }
  viewers           = { us = "group:support-${terraform_data.suffix.id}@example.com" }
  operators         = { on-call = "group:on-call@example.com", robot = google_service_account.robot.member }
}

# The name of its image is not known.
module "parcels" {
  source = "../.."

  project_id     = var.project_id
  name           = "parcels"
  settle_seconds = 0
  image          = { uri = terraform_data.suffix.id }
  kms_key        = { id = google_kms_crypto_key.this.id }
}

output "triggers" {
  value = merge(module.orders.triggers, module.parcels.triggers)
}
