# A service of Cloud Run, for an image that others have built: it is the function in all but who builds it. It has the
# function's name, so that all that refers to it stays.

locals {
  # A project's own secrets go by their names alone.
  secret_names = { for secret, s in local.secrets : secret => s.project == var.project_id ? s.id : "projects/${s.project}/secrets/${s.id}" }

  # Each in a folder of its own, by the name of a volume.
  secret_volumes = { for secret, s in var.secrets : "secret-${substr(sha256(dirname(s.file)), 0, 12)}" => {
    secret = local.secret_names[secret], folder = dirname(s.file), file = basename(s.file), version = s.version
  } if s.file != null }
}

resource "google_cloud_run_v2_service" "image" {
  count = var.image == null ? 0 : 1

  project             = var.project_id
  location            = var.region
  name                = var.name
  description         = substr(local.description, 0, 512)
  deletion_protection = false # it keeps nothing
  labels              = var.labels

  ingress = {
    ALLOW_INTERNAL_ONLY     = "INGRESS_TRAFFIC_INTERNAL_ONLY"
    ALLOW_INTERNAL_AND_GCLB = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    ALLOW_ALL               = "INGRESS_TRAFFIC_ALL"
  }[var.ingress]

  template {
    service_account                  = local.accounts.run
    timeout                          = "${var.timeout_seconds}s"
    max_instance_request_concurrency = local.concurrency
    encryption_key                   = local.kms_key
    labels                           = var.labels

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = var.max_instances
    }

    dynamic "vpc_access" {
      for_each = var.vpc_connector == null && var.vpc_network == null ? [] : [var.vpc_egress]
      content {
        connector = var.vpc_connector
        egress    = vpc_access.value

        dynamic "network_interfaces" {
          for_each = var.vpc_network[*]
          content {
            network    = network_interfaces.value.network
            subnetwork = network_interfaces.value.subnetwork
            tags       = network_interfaces.value.tags
          }
        }
      }
    }

    containers {
      image = var.image.uri

      # As a function's: CPU while there are requests, and more of it at the start.
      resources {
        limits            = { cpu = var.cpu, memory = var.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.environment, { FUNCTION_TARGET = var.entry_point })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = { for secret, s in var.secrets : secret => s if s.environment != null }
        content {
          name = env.value.environment
          value_source {
            secret_key_ref {
              secret  = local.secret_names[env.key]
              version = env.value.version
            }
          }
        }
      }

      dynamic "volume_mounts" {
        for_each = local.secret_volumes
        content {
          name       = volume_mounts.key
          mount_path = volume_mounts.value.folder
        }
      }
    }

    dynamic "volumes" {
      for_each = local.secret_volumes
      content {
        name = volumes.key
        secret {
          secret = volumes.value.secret
          items {
            path    = volumes.value.file
            version = volumes.value.version
          }
        }
      }
    }
  }

  lifecycle {
    # After a roll back the earlier revision keeps the events. gcloud, by which that is done, says that it was there.
    ignore_changes = [traffic, client, client_version]
  }

  depends_on = [terraform_data.ready]
}
