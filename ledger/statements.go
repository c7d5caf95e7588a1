package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// statements runs the queries of a pool as prepared statements: each is parsed and planned once for a connection, and takes one round trip
// instead of two. There are as many as the generated code has queries; none is built at run time.
type statements struct {
	pool *sql.DB

	mu       sync.RWMutex // guards what follows
	prepared map[string]*sql.Stmt
}

func newStatements(pool *sql.DB) *statements {
	return &statements{pool: pool, prepared: map[string]*sql.Stmt{}}
}

// statement is the prepared statement of a query. database/sql prepares it again on each connection that has not seen it.
func (s *statements) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt, ok := s.prepared[query]
	s.mu.RUnlock()
	if ok {
		return stmt, nil
	}
	stmt, err := s.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.prepared[query]; ok {
		return first, stmt.Close()
	}
	s.prepared[query] = stmt
	return stmt, nil
}

// ExecContext implements db.DBTX.
func (s *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// PrepareContext implements db.DBTX. The statement is the caller's to close.
func (s *statements) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return s.pool.PrepareContext(ctx, query)
}

// QueryContext implements db.DBTX.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext implements db.DBTX.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.statement(ctx, query)
	if err != nil {
		return s.pool.QueryRowContext(ctx, query, args...) // only database/sql can make a Row that carries the error
	}
	return stmt.QueryRowContext(ctx, args...)
}

// Close forgets the statements.
func (s *statements) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs error
	for _, stmt := range s.prepared {
		errs = errors.Join(errs, stmt.Close())
	}
	clear(s.prepared)
	return errs
}
