package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"ticketrush/ledger/finance"
	"ticketrush/ledger/money"
	"ticketrush/stockd/failure"
)

type settlementCommand struct {
	Import settlementImport `cmd:"" help:"Take the lines of a provider's settlement file: all of them, or none."`
}

type settlementImport struct {
	ledgerAt
	File     string `arg:"" type:"path" help:"The CSV file: Stripe's itemised balance or payout report, or the columns of docs/finance.md."`
	Provider string `enum:"stripe,sandbox," default:"" help:"Whose file it is, stripe or sandbox; default: stripe for a report of Stripe's, else sandbox."`
}

// Run imports one file.
func (s *settlementImport) Run(ctx context.Context, con console) error {
	text, err := readAtMost(s.File, finance.SettlementBytesMax+1)
	if err != nil {
		return failure.ByMisuse(err)
	}
	dsn, err := s.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	name := filepath.Base(s.File)
	done, err := finance.New(db).ImportSettlement(ctx, s.Provider, name, text, whoami())
	if err != nil {
		return err
	}
	if done.File == 0 {
		fmt.Fprintf(con.out, "%s was imported before, as %s by %s at %s: there is nothing to do\n", name, done.Name, done.By, done.At.UTC().Format(time.RFC3339))
		return nil
	}
	fmt.Fprintf(con.out, "imported %s of %s: %d lines, %d of them new\n", name, done.Provider, done.Lines, done.New)
	for _, x := range done.Sums {
		fmt.Fprintf(con.out, "  %-10s %s %6d lines  gross %12s  fee %10s  net %12s\n", x.Category, x.Currency, x.N, money.Format(x.Gross, x.Currency),
			money.Format(x.Fee, x.Currency), money.Format(x.Net, x.Currency))
	}
	fmt.Fprintln(con.out, "stockd reconcile compares them with the ledger")
	return nil
}

// readAtMost reads a file, or the first bytes of one that is longer.
func readAtMost(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}

// whoami names who runs a command, for the records.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
