# What the state is found by, as it was when the function was first deployed. Another region, name or store would
# have Terraform delete the state and begin with an empty one, or find none under the new name. Until there is a
# function there is no state, so a first apply that fails earlier can be corrected.

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

  # The topic of the module's own subscription of dead letters: another one replaces it, and one that is given in the
  # place of the module's deletes that. Not in place, since the topic may be made in the same apply.
  letters = var.dead_letter_subscription != null ? null : var.dead_letter_topic == null ? "the module's ${local.dead_letter_topic}" : local.dead_letter_topic
}

resource "terraform_data" "place" {
  input = merge(local.place, { letters = local.letters })

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = var.state_moved != null || length([for k, v in local.place : k if try(self.output[k], v) != v]) == 0
      error_message = "This would lose the state: ${join(", ", [
        for k, v in local.place : "${k} from ${coalesce(try(self.output[k], v), "none")} to ${coalesce(v, "none")}" if try(self.output[k], v) != v
      ])}. Keys that wait would never complete, and duplicates of completed ones run again. Undo it; or move as docs/deploy.md says, and accept this change by a state_moved, which must stay."
    }
    postcondition {
      condition     = var.state_moved != null || try(self.output.letters, null) == null || try(self.output.letters, null) == local.letters
      error_message = "This would delete the subscription ${var.name}-dead-letters, of ${coalesce(try(self.output.letters, null), "none")}, with the dead letters that wait in it. Undo it; or send them again or drop them, as docs/operations.md says, and accept this change by a state_moved, which must stay."
    }
  }

  depends_on = [terraform_data.service]
}

# The place since the last move. It is another resource, since one that forgets where state_moved changes would also
# forget where state_moved is taken away.
resource "terraform_data" "moved" {
  count = var.state_moved == null ? 0 : 1

  input            = merge(local.place, { letters = local.letters })
  triggers_replace = var.state_moved

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition = length([for k, v in local.place : k if try(self.output[k], v) != v]) == 0
      error_message = "This would lose the state: ${join(", ", [
        for k, v in local.place : "${k} from ${coalesce(try(self.output[k], v), "none")} to ${coalesce(v, "none")}" if try(self.output[k], v) != v
      ])}. Keys that wait would never complete, and duplicates of completed ones run again. Undo it; or move as docs/deploy.md says, and accept this change by another state_moved."
    }
    postcondition {
      condition     = try(self.output.letters, null) == null || try(self.output.letters, null) == local.letters
      error_message = "This would delete the subscription ${var.name}-dead-letters, of ${coalesce(try(self.output.letters, null), "none")}, with the dead letters that wait in it. Undo it; or send them again or drop them, as docs/operations.md says, and accept this change by another state_moved."
    }
  }

  depends_on = [terraform_data.service]
}
