#!/usr/bin/env bash
# Deploys the function with gcloud, without Terraform: one function that is called over
# HTTP, and an Eventarc trigger for each event. Run it again after a failure or a
# change: it makes what is missing, and updates the function.
#
#   deploy/gcloud.sh --project=PROJECT [--region=REGION] [--name=NAME]
#                    [--sources=EVENT[:TOPIC],…] [--output-topic=TOPIC]
#                    [--memory=SIZE] [--concurrency=EVENTS]
#                    [--sweep-schedule=CRON] [--env=NAME=VALUE]… [--dry-run]
#                    [--revisions | --rollback=REVISION | --letters | --destroy]
#
#   --region        default: europe-west1
#   --name          the function's name, and the beginning of all other names;
#                   default: event-driver
#   --sources       the events, each with its topic if that is not NAME-EVENT;
#                   missing topics are created; default: event1,event2,event3
#   --output-topic  the topic that joined messages are published to; default: none
#   --memory        of an instance, in Mi or Gi; default: 512Mi
#   --concurrency   how many events an instance handles at once; default: as many as
#                   fit into the memory, at most 80
#   --env           an environment variable, see docs/configuration.md; may be
#                   repeated
#   --sweep-schedule
#                   when Cloud Scheduler has the function look for overdue joins, and
#                   for orders that nobody acts upon, in cron's form and UTC, or none;
#                   default: every 15 minutes with --env=JOIN_DEADLINE=…, else every hour
#   --dry-run       print the commands and run none
#   --revisions     list the deployed revisions, newest first
#   --rollback      send all events to this revision, until the next deployment
#   --letters       show ten dead letters; they stay
#   --destroy       remove what this script creates, except topics, APIs and the
#                   bucket with the state
set -euo pipefail
cd "$(dirname "$0")/.."

project='' region=europe-west1 name=event-driver sources=event1,event2,event3
output_topic='' memory=512Mi concurrency='' sweep_schedule='' more_env=() task=deploy revision='' destroy=false dry_run=false
for argument; do
  case $argument in
    --project=*) project=${argument#*=} ;;
    --region=*) region=${argument#*=} ;;
    --name=*) name=${argument#*=} ;;
    --sources=*) sources=${argument#*=} ;;
    --output-topic=*) output_topic=${argument#*=} ;;
    --memory=*) memory=${argument#*=} ;;
    --concurrency=*) concurrency=${argument#*=} ;;
    --sweep-schedule=*) sweep_schedule=${argument#*=} ;;
    --env=*) more_env+=("${argument#*=}") ;;
    --revisions) task=revisions ;;
    --rollback=*) task=rollback revision=${argument#*=} ;;
    --letters) task=letters ;;
    --destroy) task=destroy destroy=true ;;
    --dry-run) dry_run=true ;;
    -h | --help) sed -n '2,33s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "gcloud.sh: unknown argument $argument; see --help" >&2; exit 2 ;;
  esac
done
fail() { echo "gcloud.sh: $1" >&2; exit 2; }
[[ $project =~ ^[a-z][-a-z0-9]{4,28}[a-z0-9]$ ]] || fail "--project must be the ID of a project"
[[ $name =~ ^[a-z][-a-z0-9]{1,18}[a-z0-9]$ ]] || fail "--name must be 3 to 20 lower-case letters, digits and hyphens"
[[ ! $name =~ ^goog|google ]] || fail "--name must not begin with goog or contain google: topics and the bucket are called after it"
[[ $region =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || fail "--region must be a region, as in europe-west1"
$dry_run || command -v gcloud >/dev/null || fail "gcloud is not installed"

for pair in ${more_env[@]+"${more_env[@]}"}; do
  [[ $pair =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || fail "--env must be NAME=VALUE: $pair"
  case ${pair%%=*} in
    EVENT_SOURCES | SOURCE_ALIASES | EVENT_STORE | CLAIM_STORE | GCS_BUCKET | GOOGLE_CLOUD_PROJECT | OUTPUT_TOPIC | DEAD_LETTER_TOPIC | CLOUD_RUN_TIMEOUT_SECONDS)
      fail "--env: ${pair%%=*} is set by this script" ;;
    BIGQUERY_*) fail "--env: ${pair%%=*} is for BigQuery, which this script leaves out of the function; deploy it with Terraform" ;;
    PORT | K_* | FUNCTION_* | X_GOOGLE_*) fail "--env: ${pair%%=*} is set by the platform" ;;
  esac
done

# setting NAME DEFAULT prints what --env sets a variable to, or else the default.
setting() {
  local pair value=$2
  for pair in ${more_env[@]+"${more_env[@]}"}; do
    [[ $pair != "$1="?* ]] || value=${pair#*=}
  done
  echo "$value"
}

# The function bounds the bytes that it holds for events (docs/input.md, Memory), and
# sends away events that do not fit. The program takes 128 MiB, an event 4 MiB. Half of
# the memory is for events, and three eighths of that for those that arrive, each up to
# three times: so a body of BODY_LIMIT needs 16 times its size.
[[ $memory =~ ^([1-9][0-9]{0,4})(Mi|Gi)$ ]] || fail "--memory must be in Mi or Gi, as in 512Mi or 1Gi: $memory"
mebibytes=${BASH_REMATCH[1]}
[ "${BASH_REMATCH[2]}" = Mi ] || mebibytes=$((mebibytes * 1024))
body_limit=$(setting BODY_LIMIT 14000000)
[[ $body_limit =~ ^[1-9][0-9]{0,8}$ ]] || fail "--env: BODY_LIMIT must be a number of bytes: $body_limit"
needed=$((1 + (16 * body_limit + 1048575) / 1048576))
[ "$needed" -ge 132 ] || needed=132
[ "$mebibytes" -ge "$needed" ] || fail "--memory=$memory is too small for one event of BODY_LIMIT, $body_limit bytes, which needs ${needed}Mi: give more, or a smaller --env=BODY_LIMIT"
most=$(((mebibytes - 128) / 4))
[ -n "$concurrency" ] || concurrency=$((most < 80 ? most : 80))
[[ $concurrency =~ ^[1-9][0-9]{0,3}$ && $concurrency -le 1000 ]] || fail "--concurrency must be 1 to 1000: $concurrency"
[ "$concurrency" -le "$most" ] ||
  fail "--concurrency=$concurrency needs --memory=$((128 + 4 * concurrency))Mi: $memory is enough for $most events at once"

# The folder of the bucket; the rules of what is deleted are made from its name.
folder=$(setting GCS_FOLDER "$name")
[[ $folder =~ ^[-_.A-Za-z0-9]+(/[-_.A-Za-z0-9]+)*$ ]] || fail "--env: GCS_FOLDER must be like orders or team/orders: $folder"

# A join must end before the bucket deletes its events, after a week.
join_deadline=$(setting JOIN_DEADLINE '') default_schedule='17 * * * *'
if [ -n "$join_deadline" ]; then
  [[ $join_deadline =~ ^(([0-9]{1,3})h)?(([0-9]{1,5})m)?(([0-9]{1,6})s)?$ ]] ||
    fail "--env: JOIN_DEADLINE must be hours, minutes and seconds, as in 24h or 1h30m: $join_deadline"
  seconds=$((3600 * 10#0${BASH_REMATCH[2]} + 60 * 10#0${BASH_REMATCH[4]} + 10#0${BASH_REMATCH[6]}))
  [[ $seconds -gt 0 && $seconds -lt 604800 ]] || fail "--env: JOIN_DEADLINE must be more than 0 and less than 168h, when events are deleted: $join_deadline"
  [ "$sweep_schedule" != none ] || fail "--sweep-schedule must not be none with JOIN_DEADLINE: nothing would find overdue joins"
  default_schedule='*/15 * * * *'
fi
[ -n "$sweep_schedule" ] || sweep_schedule=$default_schedule
[[ $sweep_schedule =~ ^([^\ ]+(\ [^\ ]+){4}|none)$ ]] || fail "--sweep-schedule must be the five fields of cron, as in '*/15 * * * *', or none: $sweep_schedule"
sweeps=true
[ "$sweep_schedule" != none ] || sweeps=''

# is_topic says whether a text is a topic's name, without its project.
is_topic() { [[ $1 =~ ^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$ ]]; }
[ -z "$output_topic" ] || is_topic "$output_topic" || fail "--output-topic must be the name of a topic in this project: $output_topic"

# Each event and the topic of the same index; events is what the function is told.
events=() topics=()
IFS=, read -ra pairs <<<"$sources"
for pair in ${pairs[@]+"${pairs[@]}"}; do
  event=${pair%%:*}
  [[ $event =~ ^[a-z][-a-z0-9]{0,38}$ ]] || fail "--sources: an event's name must be lower-case letters, digits and hyphens: $event"
  topic=$name-$event
  [[ $pair != *:* ]] || topic=${pair#*:}
  is_topic "$topic" || fail "--sources: not the name of a topic: $topic"
  [[ " ${events[*]-} " != *" $event "* ]] || fail "--sources: $event is there twice"
  [[ " ${topics[*]-} " != *" $topic "* ]] || fail "--sources: two events have the topic $topic, so each message would belong to both"
  events+=("$event") topics+=("$topic")
done
[ ${#events[@]} -gt 0 ] || fail "--sources must name at least one event, as in event1,event2,event3"

bucket=$project-$name-events
account() { echo "$name-$1@$project.iam.gserviceaccount.com"; }

# run prints a command, and runs it unless this is a dry run.
run() {
  printf '+' >&3
  printf ' %q' "$@" >&3
  printf '\n' >&3
  $dry_run || "$@"
}
exec 3>&1

# there says whether the thing that a command describes exists, and ends the script if
# that can't be found out. A dry run assumes that nothing exists, or everything when
# destroying.
there() {
  if $dry_run; then
    $destroy
    return
  fi
  local said
  if said=$("$@" 2>&1 >/dev/null); then return 0; fi
  [[ $said =~ NOT_FOUND|[Nn]ot\ found|404|does\ not\ exist ]] && return 1
  printf 'gcloud.sh: %s\n%s\n' "$*" "$said" >&2
  exit 1
}

apis() {
  run gcloud services enable artifactregistry.googleapis.com cloudbuild.googleapis.com cloudfunctions.googleapis.com \
    eventarc.googleapis.com iam.googleapis.com logging.googleapis.com pubsub.googleapis.com run.googleapis.com \
    storage.googleapis.com ${sweeps:+cloudscheduler.googleapis.com} --project="$project"
}

accounts() {
  local who
  for who in run trigger ${sweeps:+sweep}; do
    there gcloud iam service-accounts describe "$(account $who)" --project="$project" ||
      run gcloud iam service-accounts create "$name-$who" --project="$project" --display-name="$name-$who"
  done
  run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$(account trigger)" \
    --role=roles/eventarc.eventReceiver --condition=None --format=none
}

bucket() {
  there gcloud storage buckets describe "gs://$bucket" --project="$project" ||
    run gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" \
      --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=0
  # Old objects are deleted, except dead letters.
  local rules=deploy/.build/$name-lifecycle.json
  mkdir -p deploy/.build
  sed -e "s|FOLDER/|$folder/|g" -e "s|\"/events/SOURCE\"|$(printf '"/events/%s"\n' "${events[@]}" | paste -sd, -)|" \
    deploy/lifecycle.json >"$rules"
  run gcloud storage buckets update "gs://$bucket" --lifecycle-file="$rules"
  run gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member="serviceAccount:$(account run)" \
    --role=roles/storage.objectUser --format=none
}

topic() {
  there gcloud pubsub topics describe "$1" --project="$project" || run gcloud pubsub topics create "$1" --project="$project"
}

# publishes TOPIC lets the function publish there.
publishes() {
  topic "$1"
  run gcloud pubsub topics add-iam-policy-binding "$1" --project="$project" --member="serviceAccount:$(account run)" \
    --role=roles/pubsub.publisher --format=none
}

letters() {
  publishes "$name-dead-letters"
  there gcloud pubsub subscriptions describe "$name-dead-letters" --project="$project" ||
    run gcloud pubsub subscriptions create "$name-dead-letters" --project="$project" --topic="$name-dead-letters" \
      --ack-deadline=60 --message-retention-duration=7d --expiration-period=never
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

deploy() {
  local variables
  variables=$(environment)
  run gcloud functions deploy "$name" --gen2 --project="$project" --region="$region" --runtime=go126 \
    --entry-point=EventDriver --source=. --trigger-http --no-allow-unauthenticated --ingress-settings=internal-only \
    --run-service-account="$(account run)" --memory="$memory" --cpu=1 --timeout=60s --concurrency="$concurrency" --max-instances=20 \
    --set-env-vars="$variables" --set-build-env-vars='^;^GOFLAGS=-tags=disable_grpc_modules,nobigquery;GOOGLE_GOLDFLAGS=-s -w'
  # After a roll-back the service would stay with the old revision.
  run gcloud run services update-traffic "$name" --project="$project" --region="$region" --to-latest
  run gcloud run services add-iam-policy-binding "$name" --project="$project" --region="$region" \
    --member="serviceAccount:$(account trigger)" --role=roles/run.invoker --format=none
}

# same_topics ends the script, before anything but APIs changes, if a trigger has another topic than it is asked for.
same_topics() {
  local i trigger has
  for i in "${!events[@]}"; do
    trigger=$name-${events[i]}
    there gcloud eventarc triggers describe "$trigger" --project="$project" --location="$region" || continue
    has=$(gcloud eventarc triggers describe "$trigger" --project="$project" --location="$region" --format='value(transport.pubsub.topic)')
    [ "$has" = "projects/$project/topics/${topics[i]}" ] || fail "the trigger $trigger has the topic $has, which can't be changed.
To have it made anew for ${topics[i]}, without what waits in its subscription, delete it first:
  gcloud eventarc triggers delete $trigger --project=$project --location=$region --quiet"
  done
}

triggers() {
  local i trigger path
  for i in "${!events[@]}"; do
    trigger=$name-${events[i]} path=/events/${events[i]}
    topic "${topics[i]}"
    if there gcloud eventarc triggers describe "$trigger" --project="$project" --location="$region"; then
      # An older one still calls /.
      [ "$(gcloud eventarc triggers describe "$trigger" --project="$project" --location="$region" \
        --format='value(destination.cloudRun.path)')" = "$path" ] ||
        run gcloud eventarc triggers update "$trigger" --project="$project" --location="$region" --destination-run-path="$path"
    else
      run gcloud eventarc triggers create "$trigger" --project="$project" --location="$region" \
        --destination-run-service="$name" --destination-run-region="$region" --destination-run-path="$path" \
        --event-filters=type=google.cloud.pubsub.topic.v1.messagePublished \
        --transport-topic="projects/$project/topics/${topics[i]}" --service-account="$(account trigger)"
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
  if there gcloud scheduler jobs describe "$name-sweep" --project="$project" --location="$region"; then verb=update; fi
  run gcloud scheduler jobs $verb http "$name-sweep" --project="$project" --location="$region" --schedule="$sweep_schedule" \
    --time-zone=Etc/UTC --uri="$url/sweep" --http-method=POST --oidc-service-account-email="$(account sweep)" \
    --oidc-token-audience="$url" --attempt-deadline=60s
}

# no_sweep removes what sweep makes. Without its account there is no job, and perhaps no
# Cloud Scheduler to ask.
no_sweep() {
  there gcloud iam service-accounts describe "$(account sweep)" --project="$project" || return 0
  if there gcloud scheduler jobs describe "$name-sweep" --project="$project" --location="$region"; then
    run gcloud scheduler jobs delete "$name-sweep" --project="$project" --location="$region" --quiet
  fi
  run gcloud iam service-accounts delete "$(account sweep)" --project="$project" --quiet
}

remove() {
  local event who
  no_sweep
  for event in "${events[@]}"; do
    if there gcloud eventarc triggers describe "$name-$event" --project="$project" --location="$region"; then
      run gcloud eventarc triggers delete "$name-$event" --project="$project" --location="$region" --quiet
    fi
  done
  if there gcloud functions describe "$name" --project="$project" --region="$region" --gen2; then
    run gcloud functions delete "$name" --project="$project" --region="$region" --gen2 --quiet
  fi
  if there gcloud pubsub subscriptions describe "$name-dead-letters" --project="$project"; then
    run gcloud pubsub subscriptions delete "$name-dead-letters" --project="$project" --quiet
  fi
  run gcloud projects remove-iam-policy-binding "$project" --member="serviceAccount:$(account trigger)" \
    --role=roles/eventarc.eventReceiver --condition=None --format=none
  for who in trigger run; do
    if there gcloud iam service-accounts describe "$(account $who)" --project="$project"; then
      run gcloud iam service-accounts delete "$(account $who)" --project="$project" --quiet
    fi
  done
}

everything() {
  apis
  same_topics
  accounts
  bucket
  letters
  deploy
  triggers
  sweep
  printf '\nPublish the events of an order, in any order:\n\n'
  local topic
  for topic in "${topics[@]}"; do
    printf "  gcloud pubsub topics publish %s --project=%s --attribute=key=order-1 --message='{}'\n" "$topic" "$project"
  done
  printf '\nand read the log:\n\n  gcloud functions logs read %s --project=%s --region=%s --gen2 --limit=20\n' "$name" "$project" "$region"
}

case $task in
  deploy) everything ;;
  revisions) run gcloud run revisions list --service="$name" --project="$project" --region="$region" ;;
  rollback)
    [[ $revision =~ ^$name-[-a-z0-9]+$ ]] || fail "--rollback must be a revision that --revisions lists, as in $name-00001-abc"
    run gcloud run services update-traffic "$name" --project="$project" --region="$region" --to-revisions="$revision=100"
    ;;
  letters) run gcloud pubsub subscriptions pull "$name-dead-letters" --project="$project" --limit=10 --format=json ;;
  destroy)
    remove
    echo "The topics and the state are left. To remove the state: gcloud storage rm --recursive gs://$bucket"
    ;;
esac
