# shellcheck shell=bash
# The accounts that run, call and build the function, and what they may do in the project.

fresh=false
accounts() {
  local who
  for who in run trigger build ${sweeps:+sweep}; do
    look gcloud iam service-accounts describe "$(account $who)" --project="$project" && continue
    run gcloud iam service-accounts create "$name-$who" --project="$project" --display-name="$name-$who"
    fresh=true
  done
  run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$(account trigger)" \
    --role=roles/eventarc.eventReceiver --condition=None --format=none
  # Pub/Sub calls the function with a token of this account. In projects from before April 2021 it may not by itself.
  run gcloud iam service-accounts add-iam-policy-binding "$(account trigger)" --project="$project" \
    --member="serviceAccount:service-$number@gcp-sa-pubsub.iam.gserviceaccount.com" \
    --role=roles/iam.serviceAccountTokenCreator --condition=None --format=none
}

# build_account makes the repository of images, and lets an account build the function and no
# more: the project's default account may do nothing in new organisations, or too much.
build_account() {
  local sources
  look gcloud artifacts repositories describe "$name" --project="$project" --location="$region" ||
    run gcloud artifacts repositories create "$name" --project="$project" --location="$region" \
      --repository-format=docker --description="The images of the function $name" --labels="$label"
  # Old images are deleted, but for those that are kept to roll back to.
  run gcloud artifacts repositories set-cleanup-policies "$name" --project="$project" --location="$region" \
    --policy=deploy/images.json --no-dry-run --format=none
  run gcloud artifacts repositories add-iam-policy-binding "$name" --project="$project" --location="$region" \
    --member="serviceAccount:$(account build)" --role=roles/artifactregistry.writer --format=none
  run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$(account build)" \
    --role=roles/logging.logWriter --condition=None --format=none
  # Cloud Functions makes this bucket with the first function of a region.
  sources=projects/_/buckets/gcf-v2-sources-$number-$region
  run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$(account build)" --role=roles/storage.objectViewer \
    --condition="title=sources-of-functions,expression=resource.name == \"$sources\" || resource.name.startsWith(\"$sources/\")" --format=none
}

# wait_for_accounts waits until new accounts and their roles are known everywhere: builds
# right after fail now and then.
wait_for_accounts() { ! $fresh || run sleep 60; }

# no_account removes an account, after its roles in the project, which would outlive it.
no_account() {
  local role who=$1
  shift
  look gcloud iam service-accounts describe "$(account "$who")" --project="$project" || return 0
  for role; do
    drop gcloud projects remove-iam-policy-binding "$project" --member="serviceAccount:$(account "$who")" --role="$role" --all --format=none
  done
  run gcloud iam service-accounts delete "$(account "$who")" --project="$project" --quiet
}
