# What the function is built from: a folder that is packed, a zip, or an object that somebody else has uploaded.

locals {
  # Of this repository, only these and the Go files at the root are in the source, and of another folder the Go files
  # and source_includes, whatever else lies there. Also tests, documents and what tools leave stay out; .gcloudignore
  # says the same. Not ".*", which is true of the folder itself, called ".".
  source_parts = ["driver", "go.mod", "go.sum", "publish", "stores", "telemetry"]
  source_excludes = concat(
    [
      "**/.[a-zA-Z]*", "**/*_test.go", "**/testdata",
      "**/*.md", "**/*.out", "**/*.prof", "**/*.test", "**/*.zip", "**/*.tfstate*", "**/*.tfvars",
    ],
    var.source_dir != null ? local.source_rest : [for part in distinct([for file in fileset("${path.module}/..", "**") : split("/", file)[0]]) :
      part if !contains(local.source_parts, part) && !endswith(part, ".go")
    ],
    var.source_excludes,
  )

  # What else lies in source_dir: whole folders, and files beside others that are wanted. In a pattern ? is any one
  # character, and these would be more.
  source_wanted = var.source_dir == null ? [] : setunion([for pattern in concat(["**/*.go", "go.mod", "go.sum", "vendor/modules.txt"], var.source_includes) :
    fileset(var.source_dir, pattern)
  ]...)
  source_wanted_parts = distinct([for file in local.source_wanted : split("/", file)[0]])
  source_rest = var.source_dir == null ? [] : [for path in distinct([for file in setsubtract(fileset(var.source_dir, "**"), local.source_wanted) :
    contains(local.source_wanted_parts, split("/", file)[0]) ? file : split("/", file)[0]
  ]) : replace(path, "/[][{}*?\\\\]/", "?")]

  # A zip's path, unless it is an object.
  packed   = var.source_archive == null && var.image == null
  uploads  = local.packed ? 1 : var.image != null ? 0 : startswith(var.source_archive, "gs://") ? 0 : 1
  zip      = local.packed ? one(data.archive_file.source[*].output_path) : var.source_archive
  zip_hash = local.packed ? one(data.archive_file.source[*].output_sha256) : local.uploads == 1 ? filesha256(var.source_archive) : null

  # Without a generation the provider would send the last one, which is of another object.
  source_object = var.image != null ? null : {
    bucket     = local.uploads == 1 ? one(google_storage_bucket.source[*].name) : regex("^gs://([^/]+)/", var.source_archive)[0]
    name       = local.uploads == 1 ? one(google_storage_bucket_object.source[*].name) : regex("^gs://[^/]+/([^#]+)#", var.source_archive)[0]
    generation = local.uploads == 1 ? one(google_storage_bucket_object.source[*].generation) : tonumber(regex("#([0-9]+)$", var.source_archive)[0])
  }
}

data "archive_file" "source" {
  count = local.packed ? 1 : 0

  type             = "zip"
  source_dir       = coalesce(var.source_dir, "${path.module}/..")
  excludes         = local.source_excludes
  output_file_mode = "0644"
  output_path      = "${path.module}/.build/${var.name}.zip"
}

resource "google_storage_bucket" "source" {
  count = local.uploads

  project                     = var.project_id
  name                        = "${var.project_id}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  labels                      = var.labels

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value.id
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

# The object is called after its content, so that a change deploys the function again.
# Not create_before_destroy, which would spread to the bucket: two of one name can't be.
resource "google_storage_bucket_object" "source" {
  count = local.uploads

  bucket = google_storage_bucket.source[0].name
  name   = "${var.name}-${local.zip_hash}.zip"
  source = local.zip

  lifecycle {
    replace_triggered_by = [google_storage_bucket.source[0].id]
  }
}

resource "google_storage_bucket_iam_member" "build_source" {
  count = local.uploads

  bucket = google_storage_bucket.source[0].name
  role   = "roles/storage.objectViewer"
  member = local.members.build

  lifecycle {
    replace_triggered_by = [google_storage_bucket.source[0].id]
  }
}

resource "google_storage_bucket_iam_member" "build_given_source" {
  count = local.uploads == 0 && var.grant_roles && var.image == null ? 1 : 0

  bucket = local.source_object.bucket
  role   = "roles/storage.objectViewer"
  member = local.members.build
}
