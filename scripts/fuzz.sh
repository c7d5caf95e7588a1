#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after another: a line for each, and a summary. It goes on after a finding, and exits with 1 when there was one.
# An input that breaks something is kept by Go in testdata/fuzz of the package: commit it with the fix, `go test` tries it from then on.
# With GUIDED=no the binaries are those of `go test`, which saves building everything a second time, and mutation is not led by what the code does with an input.
# Arguments: the targets, by name; none for all.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${GO:=go}" "${FUZZTIME:=30s}" "${GUIDED:=yes}" "${LEAST:=200x}"
guide=(-fuzz=.)
[ "$GUIDED" = yes ] || guide=()
[[ $FUZZTIME =~ ^[0-9]+(ms|s|m|h|x)$ ]] || { echo "FUZZTIME is $FUZZTIME: give a duration such as 30s, or a number of inputs such as 1000x" >&2; exit 2; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
corpus=$("$GO" env GOCACHE)/fuzz module=$("$GO" list -m)
inputs=0 ran=0 execs= failed=()
declare -A wanted
for name in "$@"; do wanted[$name]=1; done

# fuzz runs one target of the package whose test binary is built, in the folder of the package, for as long as its argument says.
fuzz() {
	local package=$1 target=$2 time=$3 out="$folder/out" status=0
	(cd "$package" && "$folder/test" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="$time" -test.fuzzminimizetime=1s \
		-test.fuzzcachedir="$corpus/$module/$package") >"$out" 2>&1 || status=$?
	execs=$(sed -nE 's/^fuzz: elapsed.* execs: ([0-9]+) .*/\1/p' "$out" | tail -1)
	# Time that is over while Go looks for a shorter input is no finding, though Go fails with it; a finding has its input written down.
	if [ "$status" != 0 ] && grep -q '^    context deadline exceeded$' "$out" && ! grep -qE 'Failing input|terminated unexpectedly|panic:' "$out"; then
		status=0
	fi
	return "$status"
}

# run fuzzes one target and says what came of it. Where FUZZTIME is over before the target's own examples were tried (its set-up may start servers), it gets LEAST inputs.
run() {
	local package=$1 target=$2 status=0
	fuzz "$package" "$target" "$FUZZTIME" || status=$?
	if [ "$status" = 0 ] && [ -z "$execs" ]; then
		fuzz "$package" "$target" "$LEAST" || status=$?
	fi
	ran=$((ran + 1)) inputs=$((inputs + ${execs:-0}))
	if [ "$status" = 0 ] && [ -n "$execs" ]; then
		printf 'ok      %-18s %-28s %10s inputs\n' "$package" "$target" "$execs"
		return
	fi
	failed+=("$package $target")
	printf 'FAILED  %-18s %s\n' "$package" "$target"
	cat "$folder/out"
}

while IFS=: read -r package targets; do
	built=no
	for target in $targets; do
		[ $# = 0 ] || [ -n "${wanted[$target]:-}" ] || continue
		if [ $built = no ]; then
			"$GO" test -c "${guide[@]}" -o "$folder/test" "./$package"
			built=yes
		fi
		run "$package" "$target"
	done
done < <(grep -rHoE --include='*_test.go' --exclude-dir='.*' '^func Fuzz[A-Za-z0-9_]*' -- * |
	sed -E 's|^(.*)/[^/]*:func (Fuzz.*)$|\1 \2|' | sort | awk '{ all[$1] = all[$1] " " $2 } END { for (p in all) print p ":" all[p] }' | sort)

echo "$ran fuzz targets, $FUZZTIME each, $inputs inputs, ${#failed[@]} failed"
for f in "${failed[@]}"; do echo "  failed: $f"; done
[ "$ran" -gt 0 ] || { echo "no fuzz target ran" >&2; exit 1; }
[ ${#failed[@]} = 0 ]
