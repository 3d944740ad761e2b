variable "sources" {
  description = <<-D
    The events to join, by name. An event comes from one of these:

    - without settings, or with create_topic: a topic that is created, called NAME-EVENT or as create_topic says;
    - topic: an existing topic of the project, its id as in { id = "TOPIC" } or { id = "projects/PROJECT/topics/TOPIC" };
    - event_type, with filters and path_patterns (attribute to value, or to pattern) and perhaps a channel:
      events of Cloud Storage, Firestore, audit logs, third parties and your own.

    delivery is eventarc, or pubsub for a topic, which may be of another project: a push subscription of the module's own,
    whose requests may take 600 s instead of 10, and which takes messages of 10 MB. It has min_backoff and max_backoff, the
    pauses before a message is delivered again; ordered, which keeps the order of messages with one ordering key, and holds
    up those behind one that fails; and message_filter, in Pub/Sub's language. Another ordered or message_filter replaces
    the subscription, without what waits in it. Two sources may share a topic if each has such a filter. To change from one
    delivery to the other and lose nothing, apply both, wait until the old subscription is empty, and apply the other.

    location is where the trigger is, if not in the region: for a multi-region bucket or Firestore database, say.
    content_type is the encoding of the data, if there is a choice. content is what the function takes the data for: auto,
    json, text or bytes, see CONTENT in docs/configuration.md. key_pointer points to the key in this source's events,
    instead of the module's key_pointer.

    Each trigger calls the path of its source, /events/NAME, which tells the function the source. aliases are for other
    requests, see SOURCE_ALIASES in docs/configuration.md. The names of topics and buckets are added to them, unless two
    sources share one.
  D
  type = map(object({
    create_topic   = optional(string)
    topic          = optional(object({ id = string }))
    event_type     = optional(string)
    filters        = optional(map(string), {})
    path_patterns  = optional(map(string), {})
    channel        = optional(string)
    delivery       = optional(string, "eventarc")
    min_backoff    = optional(string, "10s")
    max_backoff    = optional(string, "600s")
    ordered        = optional(bool, false)
    message_filter = optional(string)
    location       = optional(string)
    content_type   = optional(string)
    content        = optional(string)
    key_pointer    = optional(string)
    aliases        = optional(list(string), [])
  }))
  default = {
    event1 = {}
    event2 = {}
    event3 = {}
  }
  nullable = false

  validation {
    condition     = length(var.sources) > 0 && length(var.sources) <= 100
    error_message = "sources must name 1 to 100 events, as in { event1 = {}, event2 = {}, event3 = {} }."
  }
  validation {
    condition     = alltrue([for event in keys(var.sources) : can(regex("^[A-Za-z]([-_A-Za-z0-9]{0,37}[A-Za-z0-9])?$", event))])
    error_message = "The names of sources must be up to 39 letters, digits, hyphens and underscores that start with a letter and end with a letter or a digit, since names of triggers and subscriptions are made from them."
  }
  validation {
    condition     = length(distinct([for event in keys(var.sources) : replace(lower(event), "_", "-")])) == length(var.sources)
    error_message = "The names of sources must differ by more than letter case, hyphens and underscores, which the triggers' names can't tell apart."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      length([for kind in [s.create_topic, s.topic == null ? null : "topic", s.event_type] : kind if kind != null]) <= 1
    ])
    error_message = "Each source must have one of create_topic, topic and event_type at most."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      s.event_type != null || length(s.filters) + length(s.path_patterns) == 0 && s.channel == null
    ])
    error_message = "filters, path_patterns and channel go with event_type only. Messages of a topic are filtered by message_filter, with delivery pubsub."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : s.event_type != "google.cloud.pubsub.topic.v1.messagePublished"])
    error_message = "For messages of Pub/Sub give a topic, or create_topic, instead of an event_type."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      s.topic == null || can(regex("^(projects/[^/]+/topics/)?[A-Za-z][-A-Za-z0-9._~+%]{2,254}$", s.topic.id))
    ])
    error_message = "The id of a source's topic must be a topic's name, as in orders-created, or projects/PROJECT/topics/TOPIC."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      s.topic == null || s.delivery == "pubsub" || !can(regex("^projects/[^/]+/topics/", s.topic.id)) || try(startswith(s.topic.id, "projects/${var.project_id}/"), false)
    ])
    error_message = "A source's topic must be in the project ${var.project_id}: Eventarc takes none of other projects. Give the source delivery = \"pubsub\"; see terraform/README.md, Topics of other projects."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : contains(["eventarc", "pubsub", "both"], s.delivery) && (s.delivery == "eventarc" || s.event_type == null && s.location == null)])
    error_message = "A source's delivery must be eventarc, or for messages of a topic, which has neither an event_type nor a location, pubsub or both."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      (s.delivery != "eventarc" || !s.ordered && s.min_backoff == "10s" && s.max_backoff == "600s") && (s.delivery == "pubsub" || s.message_filter == null)
    ])
    error_message = "min_backoff, max_backoff and ordered go with delivery pubsub or both, and message_filter with pubsub only: a trigger has no such settings."
  }
  validation {
    condition = alltrue([for s in values(var.sources) : alltrue([for pause in [s.min_backoff, s.max_backoff] :
      try(tonumber(regex("^([0-9]+(?:[.][0-9]+)?)s$", pause)[0]) <= 600, false)
    ]) && try(tonumber(trimsuffix(s.min_backoff, "s")) <= tonumber(trimsuffix(s.max_backoff, "s")), false)])
    error_message = "A source's min_backoff and max_backoff must be seconds, as in 10s, up to 600s, the first no longer than the second."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : s.message_filter == null || try(trimspace(s.message_filter) != "" && length(s.message_filter) <= 256, false)])
    error_message = "A source's message_filter must be a filter of Pub/Sub, as in attributes.kind = \"paid\", of 256 characters at most."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      s.create_topic == null || can(regex("^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$", s.create_topic)) && !startswith(coalesce(s.create_topic, "-"), "goog")
    ])
    error_message = "A source's create_topic must be 3 to 255 letters, digits and -._~+% that start with a letter, and not with goog."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : s.key_pointer == null || can(regex("^(/([^~,]|~[01])*)+$", s.key_pointer))])
    error_message = "A source's key_pointer must be a JSON pointer, as in /order/id, without a comma."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : s.key_pointer == null]) || !strcontains(coalesce(var.key_pointer, "-"), ",")
    error_message = "Where a source has a key_pointer of its own, that of the module must not contain a comma, which separates them in KEY_POINTER."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : !startswith(coalesce(s.event_type, "-"), "google.cloud.datastore.")])
    error_message = "Events of Datastore are not supported: use a database in Firestore's native mode, or publish them to a topic."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      coalesce(s.content_type, "application/json") == "application/json" || s.event_type != null && !startswith(coalesce(s.event_type, "-"), "google.cloud.audit.log.")
    ])
    error_message = "A source's content_type must be application/json for messages of a topic, and for audit logs: the function does not read these in protobuf."
  }
  validation {
    condition     = alltrue([for s in values(var.sources) : contains(["auto", "json", "text", "bytes"], coalesce(s.content, "auto"))])
    error_message = "A source's content must be auto, json, text or bytes."
  }
  validation {
    condition = alltrue([for s in values(var.sources) :
      alltrue([for a in s.aliases : trimspace(a) != "" && !strcontains(a, ",")])
    ])
    error_message = "An alias must not be empty and must not contain a comma, which separates aliases in SOURCE_ALIASES."
  }
  validation {
    condition = alltrue([for filters in values({ for event, s in var.sources :
      trimprefix(coalesce(one(s.topic[*].id), s.create_topic, "${var.name}-${event}"), "projects/${var.project_id}/topics/") => s.message_filter == null ? "" : s.message_filter...
      if s.event_type == null
    }) : length(filters) == length(distinct(filters)) && (length(filters) == 1 || !contains(filters, ""))])
    error_message = "Two sources must not have the same topic, unless each has a message_filter of its own: each of its messages would be an event of both."
  }
  validation {
    condition = length(distinct([for event, s in var.sources : coalesce(s.create_topic, "${var.name}-${event}") if s.topic == null && s.event_type == null])) == length(
    [for s in values(var.sources) : s if s.topic == null && s.event_type == null])
    error_message = "A topic must be created for one source. Others that share it name it as their topic, as in { id = \"TOPIC\" }."
  }
  validation { # {id}, {order} and {id=*} are the same pattern
    condition = length(distinct([for s in values(var.sources) : jsonencode([s.event_type, coalesce(s.channel, "-"), coalesce(s.location, var.region), merge(s.filters, {
      for attribute, pattern in s.path_patterns : attribute => replace(replace(pattern, "/\\{[^{}=]+\\}/", "*"), "/\\{[^{}=]+=([^{}]+)\\}/", "$1")
      })])
    if s.event_type != null])) == length([for s in values(var.sources) : s if s.event_type != null])
    error_message = "Two sources must not have the same event_type, filters, path_patterns, channel and location: each event would be one of both."
  }
}

variable "delete_topics" {
  description = "Whether a topic that the module created for a source is deleted with the source, and by terraform destroy. false: it stays, and Terraform forgets it. Apply a change of this before you remove a source."
  type        = bool
  default     = false
  nullable    = false
}

variable "erase_sources" {
  description = "The events whose content is not kept. null: event1, if it is joined; []: none."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for event in coalesce(var.erase_sources, []) : contains(keys(var.sources), event)])
    error_message = "erase_sources must name events that are in sources."
  }
}

variable "key_pointer" {
  description = "JSON pointer to the key in the content, as in /order/id, for sources without one of their own. null: the key is an attribute, see KEY_POINTER in docs/configuration.md."
  type        = string
  default     = null

  validation {
    condition     = var.key_pointer == null || can(regex("^(/([^~]|~[01])*)+$", var.key_pointer))
    error_message = "key_pointer must be a JSON pointer, as in /order/id. One for a single source belongs to that, in sources."
  }
}
