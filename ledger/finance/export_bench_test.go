package finance_test

import (
	"context"
	"io"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/finance"
	"ticketrush/ledger/pgdev"
)

const exportRows = 1_000_000

// filled is a ledger with a million postings and nothing else: they are put there without triggers, for it is the reading that counts.
func filled(b *testing.B) *ledger.DB {
	b.Helper()
	database := pgdev.Test(b, "million", func(ctx context.Context, dsn string) error {
		if _, err := ledger.Migrate(ctx, dsn); err != nil {
			return err
		}
		db, err := ledger.Open(ctx, dsn, ledger.Options{AllowNoFsync: true})
		if err != nil {
			return err
		}
		defer db.Close()
		for _, statement := range []string{
			`INSERT INTO ledger.accounts(account, currency, name) VALUES ('1200', 'EUR', 'receivable'), ('2400:1', 'EUR', 'deferred revenue')`,
			`SET session_replication_role = replica; INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, order_id, day, effective_at)
				SELECT 'order:' || gen_random_uuid() || ':1', 1, '1200', '2400:1', 'EUR', 5000 + i % 999, gen_random_uuid(), (SELECT day FROM ledger.business_days), clock_timestamp()
				  FROM generate_series(1, ` + strconv.Itoa(exportRows) + `) i; SET session_replication_role = origin`,
			`VACUUM ANALYZE ledger.transfers`,
		} {
			if _, err := db.SQL().ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	db, err := ledger.Open(b.Context(), database.DSN, ledger.Options{AllowNoFsync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

// peak is the most memory that this process ever had in use, in MiB.
func peak(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if err != nil || m == nil {
		b.Skip("this system does not say how much memory a process had")
	}
	kb, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}

// BenchmarkExport exports a million postings: the bounds are 3 s and 64 MiB.
func BenchmarkExport(b *testing.B) {
	for _, format := range []string{"csv", "jsonl"} {
		b.Run(format, func(b *testing.B) {
			desk := finance.New(filled(b))
			const seconds, mib = 3, 64
			var took time.Duration
			for b.Loop() {
				began := time.Now()
				n, err := desk.Export(b.Context(), finance.ExportOptions{Kind: "transfers", Format: format}, io.Discard)
				if err != nil || n != exportRows {
					b.Fatalf("%d rows, %v", n, err)
				}
				took += time.Since(began)
			}
			each := took.Seconds() / float64(b.N)
			b.ReportMetric(each, "s/million")
			b.ReportMetric(each/seconds, "of_3s")
			b.ReportMetric(peak(b), "peak_MiB")
			b.ReportMetric(peak(b)/mib, "of_64MiB")
		})
	}
}
