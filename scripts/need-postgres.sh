#!/usr/bin/env bash
# Makes sure that a Postgres server binary is there: the private server of the demo and of the tests needs initdb and postgres.
set -euo pipefail

have_postgres() {
	command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && return 0
	compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return 0
	compgen -G '/opt/homebrew/opt/postgresql*/bin/postgres' >/dev/null
}

have_postgres && exit 0

fail() {
	echo "ticketrush needs a Postgres server, version 14 or later, and found none: no initdb and postgres in PATH or in /usr/lib/postgresql/*/bin." >&2
	echo "$1" >&2
	exit 1
}

command -v apt-get >/dev/null 2>&1 || fail "Install PostgreSQL with your package manager, then run the command again."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || fail "Run: apt-get install postgresql (as root), then run the command again."
	as_root=(sudo)
fi
echo "Getting Debian's postgresql; no cluster of its own is started." >&2
# Without this file the package would create and start a cluster on port 5432.
"${as_root[@]}" mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends postgresql >/dev/null
have_postgres || fail "apt-get install postgresql went through, yet there is no server binary: look at /usr/lib/postgresql."
