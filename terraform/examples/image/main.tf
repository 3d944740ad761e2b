# An image that a pipeline has built and tested, and that is deployed as it is.
module "orders" {
  source = "../.."

  project_id = var.project_id
  region     = var.region
  name       = "orders"
  image      = { uri = var.image }

  sources = {
    event1 = {}
    event2 = {}
    event3 = {}
  }
}

output "topics" {
  description = "Where to publish."
  value       = module.orders.topics
}

output "function_name" {
  description = "The Cloud Run service."
  value       = module.orders.function_name
}
