package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/failure"
)

// financeLedger is an empty ledger that the commands find.
func financeLedger(t *testing.T) {
	t.Helper()
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if _, err := ledger.Migrate(t.Context(), server.DSN("postgres")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STOCKD_POSTGRES", server.DSN("postgres"))
}

// says runs a command and wants an exit code and what it says.
func says(t *testing.T, code int, args []string, want ...string) string {
	t.Helper()
	got, out, errs := stockd(t, args...)
	for _, w := range append(want, "") {
		if got != code || !strings.Contains(out+errs, w) {
			t.Errorf("stockd %s: exit code %d, want %d and %q:\n%s%s", strings.Join(args, " "), got, code, w, out, errs)
		}
	}
	return out
}

func TestSettlementImport(t *testing.T) {
	financeLedger(t)
	const header = "txn,category,ref,gross,fee,currency,at\n"
	june := write(t, "june.csv", header+"t1,charge,pi_1,12.00,0.30,EUR,2026-06-01\nt2,fee,,-1.50,0,EUR,2026-06-02\n")
	says(t, failure.Done, []string{"settlement", "import", june}, "june.csv of sandbox: 2 lines, 2 of them new", "charge     EUR      1 lines  gross        12.00  fee       0.30  net        11.70")
	says(t, failure.Done, []string{"settlement", "import", june}, "june.csv was imported before, as june.csv by ", "nothing to do")
	july := write(t, "july.csv", header+"t2,fee,,-1.50,0,EUR,2026-06-02\nt3,charge,pi_3,5.00,x,EUR,2026-07-01\n")
	says(t, failure.Failed, []string{"settlement", "import", july}, `july.csv: line 3, column fee: "x": not an amount`, "nothing was imported")
	says(t, failure.Misused, []string{"settlement", "import", "/nowhere.csv"}, "/nowhere.csv")
	says(t, failure.Misused, []string{"settlement", "import", june, "--provider", "paypal"}, "paypal")
	says(t, failure.Failed, []string{"reconcile"}, "payment sandbox pi_1: missing in ledger: the provider settled it, and the ledger knows no such payment")
}

func TestCloseDayAndProve(t *testing.T) {
	financeLedger(t)
	dir := t.TempDir()
	key, file, proof := filepath.Join(dir, "closer.key"), filepath.Join(dir, "checkpoints.jsonl"), filepath.Join(dir, "proof.json")
	says(t, failure.Done, []string{"keys", "closer", "--out", key}, "closer.key; keep it secret", "closer.key.pub; give it to everybody")
	says(t, failure.Misused, []string{"keys", "closer", "--out", key + "2", "--name", "a b"}, "no spaces")
	june := write(t, "june.csv", "txn,category,ref,gross,fee,currency,at\nt2,fee,,-1.50,0,EUR,2026-06-02\n")
	says(t, failure.Done, []string{"settlement", "import", june}, "1 of them new")
	says(t, failure.Failed, []string{"prove", "1"}, "transfer 1: its business day is not signed yet: run stockd close-day first")
	today := time.Now().UTC().Format(time.DateOnly)
	closing := []string{"close-day", "--key", key, "--publish", file}
	says(t, failure.Misused, closing, "has not ended", "--day "+today)
	says(t, failure.Misused, append(closing, "--day", "soon"), `--day "soon" is no date`)
	says(t, failure.Missing, []string{"close-day", "--key", "/nowhere", "--publish", file}, "stockd keys closer")
	says(t, failure.Misused, []string{"close-day", "--key", key + ".pub", "--publish", file}, "not the .pub")
	says(t, failure.Done, append(closing, "--day", today), "signed "+today+": 1 postings, 1 in the tree", "published 1 checkpoints", "ticketrush-ledger\n1\n", "breaks 0\n", "\u2014 ticketrush-ledger ")
	says(t, failure.Done, append(closing, "--day", today), "has it already")
	out := says(t, failure.Done, []string{"prove", "1"}, `"source": "settlement:sandbox:t2"`, `"amount": "1.50"`)
	if err := os.WriteFile(proof, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, failure.Done, []string{"prove", "--published", file, "--key", key + ".pub"}, "the ledger is what was published: 1 checkpoints")
	says(t, failure.Done, []string{"prove", "--between", today + "," + today}, `"older"`)
	books := filepath.Join(dir, "books")
	says(t, failure.Done, []string{"export", "transfers", "--day", today, "--out", books}, "transfers-"+today+".csv: 1 rows", "sha256 ")
	says(t, failure.Misused, []string{"export", "transfers", "--day", today, "--out", books}, "is there already", "--force")
	says(t, failure.Done, []string{"export", "settlement", "--format", "jsonl", "--out", books}, "settlement.jsonl: 1 rows")
	says(t, failure.Misused, []string{"export", "orders", "--day", today, "--from", today, "--out", books}, "either it, or --from and --to")
	says(t, failure.Misused, []string{"export", "orders", "--from", "soon", "--out", books}, `"soon" is no date`)
	says(t, failure.Misused, []string{"export", "orders", "--event", "gala", "--out", books}, "no event with this slug")
	says(t, failure.Misused, []string{"export", "orders"}, "--out")
	says(t, failure.Misused, []string{"export", "people", "--out", books}, "people")
	t.Setenv("STOCKD_POSTGRES", "") // from here on nobody has a database
	says(t, failure.Done, []string{"prove", "--verify", proof, "--key", key + ".pub"}, "posting 1 (settlement:sandbox:t2, 1.50 EUR from 5100 to 1100:sandbox) is leaf 0 of the 1 that ticketrush-ledger signed with "+today)
	forged := write(t, "forged.json", strings.Replace(out, `"5100"`, `"1000"`, 1))
	says(t, failure.Failed, []string{"prove", "--verify", forged, "--key", key + ".pub"}, "the proof does not hold")
	says(t, failure.Misused, []string{"prove", "--verify", june, "--key", key + ".pub"}, "not a proof as stockd prove prints it")
	says(t, failure.Misused, []string{"prove"}, "prove what?")
	says(t, failure.Misused, []string{"prove", "--verify", proof}, "need --key")
}
