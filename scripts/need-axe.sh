#!/usr/bin/env bash
# Gets axe-core, which looks for what keeps people with disabilities out of a page, and prints where its script is. It is used by the browser tests
# only and is no part of what is shipped. The checksum is that of the registry's package.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.14.1
sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
script="bin/axe/$version/axe.min.js"

[ -f "$script" ] && exec realpath "$script"

if ! command -v npm >/dev/null 2>&1; then
	command -v apt-get >/dev/null 2>&1 || { echo "axe-core comes by npm, which is not in PATH: install Node.js, then run the command again." >&2; exit 1; }
	as_root=()
	[ "$(id -u)" -eq 0 ] || as_root=(sudo)
	echo "Getting Debian's npm." >&2
	"${as_root[@]}" apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends npm >/dev/null
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "axe-core@$version" >/dev/null
echo "$sha512  $work/axe-core-$version.tgz" | sha512sum --check --quiet >&2
tar -xzf "$work/axe-core-$version.tgz" -C "$work"
mkdir -p "$(dirname "$script")"
mv "$work/package/axe.min.js" "$script"
realpath "$script"
