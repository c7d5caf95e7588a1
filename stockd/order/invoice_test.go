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
	if gaps, err := w.ledger.InvoiceGaps(t.Context()); err != nil || len(gaps) != 0 {
		t.Errorf("gaps %v %v", gaps, err)
	}
	if left, err := w.ledger.OrdersToInvoice(t.Context(), uuid.Nil, 10); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
	w.ticketed(1)
	if left, err := w.ledger.OrdersToInvoice(t.Context(), uuid.Nil, 10); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
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
