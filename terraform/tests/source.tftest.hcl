# What the function is built from: a folder, a zip, or an object.
mock_provider "google" { source = "./tests/mocks" }

variables {
  project_id     = "p-123456"
  name           = "orders"
  settle_seconds = 0
}

run "folder" {
  command = plan
  variables {
    source_dir      = "tests/other_source"
    source_includes = ["pkg/*.json"]
  }
  assert {
    condition     = toset([for path in data.archive_file.source[0].excludes : path if !startswith(path, "**")]) == toset(["creds.json", "notes", "pkg/?1?.txt"])
    error_message = "What is no Go file, such as a key, must not be in the source, unless it is asked for."
  }
}

run "zip" {
  command = plan
  variables {
    source_archive = "tests/other_source/creds.json"
  }
  assert {
    condition     = google_storage_bucket_object.source[0].source == "tests/other_source/creds.json" && google_storage_bucket_object.source[0].name == "orders-${filesha256("tests/other_source/creds.json")}.zip"
    error_message = "A zip must be uploaded as it is, and be called after its content."
  }
  assert {
    condition     = length(data.archive_file.source) == 0
    error_message = "Nothing must be packed beside a zip."
  }
}

run "object" {
  command = plan
  variables {
    source_archive = "gs://builds/orders/v1.zip#1732600000000000"
  }
  assert {
    condition = [for s in google_cloudfunctions2_function.this[0].build_config[0].source[0].storage_source :
    "${s.bucket} ${s.object} ${s.generation}"] == ["builds orders/v1.zip 1732600000000000"]
    error_message = "The function must be built from that generation of the object."
  }
  assert {
    condition     = length(google_storage_bucket.source) + length(google_storage_bucket_object.source) + length(data.archive_file.source) == 0
    error_message = "Nothing must be packed or uploaded beside an object."
  }
  assert {
    condition     = google_storage_bucket_iam_member.build_given_source[0].bucket == "builds" && google_storage_bucket_iam_member.build_given_source[0].role == "roles/storage.objectViewer"
    error_message = "The build must be allowed to read the object."
  }
}

run "generation" {
  variables {
    source_archive = "tests/other_source/creds.json"
  }
  assert {
    condition     = google_cloudfunctions2_function.this[0].build_config[0].source[0].storage_source[0].generation == 1732600000000001
    error_message = "The generation must be that of the zip: left out, the provider sends that of the source before."
  }
}

run "zip_that_is_not_there" {
  command = plan
  variables {
    source_archive = "tests/other_source/orders.zip"
  }
  expect_failures = [var.source_archive]
}

run "object_without_generation" {
  command = plan
  variables {
    source_archive = "gs://builds/orders/v1.zip"
  }
  expect_failures = [var.source_archive]
}

run "zip_of_a_folder" {
  command = plan
  variables {
    source_archive = "tests/other_source/creds.json"
    source_dir     = "tests/other_source"
  }
  expect_failures = [var.source_archive]
}

run "includes_of_the_repository" {
  command = plan
  variables {
    source_includes = ["orders.json"]
  }
  expect_failures = [var.source_includes]
}
