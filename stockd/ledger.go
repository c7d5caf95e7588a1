package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ticketrush/ledger"
	"ticketrush/stockd/config"
	"ticketrush/stockd/failure"
)

// ledgerAt tells commands that work on the ledger itself where it is.
type ledgerAt struct {
	Config string `type:"path" env:"STOCKD_CONFIG" placeholder:"FILE" help:"The configuration that names Postgres; without it STOCKD_POSTGRES or STOCKD_POSTGRES_FILE does."`
}

// dsn is the connection string that the configuration names.
func (l ledgerAt) dsn() (string, error) {
	c, err := config.Read(l.Config, os.Environ())
	if err != nil {
		return "", failure.ByMisuse(err)
	}
	return c.DSN()
}

// openLedger opens it and says what to do when that fails.
func openLedger(ctx context.Context, dsn string) (*ledger.DB, error) {
	db, err := ledger.Open(ctx, dsn, ledger.Options{})
	if errors.Is(err, ledger.ErrUnavailable) {
		return nil, failure.ByAbsence(fmt.Errorf("postgres: %w; start Postgres, or correct the setting postgres (STOCKD_POSTGRES)", err))
	}
	if err != nil {
		return nil, failure.ByAbsence(fmt.Errorf("postgres: %w", err))
	}
	return db, nil
}

type migrateCommand struct {
	ledgerAt
	DryRun bool `help:"Say what would be done, and touch nothing. The exit code is 1 when something would be."`
}

// Run brings the schema up to date.
func (m *migrateCommand) Run(ctx context.Context, con console) error {
	dsn, err := m.dsn()
	if err != nil {
		return err
	}
	if m.DryRun {
		return m.tell(ctx, con, dsn)
	}
	done, err := ledger.Migrate(ctx, dsn)
	if err != nil {
		return migrateError(err)
	}
	for _, step := range done {
		fmt.Fprintf(con.out, "applied %s\n", step.Name)
	}
	if len(done) == 0 {
		fmt.Fprintln(con.out, "the schema is up to date")
	}
	return nil
}

// tell says what would be done.
func (m *migrateCommand) tell(ctx context.Context, con console, dsn string) error {
	steps, err := ledger.MigrationsPending(ctx, dsn)
	if err != nil {
		return migrateError(err)
	}
	for _, step := range steps {
		fmt.Fprintf(con.out, "would apply %s\n", step.Name)
	}
	if len(steps) > 0 {
		fmt.Fprintln(con.out, "nothing was touched")
		return failure.Told(failure.Failed)
	}
	fmt.Fprintln(con.out, "the schema is up to date")
	return nil
}

// migrateError says what to do.
func migrateError(err error) error {
	if errors.Is(err, ledger.ErrUnavailable) {
		return failure.ByAbsence(fmt.Errorf("%w; start Postgres, or correct the setting postgres (STOCKD_POSTGRES)", err))
	}
	return failure.ByAbsence(err)
}
