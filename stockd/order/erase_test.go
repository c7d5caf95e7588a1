package order_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// A ticket was given to an account, and bound to a name there, and then to another: whichever of these tickets is named, all that is the account's is erased,
// and what the buyer has of the same order stays, as do the codes.
func TestEraseTicket(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	id := w.named() // the first of its tickets is Ada's
	tickets, err := w.ledger.TicketsOfOrder(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	bought, _, err := w.service.NameTicket(ctx, name(tickets[len(tickets)-1].ID, "Ada King"))
	if err != nil {
		t.Fatal(err)
	}
	offer, _, err := w.service.OfferTicket(ctx, bought.ID, uuid.New(), w.now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	given, _, err := w.service.AcceptOffer(ctx, offer.Code, "a_grace", uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := w.service.NameTicket(ctx, name(given.ID, "Grace Hopper"))
	if err != nil {
		t.Fatal(err)
	}
	last, _, err := w.service.NameTicket(ctx, name(first.ID, "Grace B. Hopper"))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := w.ledger.TicketsOfOwner(ctx, "a_grace"); err != nil || fmt.Sprint(list) != fmt.Sprint([]uuid.UUID{given.ID, first.ID, last.ID}) {
		t.Errorf("the tickets of the account: %v, %v", list, err)
	}
	before := w.appendOnly()
	if _, err := w.ledger.EraseTicket(ctx, first.ID, "ops", false, w.now()); !errors.Is(err, ledger.ErrTicketLives) || !strings.Contains(err.Error(), "its event begins") {
		t.Errorf("a ticket whose event is to come: %v", err)
	}
	if _, err := w.ledger.EraseTicket(ctx, uuid.New(), "ops", true, w.now()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a ticket that is not there: %v", err)
	}
	if !strings.Contains(w.dumped(), "Grace") {
		t.Fatal("the trade has no Grace: the test shows nothing")
	}
	erased, err := w.ledger.EraseTicket(ctx, first.ID, "ops", false, w.now().Add(48*time.Hour)) // the day after the event
	if err != nil || erased["ticket_holders"] != 2 || erased["tickets"] != 3 {
		t.Errorf("erased %v, %v", erased, err)
	}
	if text := w.dumped(); strings.Contains(text, "Grace") || !strings.Contains(text, "Ada Lovelace") || !strings.Contains(text, "Ada King") || !strings.Contains(text, "192.0.2.1") {
		t.Error("the ledger still has Grace's name, or has lost what is Ada's")
	}
	if list, err := w.ledger.TicketsOfOwner(ctx, "a_grace"); err != nil || len(list) != 0 {
		t.Errorf("the tickets of the account: %v, %v", list, err)
	}
	if after := w.appendOnly(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("append-only tables were\n%v, they are\n%v", before, after)
	}
	if got, err := w.ledger.TicketGet(ctx, last.ID); err != nil || got.Code != last.Code || !got.VoidedAt.IsZero() || !got.Named || got.Holder != "" || got.Salt != nil {
		t.Errorf("the ticket is %+v, %v", got, err)
	}
	again, err := w.ledger.EraseTicket(ctx, last.ID, "ops", true, w.now())
	if err != nil || again["ticket_holders"] != 0 || again["tickets"] != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
	if erased, err := w.ledger.EraseTicket(ctx, bought.ID, "ops", false, w.now()); err != nil || erased["ticket_holders"] != 1 || strings.Contains(w.dumped(), "Ada King") {
		t.Errorf("a ticket that lets nobody in any more, before its event: %v, %v", erased, err)
	}
	var audit string
	if err := w.ledger.SQL().QueryRowContext(ctx, "SELECT string_agg(actor || ' ' || subject || ' ' || detail::text, '; ' ORDER BY at) FROM ledger.audit_log WHERE action = 'privacy.erase'").Scan(&audit); err != nil ||
		!strings.HasPrefix(audit, "ops ticket "+first.ID.String()) || !strings.Contains(audit, `"ticket_holders": 2`) || strings.Count(audit, ";") != 2 {
		t.Errorf("the audit log says %q, %v", audit, err)
	}
	w.reconciles()
}
