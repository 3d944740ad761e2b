#!/usr/bin/env bash
# Checks the module in terraform/: format, validity and tests, which also plan the
# examples, with a mocked provider and without an account. It needs terraform and its
# registry; if either is missing it says so and does nothing. If TERRAFORM_CHECK names a
# program, that is run instead: one that checks a folder without a registry.
set -euo pipefail
cd "$(dirname "$0")/../terraform"

command -v terraform >/dev/null || { echo "skipped: terraform is not installed"; exit 0; }
if [ -n "${TERRAFORM_CHECK-}" ]; then
  exec "$TERRAFORM_CHECK" .
fi
terraform fmt -check -recursive -diff

# A copy, so that nothing is left behind; the source is packed from above terraform/.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
git -C .. ls-files -z --cached --others --exclude-standard | (cd .. && tar --null -T - -cf -) | tar -xf - -C "$tmp"
export TF_IN_AUTOMATION=1 TF_INPUT=0 TF_PLUGIN_CACHE_DIR="$tmp/plugins"
mkdir "$TF_PLUGIN_CACHE_DIR"

for folder in . examples/*/; do
  echo "--- terraform/$folder"
  cd "$tmp/terraform/$folder"
  if ! terraform init -backend=false -no-color >"$tmp/init" 2>&1; then
    if [ "$folder" = . ] && grep -qiE 'could not connect|failed to (query|request|retrieve)|no available releases|timeout|no such host' "$tmp/init"; then
      echo "skipped: terraform can't reach its registry"
      exit 0
    fi
    cat "$tmp/init" >&2
    exit 1
  fi
  terraform validate -no-color
done
cd "$tmp/terraform"
terraform test -no-color
