variable "source_dir" {
  description = "The folder with the function's source, of which go.mod, go.sum, Go files other than tests, and source_includes are packed. null: the repository's root, above this module, less what is not compiled."
  type        = string
  default     = null
}

variable "source_includes" {
  description = "What else of source_dir is packed, such as embedded files, as in [\"prices/*.json\"]; ** stands for any folders."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.source_includes) == 0 || var.source_dir != null
    error_message = "source_includes goes with source_dir: of this repository all that is compiled is packed."
  }
}

variable "source_excludes" {
  description = "More paths to leave out of the source; ** stands for any folders."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "source_archive" {
  description = "The source as a zip that is there at plan and at apply: a file's path, or an object as in gs://BUCKET/OBJECT#GENERATION, which the function's build may then read. null: it is packed at plan."
  type        = string
  default     = null

  validation {
    condition     = var.source_archive == null || can(regex("^gs://[^/]+/[^#]+#[0-9]+$", var.source_archive)) || !startswith(coalesce(var.source_archive, "-"), "gs://") && try(fileexists(var.source_archive), false)
    error_message = "source_archive must be the path of a zip that exists, or an object with its generation, as in gs://builds/orders.zip#1732600000000000."
  }
  validation {
    condition     = var.source_archive == null || var.source_dir == null && length(var.source_excludes) == 0
    error_message = "source_archive goes without source_dir and source_excludes: it is taken as it is."
  }
}

variable "image" {
  description = "An image that others have built, instead of a source, as in { uri = \"europe-west1-docker.pkg.dev/P/R/orders@sha256:…\" }: a service of Cloud Run runs it. Terraform does not notice a tag that moves, so give a digest. See docs/how-to/cloud-run-api.md. null: Cloud Functions builds the source."
  type        = object({ uri = string })
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^/ @]+/[^ @]+(:[-_.A-Za-z0-9]{1,128}|@sha256:[0-9a-f]{64})$", var.image.uri))
    error_message = "image's uri must be an image's full name with a digest or a tag, as in europe-west1-docker.pkg.dev/P/R/orders@sha256:…."
  }
  validation {
    condition     = var.image == null || !startswith(try(var.image.uri, "-"), "${var.region}-docker.pkg.dev/${var.project_id}/${var.name}/")
    error_message = "image must not be in the repository ${var.name}, which is the module's for what it builds from a source, and goes with that. Push the image to another."
  }
  validation {
    condition     = var.image == null || var.source_dir == null && length(var.source_excludes) == 0 && var.source_archive == null && var.build_environment == null && var.repository == null && var.service_accounts.build == null
    error_message = "image goes without source_dir, source_excludes, source_archive, build_environment, repository and service_accounts.build: nothing is built."
  }
}

variable "repository" {
  description = "An existing Docker repository of Artifact Registry for the function's images, its id as in { id = \"projects/P/locations/REGION/repositories/R\" }. null: NAME is created."
  type        = object({ id = string })
  default     = null

  validation {
    condition     = var.repository == null || can(regex("^projects/[^/]+/locations/[^/]+/repositories/[^/]+$", var.repository.id))
    error_message = "repository's id must be as in projects/P/locations/REGION/repositories/R."
  }
}

variable "runtime" {
  description = "The runtime that the function is built for."
  type        = string
  default     = "go126"
  nullable    = false

  validation {
    condition     = can(regex("^go1(2[6-9]|[3-9][0-9])$", var.runtime))
    error_message = "runtime must be go126 or later: the buildpack doesn't build a module whose go directive is newer than its toolchain."
  }
}

variable "entry_point" {
  description = "The name that the function is registered under."
  type        = string
  default     = "EventDriver"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z_][-A-Za-z0-9_]*$", var.entry_point)) && var.entry_point != "EventDriverCloudEvent"
    error_message = "entry_point must be the name of an HTTP function, as in EventDriver. EventDriverCloudEvent lets requests hang when an instance serves several at once."
  }
}

variable "memory" {
  description = "The memory of an instance: at most 4Gi for each CPU."
  type        = string
  default     = "512Mi"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+(k|M|G|Mi|Gi)$", var.memory))
    error_message = "memory must be as in 512Mi or 1Gi."
  }
}

variable "cpu" {
  description = "The CPUs of an instance: 1, 2, 4, 6, 8, or a part of one from 0.08."
  type        = string
  default     = "1"
  nullable    = false

  validation {
    condition     = try(contains([1, 2, 4, 6, 8], tonumber(var.cpu)) || tonumber(var.cpu) >= 0.08 && tonumber(var.cpu) < 1, false)
    error_message = "cpu must be 1, 2, 4, 6 or 8, or a part of one from 0.08, as in 0.5."
  }
}

variable "timeout_seconds" {
  description = "How long one event may take."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 540
    error_message = "timeout_seconds must be 1 to 540: events are delivered again if they are not acknowledged within 10 minutes."
  }
}

variable "concurrency" {
  description = "How many events an instance handles at once. null: as many as fit into the memory, at most 80; 1 if cpu is less than 1."
  type        = number
  default     = null

  validation {
    condition     = var.concurrency == null || try(var.concurrency >= 1 && var.concurrency <= 1000 && (var.concurrency == 1 || tonumber(var.cpu) >= 1), false)
    error_message = "concurrency must be 1 to 1000, and 1 where cpu is less than 1."
  }
  validation {
    condition     = var.concurrency == null || try(var.concurrency <= local.most_concurrent, false)
    error_message = "concurrency ${coalesce(var.concurrency, 0)} does not fit into memory ${var.memory}, which is enough for ${local.most_concurrent} events at once. Give ${128 + 4 * coalesce(var.concurrency, 0)}Mi, or leave concurrency out to have it follow from the memory."
  }
}

variable "min_instances" {
  description = "How many instances are kept warm."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= var.max_instances
    error_message = "min_instances must be 0 or more, and not more than max_instances."
  }
}

variable "max_instances" {
  description = "How many instances there may be."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000
    error_message = "max_instances must be 1 to 1000."
  }
}

variable "environment" {
  description = "More environment variables of the function, see docs/configuration.md. Those that other inputs set are refused."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.environment), [
      "EVENT_SOURCES", "ERASE_SOURCES", "SOURCE_ALIASES", "KEY_POINTER", "CONTENT", "EVENT_STORE", "CLAIM_STORE", "GCS_BUCKET",
      "BIGQUERY_PROJECT", "BIGQUERY_DATASET", "BIGQUERY_LOCATION", "BIGQUERY_RETENTION", "OUTPUT_TOPIC", "DEAD_LETTER_TOPIC", "MAX_EVENT_AGE",
      "JOIN_DEADLINE", "ON_DEADLINE", "TELEMETRY",
    "CLOUD_RUN_TIMEOUT_SECONDS", "GOOGLE_CLOUD_PROJECT", "LOG_EXECUTION_ID"])) == 0
    error_message = "environment must not set what the module sets from its other inputs: use sources, erase_sources, key_pointer, store, claim_store, output_topic, dead_letter_topic, max_event_age, join_deadline, on_deadline, telemetry or timeout_seconds."
  }
  validation {
    condition     = var.telemetry != "off" || alltrue([for name in keys(var.environment) : !startswith(name, "OTEL_")])
    error_message = "environment has variables of OpenTelemetry, OTEL_, which the function does not read with telemetry = \"off\": choose otlp or google."
  }
  validation {
    condition     = alltrue([for name in keys(var.environment) : !can(regex("^(X_GOOGLE_|K_|FUNCTION_|CLOUD_RUN_)", name)) && name != "PORT" && can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "environment must not set names that the platform reserves: PORT, and those that start with K_, FUNCTION_, CLOUD_RUN_ or X_GOOGLE_."
  }
}

variable "secrets" {
  description = "Secrets of Secret Manager for the business, by any name: the id, as in shop or projects/P/secrets/shop, and what the function gets it as: environment, a variable, and file, a path with a folder of its own, as in /secrets/shop/password. A variable has the version, latest by default, of when its instance starts, a file that of when it is read."
  type = map(object({
    id          = string
    version     = optional(string, "latest")
    environment = optional(string)
    file        = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for s in values(var.secrets) : can(regex("^(projects/[^/]+/secrets/)?[-_A-Za-z0-9]{1,255}$", s.id))])
    error_message = "A secret's id must be its name, as in shop, or projects/PROJECT/secrets/SECRET, without a version."
  }
  validation {
    condition     = length(distinct([for s in values(var.secrets) : trimprefix(s.id, "projects/${var.project_id}/secrets/")])) == length(var.secrets)
    error_message = "Two of secrets must not be the same secret: whoever removes one would take the function's role from the other."
  }
  validation {
    condition     = alltrue([for s in values(var.secrets) : can(regex("^(latest|[1-9][0-9]*)$", s.version))])
    error_message = "A secret's version must be latest or a number."
  }
  validation {
    condition     = alltrue([for s in values(var.secrets) : s.environment != null || s.file != null])
    error_message = "A secret must have environment, the name of a variable, or file, a path, or both."
  }
  validation {
    condition = alltrue([for s in values(var.secrets) : s.environment == null || can(regex("^[A-Za-z_][A-Za-z0-9_]*$", s.environment))
    && !can(regex("^(X_GOOGLE_|K_|FUNCTION_|CLOUD_RUN_)", s.environment)) && s.environment != "PORT"])
    error_message = "A secret's environment must be a variable that the platform does not reserve, as in SHOP_PASSWORD."
  }
  validation {
    condition = length(setintersection([for s in values(var.secrets) : coalesce(s.environment, "-")], keys(local.environment))) == 0 && length(
    distinct(compact([for s in values(var.secrets) : s.environment]))) == length(compact([for s in values(var.secrets) : s.environment]))
    error_message = "A secret's environment must not be a variable of another secret, of environment or of the module's."
  }
  validation {
    condition     = alltrue([for s in values(var.secrets) : s.file == null || can(regex("^(/[-_.A-Za-z0-9]+){2,}$", s.file)) && !can(regex("^/(dev|proc|sys|workspace)/", s.file))])
    error_message = "A secret's file must be an absolute path in a folder, as in /secrets/shop/password, not in /dev, /proc, /sys or /workspace."
  }
  validation {
    condition     = length(distinct([for s in values(var.secrets) : dirname(s.file) if s.file != null])) == length([for s in values(var.secrets) : s if s.file != null])
    error_message = "Each secret's file must have a folder of its own: Cloud Run mounts each secret as a folder."
  }
}

variable "build_environment" {
  description = "The environment of the build. null: GOFLAGS and GOOGLE_GOLDFLAGS that leave out what the function does not use, see docs/deploy.md."
  type        = map(string)
  default     = null
}

variable "ingress" {
  description = "From where the function can be called: ALLOW_INTERNAL_ONLY (Eventarc is internal), ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL. Callers always need permission."
  type        = string
  default     = "ALLOW_INTERNAL_ONLY"
  nullable    = false

  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_ALL"], var.ingress)
    error_message = "ingress must be ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL."
  }
}

variable "vpc_connector" {
  description = "A Serverless VPC Access connector, as projects/P/locations/REGION/connectors/C, for a business handler that calls into a network. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_connector == null || can(regex("^projects/[^/]+/locations/[^/]+/connectors/[^/]+$", var.vpc_connector))
    error_message = "vpc_connector must be as in projects/P/locations/REGION/connectors/C."
  }
}

variable "vpc_network" {
  description = "A network that the business calls into without a connector (direct VPC egress): its network, or a subnetwork, of the region, and tags for firewalls. null: none."
  type        = object({ network = optional(string), subnetwork = optional(string), tags = optional(list(string), []) })
  default     = null

  validation {
    condition     = var.vpc_network == null || try(var.vpc_network.network != null || var.vpc_network.subnetwork != null, false)
    error_message = "vpc_network must have a network, a subnetwork, or both, by name or as projects/P/regions/REGION/subnetworks/S."
  }
  validation {
    condition     = var.vpc_network == null || var.vpc_connector == null
    error_message = "vpc_network and vpc_connector exclude each other."
  }
  validation {
    condition     = alltrue([for tag in try(var.vpc_network.tags, []) : can(regex("^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", tag))])
    error_message = "vpc_network's tags must be up to 63 lower-case letters, digits and hyphens that start with a letter."
  }
}

variable "vpc_egress" {
  description = "What goes through the connector or into the network: PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  type        = string
  default     = "PRIVATE_RANGES_ONLY"
  nullable    = false

  validation {
    condition     = contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], var.vpc_egress)
    error_message = "vpc_egress must be PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  }
}

variable "keep_images" {
  description = "How many of the newest images are kept. Others are deleted when they are 30 days old; a revision without its image can't be rolled back to. null: all are kept."
  type        = number
  default     = 20

  validation {
    condition     = var.keep_images == null || try(var.keep_images >= 2 && floor(var.keep_images) == var.keep_images, false)
    error_message = "keep_images must be a whole number from 2, or nothing is left to roll back to."
  }
}

variable "settle_seconds" {
  description = "How long to wait until new service accounts and their roles are known everywhere."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.settle_seconds >= 0 && var.settle_seconds <= 600
    error_message = "settle_seconds must be 0 to 600."
  }
}
