# Three topics, state in Cloud Storage. This is also what the module does by default.
module "orders" {
  source = "../.."

  project_id = var.project_id
  region     = var.region
  name       = "orders"

  sources = {
    event1 = {} # the order was placed: it says only that there is something to do
    event2 = {} # the items
    event3 = {} # the address
  }
  erase_sources = ["event1"]

  # The joined orders, for whoever acts on them.
  output_topic = { id = "orders-complete", create = true }

  labels = { team = "orders" }
}

output "topics" {
  description = "Where to publish."
  value       = module.orders.topics
}

output "function_name" {
  description = "The function, and the Cloud Run service."
  value       = module.orders.function_name
}

output "dead_letter_subscription" {
  description = "Where to look for events that can never succeed."
  value       = module.orders.dead_letter_subscription
}
