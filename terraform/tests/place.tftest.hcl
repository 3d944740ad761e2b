# What would lose the state is refused at plan. The runs share what the first of them applies.
mock_provider "google" { source = "./tests/mocks" }

variables {
  project_id     = "p-123456"
  name           = "orders"
  store          = "bigquery"
  settle_seconds = 0
}

run "first" {
  assert {
    condition     = alltrue([for k, v in local.place : terraform_data.place.output[k] == v])
    error_message = "The first place must be kept."
  }
}

run "same" {
  command = plan
  variables {
    memory         = "1Gi"
    retention_days = 9
  }
}

run "project" {
  command = plan
  variables {
    project_id = "p-654321"
  }
  expect_failures = [terraform_data.place]
}

run "region" {
  command = plan
  variables {
    region = "europe-west4"
  }
  expect_failures = [terraform_data.place]
}

run "name" {
  command = plan
  variables {
    name = "invoices"
  }
  expect_failures = [terraform_data.place]
}

run "store" {
  command = plan
  variables {
    store = "gcs"
  }
  expect_failures = [terraform_data.place]
}

run "claim_store" {
  command = plan
  variables {
    claim_store = "bigquery"
  }
  expect_failures = [terraform_data.place]
}

run "bucket_name" {
  command = plan
  variables {
    bucket_name = "another"
  }
  expect_failures = [terraform_data.place]
}

run "bucket_location" {
  command = plan
  variables {
    bucket_location = "EU"
  }
  expect_failures = [terraform_data.place]
}

run "dataset_id" {
  command = plan
  variables {
    dataset_id = "another"
  }
  expect_failures = [terraform_data.place]
}

run "dataset_location" {
  command = plan
  variables {
    dataset_location = "EU"
  }
  expect_failures = [terraform_data.place]
}

run "folder" {
  command = plan
  variables {
    environment = { GCS_FOLDER = "another" }
  }
  expect_failures = [terraform_data.place]
}

run "letters" {
  command = plan
  variables {
    dead_letter_topic = { id = "dead" }
  }
  expect_failures = [terraform_data.place]
}

run "letters_in_the_topic_that_is_made" {
  command = plan
  variables {
    dead_letter_topic = { id = "orders-dead-letters" }
  }
  expect_failures = [terraform_data.place]
}

run "letters_in_another_subscription" {
  command = plan
  variables {
    dead_letter_topic        = { id = "orders-dead-letters" }
    dead_letter_subscription = { id = "projects/p-123456/subscriptions/dead" }
  }
  expect_failures = [terraform_data.place]
}

run "the_same_in_other_words" {
  command = plan
  variables {
    region           = "europe-west1"
    bucket_name      = "p-123456-orders-events"
    bucket_location  = "EUROPE-WEST1"
    dataset_location = "europe-west1"
    dataset_id       = "orders"
    environment      = { GCS_FOLDER = "orders" }
  }
}

run "moved" {
  variables {
    region      = "europe-west4"
    state_moved = "2026-11-26"
  }
  assert {
    condition     = terraform_data.moved[0].output.region == "europe-west4"
    error_message = "The new place must be kept once the move is accepted."
  }
}

run "moved_for_once" {
  command = plan
  variables {
    region      = "europe-west1"
    state_moved = "2026-11-26"
  }
  expect_failures = [terraform_data.moved]
}

run "moved_and_taken_away" {
  command = plan
  variables {
    region = "europe-west4"
  }
  expect_failures = [terraform_data.place]
}

run "moved_by_taking_it_away" {
  command = plan
  variables {
    region = "europe-west2"
  }
  expect_failures = [terraform_data.place]
}

run "moved_again" {
  command = plan
  variables {
    region      = "europe-west2"
    state_moved = "2026-11-27"
  }
}
