package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ticketrush/ledger/db"
)

// Options says how a ledger is opened. The zero value is right for production.
type Options struct {
	// Connections bounds the pool for everything but the lanes. 0 means 24: a commit waits for the disk most of its time, and those that
	// wait together share one sync.
	Connections int
	// AllowNoFsync accepts a server that may lose acknowledged work when its machine crashes. Only tests and throw-away demos want it.
	AllowNoFsync bool
}

// DB is an open ledger. It is safe for concurrent use.
type DB struct {
	dsn  string
	pool *sql.DB
	// short runs what is one statement, prepared.
	short *statements
	// sessions has connections of its own: a renewal must never queue behind the rush.
	sessions *sql.DB
	q        *db.Queries
	warnings []string
}

// minVersion is the oldest server that is supported, as server_version_num.
const minVersion = 140000

// Open connects, and refuses a server that cannot keep what it promises: too old, read only, fsync off.
func Open(ctx context.Context, dsn string, options Options) (*DB, error) {
	connections := options.Connections
	if connections == 0 {
		connections = 24
	}
	pool, err := openPool(dsn, connections)
	if err != nil {
		return nil, err
	}
	sessions, err := openPool(dsn, 2)
	if err != nil {
		pool.Close()
		return nil, err
	}
	l := &DB{dsn: dsn, pool: pool, short: newStatements(pool), sessions: sessions, q: db.New()}
	if err := l.check(ctx, options); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *DB) check(ctx context.Context, options Options) error {
	s, err := l.q.SettingsOfServer(ctx, l.short)
	if err != nil {
		return fmt.Errorf("reach Postgres: %w", explain(err))
	}
	switch {
	case s.Version < minVersion:
		return fmt.Errorf("the Postgres server has version %d.%d; ticketrush needs 14 or later", s.Version/10000, s.Version%10000)
	case s.Recovery:
		return errors.New("the Postgres server is a standby: connect to the primary")
	case s.Fsync != "on" && !options.AllowNoFsync:
		return errors.New("the Postgres server runs with fsync=off and would lose sales in a crash: turn fsync on")
	case s.Isolation != "read committed":
		return fmt.Errorf("default_transaction_isolation is %q; ticketrush needs 'read committed', its claims and flushes read what others have just committed", s.Isolation)
	}
	if s.SynchronousCommit == "off" {
		l.warnings = append(l.warnings, "synchronous_commit is off: a crash of the database may lose acknowledged sales")
	}
	if _, err := l.q.CatalogVersion(ctx, l.short); err != nil {
		return fmt.Errorf("the database has no ledger schema, or not a whole one: run `stockd migrate` (%w)", explain(err))
	}
	return nil
}

// Warnings are what an operator should know about the server; nothing that forbids to run.
func (l *DB) Warnings() []string { return l.warnings }

// SQL is the pool, for reports and for tests.
func (l *DB) SQL() *sql.DB { return l.pool }

// Close closes the pools. Lanes are closed by their owners.
func (l *DB) Close() error {
	return errors.Join(l.short.Close(), l.pool.Close(), l.sessions.Close())
}

// inTx runs f in a transaction.
func (l *DB) inTx(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := l.pool.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return explain(err)
	}
	return explain(tx.Commit())
}
