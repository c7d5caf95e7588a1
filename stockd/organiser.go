package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/money"
	"ticketrush/stockd/failure"
)

type organiserCommand struct {
	Recognise organiserRecognise `cmd:"" help:"An event took place: post what was earned with it to its organiser, or as revenue of the house."`
	Payout    organiserPayout    `cmd:"" help:"Record that money was sent to an organiser."`
	Show      organiserShow      `cmd:"" help:"Show what belongs to whom."`
}

type organiserRecognise struct {
	ledgerAt
	Event string `arg:"" help:"The event's slug."`
}

// Run posts the revenue of one event.
func (o *organiserRecognise) Run(ctx context.Context, con console) error {
	return o.with(ctx, func(db *ledger.DB) error {
		number, organiser, err := db.EventNumber(ctx, o.Event)
		if err != nil {
			return err
		}
		posted, err := db.EventRecognise(ctx, number, time.Now())
		switch {
		case errors.Is(err, ledger.ErrEventOnSale):
			return fmt.Errorf("%s: %w; close it first: stockd event close %s", o.Event, err, o.Event)
		case err != nil:
			return fmt.Errorf("%s: %w", o.Event, err)
		case !posted:
			fmt.Fprintf(con.out, "%s: there is nothing to post\n", o.Event)
		case organiser == "":
			fmt.Fprintf(con.out, "%s: posted as revenue of the house (4000) and fees (4100)\n", o.Event)
		default:
			fmt.Fprintf(con.out, "%s: posted to its organiser (2200:%s) and as fees (4100)\n", o.Event, organiser)
		}
		return nil
	})
}

// with opens the ledger for one command.
func (l ledgerAt) with(ctx context.Context, do func(db *ledger.DB) error) error {
	dsn, err := l.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

type organiserPayout struct {
	ledgerAt
	Organiser string `arg:"" help:"Whom it was sent to, as events name them."`
	Amount    string `arg:"" help:"How much, as in 1234.56."`
	Currency  string `arg:"" help:"Of what, as in EUR."`
	Reference string `required:"" help:"The bank transfer's reference: an organiser has each once."`
}

// Run records the payout.
func (o *organiserPayout) Run(ctx context.Context, con console) error {
	amount, err := money.Parse(o.Amount, o.Currency)
	if err != nil {
		return failure.ByMisuse(err)
	}
	if amount <= 0 {
		return failure.ByMisuse(fmt.Errorf("a payout of %s %s: it has to be more than nothing", o.Amount, o.Currency))
	}
	return o.with(ctx, func(db *ledger.DB) error {
		again, err := db.PayoutRecord(ctx, ledger.Payout{Organiser: o.Organiser, Currency: o.Currency, Amount: amount, Reference: o.Reference, Actor: whoami()}, time.Now())
		switch {
		case errors.Is(err, ledger.ErrPayoutTooMuch):
			return fmt.Errorf("%s %s for %s: %w; stockd organiser show tells how much", o.Amount, o.Currency, o.Organiser, err)
		case errors.Is(err, ledger.ErrPayoutReused):
			return fmt.Errorf("reference %q of %s: %w", o.Reference, o.Organiser, err)
		case err != nil:
			return err
		case again:
			fmt.Fprintln(con.out, "it was recorded before: there is nothing to do")
		default:
			fmt.Fprintf(con.out, "recorded: %s %s to %s (2200:%s → 1000)\n", money.Format(amount, o.Currency), o.Currency, o.Organiser, o.Organiser)
		}
		return nil
	})
}

type organiserShow struct {
	ledgerAt
	JSON bool `help:"Print it as JSON, amounts in minor units."`
}

// Run lists what belongs to whom.
func (o *organiserShow) Run(ctx context.Context, con console) error {
	return o.with(ctx, func(db *ledger.DB) error {
		all, err := db.Organisers(ctx)
		if err != nil {
			return err
		}
		if o.JSON {
			return json.NewEncoder(con.out).Encode(all)
		}
		fmt.Fprintf(con.out, "%-24s %-8s %14s %14s %14s %14s\n", "organiser", "currency", "recognised", "refunded since", "paid out", "owed")
		for _, x := range all {
			f := func(n int64) string { return money.Format(n, x.Currency) }
			fmt.Fprintf(con.out, "%-24s %-8s %14s %14s %14s %14s\n", x.Organiser, x.Currency, f(x.Recognised), f(x.Refunded), f(x.PaidOut), f(x.Owed))
		}
		return nil
	})
}
