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
	"ticketrush/pass"
)

type eraseCommand struct {
	ledgerAt
	Order []string `placeholder:"ID" help:"Of these orders (ord_…)."`
	Buyer string   `placeholder:"WHO" help:"Of all orders of a buyer: the e-mail address, or name, that they ordered with. The configuration must name the secrets file. It is not written anywhere. A pseudonym (b_…) does as well."`
	Force bool     `help:"Also of orders that are still needed: their tickets lose the names that gates ask for."`
}

// Run erases.
func (e *eraseCommand) Run(ctx context.Context, con console) error {
	if (len(e.Order) == 0) == (e.Buyer == "") {
		return misuse(errors.New("whose data? Say either --order ord_… or --buyer WHO"))
	}
	dsn, err := e.dsn()
	if err != nil {
		return err
	}
	ids, err := orderIDs(e.Order)
	if err != nil {
		return err
	}
	pseudonym, err := e.pseudonym()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if pseudonym != "" {
		if ids, err = db.OrdersOfBuyer(ctx, pseudonym); err != nil {
			return err
		}
		if len(ids) == 0 {
			return misuse(errors.New("--buyer: the ledger has no order of this buyer; write the address as it was written in the order, or name the orders with --order"))
		}
	}
	return eraseAll(ctx, con, db, ids, e.Force)
}

// eraseAll erases order by order; those that are still needed are told and left out.
func eraseAll(ctx context.Context, con console, db *ledger.DB, ids []uuid.UUID, force bool) error {
	left := 0
	for _, id := range ids {
		erased, err := db.Erase(ctx, id, whoami(), force, time.Now())
		switch {
		case errors.Is(err, ledger.ErrOrderLives):
			left++
			fmt.Fprintf(con.err, "ord_%s: %v; erase it after that, or with --force\n", id, err)
		case errors.Is(err, ledger.ErrNotFound):
			return misuse(fmt.Errorf("--order ord_%s: the ledger has no such order", id))
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
			fmt.Fprintf(con.out, "ord_%s: erased %s\n", id, strings.Join(parts, ", "))
		}
	}
	if left > 0 {
		return told(exitFailed)
	}
	return nil
}

func orderIDs(texts []string) (ids []uuid.UUID, err error) {
	for _, text := range texts {
		id, err := uuid.Parse(strings.TrimPrefix(text, "ord_"))
		if err != nil {
			return nil, misuse(fmt.Errorf("--order %q is not an order's id; it looks like ord_01890a5d-ac96-8774-bcce-b302099a8057", text))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// pseudonym is what the ledger has instead of the buyer.
func (e *eraseCommand) pseudonym() (string, error) {
	if e.Buyer == "" || strings.HasPrefix(e.Buyer, "b_") {
		return e.Buyer, nil
	}
	c, err := readConfig(e.Config, os.Environ())
	if err != nil {
		return "", misuse(err)
	}
	text, err := secret("secrets_file", c.SecretsFile, "STOCKD_SECRETS", os.Environ())
	if err != nil {
		return "", err
	}
	if text == nil {
		return "", misuse(errors.New("--buyer needs the key of the pseudonyms: name a configuration with --config that has secrets_file, or set STOCKD_SECRETS_FILE"))
	}
	ring, err := pass.ParseKeyring(text)
	if err != nil {
		return "", misuse(fmt.Errorf("secrets_file %s: %w", c.SecretsFile, err))
	}
	if strings.Contains(e.Buyer, "@") {
		return pseudonym(buyersKey(ring), e.Buyer, ""), nil
	}
	return pseudonym(buyersKey(ring), "", e.Buyer), nil
}
