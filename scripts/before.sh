#!/usr/bin/env bash
# Build stockd as it was at a commit or tag, for the fault upgrade of make chaos: scripts/before.sh v0.1.0 writes bin/stockd-before.
set -euo pipefail
cd "$(dirname "$0")/.."
ref=${1:?which commit or tag is the version before?}
folder=$(mktemp -d)
trap 'git worktree remove --force "$folder" > /dev/null 2>&1 || true; rm -rf "$folder"' EXIT
git worktree add --quiet --detach "$folder" "$ref"
(cd "$folder" && ${GO:-go} build -o stockd-before ./stockd)
mkdir -p bin
mv "$folder/stockd-before" bin/stockd-before
echo "bin/stockd-before is $(git describe --always "$ref")"
