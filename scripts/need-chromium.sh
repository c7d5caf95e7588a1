#!/usr/bin/env bash
# Makes sure that there is a Chromium for the walk through the demo, and prints where it is.
set -euo pipefail

have_chromium() {
	local name
	for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
		[ -n "$name" ] && command -v "$name" && return 0
	done
	return 1
}

have_chromium && exit 0

fail() {
	echo "the walk in a browser needs Chromium, and found none in PATH; CHROMIUM can name one." >&2
	echo "$1" >&2
	exit 1
}

command -v apt-get >/dev/null 2>&1 || fail "Install Chromium with your package manager, then run the command again."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || fail "Run: apt-get install chromium (as root), then run the command again."
	as_root=(sudo)
fi
echo "Getting Debian's chromium." >&2
"${as_root[@]}" apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
have_chromium || fail "apt-get install chromium went through, yet there is no chromium in PATH."
