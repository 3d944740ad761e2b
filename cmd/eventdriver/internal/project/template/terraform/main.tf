# The function, a trigger and a topic for each event, the bucket with its state, and a topic
# of dead letters.
module "function" {
  source = "../third_party/eventdriver/terraform"

  project_id  = var.project_id
  region      = var.region
  name        = "orders-name"
  entry_point = "Orders"

  source_dir = "${path.module}/.."
  # .gcloudignore says the same.
  source_excludes = ["bin", "cmd", "deploy", "terraform", "third_party/eventdriver/deploy", "third_party/eventdriver/terraform", "Makefile"]

  sources = {
    "placed" = {} # a topic that is created, orders-name-placed
  }
}
