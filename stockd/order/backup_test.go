package order_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/order"
)

// A ledger is dumped while it is sold from, with the real pg_dump, and restored into another database as docs/operate.md says: it adds up, the tickets are
// there, and a node sells from it again.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tickets := w.outside(w.traded())
	dump := pgTool(t, nil, "pg_dump", "--format=plain", "--no-owner", "--no-privileges", "--dbname="+w.dsn)
	w.restored(dump, tickets)
}

// The ledger of each released schema, with a trade in it, is brought to the newest: it adds up, and a node sells from it. `make freeze-schema` adds the
// ledger of today's.
func TestReleasedLedgersRunForward(t *testing.T) {
	t.Parallel()
	const folder = "../../ledger/testdata/released"
	if to := os.Getenv("FREEZE_SCHEMA"); to != "" {
		w := newWorld(t)
		w.traded()
		freeze(t, filepath.Join(folder, to+".sql.gz"), pgTool(t, nil, "pg_dump", "--format=plain", "--no-owner", "--no-privileges", "--dbname="+w.dsn))
	}
	dumps, _ := filepath.Glob(folder + "/*.sql.gz") // the only error is a bad pattern
	for _, path := range dumps {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			plain, err := gzip.NewReader(file)
			if err != nil {
				t.Fatal(err)
			}
			dump, err := io.ReadAll(plain)
			if err != nil {
				t.Fatal(err)
			}
			(&world{t: t}).restored(dump, nil)
		})
	}
}

// freeze keeps a dump, without what psql knows since its newest versions only.
func freeze(t *testing.T, path string, dump []byte) {
	t.Helper()
	dump = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`).ReplaceAll(dump, nil)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(dump)
	if err = errors.Join(err, z.Close(), os.MkdirAll(filepath.Dir(path), 0o755)); err == nil { //nolint:gosec // part of the sources
		err = os.WriteFile(path, packed.Bytes(), 0o644) //nolint:gosec // likewise
	}
	if err != nil {
		t.Fatal(err)
	}
}

// traded is a trade with a bit of everything: sold, declined, paid wrongly, held, being paid, partly given back, with invoices. It gives the tickets that
// people hold, but for those of the order that was partly given back.
func (w *world) traded() []ledger.Ticket {
	w.t.Helper()
	tickets := append(w.issued(2), w.issued(1)...)
	declined, p := w.begun(2, time.Minute)
	w.buyer(p, "decline")
	w.becomes(declined.ID, order.PendingPayment)
	o, late := w.begun(1, time.Minute)
	w.told(fact("too much", order.PaymentCaptured, ledger.Payment{Provider: late.Provider, ProviderRef: late.ProviderRef, Amount: late.Amount + 1, Currency: late.Currency}))
	w.held(1, 3, time.Minute)
	w.begun(2, time.Minute)
	back, paid := w.begun(3, time.Minute)
	w.buyer(paid, "success")
	w.becomes(back.ID, order.Issued)
	w.refund(wish(back, back.Lines[0].Seat))
	w.becomes(back.ID, order.Issued)
	if _, err := w.service.MakeInvoices(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if w.state(o.ID) != order.Paying {
		w.t.Fatalf("another amount than the order's made it %s", w.state(o.ID))
	}
	return tickets
}

// restored puts a dump into a new database, brings it up to date, reconciles, and has a node sell from it.
func (w *world) restored(dump []byte, tickets []reconcile.OutsideTicket) {
	t := w.t
	t.Helper()
	ctx := t.Context()
	dsn := pgdev.Test(t, "nothing", func(context.Context, string) error { return nil }).DSN
	pgTool(t, dump, "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction", "--dbname="+dsn)
	if _, err := ledger.Migrate(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	db, err := ledger.Open(ctx, dsn, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check := &world{t: t, ledger: db}
	check.until("the sessions of before are over", func() bool {
		_, err := db.Restored(ctx, "ops", "a test of the backup")
		if err != nil && !errors.Is(err, ledger.ErrNodesRun) {
			t.Fatal(err)
		}
		return err == nil
	})
	check.reconciles()
	if outside, err := reconcile.Tickets(ctx, db, tickets); err != nil || len(outside.Breaks) > 0 {
		t.Errorf("the tickets that people hold: %+v, %v", outside, err)
	}
	again := newWorldAt(t, 1, dsn)
	if n := len(again.issued(2)); n != 2 {
		t.Errorf("the restored ledger sold %d tickets", n)
	}
	again.reconciles()
}

// pgTool runs a program that comes with Postgres and gives what it prints.
func pgTool(t testing.TB, in []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := pgdev.Tool(name)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(t.Context(), path, args...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &errs)
	}
	if text := strings.TrimSpace(errs.String()); text != "" {
		t.Log(fmt.Sprintf("%s says: ", name) + text)
	}
	return out.Bytes()
}
