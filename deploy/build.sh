#!/usr/bin/env bash
# Builds the function as Google's buildpack does: the deployed source, with a generated
# main in it.
#
#   deploy/build.sh OUT        build the program OUT
#   deploy/build.sh --check    build it, start it with only FUNCTION_TARGET and PORT set,
#                              and send it an event; then build it with the business of
#                              the tests, where they are, and test it with its state in
#                              Cloud Storage and in BigQuery, on its emulator if make
#                              emulators has built that
#   deploy/build.sh --measure  print the size and the start time of all variants
#
# GOOGLE_GOLDFLAGS and GOFLAGS are used as the buildpack uses them.
set -euo pipefail
cd "$(dirname "$0")/.."

# The function's name, and one of its sources.
target=EventDriver
source=event1

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0"; }
case ${1-} in
  --check | --measure) ;;
  '' | -*) usage >&2; exit 2 ;;
esac

tmp=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  chmod -R u+w "$tmp" && rm -rf "$tmp"
}
trap cleanup EXIT

# deployed prints the files that are deployed: those that git would add, without those that
# .gcloudignore names, whose syntax git knows. The folder need not be a clone.
deployed() {
  git init --quiet --bare "$tmp/git"
  git --git-dir="$tmp/git" --work-tree=. ls-files -z --others --exclude-standard --exclude-from=.gcloudignore
}

# prepare makes $tmp/app, the source as the buildpack has it: with a main package in it.
prepare() {
  local source=$tmp/app module file
  while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue # a clone of something else
    mkdir -p "$source/$(dirname "$file")"
    cp "$file" "$source/$file"
  done < <(deployed)
  module=$(cd "$source" && GOWORK=off go list -m)
  mkdir -p "$source/functions.local/app"
  cat >"$source/functions.local/app/main.go" <<MAIN
package main

import (
	"log"
	"net/http"
	"os"

	_ "$module"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	http.HandleFunc("/robots.txt", http.NotFound)
	http.HandleFunc("/favicon.ico", http.NotFound)

	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	if err := funcframework.Start(port); err != nil {
		log.Fatalf("Function failed to start: %v\n", err)
	}
}
MAIN
  (cd "$source" && GOWORK=off go mod tidy) >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
}

# build OUT [OVERLAY] builds the program, with the flags of the environment, and with the
# files that go build's overlay names in place of others.
build() {
  (cd "$tmp/app" && CGO_ENABLED=0 GOWORK=off go build ${2:+-overlay "$2"} -ldflags "${GOOGLE_GOLDFLAGS-}" -o "$1" ./functions.local/app)
}

# build_as_deployed builds with what both ways to deploy set for the build, unless the
# environment says otherwise.
build_as_deployed() {
  GOFLAGS=${GOFLAGS--tags=disable_grpc_modules,nobigquery,notelemetry} GOOGLE_GOLDFLAGS=${GOOGLE_GOLDFLAGS--s -w} build "$@"
}

# start PROGRAM PORT starts the program with nothing but what the platform sets.
start() {
  env -i PATH="$PATH" HOME="$tmp" FUNCTION_TARGET="$target" PORT="$2" "$1" >"$tmp/out" 2>&1 &
  server=$!
}

stop() {
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# await PORT returns when the program listens.
await() {
  until listens "$1"; do
    kill -0 "$server" 2>/dev/null || { cat "$tmp/out" >&2; echo "the program ended" >&2; exit 1; }
  done
}

free_port() {
  local port
  for port in $(seq 18080 18180); do
    if ! listens "$port"; then
      echo "$port"
      return
    fi
  done
}

check() {
  local port status
  build_as_deployed "$tmp/function"
  port=$(free_port)
  start "$tmp/function" "$port"
  await "$port"
  status=$(curl -sS -m 20 -o "$tmp/answer" -w '%{http_code}' "http://127.0.0.1:$port/events/$source" -d '{"note":"check"}' \
    -H 'Content-Type: application/json' -H 'Ce-Specversion: 1.0' -H 'Ce-Id: 1' -H 'Ce-Type: check' \
    -H "Ce-Source: $source" -H 'Ce-Key: order-1')
  stop
  case $status in
    202 | 204) echo "built as the buildpack does, started, and an event was answered $status" ;;
    *)
      echo "the event was answered $status: $(cat "$tmp/answer" "$tmp/out")" >&2
      [ "$status" != 200 ] || echo "It became a dead letter. If \"$source\" is no source of the function any more, name one in $0." >&2
      exit 1
      ;;
  esac
  [ ! -d proof ] || check_stores
}

# check_stores runs the tests that start the program as a process, with their business in it.
check_stores() {
  printf '{"Replace":{"%s":"%s"}}' "$tmp/app/business.go" "$PWD/proof/instances/business/business.go" >"$tmp/overlay.json"
  build_as_deployed "$tmp/function" "$tmp/overlay.json"
  local tests=(env FUNCTION_PROGRAM="$tmp/function" GOFLAGS= go test -count=1)
  BIGQUERY_EMULATOR_HOST='' "${tests[@]}" -run '^(TestProcess|TestCrash|TestSIGTERM)' -skip OnBigQuery .
  # As Terraform builds it for BigQuery.
  GOFLAGS=-tags=disable_grpc_modules,notelemetry GOOGLE_GOLDFLAGS='-s -w' build "$tmp/function" "$tmp/overlay.json"
  if [ -z "${BIGQUERY_EMULATOR_HOST-}" ] && compgen -G '.cache/bqemulator/*/bqemulator' >/dev/null; then
    internal/fake/bqemulator/with "${tests[@]}" -run '^TestProcessOnBigQuery$' .
  else
    "${tests[@]}" -run '^TestProcessOnBigQuery$' .
  fi
  echo "the program processed orders with the stores in memory, Cloud Storage and BigQuery"
}

# cold PROGRAM prints the milliseconds until it listens, and how many of them it had a
# CPU (where the system says so), each the median of 11 starts.
cold() {
  local port began spent ticks=0 _
  port=$(free_port)
  for _ in 1 2 3 4 5 6 7 8 9 10 11; do
    began=$(date +%s%N)
    start "$1" "$port"
    await "$port"
    spent=$((($(date +%s%N) - began) / 1000000))
    [ ! -r "/proc/$server/stat" ] || ticks=$(cut -d ' ' -f 14,15 "/proc/$server/stat")
    stop
    echo "$spent $(((${ticks/ / + }) * 10))" # a tick is 10 ms
  done >"$tmp/starts"
  echo "$(cut -d ' ' -f 1 "$tmp/starts" | sort -n | sed -n 6p) | $(cut -d ' ' -f 2 "$tmp/starts" | sort -n | sed -n 6p)"
}

measure() {
  local flags tags
  printf '| GOFLAGS | GOOGLE_GOLDFLAGS | MB | ms until it listens | of CPU |\n| --- | --- | --- | --- | --- |\n'
  for tags in '' -tags=disable_grpc_modules -tags=disable_grpc_modules,nobigquery -tags=disable_grpc_modules,nobigquery,notelemetry; do
    for flags in '' '-s -w'; do
      GOFLAGS=$tags GOOGLE_GOLDFLAGS=$flags build "$tmp/function"
      printf '| %s | %s | %s | %s |\n' "${tags:-none}" "${flags:-none}" \
        "$(($(wc -c <"$tmp/function") / 1000000))" "$(cold "$tmp/function")"
    done
  done
}

prepare
case $1 in
  --check) check ;;
  --measure) measure ;;
  *)
    mkdir -p "$(dirname "$1")"
    build "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
    ;;
esac
