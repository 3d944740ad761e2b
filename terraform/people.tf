# What people may do with cmd/eventdriver: viewers look, operators also change. Both on
# what this module makes, and on the project where Google has nothing smaller; doctor, which
# looks at more, needs other roles on the project.

# A member may be an account of the same root, whose name is not known at plan: what is counted are the names given here.
# A viewer who becomes an operator keeps the name, and so the grants that both have: two equal ones, one taken and one
# made in the same apply, might both be gone after it.

locals {
  people = merge(var.viewers, var.operators)
}

# --- looking ---

# The settings, which say where the state is.
resource "google_cloud_run_v2_service_iam_member" "people" {
  for_each = local.people

  project  = var.project_id
  location = var.region
  name     = local.service.name
  role     = "roles/run.viewer"
  member   = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.service.id]
  }
}

resource "google_storage_bucket_iam_member" "viewers" {
  for_each = local.use_gcs ? var.viewers : {}

  bucket = local.bucket_name
  role   = "roles/storage.objectViewer"
  member = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.bucket.id]
  }
}

resource "google_bigquery_dataset_iam_member" "viewers" {
  for_each = local.use_bigquery ? var.viewers : {}

  project    = var.project_id
  dataset_id = local.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.dataset.id]
  }
}

# Queries are jobs of the project: see google_project_iam_member.run_jobs.
resource "google_project_iam_member" "people_jobs" {
  for_each = local.use_bigquery ? local.people : {}

  project = var.project_id
  role    = "roles/bigquery.jobUser"
  member  = each.value
}

# The log, of which Google grants no part smaller than a project's.
resource "google_project_iam_member" "people_logs" {
  for_each = local.people

  project = var.project_id
  role    = "roles/logging.viewer"
  member  = each.value
}

# --- changing ---

# What operators change, they write to the log.
resource "google_project_iam_member" "operators_audit" {
  for_each = var.operators

  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = each.value
}

# Operators find the job that calls /sweep, and run it.
resource "google_project_iam_member" "operators_jobs" {
  for_each = local.sweeps > 0 ? var.operators : {}

  project = var.project_id
  role    = "roles/cloudscheduler.viewer"
  member  = each.value
}

resource "google_project_iam_member" "operators_sweep" {
  for_each = local.sweeps > 0 ? var.operators : {}

  project = var.project_id
  role    = "roles/cloudscheduler.jobRunner"
  member  = each.value
}

resource "google_storage_bucket_iam_member" "operators" {
  for_each = local.use_gcs ? var.operators : {}

  bucket = local.bucket_name
  role   = "roles/storage.objectUser"
  member = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.bucket.id]
  }
}

resource "google_bigquery_dataset_iam_member" "operators" {
  for_each = local.use_bigquery ? var.operators : {}

  project    = var.project_id
  dataset_id = local.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.dataset.id]
  }
}

# Pub/Sub has one right for reading dead letters and for deleting them.
resource "google_pubsub_subscription_iam_member" "operators" {
  for_each = var.operators

  project      = var.project_id
  subscription = local.dead_letter_subscription
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

# Letters are sent again to the function, or to the topics that events come from.
resource "google_cloud_run_v2_service_iam_member" "operators" {
  for_each = var.operators

  project  = var.project_id
  location = var.region
  name     = local.service.name
  role     = "roles/run.invoker"
  member   = each.value

  lifecycle {
    replace_triggered_by = [terraform_data.service.id]
  }
}

resource "google_pubsub_topic_iam_member" "operators" {
  for_each = { for pair in setproduct(keys(local.created_topics), keys(var.operators)) : join(" ", pair) => { event = pair[0], who = pair[1] } }

  project = var.project_id
  topic   = google_pubsub_topic.source[each.value.event].name
  role    = "roles/pubsub.publisher"
  member  = var.operators[each.value.who]
}
