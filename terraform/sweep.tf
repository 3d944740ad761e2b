# A job that calls the function's /sweep, which finds joins that are overdue, where they have
# a deadline, and orders that are complete and that nobody acts upon. cmd/eventdriver runs it, to
# have a key run. Cloud Scheduler counts as internal, and calls as an account that may do nothing
# else.

locals {
  # A query may read the whole of a table.
  slow_schedule    = local.use_bigquery ? "none" : "17 * * * *"
  default_schedule = var.join_deadline == null ? local.slow_schedule : "*/15 * * * *"
  sweep_schedule   = var.sweep_schedule == null ? local.default_schedule : var.sweep_schedule
  sweeps           = local.sweep_schedule == "none" ? 0 : 1
}

resource "google_service_account" "sweep" {
  count = var.service_accounts.sweep == null ? local.sweeps : 0

  project      = var.project_id
  account_id   = "${var.name}-sweep"
  display_name = "${var.name}: has the function sweep"

  depends_on = [google_project_service.this]
}

resource "google_cloud_run_v2_service_iam_member" "sweep_invoker" {
  count = local.sweeps

  project  = var.project_id
  location = var.region
  name     = local.service.name
  role     = "roles/run.invoker"
  member   = local.members.sweep

  lifecycle {
    replace_triggered_by = [terraform_data.service.id]
  }
}

# A sweep that fails is not tried again: the next one goes through the same keys.
resource "google_cloud_scheduler_job" "sweep" {
  count = local.sweeps

  project          = var.project_id
  region           = var.region
  name             = "${var.name}-sweep"
  description      = "Has ${var.name} process what is overdue, and what nobody acts upon"
  schedule         = local.sweep_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${max(15, var.timeout_seconds)}s" # Cloud Scheduler takes no less than 15 s

  http_target {
    uri         = "${local.service.uri}/sweep"
    http_method = "POST"

    oidc_token {
      service_account_email = local.accounts.sweep
      audience              = local.service.uri
    }
  }

  depends_on = [google_project_service.this, google_cloud_run_v2_service_iam_member.sweep_invoker]
}
