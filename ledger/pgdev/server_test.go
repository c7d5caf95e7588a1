package pgdev

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func start(t *testing.T, options Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tempDir is a folder that the server's user may enter; those of testing are closed to others, and too long for a socket.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgdev")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func number(t *testing.T, s *Server, query string) (n int) {
	t.Helper()
	db, err := sql.Open("postgres", s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	pid, dir := s.process.Pid, s.Dir()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is still there: %v", dir, err)
	}
	if alive(pid) {
		t.Errorf("the server's process %d is still there", pid)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil
}

// Two servers side by side, each with its own data; a folder that was given stays, with what is in it.
func TestServersAreApart(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	other := start(t, Options{})
	defer other.Stop()
	s := start(t, Options{Dir: dir, Durable: true})
	if err := s.Exec(t.Context(), "postgres", "CREATE TABLE t AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = start(t, Options{Dir: dir, Durable: true})
	defer s.Stop()
	if n := number(t, s, "SELECT n FROM t"); n != 42 {
		t.Errorf("after a stop and a start the table has %d", n)
	}
	if err := other.Exec(t.Context(), "postgres", "SELECT n FROM t"); err == nil {
		t.Error("the other server has the table too")
	}
}

// What was committed before a crash is there after it.
func TestKillAndResume(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Durable: true})
	defer s.Stop()
	if err := s.Exec(t.Context(), "postgres", "CREATE TABLE t AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "postgres", "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := number(t, s, "SELECT n FROM t"); n != 42 {
		t.Errorf("after a crash the table has %d", n)
	}
}

func TestNoBinary(t *testing.T) {
	t.Setenv("PGBIN", t.TempDir())
	if _, err := Start(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "PGBIN") {
		t.Errorf("a PGBIN without a server gives %v", err)
	}
	for _, want := range []string{"apt-get install postgresql", "PGBIN", "PATH"} {
		if !strings.Contains(ErrNoServer.Error(), want) {
			t.Errorf("the message does not tell of %q: %v", want, ErrNoServer)
		}
	}
}

// A server that cannot start says why, in its own words, and leaves no folder behind.
func TestBrokenCluster(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{Dir: dir})
	if err == nil {
		s.Stop()
		t.Fatal("it starts")
	}
	if !strings.Contains(err.Error(), "ended at its start; it said:") {
		t.Errorf("the message is %q", err)
	}
}

func TestForbiddenFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // only root gives the server another user
	}
	dir := tempDir(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: filepath.Join(dir, "in")}); err == nil || !strings.Contains(err.Error(), "may not enter") {
		t.Errorf("a folder that the server's user may not enter gives %v", err)
	}
}

func TestDatabasesOfTests(t *testing.T) {
	t.Parallel()
	prepared := 0
	prepare := func(ctx context.Context, dsn string) error {
		prepared++
		db, err := sql.Open("postgres", dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, "CREATE TABLE t(n int)")
		return err
	}
	a, b := Test(t, "pgdev", prepare), Test(t, "pgdev", prepare)
	for _, d := range []*Database{a, b} {
		db, err := sql.Open("postgres", d.DSN)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		if err := db.QueryRow("INSERT INTO t VALUES (1) RETURNING (SELECT count(*) FROM t)").Scan(&n); err != nil || n != 0 {
			t.Errorf("the database of a test has %d rows of another, %v", n, err)
		}
	}
	if prepared != 1 {
		t.Errorf("the template was prepared %d times", prepared)
	}
}
