# shellcheck shell=bash
# What gcloud.sh makes, or changes to what it is asked for.

apis() {
  run gcloud services enable artifactregistry.googleapis.com cloudbuild.googleapis.com cloudfunctions.googleapis.com \
    eventarc.googleapis.com iam.googleapis.com logging.googleapis.com pubsub.googleapis.com run.googleapis.com \
    storage.googleapis.com ${sweeps:+cloudscheduler.googleapis.com} --project="$project"
}

bucket() {
  look gcloud storage buckets describe "gs://$bucket" --project="$project" ||
    run gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" \
      --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=0
  # Old objects are deleted, except dead letters.
  local rules=deploy/.build/$project-$name-lifecycle.json
  mkdir -p deploy/.build
  sed -e "s|FOLDER/|$folder/|g" -e "s|\"/events/SOURCE\"|$(printf '"/events/%s"\n' "${events[@]}" | paste -sd, -)|" \
    deploy/lifecycle.json >"$rules"
  run gcloud storage buckets update "gs://$bucket" --lifecycle-file="$rules" --uniform-bucket-level-access \
    --public-access-prevention --soft-delete-duration=0 --update-labels="$label"
  run gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member="serviceAccount:$(account run)" \
    --role=roles/storage.objectUser --format=none
}

# topic creates a topic, with a label by which --destroy can say that it is left.
topic() {
  look gcloud pubsub topics describe "$1" --project="$project" ||
    run gcloud pubsub topics create "$1" --project="$project" --labels="$label"
}

# publishes TOPIC lets the function publish there.
publishes() {
  topic "$1"
  run gcloud pubsub topics add-iam-policy-binding "$1" --project="$project" --member="serviceAccount:$(account run)" \
    --role=roles/pubsub.publisher --format=none
}

letters() {
  publishes "$name-dead-letters"
  if look gcloud pubsub subscriptions describe "$name-dead-letters" --project="$project" \
    --format='value[separator="|"](ackDeadlineSeconds,messageRetentionDuration,expirationPolicy.ttl,labels.event-driver)'; then
    [ "$seen" = "60|604800s||$name" ] ||
      run gcloud pubsub subscriptions update "$name-dead-letters" --project="$project" \
        --ack-deadline=60 --message-retention-duration=7d --expiration-period=never --update-labels="$label"
  else
    run gcloud pubsub subscriptions create "$name-dead-letters" --project="$project" --topic="$name-dead-letters" \
      --ack-deadline=60 --message-retention-duration=7d --expiration-period=never --labels="$label"
  fi
  [ -z "$output_topic" ] || publishes "$output_topic"
}

# environment prints the function's variables, with a separator that is in none of
# them (see: gcloud topic escaping).
environment() {
  local i aliases='' separator all=("EVENT_SOURCES=$(IFS=, && echo "${events[*]}")" "GCS_BUCKET=$bucket"
    "GOOGLE_CLOUD_PROJECT=$project" "DEAD_LETTER_TOPIC=projects/$project/topics/$name-dead-letters" CLOUD_RUN_TIMEOUT_SECONDS=60)
  for i in "${!events[@]}"; do
    # The triggers' paths tell the event; this is for triggers that still call /.
    [[ " ${events[*]} " == *" ${topics[i]} "* ]] || aliases+=,${events[i]}:${topics[i]}
  done
  [ -z "$aliases" ] || all+=("SOURCE_ALIASES=${aliases#,}")
  [ -z "$output_topic" ] || all+=("OUTPUT_TOPIC=projects/$project/topics/$output_topic")
  [[ " ${more_env[*]-}" == *" MAX_EVENT_AGE="* ]] || all+=(MAX_EVENT_AGE=20h)
  # Not every container tells a process how much memory it has.
  [[ " ${more_env[*]-}" == *" GOMEMLIMIT="* ]] || all+=("GOMEMLIMIT=${mebibytes}MiB")
  all+=(${more_env[@]+"${more_env[@]}"})
  for separator in ';' '|' '#' '~' '@' ''; do
    [ -n "$separator" ] || fail "--env: the values contain all of ; | # ~ @, and gcloud needs one of them as a separator"
    [[ ${all[*]} == *"$separator"* ]] || break
  done
  (IFS=$separator && printf '^%s^%s' "$separator" "${all[*]}")
}

# no_telemetry prints the build tag that leaves telemetry out, unless --env asks for it.
no_telemetry() {
  local variable
  for variable in ${more_env[@]+"${more_env[@]}"}; do
    case $variable in
      TELEMETRY=off) ;;
      TELEMETRY=* | OTEL_*) return ;;
    esac
  done
  printf ,notelemetry
}

deploy() {
  local variables
  variables=$(environment)
  run gcloud functions deploy "$name" --gen2 --project="$project" --region="$region" --runtime=go126 \
    --entry-point=EventDriver --source=. --trigger-http --no-allow-unauthenticated --ingress-settings=internal-only \
    --run-service-account="$(account run)" --memory="$memory" --cpu=1 --timeout=60s --concurrency="$concurrency" --max-instances=20 \
    --set-env-vars="$variables" --update-labels="$label" \
    --build-service-account="projects/$project/serviceAccounts/$(account build)" \
    --docker-repository="projects/$project/locations/$region/repositories/$name" \
    --set-build-env-vars="^;^GOFLAGS=-tags=disable_grpc_modules,nobigquery$(no_telemetry);GOOGLE_GOLDFLAGS=-s -w"
  # After a roll-back the service would stay with the old revision.
  run gcloud run services update-traffic "$name" --project="$project" --region="$region" --to-latest
  run gcloud run services add-iam-policy-binding "$name" --project="$project" --region="$region" \
    --member="serviceAccount:$(account trigger)" --role=roles/run.invoker --format=none
}

triggers() {
  local i trigger path
  for i in "${!events[@]}"; do
    trigger=$name-${events[i]} path=/events/${events[i]}
    topic "${topics[i]}"
    if trigger_there "$trigger"; then
      # An older one still calls /.
      [[ $the_path = "$path" && $the_account = "$(account trigger)" ]] ||
        run gcloud eventarc triggers update "$trigger" --project="$project" --location="$region" \
          --destination-run-path="$path" --service-account="$(account trigger)"
    else
      run gcloud eventarc triggers create "$trigger" --project="$project" --location="$region" \
        --destination-run-service="$name" --destination-run-region="$region" --destination-run-path="$path" \
        --event-filters=type=$message_published --transport-topic="projects/$project/topics/${topics[i]}" \
        --service-account="$(account trigger)" --labels="$label"
    fi
  done
}

# sweep has Cloud Scheduler call /sweep.
sweep() {
  if [ -z "$sweeps" ]; then
    no_sweep
    return
  fi
  # A dry run does not ask what the URL is: it has this form.
  local url=https://$name-PROJECT_NUMBER.$region.run.app verb=create
  $dry_run || url=$(gcloud run services describe "$name" --project="$project" --region="$region" --format='value(status.url)')
  run gcloud run services add-iam-policy-binding "$name" --project="$project" --region="$region" \
    --member="serviceAccount:$(account sweep)" --role=roles/run.invoker --format=none
  if look gcloud scheduler jobs describe "$name-sweep" --project="$project" --location="$region"; then verb=update; fi
  run gcloud scheduler jobs $verb http "$name-sweep" --project="$project" --location="$region" --schedule="$sweep_schedule" \
    --time-zone=Etc/UTC --uri="$url/sweep" --http-method=POST --oidc-service-account-email="$(account sweep)" \
    --oidc-token-audience="$url" --attempt-deadline=60s
}

# no_longer_asked removes, or names, what an earlier deployment asked for.
no_longer_asked() {
  local trigger event
  for trigger in $(our_triggers); do
    event=${trigger#"$name-"}
    [[ " ${events[*]} " != *" $event "* ]] || continue
    if $prune; then
      run gcloud eventarc triggers delete "$trigger" --project="$project" --location="$region" --quiet
    else
      printf '\nThe trigger %s still delivers events of %s, which the function does not know and dead-letters. To remove it: --prune\n' "$trigger" "$event"
    fi
  done
  if [ "${former_output:-$output_topic}" = "$output_topic" ]; then
    return
  elif $prune; then
    no_publisher "$former_output"
  else
    printf '\nThe function may still publish to %s, as its earlier revisions do. To take this role away: --prune, or\n\n' "$former_output"
    printf '  gcloud pubsub topics remove-iam-policy-binding %s --project=%s --member=serviceAccount:%s --role=roles/pubsub.publisher\n' "$former_output" "$project" "$(account run)"
  fi
}
