locals {
  # Cloud Storage can say which names to delete, not which to keep. Keys are below the
  # first byte of their hash, in hex: 00/ to ff/. These prefixes are all of those, and
  # none is that of deadletters/, which stay until a person removes them.
  folder = coalesce(trimspace(lookup(var.environment, "GCS_FOLDER", "")), var.name)
  hex    = split("", "0123456789abcdef")
  key_prefixes = [for hash in concat([for h in local.hex : h if h != "d"], [for h in local.hex : h == "e" ? "de/" : "d${h}"]) :
  "${local.folder}/${hash}"]

  # A key's events go first, then its claim, then its completion and the rest: so what
  # is left of a key never says that it is free, or that its holder has crashed.
  forgotten = concat(
    [for suffixes in chunklist([for event in keys(var.sources) : "/events/${event}"], 50) :
    { days = var.retention_days, suffixes = suffixes, prefixes = null }],
    [{ days = var.retention_days + 1, suffixes = ["/claim"], prefixes = null }],
    [{ days = var.retention_days + 2, suffixes = null, prefixes = local.key_prefixes }],
  )
}

# What is in a bucket or a dataset, or granted on it, waits for it and goes with it: replace_triggered_by has Terraform
# make it anew where that is replaced under its name. It goes by these two, which are also there where the bucket or
# the dataset is given.
resource "terraform_data" "bucket" {
  triggers_replace = google_storage_bucket.events[*].id
}

resource "terraform_data" "dataset" {
  triggers_replace = google_bigquery_dataset.events[*].id
}

resource "google_storage_bucket" "events" {
  count = local.use_gcs && var.create_bucket ? 1 : 0

  project                     = var.project_id
  name                        = local.bucket_name
  location                    = local.bucket_location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy
  labels                      = var.labels

  # Nobody needs expired state: keeping it longer costs. It helps where state is deleted by mistake.
  soft_delete_policy {
    retention_duration_seconds = 86400 * var.soft_delete_days
  }

  dynamic "lifecycle_rule" {
    for_each = local.forgotten
    content {
      condition {
        age            = lifecycle_rule.value.days
        matches_prefix = lifecycle_rule.value.prefixes
        matches_suffix = lifecycle_rule.value.suffixes
      }
      action {
        type = "Delete"
      }
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value.id
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

resource "google_storage_bucket_iam_member" "run" {
  count = local.use_gcs && (var.grant_roles || var.create_bucket) ? 1 : 0

  bucket = local.bucket_name
  role   = "roles/storage.objectUser"
  member = local.members.run

  lifecycle {
    replace_triggered_by = [terraform_data.bucket.id]
  }
}

resource "google_bigquery_dataset" "events" {
  count = local.use_bigquery && var.create_dataset ? 1 : 0

  project                    = var.project_id
  dataset_id                 = local.dataset_id
  location                   = local.dataset_location
  description                = "The state of the function ${var.name}"
  delete_contents_on_destroy = var.force_destroy
  labels                     = var.labels

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key[*]
    content {
      kms_key_name = default_encryption_configuration.value.id
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

# Queries need tables.getData, statements and tabledata.insertAll tables.updateData, which no
# smaller role of Google's has. insertAll also asks for tables.get, and for datasets.get,
# which only a grant on the dataset gives.
resource "google_bigquery_dataset_iam_member" "run" {
  count = local.use_bigquery && (var.grant_roles || var.create_dataset) ? 1 : 0

  project    = var.project_id
  dataset_id = local.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = local.members.run

  lifecycle {
    replace_triggered_by = [terraform_data.dataset.id]
  }
}

# Queries and statements are jobs, and jobs belong to a project: Google has nothing smaller
# to grant jobs.create on. It allows no look at any data. Who creates a job may look at it
# and cancel it, and all instances share this account.
resource "google_project_iam_member" "run_jobs" {
  count = local.use_bigquery && var.grant_roles ? 1 : 0

  project = var.project_id
  role    = "roles/bigquery.jobUser"
  member  = local.members.run
}

locals {
  # The store's own schema; a test compares it, and the clustering, with what the store
  # creates where there are no tables. The view reads claims, which is empty where claims
  # are in Cloud Storage.
  schemas = "${path.module}/../stores/bqstore/schema"
  tables = { for table, layout in {
    events       = { partition = "created_at", clustering = ["key", "source"], days = 0 }
    claims       = { partition = "created_at", clustering = ["key"], days = 0 }
    dead_letters = { partition = "created_at", clustering = ["reason", "key"], days = 7 } # for somebody to read them
  } : table => layout if local.use_bigquery }

  deletion_protection = coalesce(var.deletion_protection, !var.force_destroy)
}

# One row for each key, for people; the statement is the store's own.
resource "google_bigquery_table" "keys" {
  count = local.use_bigquery ? 1 : 0

  project             = var.project_id
  dataset_id          = local.dataset_id
  table_id            = "keys"
  description         = "One row for each key: what has arrived, and how it stands."
  deletion_protection = local.deletion_protection
  labels              = var.labels

  view {
    query = templatefile("${local.schemas}/keys.sql", {
      events = "`${var.project_id}.${local.dataset_id}.events`"
      claims = "`${var.project_id}.${local.dataset_id}.claims`"
    })
    use_legacy_sql = false
  }

  lifecycle {
    replace_triggered_by = [terraform_data.dataset.id]
  }

  depends_on = [google_bigquery_table.this, google_storage_managed_folder.events, terraform_data.whole]
}

resource "google_bigquery_table" "this" {
  for_each = local.tables

  project             = var.project_id
  dataset_id          = local.dataset_id
  table_id            = each.key
  schema              = file("${local.schemas}/${each.key}.json")
  clustering          = each.value.clustering
  deletion_protection = local.deletion_protection
  labels              = var.labels

  time_partitioning {
    type          = "DAY"
    field         = each.value.partition
    expiration_ms = (max(var.retention_days, each.value.days) + 1) * 24 * 60 * 60 * 1000 # a partition ends as a whole
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key[*]
    content {
      kms_key_name = encryption_configuration.value.id
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.dataset.id]
  }
}
