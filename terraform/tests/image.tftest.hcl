# A prebuilt image runs as a service that is the function in all but who builds it.
mock_provider "google" { source = "./tests/mocks" }

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
  image          = { uri = "europe-west1-docker.pkg.dev/p-123456/shop/orders:v1" }
}

run "service" {
  variables {
    entry_point     = "Orders"
    memory          = "1Gi"
    cpu             = "2"
    timeout_seconds = 120
    concurrency     = 10
    min_instances   = 1
    max_instances   = 3
    ingress         = "ALLOW_INTERNAL_AND_GCLB"
    vpc_connector   = "projects/p-123456/locations/europe-west1/connectors/c"
    vpc_egress      = "ALL_TRAFFIC"
    labels          = { team = "orders" }
    kms_key         = { id = "projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    environment     = { LOG_LEVEL = "debug" }
    secrets = {
      shop  = { id = "shop", environment = "SHOP_PASSWORD", file = "/secrets/shop/password", version = "2" }
      other = { id = "projects/p-others/secrets/other", environment = "OTHER" }
    }
  }
  assert {
    condition = [for s in google_cloud_run_v2_service.image : "${s.name} ${s.location} ${s.ingress} ${s.labels.team} ${s.deletion_protection}"] == [
    "orders europe-west1 INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER orders false"]
    error_message = "The service must have the function's name, place, ingress and labels, and go when it is asked to."
  }
  assert {
    condition = [for t in google_cloud_run_v2_service.image[0].template :
      "${t.service_account} ${t.timeout} ${t.max_instance_request_concurrency} ${t.scaling[0].min_instance_count} ${t.scaling[0].max_instance_count} ${t.labels.team} ${t.encryption_key}"
    ] == ["an-account@p-123456.iam.gserviceaccount.com 120s 10 1 3 orders projects/p-123456/locations/europe-west1/keyRings/r/cryptoKeys/k"]
    error_message = "Instances must run as the inputs say."
  }
  assert {
    condition = [for c in google_cloud_run_v2_service.image[0].template[0].containers :
      "${c.image} ${jsonencode(c.resources[0].limits)} ${c.resources[0].cpu_idle} ${c.resources[0].startup_cpu_boost}"
    ] == ["europe-west1-docker.pkg.dev/p-123456/shop/orders:v1 {\"cpu\":\"2\",\"memory\":\"1Gi\"} true true"]
    error_message = "The image must run in instances of the size of the inputs, with CPU while there are requests."
  }
  assert {
    condition = { for e in google_cloud_run_v2_service.image[0].template[0].containers[0].env : e.name => e.value if length(e.value_source) == 0 } == {
      EVENT_SOURCES             = "event1,event2,event3"
      SOURCE_ALIASES            = "event1:orders-event1,event2:orders-event2,event3:orders-event3"
      EVENT_STORE               = "gcs"
      CLAIM_STORE               = "gcs"
      GCS_BUCKET                = "p-123456-orders-events"
      DEAD_LETTER_TOPIC         = "projects/p-123456/topics/orders-dead-letters"
      MAX_EVENT_AGE             = "20h"
      CLOUD_RUN_TIMEOUT_SECONDS = "120"
      FUNCTION_TARGET           = "Orders"
      GOOGLE_CLOUD_PROJECT      = "p-123456"
      LOG_EXECUTION_ID          = "true"
      GOMEMLIMIT                = "1024MiB"
      LOG_LEVEL                 = "debug"
    }
    error_message = "The service must be told what the function is told, and the function's name."
  }
  assert {
    condition = { for e in google_cloud_run_v2_service.image[0].template[0].containers[0].env : e.name => [for s in e.value_source[0].secret_key_ref : "${s.secret} ${s.version}"] if length(e.value_source) > 0 } == {
      SHOP_PASSWORD = ["shop 2"], OTHER = ["projects/p-others/secrets/other latest"]
    }
    error_message = "Secrets must be variables."
  }
  assert {
    condition = [for v in google_cloud_run_v2_service.image[0].template[0].volumes :
      "${v.secret[0].secret} ${v.secret[0].items[0].path} ${v.secret[0].items[0].version} ${one([for m in google_cloud_run_v2_service.image[0].template[0].containers[0].volume_mounts : m.mount_path if m.name == v.name])}"
    ] == ["shop password 2 /secrets/shop"]
    error_message = "Secrets must be files in their folders."
  }
  assert {
    condition = [for v in google_cloud_run_v2_service.image[0].template[0].vpc_access : "${v.connector} ${v.egress} ${length(v.network_interfaces)}"] == [
    "projects/p-123456/locations/europe-west1/connectors/c ALL_TRAFFIC 0"]
    error_message = "Traffic must go out as the inputs say."
  }
  assert {
    condition     = toset(keys(google_kms_crypto_key_iam_member.this)) == toset(["eventarc", "pubsub", "run", "storage"])
    error_message = "No agent must use the key that has nothing to do here."
  }
}

run "network" {
  command = plan
  variables {
    vpc_network = { network = "shop", subnetwork = "calls", tags = ["orders"] }
  }
  assert {
    condition = [for v in google_cloud_run_v2_service.image[0].template[0].vpc_access :
      join(" ", concat([coalesce(v.connector, "none"), v.egress], [for n in v.network_interfaces : "${n.network} ${n.subnetwork} ${join(",", n.tags)}"]))
    ] == ["none PRIVATE_RANGES_ONLY shop calls orders"]
    error_message = "The service must reach the network."
  }
}

run "defaults" {
  command = plan
  variables {
    kms_key = null
  }
  assert {
    condition     = length(google_cloud_run_v2_service.image[0].template[0].vpc_access) + length(google_cloud_run_v2_service.image[0].template[0].volumes) == 0
    error_message = "Without a network and secrets there must be none."
  }
  assert {
    condition     = google_cloud_run_v2_service.image[0].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "The service must be internal by default."
  }
}

run "wiring" {
  variables {
    sources        = { event1 = {}, event2 = { delivery = "pubsub" } }
    alert_channels = ["projects/p-123456/notificationChannels/1"]
    telemetry      = "google"
    invokers       = { ci = "serviceAccount:ci@p-123456.iam.gserviceaccount.com" }
    operators      = { on-call = "group:on-call@example.com" }
  }
  assert {
    condition = [for t in google_eventarc_trigger.this : "${t.destination[0].cloud_run_service[0].service}${t.destination[0].cloud_run_service[0].path}"] == [
    "orders/events/event1"]
    error_message = "Triggers must lead to the service."
  }
  assert {
    condition     = google_pubsub_subscription.source["event2"].push_config[0].push_endpoint == "https://orders-abc-ew.a.run.app/events/event2" && google_pubsub_subscription.source["event2"].push_config[0].oidc_token[0].audience == "https://orders-abc-ew.a.run.app"
    error_message = "Push subscriptions must lead to the service."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep[0].http_target[0].uri == "https://orders-abc-ew.a.run.app/sweep" && google_cloud_scheduler_job.sweep[0].http_target[0].oidc_token[0].audience == "https://orders-abc-ew.a.run.app"
    error_message = "Sweeps must be those of the service."
  }
  assert {
    condition = alltrue([for grant in concat(
      [google_cloud_run_v2_service_iam_member.trigger_invoker, google_cloud_run_v2_service_iam_member.sweep_invoker[0], google_cloud_run_v2_service_iam_member.invokers["ci"]],
      [google_cloud_run_v2_service_iam_member.operators["on-call"], google_cloud_run_v2_service_iam_member.people["on-call"]],
    ) : "${grant.project} ${grant.location} ${grant.name}" == "p-123456 europe-west1 orders"])
    error_message = "Whoever calls the function must be allowed to call the service."
  }
  assert {
    condition     = output.function_name == "orders" && output.function_uri == "https://orders-abc-ew.a.run.app" && output.build_service_account == null
    error_message = "The outputs must be those of the service."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this) == 4 && length(google_monitoring_dashboard.this) == 1
    error_message = "The service must have the function's alerts and dashboard."
  }
}

run "nothing_is_built" {
  command = plan
  assert {
    condition = 0 == length(google_cloudfunctions2_function.this) + length(google_artifact_registry_repository.images) + length(google_service_account.build) + length(
      google_storage_bucket.source) + length(google_storage_bucket_object.source) + length(data.archive_file.source) + length(google_storage_bucket_iam_member.build_source) + length(
      google_storage_bucket_iam_member.build_given_source) + length(google_artifact_registry_repository_iam_member.build_writer) + length(google_project_iam_member.build_copied_source) + length(
    google_project_iam_member.build_logs)
    error_message = "Nothing must be there that builds."
  }
  assert {
    condition     = length(setintersection(keys(google_project_service.this), ["artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudfunctions.googleapis.com"])) == 0
    error_message = "No API must be enabled that nothing uses."
  }
}

run "granted_by_others" {
  command = plan
  variables {
    grant_roles = false
    service_accounts = {
      run     = { email = "run@p-123456.iam.gserviceaccount.com" }
      trigger = { email = "trigger@p-123456.iam.gserviceaccount.com" }
    }
  }
  assert {
    condition     = google_cloud_run_v2_service.image[0].template[0].service_account == "run@p-123456.iam.gserviceaccount.com"
    error_message = "No account must be asked for that builds."
  }
}

run "digest" {
  command = plan
  variables {
    image = { uri = "europe-west1-docker.pkg.dev/p-others/shop/orders@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
  }
  assert {
    condition     = endswith(google_cloud_run_v2_service.image[0].template[0].containers[0].image, "a08")
    error_message = "An image must be taken by its digest, also from another project."
  }
}

run "image_without_tag" {
  command = plan
  variables {
    image = { uri = "europe-west1-docker.pkg.dev/p-123456/shop/orders" }
  }
  expect_failures = [var.image]
}

run "image_without_registry" {
  command = plan
  variables {
    image = { uri = "orders:v1" }
  }
  expect_failures = [var.image]
}

run "image_in_the_repository_that_goes" {
  command = plan
  variables {
    image = { uri = "europe-west1-docker.pkg.dev/p-123456/orders/orders:v1" }
  }
  expect_failures = [var.image]
}

run "image_beside_a_source" {
  command = plan
  variables {
    source_archive = "gs://builds/orders.zip#1"
  }
  expect_failures = [var.image]
}

run "image_beside_a_folder" {
  command = plan
  variables {
    source_dir = "tests/other_source"
  }
  expect_failures = [var.image]
}

run "image_beside_a_builder" {
  command = plan
  variables {
    service_accounts = { build = { email = "build@p-123456.iam.gserviceaccount.com" } }
  }
  expect_failures = [var.image]
}

run "image_beside_flags" {
  command = plan
  variables {
    build_environment = { GOFLAGS = "-tags=x" }
  }
  expect_failures = [var.image]
}

run "image_beside_a_repository" {
  command = plan
  variables {
    repository = { id = "projects/p-123456/locations/europe-west1/repositories/theirs" }
  }
  expect_failures = [var.image]
}

run "too_little_memory" {
  command = plan
  variables {
    memory = "128Mi"
  }
  expect_failures = [terraform_data.ready]
}
