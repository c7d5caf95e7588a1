package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

// configure reads a connection string. sslmode must be said: the driver's default has changed between its versions, and a ledger must not
// depend on it.
func configure(dsn string) (pq.Config, error) {
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return config, fmt.Errorf("the Postgres connection string is not valid: %w", err)
	}
	if !strings.Contains(dsn, "sslmode=") && os.Getenv("PGSSLMODE") == "" {
		return config, errors.New("the Postgres connection string does not say sslmode: add sslmode=verify-full, or sslmode=disable for a Unix socket or loopback")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	if config.ApplicationName == "" {
		config.ApplicationName = "stockd"
	}
	return config.Clone(), nil
}

// openPool opens a pool for everything but flushes. Nothing in it waits for a lock for long, nor keeps one while it does nothing: an owner
// that hangs must not keep its successor from claiming.
func openPool(dsn string, connections int) (*sql.DB, error) {
	config, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	config.Runtime["lock_timeout"] = "2s"
	config.Runtime["idle_in_transaction_session_timeout"] = "10s"
	// As for the lanes: plans are kept, are made while a sale's tables are still empty, and may only have the shape that stays right when they
	// are full: look-ups by an index, in a loop.
	config.Runtime["plan_cache_mode"] = "force_generic_plan"
	config.Runtime["enable_seqscan"] = "off"
	config.Runtime["enable_hashjoin"] = "off"
	config.Runtime["enable_mergejoin"] = "off"
	config.Runtime["jit"] = "off"
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the Postgres connection string is not valid: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// openLanePool opens the pool of one connection of a lane: without timeouts, for a cancelled flush may report success of what was rolled back,
// and with binary parameters. The socket is handed to taken, so that the lane can close it under a flush that hangs.
func openLanePool(dsn string, socket *laneSocket) (*sql.DB, error) {
	config, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	config.BinaryParameters = true
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("the Postgres connection string is not valid: %w", err)
	}
	connector.Dialer(socket)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, nil
}

// laneSocket dials for a lane and keeps the connection. One that was closed dials no more.
type laneSocket struct {
	dialer net.Dialer

	mu     sync.Mutex // guards what follows
	conn   net.Conn
	closed bool
}

var errLaneClosed = errors.New("the flush lane is closed")

// Dial implements pq.Dialer.
func (s *laneSocket) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// DialTimeout implements pq.Dialer.
func (s *laneSocket) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.DialContext(ctx, network, address)
}

// DialContext implements pq.DialerContext.
func (s *laneSocket) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.Join(errLaneClosed, conn.Close())
	}
	s.conn = conn
	return conn, nil
}

func (s *laneSocket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		_ = s.conn.Close() // whoever reads from it gets the error
	}
}

// isBroken says that the connection ended under us.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed)
}
