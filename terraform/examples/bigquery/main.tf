# Events in BigQuery, to be queried; claims in Cloud Storage, which takes more of them
# in a second. For claims in BigQuery, too, leave claim_store out.
module "orders" {
  source = "../.."

  project_id = var.project_id
  region     = var.region
  name       = "orders-bq"

  store          = "bigquery"
  claim_store    = "gcs"
  retention_days = 30

  memory          = "1Gi"
  timeout_seconds = 300 # a statement that writes takes seconds, more when others queue
  max_instances   = 50
}

output "dataset" {
  description = "The dataset with the events."
  value       = module.orders.dataset
}

output "topics" {
  description = "Where to publish."
  value       = module.orders.topics
}
