package main

import (
	"context"
	"errors"
	"fmt"

	"ticketrush/ledger"
	"ticketrush/stockd/failure"
)

type restoredCommand struct {
	ledgerAt
	Why string `required:"" help:"Why, and to which time: it goes into the audit log."`
}

// Run makes the ledger fit for nodes.
func (r *restoredCommand) Run(ctx context.Context, con console) error {
	dsn, err := r.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	parts, err := db.Restored(ctx, whoami(), r.Why)
	if errors.Is(err, ledger.ErrNodesRun) {
		return failure.ByAbsence(fmt.Errorf("%w, wait until their sessions are over (3 s), and run this again", err))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%d partitions have new epochs, and the audit log says why. Next:\n", parts)
	fmt.Fprintln(con.out, "  1. stockd reconcile --tickets FILE names each ticket that people hold and the ledger has lost")
	fmt.Fprintln(con.out, "  2. pause the events that it names (stockd event pause), then start the nodes")
	return nil
}
