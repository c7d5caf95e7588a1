#!/usr/bin/env bash
# Runs every Go test and fails when one was skipped: a suite that did not run proves nothing.
# Arguments are passed to `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
go test -json "$@" ./... >"$log" || status=$?

go run ./scripts/summary <"$log" || status=1
exit "$status"
