package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"ticketrush/stockd/failure"
)

type invoiceCommand struct {
	Make   invoiceMake   `cmd:"" help:"Make the invoices and credit notes that are missing, in order."`
	Issuer invoiceIssuer `cmd:"" help:"Say what stands at the top of the documents of a series."`
}

type invoiceMake struct{ ledgerAt }

// Run makes what is missing. It may be ended and run again at any time, also while nodes do the same (invoice_every).
func (i *invoiceMake) Run(ctx context.Context, con console) error {
	dsn, err := i.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	made, err := db.InvoicesDue(ctx, true, time.Now())
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "made %d documents\n", made)
	return nil
}

type invoiceIssuer struct {
	ledgerAt
	Series string `arg:"" help:"The series: the organiser of the events, or house."`
	File   string `required:"" type:"existingfile" placeholder:"FILE" help:"Name, address and tax number, in lines."`
}

var seriesText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Run writes it. Documents that are made already keep what they say.
func (i *invoiceIssuer) Run(ctx context.Context, con console) error {
	text, err := os.ReadFile(i.File)
	if err != nil {
		return failure.ByAbsence(err)
	}
	issuer := strings.TrimSpace(string(text))
	switch {
	case !seriesText.MatchString(i.Series):
		return failure.ByMisuse(fmt.Errorf("a series is called as an organiser is, in small letters, digits and dashes, not %q", i.Series))
	case issuer == "" || len(issuer) > 1000:
		return failure.ByMisuse(fmt.Errorf("%s has %d letters, an issuer has 1 to 1000", i.File, len(issuer)))
	}
	dsn, err := i.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	if err := errors.Join(db.InvoiceIssuerSet(ctx, i.Series, issuer), db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "documents of %s from now on are issued by %s\n", i.Series, strings.SplitN(issuer, "\n", 2)[0])
	return nil
}
