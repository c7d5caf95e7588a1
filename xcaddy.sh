#!/usr/bin/env bash
# Builds ./bin/caddy: Caddy with the ticketrush modules of this checkout, and proves that they are in.
# CADDY_VERSION and CADDY_OUTPUT change what is built and where to. It needs Go and the public module proxy, nothing else.
set -euo pipefail
cd "$(dirname "$0")"

version=${CADDY_VERSION:-v2.11.9}
output=${CADDY_OUTPUT:-bin/caddy}
modules=(
	waiting_room
	http.handlers.waiting_room
	http.handlers.stockd_gate
	http.handlers.stock_counts
	http.matchers.admitted
	http.reverse_proxy.transport.stockd
	admin.api.waiting_room
)

# The module's name is ours alone: no proxy or checksum database is asked about it, and a go.work of somebody's does not interfere.
export GOPRIVATE=ticketrush GOWORK=off
mkdir -p "$(dirname "$output")"
go tool xcaddy build "$version" --output "$output" --with ticketrush/caddymodule --replace "ticketrush=$PWD" >&2

have=$("$output" list-modules --skip-standard)
for module in "${modules[@]}"; do
	grep -qx "$module" <<<"$have" || {
		echo "$output lacks the module $module; it has:" >&2
		echo "$have" >&2
		exit 1
	}
done
echo "$output: $("$output" version | cut -d' ' -f1) with ${#modules[@]} ticketrush modules"
