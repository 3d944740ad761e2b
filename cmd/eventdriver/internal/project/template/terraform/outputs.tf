output "topics" {
  description = "Where to publish."
  value       = module.function.topics
}

output "function_name" {
  description = "The function, and the Cloud Run service."
  value       = module.function.function_name
}

output "dead_letter_subscription" {
  description = "Where to look for events that can never succeed."
  value       = module.function.dead_letter_subscription
}
