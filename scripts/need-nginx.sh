#!/usr/bin/env bash
# Makes sure that there is an nginx for the test that puts a cache in front of an edge. Where the machine has none, Debian's package is unpacked to
# bin/nginx: nothing is installed, and no server is started.
set -euo pipefail
cd "$(dirname "$0")/.."

have_nginx() {
	command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || { [ -x bin/nginx ] && bin/nginx -v 2>/dev/null; }
}

have_nginx && exit 0

fail() {
	echo "the test with a cache in front needs nginx, and found none: not in PATH, nor in /usr/sbin, nor bin/nginx." >&2
	echo "$1" >&2
	exit 1
}

command -v apt-get >/dev/null 2>&1 || fail "Install nginx with your package manager, then run the command again."
echo "Getting Debian's nginx, unpacked to bin/nginx." >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt downloads as a user of its own
download() { (cd "$work" && apt-get download -qq nginx >/dev/null 2>&1); }
if ! download; then
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null 2>&1 || fail "Run: apt-get update (as root), then run the command again."
		as_root=(sudo)
	fi
	"${as_root[@]}" apt-get update -qq
	download || fail "apt-get download nginx failed."
fi
dpkg -x "$work"/nginx_*.deb "$work/nginx"
mkdir -p bin
cp "$work/nginx/usr/sbin/nginx" bin/nginx
have_nginx || fail "Debian's nginx does not run here: install it with apt-get install nginx."
