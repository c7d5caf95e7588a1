package order_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/order"
)

// loginWith makes a login with these roles and nothing else, and gives the connection string with it.
func loginWith(t *testing.T, d *pgdev.Database, roles ...string) string {
	t.Helper()
	name := "login_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	for _, statement := range []string{"CREATE ROLE " + name + " LOGIN", "GRANT " + strings.Join(roles, ", ") + " TO " + name} {
		if err := d.Server.Exec(t.Context(), "postgres", statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = d.Server.Exec(context.WithoutCancel(t.Context()), "postgres", "DROP ROLE "+name) })
	return strings.Replace(d.DSN, "user=postgres", "user="+name, 1)
}

// TestNodeSellsWithItsRolesOnly: a node whose login has the roles of stock and checkout holds, takes money, sells, issues, gives back, tidies, and
// erases.
func TestNodeSellsWithItsRolesOnly(t *testing.T) {
	t.Parallel()
	d := pgdev.Test(t, "order", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	})
	w := newWorldAt(t, 2, loginWith(t, d, "ledger_stockd", "ledger_checkout"))
	o, p := w.begun(2, time.Minute)
	w.buyer(p, "success")
	w.isIssued(o.ID)
	ticketsWithRoles(t, w)
	declined, p := w.begun(1, time.Minute)
	w.buyer(p, "decline")
	w.becomes(declined.ID, order.PendingPayment)
	back, _ := w.sold(2)
	w.refund(wish(back))
	w.tidy(w.service)
	w.settled(back, order.Refunded)
	w.set(400*24*time.Hour, false)
	if err := w.service.Retain(t.Context()); err != nil {
		t.Errorf("end what is past its time: %v", err)
	}
	if _, err := w.ledger.Erase(t.Context(), o.ID, "ops", true, w.now()); err != nil {
		t.Errorf("erase: %v", err)
	}
	tickets, err := w.ledger.TicketsOfOrder(t.Context(), o.ID)
	if err != nil || len(tickets) == 0 {
		t.Fatalf("%v, %v", tickets, err)
	}
	if _, err := w.ledger.EraseTicket(t.Context(), tickets[0].ID, "ops", true, w.now()); err != nil {
		t.Errorf("erase a ticket: %v", err)
	}
	if made, err := w.service.MakeInvoices(t.Context()); err != nil || made == 0 {
		t.Errorf("make invoices: %d, %v", made, err)
	}
	w.set(0, false)
	auditor, err := ledger.Open(t.Context(), loginWith(t, d, "ledger_audit"), ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer auditor.Close()
	if r, err := reconcile.Run(t.Context(), auditor, reconcile.Options{}); err != nil || !r.OK {
		t.Errorf("reconcile: %+v, %v", r, err)
	}
	for _, statement := range []string{
		"UPDATE ledger.segments SET opened = opened + 1", "UPDATE ledger.seats SET label = 'x'", "UPDATE ledger.transfers SET amount = 1", "DELETE FROM ledger.transfers", "TRUNCATE ledger.sales",
		"UPDATE ledger.business_days SET closed_at = now()", "SELECT ledger.close_open_day('2026-01-01', '2026-01-01', now())", "INSERT INTO ledger.day_closings DEFAULT VALUES",
		"SELECT ledger.settlement_file('x', 'x', sha256(''), 1, 'x')", "CREATE TABLE ledger.mine ()", "ALTER TABLE ledger.transfers DISABLE TRIGGER ALL",
	} {
		if _, err := w.ledger.SQL().ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") {
			t.Errorf("a node may %s: %v", statement, err)
		}
	}
}

// ticketsWithRoles: names, transfers, check-ins and documents need no right beyond those.
func ticketsWithRoles(t *testing.T, w *world) {
	t.Helper()
	w.rules(ledger.TicketRules{Names: "optional", NameChanges: 1, Transfers: 1})
	id, tickets := w.ticketed(1)
	named, _, err := w.service.NameTicket(t.Context(), name(tickets[0].ID, "Ada"))
	if err != nil {
		t.Fatalf("name a ticket: %v", err)
	}
	offer, _, err := w.service.OfferTicket(t.Context(), named.ID, uuid.New(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatalf("offer a ticket: %v", err)
	}
	theirs, _, err := w.service.AcceptOffer(t.Context(), offer.Code, "a_2", uuid.New())
	if err != nil {
		t.Fatalf("accept a ticket: %v", err)
	}
	if v, err := w.service.CheckIn(t.Context(), int32(w.event.Number), theirs.ID, "north", uuid.New(), uuid.New()); err != nil || !v.Known || v.Again {
		t.Errorf("check in: %+v %v", v, err)
	}
	if err := w.ledger.InvoiceIssuerSet(t.Context(), "house", "The House"); err != nil {
		t.Errorf("name the issuer: %v", err)
	}
	if list, err := w.service.Invoices(t.Context(), id); err != nil || len(list) != 1 {
		t.Errorf("make an invoice: %v %v", list, err)
	}
}
