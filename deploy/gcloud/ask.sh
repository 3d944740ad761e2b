# shellcheck shell=bash
# How gcloud.sh runs commands, and how it asks what is there.

# gcloud takes the default answer to all questions.
export CLOUDSDK_CORE_DISABLE_PROMPTS=1

exec 3>&1
show() {
  printf '+' >&3
  printf ' %q' "$@" >&3
  printf '\n' >&3
}

# run prints a command, and runs it unless this is a dry run.
run() {
  show "$@"
  $dry_run || "$@"
}

# seen is what the command printed that look was called with last.
seen=''
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# look runs a command that describes or lists something, and says whether that is
# there. If it can't be found out, this ends the script. A dry run assumes that nothing
# is there, or everything when destroying.
look() {
  seen=''
  if $dry_run; then
    [ "$task" = destroy ]
    return
  fi
  if seen=$("$@" 2>"$errors"); then return 0; fi
  absent && return 1
  printf 'gcloud.sh: %s\n' "$*" >&2
  cat "$errors" >&2
  exit 1
}

# absent says whether the last errors say that something is not there. What may not be
# looked at can be there.
absent() {
  ! grep -qE 'PERMISSION_DENIED|SERVICE_DISABLED|status=\[403\]' "$errors" && grep -qE 'NOT_FOUND|[Nn]ot found|Cannot find service' "$errors"
}

# drop prints and runs a command that removes a role, which may be gone already.
drop() {
  show "$@"
  if $dry_run || "$@" 2>"$errors" || absent; then return 0; fi
  cat "$errors" >&2
  exit 1
}

# The project's number. A dry run does not ask for it.
number=PROJECT_NUMBER
project_number() {
  $dry_run || number=$(gcloud projects describe "$project" --format='value(projectNumber)')
}
