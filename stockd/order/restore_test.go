package order_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/node"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

// A ledger is restored to a time before a ticket was issued: the ticket is named, and what the edges know is older than what the nodes say now.
func TestALedgerThatIsRestoredToAnEarlierTime(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	folder, archive := openFolder(t), openFolder(t)
	first, second := filepath.Join(folder, "a"), filepath.Join(folder, "b")
	server := startPostgres(t, pgdev.Options{Dir: first, Archive: archive})
	if err := server.Copy(ctx, second, true); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("a running cluster was copied: %v", err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := server.Copy(ctx, second, true); err != nil {
		t.Fatal(err)
	}
	server = startPostgres(t, pgdev.Options{Dir: first, Archive: archive})
	if _, err := ledger.Migrate(ctx, server.DSN("postgres")); err != nil {
		t.Fatal(err)
	}

	w := newWorldAt(t, 1, server.DSN("postgres"))
	kept := w.outside(w.issued(2))
	at, identity, err := w.ledger.Clock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lost := w.outside(w.issued(1))
	if _, err := w.ledger.Restored(ctx, "ops", "too soon"); err == nil || !strings.Contains(err.Error(), "n1") {
		t.Errorf("with a node running: %v", err)
	}
	before := w.lastEpoch()
	if err := server.Exec(ctx, "postgres", "SELECT pg_switch_wal()"); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	server = startPostgres(t, pgdev.Options{Dir: second, RestoreFrom: archive, RestoreTo: at})
	var db *ledger.DB
	w.until("the restore has ended", func() bool {
		db, err = ledger.Open(ctx, server.DSN("postgres"), ledger.Options{AllowNoFsync: true})
		return err == nil
	})
	defer db.Close()
	if _, is, err := db.Clock(ctx); err != nil || is == identity {
		t.Errorf("the restored server is %s, as before, %v", is, err)
	}
	check, err := reconcile.Tickets(ctx, db, append(kept, lost...))
	if err != nil || len(check.Breaks) != 1 || check.Rows != 3 || !strings.Contains(check.Breaks[0].Text, "is free") || !strings.Contains(check.Breaks[0].Row, lost[0].Ticket.String()) {
		t.Errorf("%+v, %v", check, err)
	}
	w.until("the sessions of before are over", func() bool {
		parts, err := db.Restored(ctx, "ops", "to "+at.String())
		return err == nil && parts == stock.Partitions
	})
	w.servesAgain(server.DSN("postgres"), before)
	if r, err := reconcile.Run(ctx, db, reconcile.Options{}); err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

// A base backup is taken with the real pg_basebackup while tickets are sold, and the server is lost. Restored to the end of the archive nothing is missing;
// restored to an earlier time, what was sold after it is named with what has become of its seat. From both a node sells again.
func TestBaseBackup(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	folder, archive := openFolder(t), openFolder(t)
	server := startPostgres(t, pgdev.Options{Dir: filepath.Join(folder, "a"), Archive: archive})
	if _, err := ledger.Migrate(ctx, server.DSN("postgres")); err != nil {
		t.Fatal(err)
	}
	w := newWorldAt(t, 1, server.DSN("postgres"))
	kept := w.outside(w.traded())
	for _, to := range []string{"whole", "earlier"} {
		kept = append(kept, w.soldDuring(func() error { return server.Backup(ctx, filepath.Join(folder, to)) })...)
	}
	kept = append(kept, w.outside(w.issued(1))...) // after the backups: it comes from the archive

	held := w.opened(1, time.Hour)
	paying, paid := w.begun(1, time.Hour)
	at, _, err := w.ledger.Clock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lost := w.outside(w.issued(1))
	later, _, err := w.service.StartPayment(ctx, held.ID, uuid.New(), sandbox.Name, "/tickets")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []ledger.Payment{later, paid} {
		w.buyer(p, "success")
		w.becomes(p.OrderID, order.Issued)
		tickets, err := w.ledger.TicketsOfOrder(ctx, p.OrderID)
		if err != nil {
			t.Fatal(err)
		}
		lost = append(lost, w.outside(tickets)...)
	}
	before := w.lastEpoch()
	if err := server.Exec(ctx, "postgres", "SELECT pg_switch_wal()"); err != nil {
		t.Fatal(err)
	}
	w.until("all is in the archive", func() bool { return w.archived(server) })
	if err := server.Kill(); err != nil { // and its disk is lost
		t.Fatal(err)
	}

	whole := w.backFrom(pgdev.Options{Dir: filepath.Join(folder, "whole"), RestoreFrom: archive}, append(kept, lost...), before)
	if len(whole) != 0 {
		t.Errorf("restored to the end of the archive: %v", whole)
	}
	earlier := w.backFrom(pgdev.Options{Dir: filepath.Join(folder, "earlier"), RestoreFrom: archive, RestoreTo: at}, append(kept, lost...), before)
	for i, says := range []string{"is free: take it from sale and give it back to who holds the ticket", "is held by hold " + held.Hold.String(), "is being paid for by order " + paying.ID.String()} {
		if len(earlier) != len(lost) || !strings.Contains(earlier[i].Row, lost[i].Ticket.String()) || !strings.Contains(earlier[i].Text, says) {
			t.Fatalf("restored to an earlier time: %v, want %q of ticket %s", earlier, says, lost[i].Ticket)
		}
	}
}

// soldDuring sells one ticket after the other until something is done, a hundred at most.
func (w *world) soldDuring(do func() error) (list []reconcile.OutsideTicket) {
	w.t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	for len(list) < 100 {
		list = append(list, w.outside(w.issued(1))...)
		select {
		case err := <-done:
			if err != nil {
				w.t.Fatal(err)
			}
			return list
		default:
		}
	}
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
	return list
}

// archived says whether the archive has all that the server wrote before the file that it writes to now.
func (w *world) archived(server *pgdev.Server) bool {
	db, err := sql.Open("postgres", server.DSN("postgres"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	var all bool
	if err := db.QueryRowContext(w.t.Context(), "SELECT coalesce(last_archived_wal >= pg_walfile_name(pg_switch_wal()), false) FROM pg_stat_archiver").Scan(&all); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// backFrom starts a restored copy, asks it for the tickets that people hold, makes it fit for nodes, reconciles it, and sells from it. It gives what is said
// about the tickets.
func (w *world) backFrom(options pgdev.Options, tickets []reconcile.OutsideTicket, epoch int64) []reconcile.Break {
	t, ctx := w.t.(*testing.T), w.t.Context()
	t.Helper()
	server := startPostgres(t, options)
	dsn := server.DSN("postgres")
	var db *ledger.DB
	w.until("the restore has ended", func() (ok bool) {
		var err error
		db, err = ledger.Open(ctx, dsn, ledger.Options{AllowNoFsync: true})
		return err == nil
	})
	defer db.Close()
	check, err := reconcile.Tickets(ctx, db, tickets)
	if err != nil || check.Rows != int64(len(tickets)) {
		t.Fatalf("%+v, %v", check, err)
	}
	w.until("the sessions of before are over", func() bool {
		parts, err := db.Restored(ctx, "ops", "a base backup")
		return err == nil && parts == stock.Partitions
	})
	back := &world{t: t, ledger: db, event: w.event}
	back.reconciles()
	back.servesAgain(dsn, epoch)
	again := newWorldAt(t, 1, dsn)
	if n := len(again.issued(2)); n != 2 {
		t.Errorf("the restored ledger sold %d tickets", n)
	}
	again.reconciles()
	return check.Breaks
}

// lastEpoch ends service and node, after some starts in which the partition gets epochs that the restored ledger knows nothing of; it gives the last.
func (w *world) lastEpoch() int64 {
	w.t.Helper()
	w.service.Stop()
	for range 3 {
		if err := w.node.Stop(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.runNode(w.dsn)
		w.until("the node serves", func() bool { return len(w.node.Ready()) == 0 })
	}
	last, _ := w.node.Owner(stock.PartitionOf(w.event.Number, 1))
	if err := w.node.Stop(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return last.Epoch
}

// openFolder is a folder that the user of a private Postgres can write to; its path is short, for sockets.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "restore") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o777); err != nil { //nolint:gosec // another user's server writes there
		t.Fatal(err)
	}
	return folder
}

func startPostgres(t *testing.T, options pgdev.Options) *pgdev.Server {
	t.Helper()
	server, err := pgdev.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

// issued is an order that was paid, with its tickets.
func (w *world) issued(quantity int32) []ledger.Ticket {
	w.t.Helper()
	o, p := w.begun(quantity, time.Minute)
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	tickets, err := w.ledger.TicketsOfOrder(w.t.Context(), o.ID)
	if err != nil || len(tickets) != int(quantity) {
		w.t.Fatalf("%d tickets, %v", len(tickets), err)
	}
	return tickets
}

// outside are tickets as their codes tell them.
func (w *world) outside(tickets []ledger.Ticket) (list []reconcile.OutsideTicket) {
	w.t.Helper()
	for _, ticket := range tickets {
		code, err := w.service.TicketKeys().Verify(ticket.Code, w.now())
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, reconcile.OutsideTicket{Where: "line 1", Ticket: code.Ticket, Event: code.Event, Seat: code.Seat})
	}
	return list
}

// servesAgain starts a node on a restored ledger, whose routes have to win over those that were told before.
func (w *world) servesAgain(dsn string, before int64) {
	w.t.Helper()
	n, err := node.New(node.Config{NodeID: "n1", APIAddr: free(w.t), InternalAddr: free(w.t), GossipAddr: free(w.t), Postgres: dsn, AllowNoFsync: true}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := n.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = n.Stop(context.WithoutCancel(w.t.Context())) }()
	w.until("the node serves", func() bool { return len(n.Ready()) == 0 })
	if now, _ := n.Owner(stock.PartitionOf(w.event.Number, 1)); now.Epoch <= before {
		w.t.Errorf("the partition has epoch %d, it had %d before", now.Epoch, before)
	}
}
