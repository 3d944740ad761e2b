# What the state is found by, as it was when the function was first deployed. Another region, name or store would
# have Terraform delete the state and begin with an empty one, or find none under the new name.

locals {
  place = {
    project_id       = var.project_id
    region           = var.region
    name             = var.name
    store            = var.store
    claim_store      = var.claim_store
    bucket_name      = local.use_gcs ? local.bucket_name : null
    bucket_location  = local.use_gcs ? lower(local.bucket_location) : null
    create_bucket    = local.use_gcs ? tostring(var.create_bucket) : null
    create_dataset   = local.use_bigquery ? tostring(var.create_dataset) : null
    GCS_FOLDER       = local.use_gcs ? local.folder : null
    dataset_id       = local.use_bigquery ? local.dataset_id : null
    dataset_location = local.use_bigquery ? lower(local.dataset_location) : null
  }
}

resource "terraform_data" "place" {
  input            = local.place
  triggers_replace = var.state_moved

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = length([for k, v in local.place : k if try(self.output[k], v) != v]) == 0
      error_message = "This would lose the state: ${join(", ", [
        for k, v in local.place : "${k} from ${coalesce(try(self.output[k], v), "none")} to ${coalesce(v, "none")}" if try(self.output[k], v) != v
      ])}. Keys that wait would never complete, and duplicates of completed ones run again. Undo it; or move as docs/deploy.md says, and accept this change by another state_moved."
    }
  }
}
