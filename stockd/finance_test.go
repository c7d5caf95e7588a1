package main

import (
	"strings"
	"testing"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
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
	says(t, exitDone, []string{"settlement", "import", june}, "june.csv of sandbox: 2 lines, 2 of them new", "charge     EUR      1 lines  gross        12.00  fee       0.30  net        11.70")
	says(t, exitDone, []string{"settlement", "import", june}, "june.csv was imported before, as june.csv by ", "nothing to do")
	july := write(t, "july.csv", header+"t2,fee,,-1.50,0,EUR,2026-06-02\nt3,charge,pi_3,5.00,x,EUR,2026-07-01\n")
	says(t, exitFailed, []string{"settlement", "import", july}, `july.csv: line 3, column fee: "x": not an amount`, "nothing was imported")
	says(t, exitMisused, []string{"settlement", "import", "/nowhere.csv"}, "/nowhere.csv")
	says(t, exitMisused, []string{"settlement", "import", june, "--provider", "paypal"}, "paypal")
	says(t, exitFailed, []string{"reconcile"}, "payment sandbox pi_1: missing in ledger: the provider settled it, and the ledger knows no such payment")
}
