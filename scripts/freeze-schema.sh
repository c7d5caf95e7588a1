#!/usr/bin/env bash
# Releases today's schema: keeps a ledger of it with a real trade in it, which every later version must be able to bring forward, and the hashes of its
# migrations, which nobody may edit from then on. Run it once for each release, and commit what it wrote.
set -euo pipefail
cd "$(dirname "$0")/.."
hashes=ledger/migrations/released.sha256
if [ -f "$hashes" ]; then
	(cd ledger/migrations && sha256sum --check --quiet released.sha256)
fi
newest=$(basename "$(find ledger/migrations -name '[0-9]*.sql' | sort | tail -1)" | cut -d_ -f1)
FREEZE_SCHEMA="$newest" go test -count=1 -run 'TestReleasedLedgersRunForward' ./stockd/order
(cd ledger/migrations && sha256sum [0-9]*.sql) >"$hashes"
echo "the schema $newest is released: commit $hashes and ledger/testdata/released/$newest.sql.gz"
