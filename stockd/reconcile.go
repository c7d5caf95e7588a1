package main

import (
	"context"
	"fmt"

	"ticketrush/ledger"
)

type reconcileCommand struct {
	ledgerAt
	Event string `help:"Only this event, by slug; default all."`
	JSON  bool   `help:"Print the report as JSON."`
}

// reconcileOptions says what to reconcile and how to tell it.
type reconcileOptions struct {
	event string
	json  bool
}

// Run reconciles and fails when something does not add up.
func (r *reconcileCommand) Run(ctx context.Context, con console) error {
	dsn, err := r.dsn()
	if err != nil {
		return err
	}
	ok, err := reconcile(ctx, con, dsn, reconcileOptions{event: r.Event, json: r.JSON})
	if err != nil {
		return err
	}
	if !ok {
		return told(exitFailed)
	}
	return nil
}

// reconcile prints the ledger's report and says whether everything adds up.
func reconcile(ctx context.Context, con console, dsn string, o reconcileOptions) (bool, error) {
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer db.Close()
	var options ledger.ReconcileOptions
	if o.event != "" {
		if options.Event, err = eventNumber(ctx, db, o.event); err != nil {
			return false, err
		}
	}
	report, err := db.Reconcile(ctx, options)
	if err != nil {
		return false, err
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
	id, _ := eventID(name)
	for i := range events {
		if events[i].Slug == name || events[i].UID == id {
			return events[i].ID, nil
		}
	}
	return 0, misuse(fmt.Errorf("--event %q: the ledger has no event with this slug or id", name))
}
