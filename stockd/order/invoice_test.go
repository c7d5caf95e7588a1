package order_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/order"
)

func TestInvoices(t *testing.T) {
	w := newWorld(t)
	w.rules(ledger.TicketRules{Names: "none", Transfers: 3})
	open := w.opened(1, time.Minute)
	if list, err := w.service.Invoices(t.Context(), open.ID); err != nil || len(list) != 0 {
		t.Errorf("an order without tickets has documents: %v %v", list, err)
	}
	if err := w.ledger.InvoiceIssuerSet(t.Context(), "house", "The House\nVAT 1"); err != nil {
		t.Fatal(err)
	}
	// Many at once, each asked for twice: numbers have no gap, and each order has one.
	var ids []uuid.UUID
	for range 4 {
		id, _ := w.ticketed(2)
		ids = append(ids, id)
	}
	var all sync.WaitGroup
	for i := range 2 * len(ids) {
		all.Go(func() {
			if _, err := w.service.Invoices(t.Context(), ids[i%len(ids)]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var numbers []int64
	for _, id := range ids {
		list, err := w.service.Invoices(t.Context(), id)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v %v", list, err)
		}
		i := list[0]
		if i.Kind != "invoice" || i.Net != 2*5300 || i.Tax != 2*20 || i.Series != "house" || !strings.HasPrefix(i.Issuer, "The House") {
			t.Errorf("%+v", i)
		}
		numbers = append(numbers, i.Number)
	}
	slices.Sort(numbers)
	if fmt.Sprint(numbers) != "[1 2 3 4]" {
		t.Errorf("numbers %v", numbers)
	}
	creditNote(t, w, ids[0])
	w.reconciles()
	if made, err := w.service.MakeInvoices(t.Context()); err != nil || made != 0 {
		t.Errorf("%d more documents were made: %v", made, err)
	}
}

// Two nodes make what is missing, ops do, and buyers ask: each order has its documents once, and no number is missing. A node does not wait for another one,
// nor for somebody who works on an order.
func TestInvoicesDue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	const orders = 12
	var ids []uuid.UUID
	for i := range orders {
		id, tickets := w.ticketed(2)
		ids = append(ids, id)
		if i%3 == 0 {
			part := ledger.RefundWish{ID: uuid.New(), Fingerprint: uuid.New(), Order: id, Seats: []int64{tickets[0].Seat}, Void: "refunded", Actor: "test"}
			if _, err := w.service.Refund(ctx, &part); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.opened(1, time.Minute) // no tickets, no invoice
	tx, err := w.ledger.SQL().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT 1 FROM ledger.orders WHERE id = $1 FOR UPDATE", ids[3]); err != nil {
		t.Fatal(err)
	}
	another := w.newService()
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			var err error
			switch i {
			case 0:
				_, err = w.service.MakeInvoices(ctx)
			case 1:
				_, err = another.MakeInvoices(ctx)
			case 2:
				_, err = w.ledger.InvoicesDue(ctx, true, w.now())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for _, id := range ids[:3] {
		all.Go(func() {
			if _, err := w.service.Invoices(ctx, id); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := w.rowsOf("invoices"); n != orders+orders/3-2 {
		t.Errorf("%d documents while somebody works on an order of one refund, want %d", n, orders+orders/3-2)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if made, err := another.MakeInvoices(ctx); err != nil || made != 2 {
		t.Errorf("%d documents were made of the order that was left out, %v", made, err)
	}
	w.reconciles()
}

// While one node makes invoices another one leaves them to it, at once; ops wait.
func TestInvoicesAreMadeByOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	w.ticketed(1)
	tx, err := w.ledger.SQL().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var made int
	if err := tx.QueryRowContext(ctx, "SELECT (ledger.invoices_due('00000000-0000-0000-0000-000000000000', 100, false, now())).made").Scan(&made); err != nil || made != 1 {
		t.Fatalf("%d, %v", made, err)
	}
	if made, err := w.service.MakeInvoices(ctx); err != nil || made != 0 {
		t.Errorf("a second node made %d, %v", made, err)
	}
	if _, err := w.ledger.InvoicesDue(ctx, false, w.now()); !errors.Is(err, ledger.ErrInvoicing) {
		t.Errorf("it is told %v", err)
	}
	waited := make(chan error, 1)
	go func() {
		made, err := w.ledger.InvoicesDue(ctx, true, w.now())
		if err == nil && made != 1 {
			err = fmt.Errorf("%d were made", made)
		}
		waited <- err
	}()
	w.until("ops wait", func() bool {
		var n int
		err := w.ledger.SQL().QueryRowContext(ctx, "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted").Scan(&n)
		return err == nil && n == 1
	})
	if err := tx.Rollback(); err != nil { // the node has crashed: nothing of it is left, no number is lost
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
	w.reconciles()
}

// A service that is told to makes invoices by itself.
func TestInvoicesByThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.ticketed(1)
	s := w.newServiceWith(func(c *order.Config) { c.InvoiceEvery = 5 * time.Millisecond })
	s.Start()
	defer s.Stop()
	w.until("there is an invoice", func() bool {
		list, err := w.ledger.InvoicesOfOrder(t.Context(), id)
		return err == nil && len(list) == 1
	})
}

// What somebody with too many rights does to invoices is named.
func TestReconcileInvoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 6 {
		w.ticketed(1)
	}
	if made, err := w.service.MakeInvoices(t.Context()); err != nil || made != 6 {
		t.Fatalf("%d, %v", made, err)
	}
	w.reconciles()
	kept := "CREATE TABLE public.kept AS SELECT * FROM ledger.invoices"
	w.unguarded(kept)
	for name, c := range map[string]struct{ damage, says string }{
		"a document is gone":    {"DELETE FROM ledger.invoices WHERE number = 2", "series house: number 2 is missing"},
		"three are gone":        {"DELETE FROM ledger.invoices WHERE number IN (3, 4, 5)", "series house: numbers 3 to 5 are missing"},
		"the last is gone":      {"DELETE FROM ledger.invoices WHERE number = 6", "series house: number 6 is missing"},
		"all are gone":          {"DELETE FROM ledger.invoices", "series house: numbers 1 to 6 are missing"},
		"the counter goes on":   {"UPDATE ledger.invoice_series SET last = 8", "series house: numbers 7 to 8 are missing"},
		"the counter goes back": {"UPDATE ledger.invoice_series SET last = 5", "series house: its counter is at 5, and a document has the number 6: numbers would be given out again"},
		"another amount":        {"UPDATE ledger.invoices SET net = net + 1 WHERE number = 4", "invoice house 4: it says 5301 and 20 tax in EUR, what it is for is 5300 and 20 tax (order "},
		"another tax":           {"UPDATE ledger.invoices SET tax = tax - 1 WHERE number = 4", "invoice house 4: it says 5300 and 19 tax in EUR, what it is for is 5300 and 20 tax (order "},
		"another currency":      {"UPDATE ledger.invoices SET currency = 'USD' WHERE number = 4", "invoice house 4: it says 5300 and 20 tax in USD"},
		"for another refund":    {"UPDATE ledger.invoices SET kind = 'credit_note', refund = gen_random_uuid() WHERE number = 4", "invoice house 4: it says 5300 and 20 tax in EUR, what it is for is 0 and 0 tax"},
	} {
		w.unguarded(c.damage)
		r, err := reconcile.Run(t.Context(), w.ledger, reconcile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, check := range r.Checks {
			for _, b := range check.Breaks {
				told = append(told, check.Name+": "+b.Row+": "+b.Text)
			}
		}
		if len(told) != 1 || !strings.HasPrefix(told[0], "invoices: "+c.says) {
			t.Errorf("%s: it says %q, want %q alone", name, told, c.says)
		}
		w.unguarded("DELETE FROM ledger.invoices")
		w.unguarded("INSERT INTO ledger.invoices SELECT * FROM public.kept")
		w.unguarded("UPDATE ledger.invoice_series SET last = 6")
		w.reconciles()
	}
}

// creditNote: a ticket that changed hands is refunded: whoever has it, it is void, and the buyer gets a credit note for that line.
func creditNote(t *testing.T, w *world, id uuid.UUID) {
	tickets, err := w.service.Tickets(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	offer, _, err := w.service.OfferTicket(t.Context(), tickets[0].ID, uuid.New(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	given, _, err := w.service.AcceptOffer(t.Context(), offer.Code, "a_2", uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	wish := ledger.RefundWish{ID: uuid.New(), Fingerprint: uuid.New(), Order: id, Seats: []int64{given.Seat}, Reason: "ill", Void: "refunded", Actor: "test"}
	if _, err := w.service.Refund(t.Context(), &wish); err != nil {
		t.Fatal(err)
	}
	if after, err := w.service.Ticket(t.Context(), given.ID); err != nil || after.VoidReason != "refunded" {
		t.Errorf("the ticket of the new owner lives on: %+v %v", after, err)
	}
	list, err := w.service.Invoices(t.Context(), id)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v %v", list, err)
	}
	if n := list[1]; n.Kind != "credit_note" || n.Refund != wish.ID || n.Net != 5300 || n.Tax != 20 || n.Number != 5 || len(n.Seats) != 1 || n.Seats[0] != given.Seat {
		t.Errorf("%+v", n)
	}
}

func TestOrderLink(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	tokens, err := order.NewTokens(1, key)
	if err != nil {
		t.Fatal(err)
	}
	id, until := uuid.New(), time.Now().Add(time.Hour)
	link := tokens.Link(id, until)
	if got, err := tokens.OpenLink(link, until.Add(-time.Minute)); err != nil || got != id {
		t.Errorf("%v %v", got, err)
	}
	if _, err := tokens.OpenLink(link, until.Add(time.Minute)); !errors.Is(err, order.ErrLinkOver) {
		t.Errorf("%v", err)
	}
	if err := tokens.Check(order.PurposeOrder, link, id); err == nil {
		t.Error("a link is the order's token")
	}
	later := tokens.Link(id, until.Add(time.Hour))
	parts, others := strings.Split(link, "."), strings.Split(later, ".")
	stranger, err := order.NewTokens(1, []byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "a part": link[:len(link)-3], "an order's token": tokens.New(order.PurposeOrder, id), "another end": strings.Join([]string{parts[0], parts[1], others[2], parts[3]}, "."),
		"another's": stranger.Link(id, until), "another key": strings.Replace(link, ".1.", ".2.", 1), "another spelling": strings.Replace(link, ".1.", ".01.", 1), "more": link + ".x",
	} {
		if _, err := tokens.OpenLink(text, time.Now()); !errors.Is(err, order.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
