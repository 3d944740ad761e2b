# Secrets, a network, invokers, images and revisions of the function.
mock_provider "google" { source = "./tests/mocks" }

# What the provider knows of an account before it is there.
override_resource {
  target = google_service_account.sweep
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-sweep@p-123456.iam.gserviceaccount.com"
    email  = "orders-sweep@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-sweep@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.run
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-run@p-123456.iam.gserviceaccount.com"
    email  = "orders-run@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-run@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.trigger
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-trigger@p-123456.iam.gserviceaccount.com"
    email  = "orders-trigger@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-trigger@p-123456.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.build
  values = {
    name   = "projects/p-123456/serviceAccounts/orders-build@p-123456.iam.gserviceaccount.com"
    email  = "orders-build@p-123456.iam.gserviceaccount.com"
    member = "serviceAccount:orders-build@p-123456.iam.gserviceaccount.com"
  }
}

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "secrets" {
  variables {
    secrets = {
      shop = { id = "shop", environment = "SHOP_PASSWORD" }
      tls  = { id = "projects/other-project/secrets/tls", version = "7", file = "/secrets/tls/key.pem" }
      both = { id = "both", environment = "BOTH", file = "/secrets/both/value" }
    }
  }
  assert {
    condition = { for s in google_cloudfunctions2_function.this[0].service_config[0].secret_environment_variables : s.key => "${s.project_id} ${s.secret} ${s.version}" } == {
      SHOP_PASSWORD = "p-123456 shop latest", BOTH = "p-123456 both latest"
    }
    error_message = "The function must get secrets as variables."
  }
  assert {
    condition = { for s in google_cloudfunctions2_function.this[0].service_config[0].secret_volumes :
      "${s.mount_path} ${s.versions[0].path}" => "${s.project_id} ${s.secret} ${s.versions[0].version}"
    } == { "/secrets/tls key.pem" = "other-project tls 7", "/secrets/both value" = "p-123456 both latest" }
    error_message = "The function must get secrets as files."
  }
  assert {
    condition = { for s in google_secret_manager_secret_iam_member.run : "${s.project} ${s.secret_id}" => "${s.role} ${s.member}" } == {
      for secret in ["p-123456 shop", "other-project tls", "p-123456 both"] : secret => "roles/secretmanager.secretAccessor serviceAccount:orders-run@p-123456.iam.gserviceaccount.com"
    }
    error_message = "The function's account must be able to read each secret, and no other."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "secretmanager.googleapis.com")
    error_message = "Secret Manager must be enabled."
  }
}

run "network_without_a_connector" {
  variables {
    vpc_network = { network = "shop", subnetwork = "functions", tags = ["orders"] }
    vpc_egress  = "ALL_TRAFFIC"
  }
  assert {
    condition = (google_cloudfunctions2_function.this[0].service_config[0].direct_vpc_network_interface[0].network == "shop"
      && google_cloudfunctions2_function.this[0].service_config[0].direct_vpc_network_interface[0].subnetwork == "functions"
      && google_cloudfunctions2_function.this[0].service_config[0].direct_vpc_network_interface[0].tags == tolist(["orders"])
    )
    error_message = "The function must be in the network."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" && google_cloudfunctions2_function.this[0].service_config[0].vpc_connector_egress_settings == null
    error_message = "The network must get what vpc_egress says."
  }
}

run "by_default" {
  variables {
    invokers = { ci = "serviceAccount:ci@p-123456.iam.gserviceaccount.com" }
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this[0].service_config[0].direct_vpc_network_interface) == 0
    error_message = "The function must be in no network."
  }
  assert {
    condition     = length(google_secret_manager_secret_iam_member.run) == 0 && !contains(keys(google_project_service.this), "secretmanager.googleapis.com")
    error_message = "Without secrets there must be no trace of Secret Manager."
  }
  assert {
    condition = [for i in values(google_cloud_run_v2_service_iam_member.invokers) : "${i.name} ${i.role} ${i.member}"] == [
    "orders roles/run.invoker serviceAccount:ci@p-123456.iam.gserviceaccount.com"]
    error_message = "Invokers must be able to call the function."
  }
  assert {
    condition = { for p in google_artifact_registry_repository.images[0].cleanup_policies : p.id => "${p.action} ${try(p.most_recent_versions[0].keep_count, "")}${try(p.condition[0].older_than, "")}" } == {
      keep-recent = "KEEP 20", delete-old = "DELETE 2592000s"
    }
    error_message = "The newest images must be kept, and old ones deleted."
  }
}

run "all_images" {
  command = plan
  variables {
    keep_images = null
  }
  assert {
    condition     = length(google_artifact_registry_repository.images[0].cleanup_policies) == 0
    error_message = "No image must be deleted."
  }
}

run "secret_with_its_version" {
  command = plan
  variables {
    secrets = { shop = { id = "projects/p/secrets/shop/versions/1", environment = "A" } }
  }
  expect_failures = [var.secrets]
}

run "one_secret_twice" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", environment = "A" }, again = { id = "projects/p-123456/secrets/shop", environment = "B" } }
  }
  expect_failures = [var.secrets]
}

run "version_that_is_no_number" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", version = "newest", environment = "A" } }
  }
  expect_failures = [var.secrets]
}

run "secret_for_nothing" {
  command = plan
  variables {
    secrets = { shop = { id = "shop" } }
  }
  expect_failures = [var.secrets]
}

run "secret_in_a_variable_of_the_platform" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", environment = "K_SERVICE" } }
  }
  expect_failures = [var.secrets]
}

run "secret_in_no_variable" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", environment = "A-B" } }
  }
  expect_failures = [var.secrets]
}

run "secret_in_a_variable_of_the_module" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", environment = "EVENT_SOURCES" } }
  }
  expect_failures = [var.secrets]
}

run "two_secrets_in_one_variable" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", environment = "A" }, other = { id = "other", environment = "A" } }
  }
  expect_failures = [var.secrets]
}

run "file_without_a_folder" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", file = "/password" } }
  }
  expect_failures = [var.secrets]
}

run "file_of_the_system" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", file = "/proc/shop" } }
  }
  expect_failures = [var.secrets]
}

run "two_files_in_one_folder" {
  command = plan
  variables {
    secrets = { shop = { id = "shop", file = "/secrets/shop" }, other = { id = "other", file = "/secrets/other" } }
  }
  expect_failures = [var.secrets]
}

run "network_without_a_name" {
  command = plan
  variables {
    vpc_network = { tags = ["orders"] }
  }
  expect_failures = [var.vpc_network]
}

run "tag_in_upper_case" {
  command = plan
  variables {
    vpc_network = { network = "shop", tags = ["Orders"] }
  }
  expect_failures = [var.vpc_network]
}

run "operator_as_invoker" {
  command = plan
  variables {
    operators = { on-call = "group:on-call@example.com" }
    invokers  = { on-call = "group:on-call@example.com" }
  }
  expect_failures = [var.invokers]
}

run "everybody_as_invoker" {
  command = plan
  variables {
    invokers = { all = "allUsers" }
  }
  expect_failures = [var.invokers]
}

run "one_image" {
  command = plan
  variables {
    keep_images = 1
  }
  expect_failures = [var.keep_images]
}

run "secret_in_a_variable_of_environment" {
  command = plan
  variables {
    environment = { SHOP_URL = "https://example.com" }
    secrets     = { shop = { id = "shop", environment = "SHOP_URL" } }
  }
  expect_failures = [var.secrets]
}

run "network_beside_a_connector" {
  command = plan
  variables {
    vpc_network   = { network = "shop" }
    vpc_connector = "projects/p-123456/locations/europe-west1/connectors/c"
  }
  expect_failures = [var.vpc_network]
}
