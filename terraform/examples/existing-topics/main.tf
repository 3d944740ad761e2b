# Events from what is there already: a topic of another team, objects in a bucket, and
# documents in Firestore. Dead letters go to a topic that exists, too.
module "orders" {
  source = "../.."

  project_id = var.project_id
  region     = var.region
  name       = "orders-join"

  sources = {
    placed = {
      topic = { id = "orders-created" }
    }
    invoice = {
      event_type  = "google.cloud.storage.object.v1.finalized"
      filters     = { bucket = "${var.project_id}-invoices" }
      key_pointer = "/metadata/order"
    }
    packed = {
      event_type    = "google.cloud.firestore.document.v1.written"
      filters       = { database = "(default)" }
      path_patterns = { document = "parcels/{parcel}" }
      location      = "eur3"
      key_pointer   = "/value/fields/order/stringValue"
    }
  }
  erase_sources = []

  dead_letter_topic = { id = "projects/${var.project_id}/topics/company-dead-letters" }
  alert_channels    = ["projects/${var.project_id}/notificationChannels/1234567890"]
}

output "triggers" {
  description = "The triggers, by event."
  value       = module.orders.triggers
}
