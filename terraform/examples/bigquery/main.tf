# Events in BigQuery, to be queried, and claims in Cloud Storage, which is the default.
module "orders" {
  source = "../.."

  project_id = var.project_id
  region     = var.region
  name       = "orders-bq"

  store          = "bigquery"
  retention_days = 30
}

output "dataset" {
  description = "The dataset with the events."
  value       = module.orders.dataset
}

output "bucket" {
  description = "The bucket with the claims."
  value       = module.orders.bucket
}

output "topics" {
  description = "Where to publish."
  value       = module.orders.topics
}
