package ledger_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
)

// database gives a test a migrated database of its own.
func database(t *testing.T) *pgdev.Database {
	t.Helper()
	return pgdev.Test(t, "ledger", migrated)
}

func migrated(ctx context.Context, dsn string) error {
	_, err := ledger.Migrate(ctx, dsn)
	return err
}

func TestMigrateTwiceDoesNothing(t *testing.T) {
	t.Parallel()
	done, err := ledger.Migrate(t.Context(), database(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	if len(done) != 0 {
		t.Fatalf("a second run took %d steps: %v", len(done), done)
	}
}

// A dry run says what would be done and leaves nothing behind, also in an empty database.
func TestMigrationsPendingTouchNothing(t *testing.T) {
	t.Parallel()
	d := pgdev.Test(t, "empty", func(context.Context, string) error { return nil })
	steps, err := ledger.MigrationsPending(t.Context(), d.DSN)
	if err != nil || len(steps) == 0 || steps[0].Name != "00001_core.sql" {
		t.Fatalf("%v, %v", steps, err)
	}
	db := openPlain(t, d.DSN)
	var n int
	if err := db.QueryRow("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')").Scan(&n); err != nil || n > 0 {
		t.Errorf("a dry run left %d tables behind, %v", n, err)
	}
	done, err := ledger.Migrate(t.Context(), d.DSN)
	if err != nil || !slices.Equal(done, steps) {
		t.Errorf("said %v, did %v, %v", steps, done, err)
	}
	if steps, err = ledger.MigrationsPending(t.Context(), d.DSN); err != nil || len(steps) != 0 {
		t.Errorf("afterwards %v, %v", steps, err)
	}
}

func openPlain(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Several nodes start at the same time: each step is taken once, and none of them fails.
func TestMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	d := pgdev.Test(t, "empty", func(context.Context, string) error { return nil })
	want, err := ledger.MigrationsPending(t.Context(), d.DSN)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var steps []ledger.Migration
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			done, err := ledger.Migrate(t.Context(), d.DSN)
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, done...)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if !slices.Equal(steps, want) {
		t.Errorf("three at once took the steps %v, want %v", steps, want)
	}
}

func TestWhyALedgerIsNotMigrated(t *testing.T) {
	t.Parallel()
	newer := database(t)
	db := openPlain(t, newer.DSN)
	for _, statement := range []string{"INSERT INTO goose_db_version(version_id, is_applied) VALUES (90210, true)", "CREATE ROLE nobody_much LOGIN"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	empty := pgdev.Test(t, "empty", func(context.Context, string) error { return nil })
	for name, c := range map[string]struct {
		dsn  string
		want error
		says string
	}{
		"newer":       {newer.DSN, ledger.ErrNewerSchema, "step 90210"},
		"no rights":   {empty.DSN + " user=nobody_much", ledger.ErrNoRights, "CREATE"},
		"unreachable": {"host=/nowhere sslmode=disable dbname=x", ledger.ErrUnavailable, "/nowhere"},
	} {
		for what, do := range map[string]func(context.Context, string) ([]ledger.Migration, error){"migrate": ledger.Migrate, "dry run": ledger.MigrationsPending} {
			if name == "no rights" && what == "dry run" {
				continue // whoever may only look may look
			}
			if _, err := do(t.Context(), c.dsn); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

// A released migration has been run on ledgers that nobody can see: it is never edited again, nor taken away. `make freeze-schema` releases what is
// there: it writes the hashes of all migrations to released.sha256, and keeps a ledger of that schema with a real trade in it.
func TestReleasedMigrationsAreNotEdited(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("migrations/released.sha256")
	if errors.Is(err, os.ErrNotExist) {
		return // nothing is released yet
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		want, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		file, err := os.ReadFile(filepath.Join("migrations", name))
		switch {
		case !ok || err != nil:
			t.Errorf("released.sha256 has the line %q, which names no migration: %v", line, err)
		case fmt.Sprintf("%x", sha256.Sum256(file)) != want:
			t.Errorf("%s is released and was edited: put it back, and write what is to change into a new migration", name)
		}
	}
}
