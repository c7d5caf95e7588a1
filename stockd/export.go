package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ticketrush/ledger/finance"
	"ticketrush/stockd/failure"
)

type exportCommand struct {
	ledgerAt
	Kind   string `arg:"" enum:"transfers,movements,orders,settlement" help:"What: transfers (postings), movements (of seats), orders, settlement (lines of providers)."`
	Format string `enum:"csv,jsonl" default:"csv" help:"csv or jsonl (${default})."`
	Out    string `required:"" type:"path" placeholder:"DIR" help:"The folder to write to; it is made."`
	Day    string `placeholder:"2006-01-02" help:"Only this day: of transfers the business day, of others the day (UTC) on which it happened."`
	From   string `placeholder:"2006-01-02" help:"From this day on."`
	To     string `placeholder:"2006-01-02" help:"Until this day, which is included."`
	Event  string `help:"Only this event, by slug."`
	Force  bool   `help:"Replace a file that is there."`
}

// Run exports rows and their manifest.
func (e *exportCommand) Run(ctx context.Context, con console) error {
	o := finance.ExportOptions{Kind: e.Kind, Format: e.Format, Now: time.Now()}
	if e.Day != "" && (e.From != "" || e.To != "") {
		return failure.ByMisuse(errors.New("--day is one day; give either it, or --from and --to"))
	}
	if e.Day != "" {
		e.From, e.To = e.Day, e.Day
	}
	for _, d := range []struct {
		text string
		to   *time.Time
	}{{e.From, &o.From}, {e.To, &o.To}} {
		if d.text == "" {
			continue
		}
		var err error
		if *d.to, err = time.Parse(time.DateOnly, d.text); err != nil {
			return failure.ByMisuse(fmt.Errorf("%q is no date; write it as 2006-01-02", d.text))
		}
	}
	dsn, err := e.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if e.Event != "" {
		if o.Event, err = eventNumber(ctx, db, e.Event); err != nil {
			return err
		}
	}
	m, err := finance.New(db).ExportFile(ctx, o, e.Out, e.Force)
	switch {
	case errors.Is(err, finance.ErrExport), errors.Is(err, finance.ErrExportExists):
		return failure.ByMisuse(err)
	case err != nil:
		return fmt.Errorf("export %s: %w", e.Kind, err)
	}
	fmt.Fprintf(con.out, "%s: %d rows, %d bytes, sha256 %s\n", filepath.Join(e.Out, m.File), m.Rows, m.Bytes, m.SHA256)
	return nil
}
