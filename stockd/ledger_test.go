package main

import (
	"database/sql"
	"strings"
	"testing"

	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/failure"
)

// A dry run names the steps and touches nothing, and its exit code tells a script whether there are some; what a migration fails of is said with what to do.
func TestMigrateAtTheCommandLine(t *testing.T) {
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	exec := func(statement string) {
		t.Helper()
		if err := server.Exec(t.Context(), "postgres", statement); err != nil {
			t.Fatal(err)
		}
	}
	dsn := server.DSN("postgres")
	t.Setenv("STOCKD_POSTGRES", dsn)
	for range 2 {
		says(t, failure.Failed, []string{"migrate", "--dry-run"}, "would apply 00001_core.sql\n", "would apply 00013_roles.sql\n", "nothing was touched")
	}
	exec("CREATE ROLE nobody_much LOGIN")
	t.Setenv("STOCKD_POSTGRES", strings.Replace(dsn, "user=postgres", "user=nobody_much", 1))
	says(t, failure.Missing, []string{"migrate"}, "may not migrate the ledger", "connect as the owner of the database")
	t.Setenv("STOCKD_POSTGRES", dsn)
	says(t, failure.Missing, []string{"reconcile"}, "stockd migrate")
	says(t, failure.Done, []string{"migrate"}, "applied 00001_core.sql\n", "applied 00013_roles.sql\n")
	for _, args := range [][]string{{"migrate"}, {"migrate", "--dry-run"}} {
		says(t, failure.Done, args, "the schema is up to date")
	}
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version(version_id, is_applied) VALUES (90210, true)"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"migrate"}, {"migrate", "--dry-run"}} {
		says(t, failure.Missing, args, "newer than this program", "step 90210", "run the program that made it")
	}
}
