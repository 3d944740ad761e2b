# One function, one Eventarc trigger for each source, and what they need. The files:
#
#   main.tf       the APIs, and the names of things
#   accounts.tf   who runs, calls and builds the function, and what each may do
#   people.tf     who may look at the state, and who may change it
#   source.tf     what the function is built from
#   function.tf   the function, which Cloud Functions builds from the source
#   image.tf      the service that runs a prebuilt image instead
#   triggers.tf   the topics and triggers of the sources
#   stores.tf     the bucket and the dataset that keep the state
#   place.tf      refuses what would lose the state
#   teardown.tf   has terraform destroy refuse before anything goes
#   letters.tf    the topics of dead letters and of joined messages
#   sweep.tf      who has the function look for joins that are overdue
#   encryption.tf who may use the key, if there is one
#   alerts.tf     who is told when something is wrong
#   telemetry.tf  where traces and metrics go, and their dashboard

locals {
  use_gcs      = contains([var.store, var.claim_store], "gcs")
  use_bigquery = contains([var.store, var.claim_store], "bigquery")
  bucket_name  = coalesce(var.bucket_name, "${var.project_id}-${var.name}-events")
  dataset_id   = coalesce(var.dataset_id, replace(var.name, "-", "_"))

  bucket_location  = coalesce(var.bucket_location, var.region)
  dataset_location = coalesce(var.dataset_location, var.region)

  # Where a depends_on of the whole module has all reading wait for apply, what is made of a number that is read
  # would be replaced.
  project_number = var.project_number != null ? var.project_number : one(data.google_project.this[*].number)

  storage_events = anytrue([for s in values(var.sources) : startswith(coalesce(s.event_type, "-"), "google.cloud.storage.")])

  # Where Google calls its own: https://cloud.google.com/iam/docs/service-agents
  agents = {
    bigquery         = "serviceAccount:bq-${local.project_number}@bigquery-encryption.iam.gserviceaccount.com"
    storage          = "serviceAccount:service-${local.project_number}@gs-project-accounts.iam.gserviceaccount.com"
    pubsub           = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    eventarc         = "serviceAccount:service-${local.project_number}@gcp-sa-eventarc.iam.gserviceaccount.com"
    artifactregistry = "serviceAccount:service-${local.project_number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    functions        = "serviceAccount:service-${local.project_number}@gcf-admin-robot.iam.gserviceaccount.com"
    run              = "serviceAccount:service-${local.project_number}@serverless-robot-prod.iam.gserviceaccount.com"
  }

  apis = toset(concat(
    [
      "eventarc.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ],
    var.image == null ? ["artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudfunctions.googleapis.com"] : [],
    local.use_bigquery ? ["bigquery.googleapis.com"] : [],
    anytrue([for s in values(var.sources) : !startswith(coalesce(s.event_type, "google."), "google.")]) ? ["eventarcpublishing.googleapis.com"] : [],
    length(var.alert_channels) > 0 ? ["monitoring.googleapis.com"] : [],
    var.kms_key != null ? ["cloudkms.googleapis.com"] : [],
    local.sweeps > 0 ? ["cloudscheduler.googleapis.com"] : [],
    var.telemetry == "google" ? ["cloudtrace.googleapis.com", "monitoring.googleapis.com", "telemetry.googleapis.com"] : [],
    length(var.secrets) > 0 ? ["secretmanager.googleapis.com"] : [],
  ))
}

data "google_project" "this" {
  count = var.project_number == null ? 1 : 0

  project_id = var.project_id
}

# They stay enabled when this is destroyed: others in the project may use them.
resource "google_project_service" "this" {
  for_each = local.apis

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false
}
