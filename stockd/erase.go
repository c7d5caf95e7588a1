package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/config"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/serve"
)

type eraseCommand struct {
	ledgerAt
	Order   []string `placeholder:"ID" help:"Of these orders (ord_…)."`
	Buyer   string   `placeholder:"WHO" help:"Of all orders of a buyer: the e-mail address, or name, that they ordered with. The configuration must name the secrets file. It is not written anywhere. A pseudonym (b_…) does as well."`
	Ticket  []string `placeholder:"ID" help:"Of these tickets (tkt_…): the name and document of their owner, and the account that they were given to. The order's buyer keeps theirs."`
	Account string   `placeholder:"WHO" help:"Of all tickets that were given to an account, named as the site names it. As with --buyer the secrets file is needed, or a pseudonym (a_…)."`
	Force   bool     `help:"Also of orders and tickets that are still needed: tickets lose the names that gates ask for."`
}

// erasee is an order or a ticket, and how to erase it.
type erasee struct {
	name  string // ord_… or tkt_…
	what  string // order or ticket
	erase func(ctx context.Context, who string, force bool, now time.Time) (ledger.Ended, error)
}

// Run erases.
func (e *eraseCommand) Run(ctx context.Context, con console) error {
	named := 0
	for _, is := range []bool{len(e.Order) > 0, e.Buyer != "", len(e.Ticket) > 0, e.Account != ""} {
		if is {
			named++
		}
	}
	if named != 1 {
		return failure.ByMisuse(errors.New("whose data? Say one of --order ord_…, --buyer WHO, --ticket tkt_… and --account WHO"))
	}
	dsn, err := e.dsn()
	if err != nil {
		return err
	}
	orders, err := parseIDs("order", "ord_", e.Order)
	if err != nil {
		return err
	}
	tickets, err := parseIDs("ticket", "tkt_", e.Ticket)
	if err != nil {
		return err
	}
	buyer, owner, err := e.pseudonyms()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if buyer != "" {
		if orders, err = db.OrdersOfBuyer(ctx, buyer); err == nil && len(orders) == 0 {
			err = failure.ByMisuse(errors.New("--buyer: the ledger has no order of this buyer; write the address as it was written in the order, or name the orders with --order"))
		}
	}
	if owner != "" {
		if tickets, err = db.TicketsOfOwner(ctx, owner); err == nil && len(tickets) == 0 {
			err = failure.ByMisuse(errors.New("--account: the ledger has no ticket that was given to this account; write it as the site does, or name the tickets with --ticket"))
		}
	}
	if err != nil {
		return err
	}
	return eraseAll(ctx, con, erasees(db, orders, tickets), e.Force)
}

func erasees(db *ledger.DB, orders, tickets []uuid.UUID) (list []erasee) {
	for _, id := range orders {
		list = append(list, erasee{"ord_" + id.String(), "order", func(ctx context.Context, who string, force bool, now time.Time) (ledger.Ended, error) {
			return db.Erase(ctx, id, who, force, now)
		}})
	}
	for _, id := range tickets {
		list = append(list, erasee{"tkt_" + id.String(), "ticket", func(ctx context.Context, who string, force bool, now time.Time) (ledger.Ended, error) {
			return db.EraseTicket(ctx, id, who, force, now)
		}})
	}
	return list
}

// eraseAll erases one after the other; those that are still needed, and those that are not there, are told and left out.
func eraseAll(ctx context.Context, con console, list []erasee, force bool) error {
	left, unknown := 0, 0
	for _, of := range list {
		erased, err := of.erase(ctx, whoami(), force, time.Now())
		switch {
		case errors.Is(err, ledger.ErrOrderLives) || errors.Is(err, ledger.ErrTicketLives):
			left++
			fmt.Fprintf(con.err, "%s: %v; erase it after that, or with --force\n", of.name, err)
		case errors.Is(err, ledger.ErrNotFound):
			unknown++
			fmt.Fprintf(con.err, "--%s %s: the ledger has no such %s\n", of.what, of.name, of.what)
		case err != nil:
			return err
		default:
			var parts []string
			for kind, n := range erased {
				if n > 0 {
					parts = append(parts, fmt.Sprintf("%d of %s", n, kind))
				}
			}
			slices.Sort(parts)
			if len(parts) == 0 {
				parts = []string{"there was nothing left"}
			}
			fmt.Fprintf(con.out, "%s: erased %s\n", of.name, strings.Join(parts, ", "))
		}
	}
	switch {
	case unknown > 0:
		return failure.Told(failure.Misused)
	case left > 0:
		return failure.Told(failure.Failed)
	}
	return nil
}

// parseIDs reads the ids of orders or tickets, with their prefix or without.
func parseIDs(what, prefix string, texts []string) (ids []uuid.UUID, err error) {
	for _, text := range texts {
		id, err := uuid.Parse(strings.TrimPrefix(text, prefix))
		if err != nil {
			return nil, failure.ByMisuse(fmt.Errorf("--%s %q is not the id of one; it looks like %s01890a5d-ac96-8774-bcce-b302099a8057", what, text, prefix))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// pseudonyms are what the ledger has instead of the buyer, or of the account; empty for what was not named.
func (e *eraseCommand) pseudonyms() (buyer, owner string, err error) {
	if e.Buyer == "" && e.Account == "" || strings.HasPrefix(e.Buyer, "b_") || strings.HasPrefix(e.Account, "a_") {
		return e.Buyer, e.Account, nil
	}
	flag := "--buyer"
	if e.Account != "" {
		flag = "--account"
	}
	c, err := config.Read(e.Config, os.Environ())
	if err != nil {
		return "", "", failure.ByMisuse(err)
	}
	ring, err := c.Tokens(os.Environ())
	if err != nil {
		return "", "", err
	}
	if ring == nil {
		return "", "", failure.ByMisuse(fmt.Errorf("%s needs the key of the pseudonyms: name a configuration with --config that has secrets_file, or set STOCKD_SECRETS_FILE", flag))
	}
	switch {
	case e.Account != "":
		return "", serve.OwnerPseudonym(serve.BuyersKey(ring), e.Account), nil
	case strings.Contains(e.Buyer, "@"):
		return serve.BuyerPseudonym(serve.BuyersKey(ring), e.Buyer, ""), "", nil
	}
	return serve.BuyerPseudonym(serve.BuyersKey(ring), "", e.Buyer), "", nil
}
