package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migration is one step from one schema to the next.
type Migration struct {
	Version int64
	Name    string
}

// Why a ledger was not migrated.
var (
	// ErrNewerSchema: a later version of the program has migrated the ledger. This one knows no way back.
	ErrNewerSchema = errors.New("the ledger's schema is newer than this program")
	// ErrNoRights: the database user may not do what a migration needs.
	ErrNoRights = errors.New("the database user may not migrate the ledger")
)

// Migrate brings the database that dsn names to the newest schema. Several nodes may call it at once: one works, the others wait. Errors:
// ErrNewerSchema, ErrNoRights, ErrUnavailable; each step is a transaction, so what failed left nothing behind.
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
	if _, err := pending(ctx, db, provider); err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, migrationError(err)
	}
	var done []Migration
	for _, r := range results {
		done = append(done, Migration{Version: r.Source.Version, Name: r.Source.Path})
	}
	return done, nil
}

// MigrationsPending are the steps that Migrate would take now, in order. Nothing is written. Errors: as Migrate.
func MigrationsPending(ctx context.Context, dsn string) ([]Migration, error) {
	db, err := openPool(dsn, 1)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	provider, err := migrator(db)
	if err != nil {
		return nil, err
	}
	return pending(ctx, db, provider)
}

// pending compares goose's table of what was applied with the migrations of this program. goose's own questions would create the table.
func pending(ctx context.Context, db *sql.DB, provider *goose.Provider) ([]Migration, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, migrationError(err)
	}
	defer tx.Rollback()
	applied := map[int64]bool{}
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&there); err != nil {
		return nil, migrationError(err)
	}
	if there {
		rows, err := tx.QueryContext(ctx, "SELECT version_id FROM goose_db_version WHERE is_applied")
		if err != nil {
			return nil, migrationError(err)
		}
		defer rows.Close()
		for rows.Next() {
			var version int64
			if err := rows.Scan(&version); err != nil {
				return nil, migrationError(err)
			}
			applied[version] = true
		}
		if err := rows.Err(); err != nil {
			return nil, migrationError(err)
		}
	}
	var newest int64
	var steps []Migration
	for _, s := range provider.ListSources() {
		newest = max(newest, s.Version)
		if !applied[s.Version] {
			steps = append(steps, Migration{Version: s.Version, Name: s.Path})
		}
	}
	for version := range applied {
		if version > newest {
			return nil, fmt.Errorf("%w: it has step %d, and this program knows the steps up to %d; run the program that made it, or a later one", ErrNewerSchema, version, newest)
		}
	}
	return steps, nil
}

// migrationError says what a migration failed of.
func migrationError(err error) error {
	var p *pq.Error
	if errors.As(err, &p) && p.Code == "42501" {
		return fmt.Errorf("%w: %w; connect as the owner of the database, or as a user with CREATE on it", ErrNoRights, err)
	}
	return fmt.Errorf("migrate the ledger: %w", explain(err))
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
