# Sources whose events say that they come from the same place are told apart by the paths
# that their triggers call.
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

run "each_trigger_calls_its_own_path" {
  variables {
    sources = { placed = {}, Paid_2 = { topic = { id = "payments" } }, pack-ed = { event_type = "com.example.packed", channel = "c" } }
  }
  assert {
    condition = { for event, t in google_eventarc_trigger.this : event => t.destination[0].cloud_run_service[0].path } == {
      placed = "/events/placed", Paid_2 = "/events/Paid_2", pack-ed = "/events/pack-ed"
    }
    error_message = "Each trigger must call the path of its source."
  }
}

run "two_kinds_of_events_of_one_bucket" {
  variables {
    sources = {
      uploaded = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "parcels" } }
      removed  = { event_type = "google.cloud.storage.object.v1.deleted", filters = { bucket = "parcels" } }
      invoice  = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "invoices" } }
    }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["SOURCE_ALIASES"] == "invoice:invoices"
    error_message = "A bucket that two sources share must be the alias of neither, or the function does not start."
  }
  assert {
    condition     = google_eventarc_trigger.this["uploaded"].destination[0].cloud_run_service[0].path != google_eventarc_trigger.this["removed"].destination[0].cloud_run_service[0].path
    error_message = "The two must be told apart by their paths."
  }
}

run "two_collections_of_one_database" {
  variables {
    sources = {
      orders = {
        event_type    = "google.cloud.firestore.document.v1.created", location = "eur3", filters = { database = "(default)" }
        path_patterns = { document = "orders/{id}" }, aliases = ["//firestore.googleapis.com/projects/p-123456/databases/(default)"]
      }
      payments = {
        event_type    = "google.cloud.firestore.document.v1.created", location = "eur3", filters = { database = "(default)" }
        path_patterns = { document = "payments/{id}" }, aliases = ["//firestore.googleapis.com/projects/p-123456/databases/(default) "]
      }
    }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["SOURCE_ALIASES"] == ""
    error_message = "An alias of two sources must be left out, also where one is written with a space."
  }
}

run "two_methods_of_one_audit_log" {
  variables {
    sources = {
      inserted = {
        event_type = "google.cloud.audit.log.v1.written", aliases = ["//cloudaudit.googleapis.com/projects/p-123456/logs/data_access"]
        filters    = { serviceName = "bigquery.googleapis.com", methodName = "jobservice.insert" }
      }
      completed = {
        event_type = "google.cloud.audit.log.v1.written", aliases = ["//cloudaudit.googleapis.com/projects/p-123456/logs/data_access", "mine"]
        filters    = { serviceName = "bigquery.googleapis.com", methodName = "jobservice.jobcompleted" }
      }
    }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["SOURCE_ALIASES"] == "completed:mine"
    error_message = "What one source alone is known by must stay its alias."
  }
}

# A topic that is called like another source, and one that is called like a bucket.
run "names_that_mean_two_sources" {
  variables {
    sources = {
      paid   = { topic = { id = "packed" } }
      packed = { topic = { id = "parcels" } }
      mine   = { topic = { id = "orders" } }
      theirs = { event_type = "google.cloud.storage.object.v1.finalized", filters = { bucket = "orders" } }
    }
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].service_config[0].environment_variables["SOURCE_ALIASES"] == "packed:parcels"
    error_message = "A name that means two sources must be the alias of none."
  }
}
