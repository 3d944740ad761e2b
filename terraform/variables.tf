variable "project_id" {
  description = "The project in which everything is created. Billing must be on."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project's ID, 6 to 30 lower-case letters, digits and hyphens, as in my-project-123; it is not the project's name or number."
  }
}

variable "project_number" {
  description = "The project's number. null: it is looked up, which a depends_on of the module would defer, and grants would be made anew."
  type        = string
  default     = null

  validation {
    condition     = var.project_number == null || can(regex("^[0-9]+$", var.project_number))
    error_message = "project_number must be the project's number, as in 123456789012."
  }
}

variable "region" {
  description = "The region of the function and its triggers, and of the bucket and the dataset, unless they have a location."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, as in europe-west1; a zone or a multi-region won't do."
  }
}

variable "name" {
  description = "The function's name, and the beginning of all other names. Each function in a project needs its own."
  type        = string
  default     = "event-driver"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and hyphens that start with a letter, as in orders: the service accounts' IDs, which take 30 characters, are made from it."
  }

  validation {
    condition     = !can(regex("^goog|google", var.name))
    error_message = "name must not begin with goog or contain google: topics and buckets are called after it, and Google refuses that."
  }
}

variable "store" {
  description = "Where events are kept: gcs (Cloud Storage) or bigquery, which is experimental."
  type        = string
  default     = "gcs"
  nullable    = false

  validation {
    condition     = contains(["gcs", "bigquery"], var.store)
    error_message = "store must be gcs or bigquery. (The memory store loses orders in the cloud.)"
  }
}

variable "claim_store" {
  description = "Where claims and completions are kept: gcs, or bigquery, which takes about one join a second."
  type        = string
  default     = "gcs"
  nullable    = false

  validation {
    condition     = contains(["gcs", "bigquery"], var.claim_store)
    error_message = "claim_store must be gcs or bigquery."
  }
}

variable "retention_days" {
  description = "How many days events are kept, at least two: Eventarc delivers again for one. In Cloud Storage claims are kept a day longer, completions two, and dead letters are never deleted."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.retention_days >= 2 && var.retention_days <= 3650 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number from 2 to 3650: Eventarc delivers again for a day, and what is forgotten before that is processed twice."
  }
  validation {
    condition     = !contains([var.store, var.claim_store], "bigquery") || var.retention_days <= 150
    error_message = "retention_days must be 150 at most with BigQuery, whose locks are remembered for six months."
  }
}

variable "bucket_name" {
  description = "The name of the bucket for the state. null: PROJECT-NAME-events."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][-_a-z0-9]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits, hyphens and underscores."
  }
  validation {
    condition     = !can(regex("^goog|google", var.bucket_name))
    error_message = "bucket_name must not begin with goog or contain google: Google refuses that."
  }
}

variable "create_bucket" {
  description = "Whether the bucket for the state is made. false: bucket_name exists; terraform/README.md says what it needs."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.create_bucket || var.bucket_name != null && var.bucket_location == null
    error_message = "create_bucket = false goes with the bucket_name of a bucket that exists, which has a location already."
  }
}

variable "bucket_location" {
  description = "The location of the bucket for the state: a region, or a dual-region or multi-region that has the function's, as in EUR4 or EU. null: the region."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_location == null || can(regex("^([A-Za-z]+-[A-Za-z]+[0-9]+|[A-Za-z]+[0-9]?)$", var.bucket_location))
    error_message = "bucket_location must be a region, a dual-region or a multi-region, as in europe-west1, EUR4 or EU."
  }
  validation {
    condition     = var.kms_key == null || lower(coalesce(var.bucket_location, var.region)) == lower(var.region)
    error_message = "bucket_location must be the region where there is a kms_key: the function's key must be in its region, the bucket's in the bucket's location."
  }
}

variable "soft_delete_days" {
  description = "How many days Cloud Storage keeps what is deleted or overwritten of the state, so that it can be restored: see docs/how-to/disaster.md. Each overwritten claim is paid for that long. 0: not at all."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days must be 0, or 7 to 90."
  }
}

variable "dataset_id" {
  description = "The ID of the dataset for the state. null: NAME with underscores for hyphens."
  type        = string
  default     = null

  validation {
    condition     = var.dataset_id == null || can(regex("^[A-Za-z0-9_]+$", var.dataset_id)) # no {1,1024}: Terraform's patterns count to 1,000
    error_message = "dataset_id must be letters, digits and underscores; BigQuery takes no hyphens."
  }
}

variable "create_dataset" {
  description = "Whether the dataset for the state is made. false: dataset_id exists, and the module makes its tables in it; give its dataset_location, unless that is the region."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.create_dataset || var.dataset_id != null
    error_message = "create_dataset = false goes with the dataset_id of a dataset that exists."
  }
}

variable "dataset_location" {
  description = "The location of the dataset for the state: a region, or a multi-region, EU or US. null: the region."
  type        = string
  default     = null

  validation {
    condition     = var.dataset_location == null || can(regex("^([A-Za-z]+-[A-Za-z]+[0-9]+|EU|US)$", var.dataset_location))
    error_message = "dataset_location must be a region, as in europe-west1, or EU or US."
  }
  validation {
    condition     = var.kms_key == null || lower(coalesce(var.dataset_location, var.region)) == lower(var.region)
    error_message = "dataset_location must be the region where there is a kms_key: the function's key must be in its region, the dataset's in the dataset's location."
  }
}

variable "state_moved" {
  description = "Accepts one change of what the state is found by, or of dead_letter_topic, which the plan refuses: see docs/deploy.md, Move. Any text that differs from the last, such as a date. Keep it, since without one only the first place is taken."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether terraform destroy also deletes the state. false: it refuses while there is some, before it destroys anything. Apply true before you destroy."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to destroy or replace BigQuery's tables, also empty ones. Apply false before you destroy. null: unless force_destroy."
  type        = bool
  default     = null
}

variable "output_topic" {
  description = "The topic that joined messages are published to, its id as in sources. It must exist, unless create is true. null: none."
  type        = object({ id = string, create = optional(bool, false) })
  default     = null

  validation {
    condition     = var.output_topic == null || can(regex("^(projects/[^/]+/topics/)?[A-Za-z][-A-Za-z0-9._~+%]{2,254}$", var.output_topic.id))
    error_message = "output_topic's id must be a topic's name, as in orders-complete, or projects/PROJECT/topics/TOPIC."
  }
  validation {
    condition     = !try(var.output_topic.create, false) || can(regex("^[^/]+$", var.output_topic.id)) && !try(startswith(var.output_topic.id, "goog"), false)
    error_message = "output_topic's id must be the name of the topic to create, without projects/, and must not begin with goog."
  }
}

variable "dead_letter_topic" {
  description = "An existing topic for dead letters, its id as in sources. null: NAME-dead-letters is created."
  type        = object({ id = string })
  default     = null

  validation {
    condition     = var.dead_letter_topic == null || can(regex("^(projects/[^/]+/topics/)?[A-Za-z][-A-Za-z0-9._~+%]{2,254}$", var.dead_letter_topic.id))
    error_message = "dead_letter_topic's id must be a topic's name, as in orders-dead, or projects/PROJECT/topics/TOPIC."
  }
}

variable "dead_letter_subscription" {
  description = "An existing subscription of dead_letter_topic, its id as in { id = \"projects/PROJECT/subscriptions/SUBSCRIPTION\" }, that keeps dead letters for people. null: NAME-dead-letters is created."
  type        = object({ id = string })
  default     = null

  validation {
    condition     = var.dead_letter_subscription == null || can(regex("^projects/${var.project_id}/subscriptions/[^/]+$", var.dead_letter_subscription.id))
    error_message = "dead_letter_subscription's id must be as in projects/${var.project_id}/subscriptions/SUBSCRIPTION, of the same project."
  }
  validation {
    condition     = var.dead_letter_subscription == null || var.dead_letter_topic != null
    error_message = "dead_letter_subscription goes with the dead_letter_topic that it is of."
  }
}

variable "max_event_age" {
  description = "The age from which events that still fail are dead-lettered. Pub/Sub forgets events silently after 24 hours. null: never."
  type        = string
  default     = "20h"

  validation {
    condition     = var.max_event_age == null || (can(regex("^([0-9]+(\\.[0-9]+)?(h|m|s|ms))+$", var.max_event_age)) && can(regex("[1-9]", var.max_event_age)))
    error_message = "max_event_age must be a length of time, as in 20h or 90m; null, not 0, for none."
  }
}

variable "join_deadline" {
  description = "How long a join may wait for its events, as in 24h: sweeps find those that are overdue. null: without end."
  type        = string
  default     = null

  validation {
    condition     = var.join_deadline == null || (can(regex("^([0-9]+(\\.[0-9]+)?(h|m|s|ms))+$", var.join_deadline)) && can(regex("[1-9]", var.join_deadline)))
    error_message = "join_deadline must be a length of time, as in 24h or 90m."
  }
  validation {
    condition = var.join_deadline == null || try(sum([for part in regexall("([0-9.]+)(h|ms|m|s)", var.join_deadline) :
      tonumber(part[0]) * { h = 3600, m = 60, s = 1, ms = 0.001 }[part[1]]
    ]) < var.retention_days * 86400, true)
    error_message = "join_deadline must be shorter than retention_days, after which the events of a join are deleted."
  }
}

variable "on_deadline" {
  description = "What becomes of a join that is not complete at join_deadline: a dead letter, or process, which gives the function's business what is there."
  type        = string
  default     = "letter"
  nullable    = false

  validation {
    condition     = contains(["letter", "process"], var.on_deadline)
    error_message = "on_deadline must be letter or process."
  }
  validation {
    condition     = var.join_deadline == null || var.on_deadline == "process" || lower(trimspace(lookup(var.environment, "DEAD_LETTERS", "on"))) != "off"
    error_message = "on_deadline must be process where DEAD_LETTERS is off in environment."
  }
}

variable "sweep_schedule" {
  description = "When Cloud Scheduler has the function look for overdue joins, and for orders that nobody acts upon, in cron's form and UTC. null: every 15 minutes with join_deadline, else every hour, or never where state is in BigQuery, whose queries cost. none: never, which join_deadline does not allow."
  type        = string
  default     = null

  validation {
    condition     = try(var.sweep_schedule == null || var.sweep_schedule == "none" || can(regex("^\\S+( \\S+){4}$", var.sweep_schedule)), false)
    error_message = "sweep_schedule must be the five fields of cron, as in */15 * * * *, or none."
  }
  validation {
    condition     = var.join_deadline == null || var.sweep_schedule != "none"
    error_message = "sweep_schedule must not be none with join_deadline: nothing would find overdue joins."
  }
}

variable "alert_channels" {
  description = "Notification channels of Cloud Monitoring, as projects/PROJECT/notificationChannels/ID, for alerts of new and waiting dead letters, failures, waiting events, vanished runs, overdue joins and sweeps that fail, and of metrics with telemetry = \"google\". Empty: no alerts."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for c in var.alert_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", c))])
    error_message = "alert_channels must be names as in projects/PROJECT/notificationChannels/ID."
  }
}

variable "telemetry" {
  description = "Where the function sends traces and metrics: off, google (Cloud Trace and Cloud Monitoring, with a dashboard), or otlp, the collector that the variables OTEL_ in environment name. See docs/how-to/telemetry.md."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "google", "otlp"], var.telemetry)
    error_message = "telemetry must be off, google or otlp."
  }
}

variable "slow_join_seconds" {
  description = "How long a join may take from its first event on. With telemetry = \"google\", alert_channels hear if within an hour one in twenty takes longer, and, unless it is more than a day, if one waits for more than a day."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.slow_join_seconds > 0 && var.slow_join_seconds < 604800
    error_message = "slow_join_seconds must be more than 0, and less than 604800, a week: longer ones are not told apart."
  }
}

variable "runbook_url" {
  description = "Where docs/operations.md is on the web: each alert links to a section of it."
  type        = string
  default     = "docs/operations.md"
  nullable    = false
}

variable "viewers" {
  description = "Who may look at keys with cmd/eventdriver, each by a name of your choice, as in { support = \"group:support@example.com\" }."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for m in values(var.viewers) : can(regex("^((user|group|serviceAccount):[^@ ]+@[^@ ]+|principal(Set)?://.+)$", m))])
    error_message = "viewers must be users, groups, service accounts or principals, as in group:support@example.com: state is not for everybody."
  }
}

variable "operators" {
  description = "Who may also change keys, read dead letters and send them again, as in { on-call = \"group:on-call@example.com\" }."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for m in values(var.operators) : can(regex("^((user|group|serviceAccount):[^@ ]+@[^@ ]+|principal(Set)?://.+)$", m))])
    error_message = "operators must be users, groups, service accounts or principals, as in group:on-call@example.com: state is not for everybody."
  }
  validation {
    condition     = length(distinct(concat(values(var.viewers), values(var.operators)))) == length(var.viewers) + length(var.operators)
    error_message = "Nobody must be twice in viewers and operators, who look, too: taking one of two equal grants takes both."
  }
  validation {
    condition     = length(setintersection(keys(var.viewers), keys(var.operators))) == 0
    error_message = "Each name must be in viewers or in operators, not in both: ${join(", ", setintersection(keys(var.viewers), keys(var.operators)))}."
  }
}

variable "invokers" {
  description = "Who else may call the function on all its paths, beside the triggers' account, the sweep's and operators, as in { ci = \"serviceAccount:ci@my-project-123.iam.gserviceaccount.com\" }. ingress decides from where."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for m in values(var.invokers) : can(regex("^((user|group|serviceAccount):[^@ ]+@[^@ ]+|principal(Set)?://.+)$", m))])
    error_message = "invokers must be users, groups, service accounts or principals, as in serviceAccount:ci@my-project-123.iam.gserviceaccount.com: events are not to come from everybody."
  }
  validation {
    condition     = length(distinct(concat(values(var.invokers), values(var.operators)))) == length(var.invokers) + length(var.operators)
    error_message = "Nobody must be twice in invokers and operators, who may call the function, too: taking one of two equal grants takes both."
  }
}

variable "kms_key" {
  description = "A Cloud KMS key in the region, its id as in projects/P/locations/REGION/keyRings/R/cryptoKeys/K, which encrypts everything of the module's that keeps data; Eventarc's channel has its own, see docs/how-to/encryption-keys.md. null: Google's keys."
  type        = object({ id = string })
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key.id))
    error_message = "kms_key's id must be a key's full name, as in projects/P/locations/REGION/keyRings/R/cryptoKeys/K, without a version."
  }
}

variable "grant_agents" {
  description = "Whether the module lets Google's service agents use kms_key, and Cloud Storage publish a bucket's events. Each instance has its own grants, told apart by a condition's title, and destroying one takes none from the others. false: others grant this, such as where more than 20 instances share a project."
  type        = bool
  default     = true
  nullable    = false
}

variable "service_accounts" {
  description = "Accounts of the project that exist, each as in { run = { email = \"orders@my-project-123.iam.gserviceaccount.com\" } }: run runs the function, trigger calls it, build builds it, sweep has it sweep. Those that are left out are made, as NAME-TASK."
  type = object({
    run     = optional(object({ email = string }))
    trigger = optional(object({ email = string }))
    build   = optional(object({ email = string }))
    sweep   = optional(object({ email = string }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for account in values(var.service_accounts) : account == null || can(regex("^[^@]+@${var.project_id}\\.iam\\.gserviceaccount\\.com$", account.email))])
    error_message = "service_accounts must be accounts of the project, as in orders@${var.project_id}.iam.gserviceaccount.com."
  }
}

variable "grant_roles" {
  description = "Whether the module grants its accounts roles on the project, and on what it is given. false: others do, as terraform/README.md lists, such as where accounts serve several instances, of which one that is destroyed would take the roles."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.grant_roles || alltrue([for task in concat(["run", "trigger"], var.image == null ? ["build"] : []) : var.service_accounts[task] != null])
    error_message = "grant_roles = false goes with service_accounts run, trigger and build: nobody could have granted anything to accounts that are yet to be made."
  }
}

variable "labels" {
  description = "Labels for everything that takes labels."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for k, v in var.labels : can(regex("^[a-z][-_a-z0-9]{0,62}$", k)) && can(regex("^[-_a-z0-9]{0,63}$", v))])
    error_message = "labels must be lower-case letters, digits, hyphens and underscores, up to 63 of them; names start with a letter."
  }
}
