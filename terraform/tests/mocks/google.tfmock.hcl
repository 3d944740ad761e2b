# What the tests have Google answer. The provider checks these as it would check real ones.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_data "google_bigquery_default_service_account" {
  defaults = { email = "bq-123456789012@bigquery-encryption.iam.gserviceaccount.com" }
}

mock_data "google_storage_project_service_account" {
  defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = { service_config = { uri = "https://orders-abc-ew.a.run.app" } }
}

mock_resource "google_cloud_run_v2_service" {
  defaults = { uri = "https://orders-abc-ew.a.run.app" }
}

mock_resource "google_service_account" {
  defaults = {
    name   = "projects/p-123456/serviceAccounts/an-account@p-123456.iam.gserviceaccount.com"
    email  = "an-account@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:an-account@p-123456.iam.gserviceaccount.com"
  }
}

mock_resource "google_storage_bucket_object" {
  defaults = { generation = 1732600000000001 }
}
