package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/config"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/order"
	"ticketrush/stockd/serve"
)

type reconcileCommand struct {
	ledgerAt
	Event   string `help:"Only this event, by slug; default all."`
	Tickets string `type:"path" placeholder:"FILE" help:"Compare the tickets that people hold too: a file of their codes, one in a line, - for standard input. After a restore to an earlier time it names each that the ledger has lost. The configuration must name the secrets file."`
	JSON    bool   `help:"Print the report as JSON."`
}

// reconcileOptions says what to reconcile and how to tell it.
type reconcileOptions struct {
	event   string
	json    bool
	outside []reconcile.OutsideTicket
	bad     []reconcile.Break // lines that are no tickets
	tickets bool
}

// Run reconciles and fails when something does not add up.
func (r *reconcileCommand) Run(ctx context.Context, con console) error {
	dsn, err := r.dsn()
	if err != nil {
		return err
	}
	o := reconcileOptions{event: r.Event, json: r.JSON, tickets: r.Tickets != ""}
	if o.tickets {
		if o.outside, o.bad, err = r.readTickets(); err != nil {
			return err
		}
	}
	ok, err := addsUp(ctx, con, dsn, o)
	if err != nil {
		return err
	}
	if !ok {
		return failure.Told(failure.Failed)
	}
	return nil
}

// readTickets reads and verifies the codes of the file. What is no ticket of this system is a break of its own.
func (r *reconcileCommand) readTickets() (tickets []reconcile.OutsideTicket, bad []reconcile.Break, err error) {
	c, err := config.Read(r.Config, os.Environ())
	if err != nil {
		return nil, nil, failure.ByMisuse(err)
	}
	ring, err := c.Tokens(os.Environ())
	if err != nil {
		return nil, nil, err
	}
	if ring == nil {
		return nil, nil, failure.ByMisuse(errors.New("--tickets needs the key of the tickets: name a configuration with --config that has secrets_file, or set STOCKD_SECRETS_FILE"))
	}
	key := serve.TicketKey(ring).Public().(ed25519.PublicKey)
	in := os.Stdin
	if r.Tickets != "-" {
		if in, err = os.Open(r.Tickets); err != nil {
			return nil, nil, failure.ByMisuse(fmt.Errorf("--tickets: %w", err))
		}
		defer in.Close()
	}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		where := fmt.Sprintf("line %d", n)
		code, err := order.ParseTicketCode(line, key)
		if err != nil {
			bad = append(bad, reconcile.Break{Row: where, Text: err.Error()})
			continue
		}
		tickets = append(tickets, reconcile.OutsideTicket{Where: where, Ticket: code.Ticket, Event: code.Event, Seat: code.Seat})
	}
	if err := lines.Err(); err != nil {
		return nil, nil, failure.ByMisuse(fmt.Errorf("--tickets %s: %w", r.Tickets, err))
	}
	return tickets, bad, nil
}

// addsUp prints the ledger's report and says whether everything adds up.
func addsUp(ctx context.Context, con console, dsn string, o reconcileOptions) (bool, error) {
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer db.Close()
	var options reconcile.Options
	if o.event != "" {
		if options.Event, err = eventNumber(ctx, db, o.event); err != nil {
			return false, err
		}
	}
	report, err := reconcile.Run(ctx, db, options)
	if err != nil {
		return false, err
	}
	if o.tickets {
		outside, err := reconcile.Tickets(ctx, db, o.outside)
		if err != nil {
			return false, err
		}
		outside.Rows += int64(len(o.bad))
		outside.Breaks = slices.Concat(o.bad, outside.Breaks)
		report.Checks = append(report.Checks, *outside)
		report.OK = report.OK && len(outside.Breaks) == 0
	}
	if o.json {
		return report.OK, report.WriteJSON(con.out)
	}
	return report.OK, report.WriteText(con.out)
}

// eventNumber finds an event by its slug or id.
func eventNumber(ctx context.Context, db *ledger.DB, name string) (int32, error) {
	events, err := db.Events(ctx)
	if err != nil {
		return 0, err
	}
	id, _ := serve.EventID(name)
	for i := range events {
		if events[i].Slug == name || events[i].UID == id {
			return events[i].ID, nil
		}
	}
	return 0, failure.ByMisuse(fmt.Errorf("--event %q: the ledger has no event with this slug or id", name))
}
