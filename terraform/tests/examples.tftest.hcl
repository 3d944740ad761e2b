# Each example can be planned, and is what its README says.
mock_provider "google" { source = "./tests/mocks" }

variables {
  project_id = "my-project-123"
}

run "orders" {
  command = plan
  module {
    source = "./examples/orders"
  }
  assert {
    condition     = output.topics == { for event in ["event1", "event2", "event3"] : event => "projects/my-project-123/topics/orders-${event}" }
    error_message = "There must be a topic for each of the three events."
  }
  assert {
    condition     = output.function_name == "orders" && output.dead_letter_subscription == "orders-dead-letters"
    error_message = "It must be called orders."
  }
}

run "bigquery" {
  command = plan
  module {
    source = "./examples/bigquery"
  }
  assert {
    condition     = output.dataset == "orders_bq" && output.bucket == "my-project-123-orders-bq-events" && join(" ", keys(output.topics)) == "event1 event2 event3"
    error_message = "There must be a dataset for the events, a bucket for the claims, and three topics."
  }
}

run "existing_topics" {
  command = plan
  module {
    source = "./examples/existing-topics"
  }
  assert {
    condition     = output.triggers == { for event in ["invoice", "packed", "placed"] : event => "orders-join-${event}" }
    error_message = "There must be a trigger for each of the three sources."
  }
}

run "image" {
  command = plan
  module {
    source = "./examples/image"
  }
  variables {
    image = "europe-west1-docker.pkg.dev/my-project-123/shop/orders:v1"
  }
  assert {
    condition     = output.function_name == "orders" && length(output.topics) == 3
    error_message = "It must be called orders, and have three topics."
  }
}
