output "function_name" {
  description = "The function's name, which is also the Cloud Run service's."
  value       = local.service.name
}

output "function_uri" {
  description = "The function's URI. Only the triggers' account may call it, the sweep's, and operators."
  value       = local.service.uri
}

output "service_account" {
  description = "The e-mail of the function's account: grant it what the business handler needs."
  value       = local.accounts.run
}

output "trigger_service_account" {
  description = "The e-mail of the account with which triggers call the function."
  value       = local.accounts.trigger
}

output "build_service_account" {
  description = "The e-mail of the account that builds the function; null with an image."
  value       = local.accounts.build
}

output "triggers" {
  description = "The triggers' names, by event. Sources with delivery pubsub have none."
  value       = { for event, trigger in google_eventarc_trigger.this : event => local.trigger_names[event] }
}

output "subscriptions" {
  description = "The subscriptions that deliver topics' messages, a list by event, as projects/PROJECT/subscriptions/SUBSCRIPTION: Eventarc's, with delivery pubsub the module's, with both the two."
  value       = local.of_topics
}

output "topics" {
  description = "The topics to publish to, by event, as projects/PROJECT/topics/TOPIC. Sources of other kinds have none."
  value       = local.topics
}

output "bucket" {
  description = "The bucket that keeps the state; null if it has none."
  value       = local.use_gcs ? local.bucket_name : null
}

output "dataset" {
  description = "The dataset that keeps the state; null if it has none."
  value       = local.use_bigquery ? local.dataset_id : null
}

output "output_topic" {
  description = "The topic that joined messages are published to; null if it has none."
  value       = local.output_topic
}

output "dead_letter_topic" {
  description = "The topic of dead letters."
  value       = local.dead_letter_topic
}

output "dead_letter_subscription" {
  description = "The subscription that keeps dead letters for a week."
  value       = local.dead_letter_subscription
}
