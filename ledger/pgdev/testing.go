package pgdev

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// TB is the part of testing.TB that Test needs; this package must not link the testing package into the product.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Database is a database of one test.
type Database struct {
	Server *Server
	DSN    string
}

var shared struct {
	once     sync.Once
	server   *Server
	err      error
	clone    string   // how CREATE DATABASE should copy
	prepared sync.Map // migration key → *template
	next     atomic.Int64
}

type template struct {
	once sync.Once
	err  error
}

// Test gives a test a database of its own on a server that the tests of the package share; the server ends with the process. prepare is
// run once, on a template that all databases of the same key are cloned from; it is handed the template's connection string.
func Test(t TB, key string, prepare func(ctx context.Context, dsn string) error) *Database {
	t.Helper()
	ctx := context.Background()
	shared.once.Do(func() {
		if shared.server, shared.err = Start(ctx, Options{MaxConnections: 300}); shared.err != nil {
			return
		}
		removeAtExit(shared.server)
		shared.clone, shared.err = shared.server.cloneStrategy(ctx)
	})
	if shared.err != nil {
		t.Fatalf("start the private Postgres of the tests: %v", shared.err)
	}
	value, _ := shared.prepared.LoadOrStore(key, &template{})
	tmpl := value.(*template)
	name := "template_" + key
	tmpl.once.Do(func() {
		if tmpl.err = shared.server.Exec(ctx, "postgres", "CREATE DATABASE "+name); tmpl.err == nil {
			tmpl.err = prepare(ctx, shared.server.DSN(name))
		}
	})
	if tmpl.err != nil {
		t.Fatalf("prepare the template database: %v", tmpl.err)
	}
	db := fmt.Sprintf("test_%d", shared.next.Add(1))
	if err := shared.server.Exec(ctx, "postgres", "CREATE DATABASE "+db+" TEMPLATE "+name+shared.clone); err != nil {
		t.Fatalf("clone the template database: %v", err)
	}
	t.Cleanup(func() { _ = shared.server.Exec(ctx, "postgres", "DROP DATABASE IF EXISTS "+db+" WITH (FORCE)") })
	return &Database{Server: shared.server, DSN: shared.server.DSN(db)}
}

// Exec runs one statement on a database of the server, on a connection of its own.
func (s *Server) Exec(ctx context.Context, database, statement string) error {
	db, err := sql.Open("postgres", s.DSN(database))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// cloneStrategy is the fastest way to clone a small database where nothing must survive a crash. From version 15 on the default writes all
// pages to the log; before, files were always copied.
func (s *Server) cloneStrategy(ctx context.Context) (string, error) {
	db, err := sql.Open("postgres", s.DSN("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	var version int
	if err := db.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil || version < 150000 {
		return "", err
	}
	return " STRATEGY = FILE_COPY", nil
}

// watchdogScript waits for a process to end and then, for at most ten seconds, for the server to follow it; then it removes the folder.
const watchdogScript = `while kill -0 "$0" 2>/dev/null; do sleep 0.2; done
i=0; while [ -e "$1/data/postmaster.pid" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
rm -rf "$1"`

// removeAtExit leaves no folder behind although a test binary has no end of its own to hook into: a shell waits for this process to end.
func removeAtExit(s *Server) {
	if s == nil {
		return
	}
	watchdog, err := os.StartProcess("/bin/sh", []string{"sh", "-c", watchdogScript,
		fmt.Sprint(os.Getpid()), s.dir}, &os.ProcAttr{})
	if err == nil {
		_ = watchdog.Release()
	}
}
