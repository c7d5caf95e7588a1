package ledger_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
)

// Each way in which a ledger cannot be opened has one message, which says what to do, and leaves no connection behind.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	fresh := database(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close() // a port that nobody listens on
	if err := fresh.Server.Exec(t.Context(), "postgres", "CREATE DATABASE no_schema"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dsn         string
		options     ledger.Options
		want        string
		unavailable bool
	}{
		"not a connection string": {"postgres://[", ledger.Options{}, "the Postgres connection string is not valid", false},
		"unknown setting":         {"host=x sslmode=perhaps", ledger.Options{}, "the Postgres connection string is not valid", false},
		"no sslmode":              {"host=127.0.0.1 user=x dbname=y", ledger.Options{}, "does not say sslmode", false},
		"nobody there":            {"host=127.0.0.1 port=" + itoa(address.Port) + " user=x dbname=y sslmode=disable", ledger.Options{}, "reach Postgres", true},
		"no socket":               {"host=" + filepath.Join(t.TempDir(), "none") + " user=x dbname=y sslmode=disable", ledger.Options{}, "reach Postgres", true},
		"no such database":        {strings.Replace(fresh.DSN, "dbname=", "dbname=nowhere_", 1), ledger.Options{AllowNoFsync: true}, "does not exist", false},
		"no schema":               {fresh.Server.DSN("no_schema"), ledger.Options{AllowNoFsync: true}, "stockd migrate", false},
		"fsync off":               {fresh.DSN, ledger.Options{}, "fsync=off", false},
		"isolation":               {fresh.DSN + " default_transaction_isolation=serializable", ledger.Options{AllowNoFsync: true}, "read committed", false},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := ledger.Open(t.Context(), c.dsn, c.options)
			if err == nil {
				db.Close()
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the message is %q, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the message has several lines: %q", err)
			}
			if errors.Is(err, ledger.ErrUnavailable) != c.unavailable {
				t.Errorf("%v: is it ErrUnavailable? want %v", err, c.unavailable)
			}
		})
	}
}

func TestOpenWarns(t *testing.T) {
	t.Parallel()
	db, err := ledger.Open(t.Context(), database(t).DSN+" synchronous_commit=off", ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if w := db.Warnings(); len(w) != 1 || !strings.Contains(w[0], "synchronous_commit") {
		t.Errorf("warnings are %q", w)
	}
}

// While the server is away everything says so, and nothing hangs.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	server, dsn := durable(t)
	b := newBench(t, dsn)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := b.db.Events(ctx); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("events: %v", err)
	}
	if _, err := b.db.Claim(ctx, b.session, "n1", []int32{1}); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("claim: %v", err)
	}
	if _, err := b.db.SessionRenew(ctx, b.session, time.Minute); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("renew: %v", err)
	}
	if _, err := b.db.OpenLane(ctx); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("open a lane: %v", err)
	}
	if _, err := reconcile.Run(ctx, b.db, reconcile.Options{}); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("reconcile: %v", err)
	}
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Events(ctx); err != nil {
		t.Errorf("after the return: %v", err)
	}
}
