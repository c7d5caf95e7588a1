#!/usr/bin/env bash
# All checks that need no running server. Each prints its name; the first that fails stops the run.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOWORK=off

step() { printf -- '-- %s\n' "$1"; }

step "gofmt"
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || { echo "not gofmt-ed:"; echo "$unformatted"; exit 1; }

step "go vet"
go vet ./...
go vet -tags load ./stockd/api

step "golangci-lint"
go tool -modfile=tools/lint/go.mod golangci-lint run --allow-parallel-runners ./...

step "go mod tidy"
go mod tidy -diff

step "sqlc diff: ledger/db is what queries/ and the migrations say"
CGO_ENABLED=0 go tool -modfile=tools/go.mod sqlc diff

step "house rules, OpenAPI, links of the docs"
go test -count=1 -run 'House|OpenAPI|Links' . ./stockd/api

step "Caddyfile: formatted, adapts and validates"
./xcaddy.sh
scripts/check-caddyfile.sh

step "shell scripts parse"
git ls-files '*.sh' .ci/run | xargs -n1 bash -n
echo "all checks passed"
