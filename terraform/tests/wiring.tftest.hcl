# One function, three triggers, and the way from each source to it.
mock_provider "google" { source = "./tests/mocks" }

# What the provider knows of an account before it is there.
override_resource {
  target = google_service_account.sweep
  values = {
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

run "three_triggers_one_function" {
  assert {
    condition     = length(google_eventarc_trigger.this) == 3
    error_message = "Three events must have three triggers."
  }
  assert {
    condition     = sort([for t in google_eventarc_trigger.this : t.name]) == tolist(["orders-event1", "orders-event2", "orders-event3"])
    error_message = "The triggers must be called after the function and the event."
  }
  assert {
    condition = alltrue([for t in google_eventarc_trigger.this :
      t.destination[0].cloud_run_service[0].service == "orders" && t.destination[0].cloud_run_service[0].region == "europe-west1"
    ])
    error_message = "All triggers must lead to the function's service, by its short name."
  }
  assert {
    condition = alltrue([for t in google_eventarc_trigger.this :
      toset([for c in t.matching_criteria : "${c.attribute}=${c.value}"]) == toset(["type=google.cloud.pubsub.topic.v1.messagePublished"])
    ])
    error_message = "Triggers of topics must filter by the type alone."
  }
  assert {
    condition = alltrue([for event, t in google_eventarc_trigger.this :
      t.transport[0].pubsub[0].topic == "projects/p-123456/topics/orders-${event}"
    ])
    error_message = "Each trigger must have the topic of its event."
  }
  assert {
    condition     = alltrue([for t in google_eventarc_trigger.this : t.service_account == google_service_account.trigger[0].email])
    error_message = "The triggers must call as the triggers' account."
  }
  assert {
    condition     = sort([for t in google_pubsub_topic.source : t.name]) == tolist(["orders-event1", "orders-event2", "orders-event3"])
    error_message = "The topics must be created."
  }
  assert {
    condition     = output.triggers == { event1 = "orders-event1", event2 = "orders-event2", event3 = "orders-event3" }
    error_message = "The output must name the triggers by event."
  }
}

run "function" {
  assert {
    condition     = google_cloudfunctions2_function.this[0].build_config[0].entry_point == "EventDriver" && google_cloudfunctions2_function.this[0].build_config[0].runtime == "go126"
    error_message = "The entry point must be EventDriver, and the runtime no older than go.mod's directive."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "The function must be internal by default."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this[0].event_trigger) == 0
    error_message = "The triggers must be the module's, not the function's one."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].service_account_email == google_service_account.run[0].email
    error_message = "The function must run as its own account."
  }
  assert {
    condition     = endswith(google_cloudfunctions2_function.this[0].build_config[0].service_account, "/serviceAccounts/orders-build@p-123456.iam.gserviceaccount.com")
    error_message = "The function must be built as the build's account."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].build_config[0].environment_variables == tomap({ GOFLAGS = "-tags=disable_grpc_modules,nobigquery,notelemetry", GOOGLE_GOLDFLAGS = "-s -w" })
    error_message = "The build must leave out what the function does not need."
  }
  assert {
    condition     = google_storage_bucket_object.source[0].name == "orders-${data.archive_file.source[0].output_sha256}.zip"
    error_message = "The source must be called after its content, so that a change deploys it."
  }
  assert {
    condition = (contains(data.archive_file.source[0].excludes, "LICENSE")
      && length(setintersection(data.archive_file.source[0].excludes, ["driver", "function.go", "go.mod", "go.sum", "publish", "stores"])) == 0
    )
    error_message = "What lies at the root and is not compiled, such as a key, must not be in the source."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].timeout_seconds == 60
    error_message = "The timeout must be a minute by default."
  }
}

run "environment" {
  variables {
    timeout_seconds = 120
    key_pointer     = "/order/id"
    erase_sources   = ["event1"]
    environment     = { LOG_LEVEL = "debug" }
  }
  assert {
    condition = google_cloudfunctions2_function.this[0].service_config[0].environment_variables == tomap({
      EVENT_SOURCES             = "event1,event2,event3"
      ERASE_SOURCES             = "event1"
      SOURCE_ALIASES            = "event1:orders-event1,event2:orders-event2,event3:orders-event3"
      KEY_POINTER               = "/order/id"
      EVENT_STORE               = "gcs"
      CLAIM_STORE               = "gcs"
      GCS_BUCKET                = "p-123456-orders-events"
      DEAD_LETTER_TOPIC         = "projects/p-123456/topics/orders-dead-letters"
      MAX_EVENT_AGE             = "20h"
      CLOUD_RUN_TIMEOUT_SECONDS = "120"
      GOOGLE_CLOUD_PROJECT      = "p-123456"
      LOG_EXECUTION_ID          = "true"
      GOMEMLIMIT                = "512MiB"
      LOG_LEVEL                 = "debug"
    })
    error_message = "The function must be told all that its inputs say, and its own timeout."
  }
}

run "existing_sources" {
  variables {
    sources = {
      placed = { topic = { id = "orders-created" } }
      theirs = { topic = { id = "projects/p-123456/topics/theirs" } }
      mine   = { create_topic = "mine" }
      invoice = {
        event_type = "google.cloud.storage.object.v1.finalized"
        filters    = { bucket = "invoices" }
      }
      packed = {
        event_type    = "google.cloud.firestore.document.v1.written"
        filters       = { database = "(default)" }
        path_patterns = { document = "parcels/{parcel}" }
        location      = "eur3"
      }
      audited = {
        event_type = "google.cloud.audit.log.v1.written"
        filters    = { serviceName = "bigquery.googleapis.com", methodName = "jobservice.jobcompleted" }
        aliases    = ["//cloudaudit.googleapis.com/projects/p-123456/logs/data_access"]
      }
      custom = {
        event_type = "com.example.order.paid"
        channel    = "projects/p-123456/locations/europe-west1/channels/shop"
      }
    }
    erase_sources = []
  }
  assert {
    condition     = length(google_eventarc_trigger.this) == 7 && join(" ", keys(google_pubsub_topic.source)) == "mine"
    error_message = "Each source must have a trigger, and only the topic that is asked for be created."
  }
  assert {
    condition     = google_eventarc_trigger.this["placed"].transport[0].pubsub[0].topic == "projects/p-123456/topics/orders-created" && google_eventarc_trigger.this["theirs"].transport[0].pubsub[0].topic == "projects/p-123456/topics/theirs"
    error_message = "Topics that exist must be taken by name or by full name."
  }
  assert {
    condition = toset([for c in google_eventarc_trigger.this["invoice"].matching_criteria : "${c.attribute}=${c.value}"]) == toset([
      "type=google.cloud.storage.object.v1.finalized", "bucket=invoices"
    ]) && length(google_eventarc_trigger.this["invoice"].transport) == 0
    error_message = "A bucket's trigger must filter by type and bucket, and have no topic of ours."
  }
  assert {
    condition = toset([for c in google_eventarc_trigger.this["packed"].matching_criteria : join(" ", compact([c.attribute, c.operator, c.value]))]) == toset([
      "type google.cloud.firestore.document.v1.written", "database (default)", "document match-path-pattern parcels/{parcel}"
    ]) && google_eventarc_trigger.this["packed"].location == "eur3" && google_eventarc_trigger.this["packed"].event_data_content_type == "application/protobuf"
    error_message = "Firestore's trigger must match the path, in its location, in the one encoding that Firestore has."
  }
  assert {
    condition     = google_eventarc_trigger.this["custom"].channel == "projects/p-123456/locations/europe-west1/channels/shop"
    error_message = "A channel's trigger must be on the channel."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["SOURCE_ALIASES"] == "audited://cloudaudit.googleapis.com/projects/p-123456/logs/data_access,invoice:invoices,placed:orders-created"
    error_message = "The function must know what its sources are called."
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["ERASE_SOURCES"] == ""
    error_message = "No source to erase must be said as such."
  }
  assert {
    condition     = google_project_iam_member.storage_publisher[0].role == "roles/pubsub.publisher" && google_project_iam_member.storage_publisher[0].member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" && google_project_iam_member.storage_publisher[0].condition[0].title == "event-driver-orders"
    error_message = "Cloud Storage must be allowed to publish a bucket's events, by a grant that is not that of another instance."
  }
}

run "apis" {
  assert {
    condition = toset(keys(google_project_service.this)) == toset([
      "artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudfunctions.googleapis.com", "cloudscheduler.googleapis.com", "eventarc.googleapis.com",
      "iam.googleapis.com", "logging.googleapis.com", "pubsub.googleapis.com", "run.googleapis.com", "storage.googleapis.com",
    ])
    error_message = "The APIs that are used must be enabled, and no others."
  }
  assert {
    condition     = alltrue([for s in google_project_service.this : s.disable_on_destroy == false])
    error_message = "Others in the project may use the APIs: they must stay."
  }
}
