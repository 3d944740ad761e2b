#!/usr/bin/env bash
# Deploys the function with gcloud, without Terraform: one function that is called over
# HTTP, and an Eventarc trigger for each event. Run it again after a failure or a
# change: it makes what is missing, changes what differs, and stops before it changes
# anything where something differs that can't be changed.
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
#   --memory        of an instance, in Mi or Gi, at most 4Gi; default: 512Mi
#   --concurrency   how many events an instance handles at once; default: as many as
#                   fit into the memory, at most 80
#   --env           an environment variable, see docs/configuration.md; may be
#                   repeated
#   --sweep-schedule
#                   when Cloud Scheduler has the function look for overdue joins, and
#                   for orders that nobody acts upon, in cron's form and UTC, or none;
#                   default: every 15 minutes with --env=JOIN_DEADLINE=…, else every hour
#   --prune         also remove the triggers of events that are no longer in --sources,
#                   with what waits in their subscriptions, and the function's role on a
#                   topic that is no longer --output-topic
#   --dry-run       print the commands and run none; it asks nothing, so it shows what a
#                   first deployment does
#   --revisions     list the deployed revisions, newest first
#   --rollback      send all events to this revision, until the next deployment
#   --letters       show ten dead letters; they stay
#   --destroy       remove what this script creates, whatever the sources are, except
#                   topics, APIs and the bucket with the state, and print what is left
set -euo pipefail
cd "$(dirname "$0")/.."

project='' region=europe-west1 name=event-driver sources=event1,event2,event3
output_topic='' memory=512Mi concurrency='' sweep_schedule='' more_env=() task=deploy revision='' prune=false dry_run=false
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
    --destroy) task=destroy ;;
    --prune) prune=true ;;
    --dry-run) dry_run=true ;;
    -h | --help) sed -n '2,39s/^# \{0,1\}//p' deploy/gcloud.sh; exit 0 ;;
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
[ "$mebibytes" -le 4096 ] || fail "--memory must be 4Gi at most: more needs a second CPU, with which Terraform deploys: $memory"
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

# is_topic says whether a text is a topic's name, without its project. Those with goog are Google's own.
is_topic() { [[ $1 =~ ^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$ && $1 != goog* ]]; }
[ -z "$output_topic" ] || is_topic "$output_topic" || fail "--output-topic must be the name of a topic in this project: $output_topic"

# Each event and the topic of the same index; events is what the function is told.
events=() topics=()
[[ ! $sources =~ [[:space:]] ]] || fail "--sources must be without spaces and line breaks, as in event1,event2,event3: $sources"
IFS=, read -ra pairs <<<"$sources"
for pair in ${pairs[@]+"${pairs[@]}"}; do
  event=${pair%%:*}
  [[ $event =~ ^[a-z]([-a-z0-9]{0,37}[a-z0-9])?$ ]] ||
    fail "--sources: an event's name must be up to 39 lower-case letters, digits and hyphens, without a hyphen at an end: $event"
  topic=$name-$event
  [[ $pair != *:* ]] || topic=${pair#*:}
  is_topic "$topic" || fail "--sources: not the name of a topic: $topic"
  [[ " ${events[*]-} " != *" $event "* ]] || fail "--sources: $event is there twice"
  [[ " ${topics[*]-} " != *" $topic "* ]] || fail "--sources: two events have the topic $topic, so each message would belong to both"
  events+=("$event") topics+=("$topic")
done
for topic in ${topics[@]+"${topics[@]}"}; do
  [[ " $name-dead-letters $output_topic " != *" $topic "* ]] || fail "--sources: the function publishes to $topic, so that what it publishes would come back"
done
[ "$output_topic" != "$name-dead-letters" ] || fail "--output-topic: $output_topic is the topic of dead letters"
[ ${#events[@]} -gt 0 ] || fail "--sources must name at least one event, as in event1,event2,event3"

bucket=$project-$name-events
label=event-driver=$name # of what takes labels
account() { echo "$name-$1@$project.iam.gserviceaccount.com"; }

# shellcheck source=deploy/gcloud/ask.sh
. deploy/gcloud/ask.sh
# shellcheck source=deploy/gcloud/check.sh
. deploy/gcloud/check.sh
# shellcheck source=deploy/gcloud/accounts.sh
. deploy/gcloud/accounts.sh
# shellcheck source=deploy/gcloud/make.sh
. deploy/gcloud/make.sh
# shellcheck source=deploy/gcloud/remove.sh
. deploy/gcloud/remove.sh

everything() {
  apis
  project_number
  triggers_there
  can_change
  accounts
  bucket
  letters
  build_account
  wait_for_accounts
  deploy
  triggers
  sweep
  no_longer_asked
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
    left
    ;;
esac
