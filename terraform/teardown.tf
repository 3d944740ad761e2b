# Terraform destroys what depends on others before them, and stops where something refuses. So what refuses while
# there is state depends on all else: the folder of the bucket, which Cloud Storage deletes only if it is empty, and
# a view, which Terraform deletes only if the tables may go. The view is first, since by default it refuses always. A
# test checks that they do.

resource "terraform_data" "whole" {
  depends_on = [
    google_bigquery_dataset_iam_member.operators,
    google_bigquery_dataset_iam_member.viewers,
    google_cloud_run_v2_service_iam_member.invokers,
    google_cloud_run_v2_service_iam_member.operators,
    google_cloud_run_v2_service_iam_member.people,
    google_cloud_scheduler_job.sweep,
    google_eventarc_trigger.this,
    google_monitoring_alert_policy.log,
    google_monitoring_alert_policy.metric,
    google_monitoring_alert_policy.this,
    google_monitoring_dashboard.this,
    google_project_iam_member.operators_audit,
    google_project_iam_member.operators_jobs,
    google_project_iam_member.operators_sweep,
    google_project_iam_member.people_jobs,
    google_project_iam_member.people_logs,
    google_pubsub_subscription.source,
    google_pubsub_subscription_iam_member.operators,
    google_pubsub_topic_iam_member.operators,
    google_storage_bucket_iam_member.operators,
    google_storage_bucket_iam_member.viewers,
    terraform_data.moved,
    terraform_data.place,
  ]
}

resource "google_storage_managed_folder" "events" {
  count = length(google_storage_bucket.events)

  bucket        = google_storage_bucket.events[0].name
  name          = "${local.folder}/"
  force_destroy = var.force_destroy

  lifecycle {
    replace_triggered_by = [google_storage_bucket.events[0].id]
  }

  depends_on = [terraform_data.whole]
}
