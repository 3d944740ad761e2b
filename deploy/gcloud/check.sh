# shellcheck shell=bash
# What is there, and whether it can become what gcloud.sh is asked for.

message_published=google.cloud.pubsub.topic.v1.messagePublished

# All triggers of the region, one a line: name|service|region|path|account|topic|type.
triggers_there=''
triggers_there() {
  look gcloud eventarc triggers list --project="$project" --location="$region" \
    --format='value[separator="|"](name.basename(),destination.cloudRun.service,destination.cloudRun.region,destination.cloudRun.path,serviceAccount,transport.pubsub.topic,eventFilters[0].value)' || true
  triggers_there=$seen
}

# trigger_there puts what is known of a trigger into variables that begin with the_, and
# says whether there is one.
trigger_there() {
  local trigger
  while IFS='|' read -r trigger the_service the_region the_path the_account the_topic the_type; do
    [ "$trigger" != "$1" ] || return 0
  done <<<"$triggers_there"
  return 1
}

# our_triggers prints the triggers that this script made: they call this function, and are called after it.
our_triggers() {
  local trigger service location _
  while IFS='|' read -r trigger service location _; do
    if [[ $service = "$name" && $location = "$region" && $trigger = "$name-"* ]]; then echo "$trigger"; fi
  done <<<"$triggers_there"
}

# deployed says whether there is a function, and takes from its variables where it
# publishes to and where its state is.
former_output='' former_folder=''
deployed() {
  look gcloud functions describe "$name" --project="$project" --region="$region" --gen2 \
    --format='value[separator="|"](serviceConfig.environmentVariables.OUTPUT_TOPIC,serviceConfig.environmentVariables.GCS_FOLDER)' || return 1
  IFS='|' read -r former_output former_folder <<<"$seen"
  former_output=${former_output##*/} former_folder=${former_folder:-$name}
}

# can_change ends the script, before anything but APIs changes, if something that is
# there differs from what is asked for and can't be changed.
can_change() {
  local i
  only_this_function
  if deployed; then
    [ "$former_folder" = "$folder" ] ||
      fail "the state is in the folder $former_folder, and would not be found in $folder: see Move in docs/deploy.md"
  fi
  if look gcloud storage buckets describe "gs://$bucket" --project="$project" --format='value(location)'; then
    [ -z "$seen" ] || [ "$(tr '[:upper:]' '[:lower:]' <<<"$seen")" = "$region" ] ||
      fail "the bucket $bucket is in $seen, which can't be changed. Deploy to that region, or under another --name"
  fi
  if look gcloud pubsub subscriptions describe "$name-dead-letters" --project="$project" --format='value(topic)'; then
    [ -z "$seen" ] || [ "$seen" = "projects/$project/topics/$name-dead-letters" ] ||
      fail "the subscription $name-dead-letters has the topic $seen, which can't be changed.
To have it made anew, without the letters in it, which are in the bucket too, delete it first:
  gcloud pubsub subscriptions delete $name-dead-letters --project=$project"
  fi
  for i in "${!events[@]}"; do
    if trigger_there "$name-${events[i]}"; then can_change_trigger "$name-${events[i]}" "projects/$project/topics/${topics[i]}"; fi
  done
}

# only_this_function ends the script if the function is in another region, whose accounts
# are the same, or if the service called so was not made as a function.
only_this_function() {
  local found location here=false
  look gcloud functions list --v2 --project="$project" --format='value[separator="|"](name.basename(),name.segment(3))' || true
  while IFS='|' read -r found location; do
    [ "$found" = "$name" ] || continue
    [ "$location" = "$region" ] || fail "the function $name is in $location: give --region=$location, or another --name"
    here=true
  done <<<"$seen"
  if ! $here && ! $dry_run && look gcloud run services describe "$name" --project="$project" --region="$region" --format='value(metadata.name)'; then
    fail "$name is a service of Cloud Run that is no function of Cloud Functions: see docs/how-to/cloud-run-api.md"
  fi
}

# can_change_trigger TRIGGER TOPIC
can_change_trigger() {
  [[ $the_service = "$name" && $the_region = "$region" ]] ||
    fail "the trigger $1 calls ${the_service:-no service} in ${the_region:-no region}: it belongs to something else. Choose another --name, or other names of events"
  [ "$the_type" = "$message_published" ] || fail "the trigger $1 has events of the type $the_type and not of a topic, which can't be changed. Choose another name of the event"
  [ "$the_topic" = "$2" ] || fail "the trigger $1 has the topic $the_topic, which can't be changed.
To have it made anew for ${2##*/}, without what waits in its subscription, delete it first:
  gcloud eventarc triggers delete $1 --project=$project --location=$region --quiet"
}
