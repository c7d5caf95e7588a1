package ledger_test

import (
	"context"
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
