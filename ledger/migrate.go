package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migration is one step that Migrate took.
type Migration struct {
	Version int64
	Name    string
}

// Migrate brings the database that dsn names to the newest schema. Several nodes may call it at once: one works, the others wait.
func Migrate(ctx context.Context, dsn string) ([]Migration, error) {
	db, err := openPool(dsn, 2)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	provider, err := migrator(db)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate the ledger: %w", explain(err))
	}
	var done []Migration
	for _, r := range results {
		done = append(done, Migration{Version: r.Source.Version, Name: r.Source.Path})
	}
	return done, nil
}

func migrator(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	// Asked for each second, for five minutes: a start of several nodes must not wait for long after the first is done.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithSessionLocker(locker))
}
