# What the module counts must be known when it is planned, while what it is given is not.
mock_provider "google" { source = "./tests/mocks" }

run "key_topics_and_channel_of_the_same_root" {
  command = plan
  module {
    source = "./tests/one_root"
  }
  variables {
    project_id = "p-123456"
  }
  assert {
    condition = output.triggers == merge(
      { for event in ["packed", "paid", "placed"] : event => "orders-${event}" },
      { for event in ["event1", "event2", "event3"] : event => "parcels-${event}" },
    )
    error_message = "The module must be planned with ids that are not known yet."
  }
}
