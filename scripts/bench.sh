#!/usr/bin/env bash
# Runs the benchmarks three times each and writes bench/results/<package>.md: the machine, the versions, and what the runs printed.
# Each benchmark carries its own limit or its peer, measured in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bench/results

machine() {
	printf '%s, %s cores, %s\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(uname -sr)"
}

for package in "${@:-pass room room/draw stockd/stock ledger ledger/finance stockd/node stockd/order stockd/rooms caddymodule}"; do
	for p in $package; do
		out="bench/results/$(echo "$p" | tr / -).md"
		echo "-- $p"
		{
			printf '# Benchmarks of `%s`\n\n' "$p"
			printf '%s; %s; commit %s.\nMade by `make bench`; three runs of each.\n\n```\n' "$(machine)" "$(go version | cut -d' ' -f3)" "$(git rev-parse --short HEAD)"
			go test -run '^$' -bench . -benchmem -count 3 -timeout 30m "./$p" | grep -v '^\(goos\|goarch\|PASS\)' | tee /dev/stderr
			printf '```\n'
		} >"$out"
	done
done
