# Three accounts, each with what its task needs; sweep.tf has a fourth. A grant is on the resource wherever
# Google allows it; what has to be on the project says why. Without grant_roles, others grant what is on the project
# and on what is given: terraform/README.md lists that.

locals {
  # The e-mail of each, and how a grant names it.
  accounts = { for task, made in {
    run     = google_service_account.run
    trigger = google_service_account.trigger
    build   = google_service_account.build
    sweep   = google_service_account.sweep
  } : task => try(var.service_accounts[task].email, one(made[*].email)) }
  members = { for task, email in local.accounts : task => "serviceAccount:${email}" if email != null }
}

resource "google_service_account" "run" {
  count = var.service_accounts.run == null ? 1 : 0

  project      = var.project_id
  account_id   = "${var.name}-run"
  display_name = "${var.name}: runs the function"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "trigger" {
  count = var.service_accounts.trigger == null ? 1 : 0

  project      = var.project_id
  account_id   = "${var.name}-trigger"
  display_name = "${var.name}: calls the function for Eventarc"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "build" {
  count = var.service_accounts.build == null && var.image == null ? 1 : 0

  project      = var.project_id
  account_id   = "${var.name}-build"
  display_name = "${var.name}: builds the function"

  depends_on = [google_project_service.this]
}

# --- triggers ---

resource "google_cloud_run_v2_service_iam_member" "trigger_invoker" {
  project  = var.project_id
  location = var.region
  name     = local.service.name
  role     = "roles/run.invoker"
  member   = local.members.trigger

  lifecycle {
    replace_triggered_by = [terraform_data.service.id]
  }
}

# Eventarc asks for it on the project, for all events but those of topics.
resource "google_project_iam_member" "trigger_receiver" {
  count = var.grant_roles ? 1 : 0

  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = local.members.trigger
}

# Pub/Sub calls the function with a token of the trigger's account. It may have the
# right on the whole project already, but only if that is newer than April 2021.
resource "google_service_account_iam_member" "pubsub_token" {
  count = var.grant_roles || var.service_accounts.trigger == null ? 1 : 0

  service_account_id = "projects/${var.project_id}/serviceAccounts/${local.accounts.trigger}"
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.agents.pubsub

  depends_on = [google_project_service.this]
}

# Cloud Storage publishes a bucket's events to a topic that Eventarc creates with the
# trigger, so there is nothing smaller than the project to grant this on.
resource "google_project_iam_member" "storage_publisher" {
  count = local.storage_events && var.grant_agents ? 1 : 0

  project = var.project_id
  role    = "roles/pubsub.publisher"
  member  = local.agents.storage

  condition {
    title       = local.own_grant.title
    description = local.own_grant.description
    expression  = local.own_grant.expression
  }

  depends_on = [data.google_storage_project_service_account.this]
}

# Asking for the account creates it.
data "google_storage_project_service_account" "this" {
  count = local.storage_events || var.kms_key != null ? 1 : 0

  project = var.project_id

  depends_on = [google_project_service.this]
}

# --- others who call it ---

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.invokers

  project  = var.project_id
  location = var.region
  name     = local.service.name
  role     = "roles/run.invoker"
  member   = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.service.id]
  }
}

# --- secrets ---

locals {
  secrets = { for secret, s in var.secrets : secret => {
    project = startswith(s.id, "projects/") ? split("/", s.id)[1] : var.project_id
    id      = reverse(split("/", s.id))[0]
  } }
}

resource "google_secret_manager_secret_iam_member" "run" {
  for_each = { for secret, s in local.secrets : secret => s if var.grant_roles }

  project   = each.value.project
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members.run

  depends_on = [google_project_service.this]
}

# --- build ---

resource "google_artifact_registry_repository_iam_member" "build_writer" {
  count = var.image == null && (var.grant_roles || var.repository == null) ? 1 : 0

  project    = local.repository.project
  location   = local.repository.location
  repository = local.repository.name
  role       = "roles/artifactregistry.writer"
  member     = local.members.build
}

# Cloud Functions copies the source to a bucket of its own, which it creates with the
# first function of a region, and builds from there as the build's account; without this
# the first build fails. So the grant is on the project, and its condition narrows it to
# that bucket.
locals {
  copied_sources = "projects/_/buckets/gcf-v2-sources-${local.project_number}-${var.region}"
}

resource "google_project_iam_member" "build_copied_source" {
  count = var.grant_roles && var.image == null ? 1 : 0

  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = local.members.build

  condition {
    title       = "sources-of-functions"
    description = "The bucket that Cloud Functions keeps sources in"
    # With a key, the bucket's name goes on with the key's hash.
    expression = (var.kms_key == null
      ? "resource.name == \"${local.copied_sources}\" || resource.name.startsWith(\"${local.copied_sources}/\")"
      : "resource.name.startsWith(\"${local.copied_sources}-\")"
    )
  }
}

# Logs belong to the project, and nothing smaller can be granted.
resource "google_project_iam_member" "build_logs" {
  count = var.grant_roles && var.image == null ? 1 : 0

  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = local.members.build
}

# IAM is not told at once of what was granted: builds right after fail now and then.
resource "terraform_data" "settled" {
  triggers_replace = concat(google_service_account.build[*].unique_id, google_service_account.run[*].unique_id)

  provisioner "local-exec" {
    command = "sleep ${var.settle_seconds}"
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_writer,
    google_project_iam_member.build_copied_source,
    google_project_iam_member.build_logs,
    google_storage_bucket_iam_member.build_given_source,
    google_storage_bucket_iam_member.build_source,
  ]
}
