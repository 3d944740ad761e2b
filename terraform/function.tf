locals {
  # Tells the function an event's source if a request has no source's path: while older
  # triggers are changed, and in older revisions, which know no paths. A name that two
  # sources share is left out.
  known_by = { for event, s in var.sources : event => distinct(concat(
    s.event_type == null ? [reverse(split("/", local.topics[event]))[0]] : [],
    startswith(coalesce(s.event_type, "-"), "google.cloud.storage.") ? compact([lookup(s.filters, "bucket", "")]) : [],
    [for alias in s.aliases : trimspace(alias)], # as the function reads them
  )) }
  shared = [for alias in distinct(flatten(values(local.known_by))) : alias
  if length([for event, known in local.known_by : event if contains(known, alias) || event == alias]) > 1]

  # In the form event1:orders-created,event1:….
  aliases = flatten([for event, known in local.known_by : [
    for alias in known : "${event}:${alias}" if alias != event && !contains(local.shared, alias)
  ]])

  # One pointer for all events, or in the form event1:/order/id,event2:/id.
  key_pointer = alltrue([for s in values(var.sources) : s.key_pointer == null]) ? var.key_pointer : join(",", [
    for event, s in var.sources : "${event}:${coalesce(s.key_pointer, var.key_pointer)}" if s.key_pointer != null || var.key_pointer != null
  ])
  content = [for event, s in var.sources : "${event}:${s.content}" if s.content != null]

  # The function bounds the bytes that it holds for events (docs/input.md, Memory), and
  # sends away events that do not fit. The program takes 128 MiB, an event 4 MiB. Half of
  # the memory is for events, and three eighths of that for those that arrive, each up to
  # three times: so a body of BODY_LIMIT needs 16 times its size.
  memory_mib = try(floor(tonumber(regex("^[0-9]+", var.memory)) * {
    k = 1000, M = 1000000, G = 1000000000, Mi = 1048576, Gi = 1073741824
  }[regex("[A-Za-z]+$", var.memory)] / 1048576), 0)
  cpus = try(tonumber(var.cpu), 1)
  # What Cloud Run takes with so many CPUs.
  cpu_memory_mib = {
    least = local.cpus >= 6 ? 4096 : local.cpus >= 4 ? 2048 : 0
    most  = local.cpus >= 1 ? 4096 * local.cpus : local.cpus >= 0.5 ? 1024 : 512
  }
  body_limit       = try(tonumber(trimspace(var.environment["BODY_LIMIT"])), 14000000)
  least_memory_mib = max(132, 1 + ceil(16 * local.body_limit / 1048576))
  most_concurrent  = max(1, floor((local.memory_mib - 128) / 4))
  concurrency      = coalesce(var.concurrency, local.cpus < 1 ? 1 : min(80, local.most_concurrent))

  # gRPC's service mesh, BigQuery and telemetry where they are not used, and the debugger's tables are left out.
  build_environment = var.build_environment != null ? var.build_environment : {
    GOFLAGS          = "-tags=${join(",", concat(["disable_grpc_modules"], local.use_bigquery ? [] : ["nobigquery"], var.telemetry != "off" ? [] : ["notelemetry"]))}"
    GOOGLE_GOLDFLAGS = "-s -w"
  }

  description = "Acts once when ${join(", ", keys(var.sources))} of a key have all arrived"

  environment = merge(
    # Not every container tells a process how much memory it has. A smaller one may be set.
    { GOMEMLIMIT = "${local.memory_mib}MiB" },
    var.environment,
    {
      EVENT_SOURCES     = join(",", keys(var.sources))
      SOURCE_ALIASES    = join(",", local.aliases)
      EVENT_STORE       = var.store
      CLAIM_STORE       = var.claim_store
      DEAD_LETTER_TOPIC = local.dead_letter_topic
      # The function's contexts end with its timeout, before the platform cuts it off.
      CLOUD_RUN_TIMEOUT_SECONDS = tostring(var.timeout_seconds)
      GOOGLE_CLOUD_PROJECT      = var.project_id
      # The platform adds it if it isn't there, and the next plan would want it gone.
      LOG_EXECUTION_ID = "true"
    },
    var.erase_sources == null ? {} : { ERASE_SOURCES = join(",", var.erase_sources) },
    local.key_pointer == null ? {} : { KEY_POINTER = local.key_pointer },
    length(local.content) == 0 ? {} : { CONTENT = join(",", local.content) },
    local.use_gcs ? { GCS_BUCKET = local.bucket_name } : {},
    local.use_bigquery ? {
      BIGQUERY_PROJECT   = var.project_id
      BIGQUERY_DATASET   = local.dataset_id
      BIGQUERY_LOCATION  = local.dataset_location
      BIGQUERY_RETENTION = "${var.retention_days * 24}h"
    } : {},
    var.output_topic == null ? {} : { OUTPUT_TOPIC = local.output_topic },
    var.max_event_age == null ? {} : { MAX_EVENT_AGE = var.max_event_age },
    var.telemetry == "off" ? {} : { TELEMETRY = var.telemetry },
    var.join_deadline == null ? {} : { JOIN_DEADLINE = var.join_deadline, ON_DEADLINE = var.on_deadline },
  )
}

locals {
  repository_id = var.image != null ? null : var.repository != null ? var.repository.id : join("/", ["projects", var.project_id, "locations", var.region, "repositories", one(google_artifact_registry_repository.images[*].repository_id)])
  repository = var.image != null ? null : {
    id       = local.repository_id
    project  = split("/", local.repository_id)[1]
    location = split("/", local.repository_id)[3]
    name     = split("/", local.repository_id)[5]
  }
}

resource "google_artifact_registry_repository" "images" {
  count = var.repository == null && var.image == null ? 1 : 0

  project       = var.project_id
  location      = var.region
  repository_id = var.name
  description   = "The images of the function ${var.name}"
  format        = "DOCKER"
  kms_key_name  = local.kms_key
  labels        = var.labels

  # What is kept is not deleted.
  dynamic "cleanup_policies" {
    for_each = var.keep_images[*]
    content {
      id     = "keep-recent"
      action = "KEEP"
      most_recent_versions {
        keep_count = cleanup_policies.value
      }
    }
  }

  dynamic "cleanup_policies" {
    for_each = var.keep_images[*]
    content {
      id     = "delete-old"
      action = "DELETE"
      condition {
        tag_state  = "ANY"
        older_than = "2592000s"
      }
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.this]
}

# What is there before the function is: one that is up before it may read its state would fail its first events.
#
# Of a function and of a service of an image, Google has one by the name. When one takes the place of the other, this is
# replaced, so that Terraform destroys the one before it makes the other.
resource "terraform_data" "ready" {
  triggers_replace = var.image == null ? "source" : "image"

  lifecycle {
    precondition {
      condition     = length(local.coming_back) == 0
      error_message = "output_topic and dead_letter_topic must not be topics that events come from, nor be called like a source or an alias: what is published would come back. Choose another than ${join(", ", local.coming_back)}."
    }
    precondition {
      condition     = var.telemetry != "otlp" || anytrue([for name in concat(keys(var.environment), compact([for s in values(var.secrets) : s.environment])) : can(regex("^OTEL_EXPORTER_OTLP_(.+_)?ENDPOINT$", name))])
      error_message = "telemetry = \"otlp\" needs the collector's address, as in environment = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://collector.example.com\" }."
    }
    precondition {
      condition     = local.output_topic != local.dead_letter_topic
      error_message = "output_topic and dead_letter_topic must be two topics."
    }
    precondition {
      condition     = local.memory_mib >= local.cpu_memory_mib.least && local.memory_mib <= local.cpu_memory_mib.most
      error_message = "With cpu ${var.cpu}, Cloud Run takes a memory of ${local.cpu_memory_mib.least}Mi to ${local.cpu_memory_mib.most}Mi, and not ${var.memory}: change one of the two."
    }
    precondition {
      condition     = local.memory_mib >= local.least_memory_mib
      error_message = "memory ${var.memory} is too small for one event of BODY_LIMIT: ${local.body_limit} bytes need ${local.least_memory_mib}Mi. Give more, or set a smaller BODY_LIMIT in environment."
    }
  }

  depends_on = [
    google_project_service.this,
    google_bigquery_dataset_iam_member.run,
    google_bigquery_table.this,
    google_kms_crypto_key_iam_member.this,
    google_project_iam_member.run_jobs,
    google_project_iam_member.run_telemetry,
    google_pubsub_topic_iam_member.run_publisher,
    google_secret_manager_secret_iam_member.run,
    google_storage_bucket_iam_member.run,
    terraform_data.settled,
  ]
}

resource "google_cloudfunctions2_function" "this" {
  count = var.image == null ? 1 : 0

  project      = var.project_id
  location     = var.region
  name         = var.name
  description  = local.description
  kms_key_name = local.kms_key
  labels       = var.labels

  build_config {
    runtime               = var.runtime
    entry_point           = var.entry_point
    environment_variables = local.build_environment
    docker_repository     = local.repository.id
    service_account       = "projects/${var.project_id}/serviceAccounts/${local.accounts.build}"

    source {
      storage_source {
        bucket     = local.source_object.bucket
        object     = local.source_object.name
        generation = local.source_object.generation
      }
    }
  }

  service_config {
    service_account_email            = local.accounts.run
    available_memory                 = var.memory
    available_cpu                    = var.cpu
    timeout_seconds                  = var.timeout_seconds
    max_instance_request_concurrency = local.concurrency
    min_instance_count               = var.min_instances
    max_instance_count               = var.max_instances
    environment_variables            = local.environment
    ingress_settings                 = var.ingress
    vpc_connector                    = var.vpc_connector
    vpc_connector_egress_settings    = var.vpc_connector == null ? null : var.vpc_egress
    direct_vpc_egress                = var.vpc_network == null ? null : "VPC_EGRESS_${var.vpc_egress}"
    all_traffic_on_latest_revision   = true

    dynamic "direct_vpc_network_interface" {
      for_each = var.vpc_network[*]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
        tags       = direct_vpc_network_interface.value.tags
      }
    }

    dynamic "secret_environment_variables" {
      for_each = { for secret, s in var.secrets : secret => s if s.environment != null }
      content {
        key        = secret_environment_variables.value.environment
        project_id = local.secrets[secret_environment_variables.key].project
        secret     = local.secrets[secret_environment_variables.key].id
        version    = secret_environment_variables.value.version
      }
    }

    dynamic "secret_volumes" {
      for_each = { for secret, s in var.secrets : secret => s if s.file != null }
      content {
        mount_path = dirname(secret_volumes.value.file)
        project_id = local.secrets[secret_volumes.key].project
        secret     = local.secrets[secret_volumes.key].id
        versions {
          path    = basename(secret_volumes.value.file)
          version = secret_volumes.value.version
        }
      }
    }
  }

  lifecycle {
    # Read back, it says whether the newest revision gets all events. So what is sent with a change is how it is: after
    # a roll back the earlier revision keeps them, and otherwise the new one gets them.
    ignore_changes = [service_config[0].all_traffic_on_latest_revision]
  }

  depends_on = [terraform_data.ready]
}

# What calls the function, whichever of both it is.
locals {
  service = one(concat(
    [for f in google_cloudfunctions2_function.this : { name = f.name, uri = f.service_config[0].uri }],
    [for s in google_cloud_run_v2_service.image : { name = s.name, uri = s.uri }],
  ))
}

# What is granted on the service goes with it, and must be granted anew where another has its name.
resource "terraform_data" "service" {
  triggers_replace = concat(google_cloudfunctions2_function.this[*].id, google_cloud_run_v2_service.image[*].id)
}
