#!/usr/bin/env bash
# The shipped Caddyfile is formatted, adapts without a warning and validates with keys made for the occasion.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

bin/caddy fmt --diff Caddyfile >"$dir/diff" || { cat "$dir/diff"; echo "run: bin/caddy fmt --overwrite Caddyfile"; exit 1; }
go run ./stockd keys new --out "$dir/room.keys" >/dev/null
head -c 32 /dev/urandom | base64 >"$dir/internal.key"
export XDG_DATA_HOME="$dir/data" XDG_CONFIG_HOME="$dir/config" HOME="$dir"
export ROOM_KEYS_FILE="$dir/room.keys" INTERNAL_KEY_FILE="$dir/internal.key" CADDY_ADMIN="unix/$dir/admin.sock"
bin/caddy adapt --config Caddyfile >/dev/null 2>"$dir/warnings"
if grep -i '"level":"warn"' "$dir/warnings"; then echo "caddy adapt warns about the Caddyfile, see above"; exit 1; fi
bin/caddy validate --config Caddyfile 2>"$dir/validate" || { cat "$dir/validate"; exit 1; }
