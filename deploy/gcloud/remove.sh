# shellcheck shell=bash
# How gcloud.sh removes what it made. Whatever says that something is there goes after
# it: so a removal that was interrupted ends, when it is run again, as if it had not been.

# no_sweep removes what sweep makes. Without its account there is no job, and perhaps no
# Cloud Scheduler to ask.
no_sweep() {
  look gcloud iam service-accounts describe "$(account sweep)" --project="$project" || return 0
  if look gcloud scheduler jobs describe "$name-sweep" --project="$project" --location="$region"; then
    run gcloud scheduler jobs delete "$name-sweep" --project="$project" --location="$region" --quiet
  fi
  drop gcloud run services remove-iam-policy-binding "$name" --project="$project" --region="$region" \
    --member="serviceAccount:$(account sweep)" --role=roles/run.invoker --format=none
  no_account sweep
}

# no_publisher TOPIC takes the function's right to publish there away.
no_publisher() {
  drop gcloud pubsub topics remove-iam-policy-binding "$1" --project="$project" --member="serviceAccount:$(account run)" \
    --role=roles/pubsub.publisher --format=none
}

no_triggers() {
  local trigger
  triggers_there
  ! $dry_run || triggers_there=$(for trigger in "${events[@]}"; do echo "$name-$trigger|$name|$region"; done)
  for trigger in $(our_triggers); do
    run gcloud eventarc triggers delete "$trigger" --project="$project" --location="$region" --quiet
  done
}

# no_roles takes away the roles of the function's account that outlive it.
no_roles() {
  local topic
  look gcloud iam service-accounts describe "$(account run)" --project="$project" || return 0
  deployed || true
  for topic in "$name-dead-letters" ${output_topic:+"$output_topic"} ${former_output:+"$former_output"}; do no_publisher "$topic"; done
  drop gcloud storage buckets remove-iam-policy-binding "gs://$bucket" --member="serviceAccount:$(account run)" \
    --role=roles/storage.objectUser --format=none
}

remove() {
  only_this_function
  no_sweep
  no_triggers
  no_roles
  if look gcloud functions describe "$name" --project="$project" --region="$region" --gen2; then
    run gcloud functions delete "$name" --project="$project" --region="$region" --gen2 --quiet
  fi
  if look gcloud pubsub subscriptions describe "$name-dead-letters" --project="$project"; then
    run gcloud pubsub subscriptions delete "$name-dead-letters" --project="$project" --quiet
  fi
  if look gcloud artifacts repositories describe "$name" --project="$project" --location="$region"; then
    run gcloud artifacts repositories delete "$name" --project="$project" --location="$region" --quiet
  fi
  no_account trigger roles/eventarc.eventReceiver
  no_account build roles/logging.logWriter roles/storage.objectViewer
  no_account run
}

# left prints what is not removed.
left() {
  local topic of
  printf '\nLeft, since others may use it: the APIs, the buckets in which Cloud Functions keeps sources (gcf-v2-…), logs.\n'
  printf 'Images that were built before %s had a repository of its own are in gcf-artifacts.\n' "$name"
  if look gcloud storage buckets describe "gs://$bucket" --project="$project"; then
    printf '\nLeft, the state. To remove it:\n\n  gcloud storage rm --recursive gs://%s\n' "$bucket"
  fi
  look gcloud pubsub topics list --project="$project" --format='value[separator="|"](name.basename(),labels.event-driver)' || true
  printf '\nLeft, the topics. This script created those:\n\n'
  while IFS='|' read -r topic of; do
    [[ $of != "$name" && $topic != "$name-dead-letters" ]] || printf '  gcloud pubsub topics delete %s --project=%s\n' "$topic" "$project"
  done <<<"$seen"
}
