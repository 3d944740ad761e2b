locals {
  kms_key = one(var.kms_key[*].id)

  # What an instance grants to Google's agents, which all instances of a project share. Two equal grants are one, and
  # would go with the first instance that goes. This condition is always true, and its title tells them apart.
  own_grant = {
    title       = "event-driver-${var.name}"
    description = "What the instance ${var.name} needs; others have their own"
    expression  = "request.time > timestamp(\"2020-01-01T00:00:00Z\")"
  }
}

# Google's services use the key on the project's behalf, each with an agent of its
# own: https://cloud.google.com/functions/docs/securing/cmek
resource "google_kms_crypto_key_iam_member" "this" {
  for_each = var.kms_key == null || !var.grant_agents ? {} : merge(
    { for service in ["eventarc", "pubsub", "run", "storage"] : service => local.agents[service] },
    var.image != null ? {} : { for service in ["artifactregistry", "functions"] : service => local.agents[service] },
    local.use_bigquery ? { bigquery = local.agents.bigquery } : {},
  )

  crypto_key_id = local.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  condition {
    title       = local.own_grant.title
    description = local.own_grant.description
    expression  = local.own_grant.expression
  }

  depends_on = [
    data.google_bigquery_default_service_account.this,
    data.google_storage_project_service_account.this,
    google_project_service.this,
  ]
}

# Asking for the account creates it.
data "google_bigquery_default_service_account" "this" {
  count = local.use_bigquery && var.kms_key != null ? 1 : 0

  project = var.project_id

  depends_on = [google_project_service.this]
}
