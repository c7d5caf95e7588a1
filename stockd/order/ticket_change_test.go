package order_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
)

// ticketed is an order with tickets.
func (w *world) ticketed(quantity int32) (uuid.UUID, []ledger.Ticket) {
	w.t.Helper()
	o, p := w.begun(quantity, time.Minute)
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	tickets, err := w.service.Tickets(w.t.Context(), o.ID)
	if err != nil || len(tickets) != int(quantity) {
		w.t.Fatalf("%d tickets, %v", len(tickets), err)
	}
	return o.ID, tickets
}

func (w *world) rules(r ledger.TicketRules) {
	w.t.Helper()
	if err := w.service.SetTicketRules(w.t.Context(), int32(w.event.Number), r); err != nil {
		w.t.Fatal(err)
	}
}

// code is what a ticket's code says.
func (w *world) code(t *ledger.Ticket) order.TicketCode {
	w.t.Helper()
	c, err := w.service.TicketKeys().Verify(t.Code, time.Now().Add(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// refused checks why something was not done.
func refused(t testing.TB, err error, want ledger.TicketChange) {
	t.Helper()
	var r *order.TicketRefused
	if !errors.As(err, &r) || r.Why != want {
		t.Errorf("refused with %v, want %d", err, want)
	}
}

// live is the ticket of a line that lets somebody in.
func (w *world) live(id uuid.UUID, seat int64) (found []ledger.Ticket) {
	w.t.Helper()
	all, err := w.service.Tickets(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range all {
		if t.Seat == seat && t.VoidedAt.IsZero() {
			found = append(found, t)
		}
	}
	return found
}

func name(ticket uuid.UUID, who string) order.NameWish {
	return order.NameWish{Ticket: ticket, Request: uuid.New(), Fingerprint: uuid.New(), Name: who}
}

func TestTicketsChange(t *testing.T) {
	w := newWorld(t)
	t.Run("names", func(t *testing.T) { ticketNames(t, w) })
	t.Run("deadline and force", func(t *testing.T) { ticketDeadline(t, w) })
	t.Run("documents", func(t *testing.T) { ticketDocuments(t, w) })
	t.Run("transfer", func(t *testing.T) { ticketTransfer(t, w) })
	t.Run("offers", func(t *testing.T) { ticketOffers(t, w) })
	t.Run("offers of what is gone", func(t *testing.T) { ticketOfferEnds(t, w) })
	t.Run("race", func(t *testing.T) { ticketRace(t, w) })
	t.Run("erasure", func(t *testing.T) { ticketErasure(t, w) })
	w.reconciles()
}

func ticketNames(t *testing.T, w *world) {
	id, tickets := w.ticketed(2)
	first := tickets[0]
	if w.code(&first).Holder != [8]byte{} {
		t.Error("a ticket without a name has a holder in its code")
	}
	_, _, err := w.service.NameTicket(t.Context(), name(first.ID, "Ada"))
	refused(t, err, ledger.ChangeNoNames)
	w.rules(ledger.TicketRules{Names: "required", NameChanges: 1, Transfers: 1})
	wish := name(first.ID, "Ada Lovelace")
	named, again, err := w.service.NameTicket(t.Context(), wish)
	if err != nil || again || named.ID == first.ID || named.Holder != "Ada Lovelace" || named.Seat != first.Seat {
		t.Fatalf("%+v %v %v", named, again, err)
	}
	if c := w.code(&named); c.Holder != order.HolderHash(named.Salt, "Ada Lovelace", nil) || c.Holder == order.HolderHash(named.Salt, "Eve", nil) || c.Ticket != named.ID {
		t.Error("the code does not bind the name")
	}
	if replay, again, err := w.service.NameTicket(t.Context(), wish); err != nil || !again || replay.ID != named.ID || replay.Code != named.Code {
		t.Errorf("the same request again: %v %v", again, err)
	}
	wish.Fingerprint = uuid.New()
	_, _, err = w.service.NameTicket(t.Context(), wish)
	refused(t, err, ledger.ChangeOtherWish)
	if same, again, err := w.service.NameTicket(t.Context(), name(named.ID, "Ada Lovelace")); err != nil || !again || same.ID != named.ID {
		t.Errorf("the same name again: %v %v", again, err)
	}
	_, _, err = w.service.NameTicket(t.Context(), name(first.ID, "Eve"))
	refused(t, err, ledger.ChangeVoid)
	old, err := w.service.Ticket(t.Context(), first.ID)
	if err != nil || old.VoidReason != "reissued" || old.VoidedAt.IsZero() {
		t.Errorf("the old ticket: %+v %v", old, err)
	}
	second, _, err := w.service.NameTicket(t.Context(), name(named.ID, "Grace Hopper"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.service.NameTicket(t.Context(), name(second.ID, "Eve"))
	refused(t, err, ledger.ChangeTooOften)
	if live := w.live(id, first.Seat); len(live) != 1 || live[0].ID != second.ID {
		t.Errorf("live: %+v", live)
	}
	if last, err := w.ledger.TicketSuccessor(t.Context(), first.ID); err != nil || last != second.ID {
		t.Errorf("successor %v %v", last, err)
	}
	if _, _, err := w.service.NameTicket(t.Context(), name(uuid.New(), "Nobody")); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("no such ticket: %v", err)
	}
}

func ticketDeadline(t *testing.T, w *world) {
	_, tickets := w.ticketed(1)
	w.rules(ledger.TicketRules{Names: "optional", NameChanges: 1, Transfers: 1, ChangesEnd: 25 * time.Hour}) // the event begins in 24
	_, _, err := w.service.NameTicket(t.Context(), name(tickets[0].ID, "Ada"))
	refused(t, err, ledger.ChangeTooLate)
	_, _, err = w.service.OfferTicket(t.Context(), tickets[0].ID, uuid.New(), time.Now().Add(time.Hour))
	refused(t, err, ledger.ChangeTooLate)
	wish := name(tickets[0].ID, "Ada")
	wish.Force = true
	if _, _, err := w.service.NameTicket(t.Context(), wish); err != nil {
		t.Errorf("ops may: %v", err)
	}
}

func ticketDocuments(t *testing.T, w *world) {
	_, tickets := w.ticketed(2)
	w.rules(ledger.TicketRules{Names: "required", NameChanges: 5, Transfers: 1})
	document := uuid.New()
	wish := name(tickets[0].ID, "Ada")
	wish.Document, wish.DocumentMax = document[:], 1
	first, _, err := w.service.NameTicket(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	wish.Ticket, wish.Request = tickets[1].ID, uuid.New()
	_, _, err = w.service.NameTicket(t.Context(), wish)
	refused(t, err, ledger.ChangeDocument)
	// The same person with another spelling; the ticket itself does not count.
	wish.Ticket, wish.Request, wish.Name = first.ID, uuid.New(), "Ada King"
	if _, _, err := w.service.NameTicket(t.Context(), wish); err != nil {
		t.Error(err)
	}
	// Two tickets at once are counted one after the other.
	_, tickets = w.ticketed(2)
	other := uuid.New()
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			wish := name(tickets[i].ID, "Eve")
			wish.Document, wish.DocumentMax = other[:], 1
			_, _, errs[i] = w.service.NameTicket(t.Context(), wish)
		})
	}
	both.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("both or none: %v", errs)
	}
}

func ticketTransfer(t *testing.T, w *world) {
	id, tickets := w.ticketed(1)
	w.rules(ledger.TicketRules{Names: "required", NameChanges: 1, Transfers: 1})
	mine, _, err := w.service.NameTicket(t.Context(), name(tickets[0].ID, "Ada"))
	if err != nil {
		t.Fatal(err)
	}
	request := uuid.New()
	offer, again, err := w.service.OfferTicket(t.Context(), mine.ID, request, time.Now().Add(time.Hour))
	if err != nil || again || len(offer.Code) != 20 || offer.State != "open" {
		t.Fatalf("%+v %v %v", offer, again, err)
	}
	if same, again, err := w.service.OfferTicket(t.Context(), mine.ID, request, time.Now().Add(2*time.Hour)); err != nil || !again || same.Code != offer.Code || same.ID != offer.ID {
		t.Errorf("%+v %v %v", same, again, err)
	}
	if seen, err := w.service.Ticket(t.Context(), mine.ID); err != nil || seen.Offer != offer.ID {
		t.Errorf("the ticket does not show its offer: %v", err)
	}
	_, _, err = w.service.OfferTicket(t.Context(), mine.ID, uuid.New(), time.Now().Add(time.Hour))
	refused(t, err, ledger.ChangeOfferOpen)
	if _, _, err := w.service.AcceptOffer(t.Context(), "AAAAAAAAAAAAAAAAAAAA", "a_2", uuid.New()); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("a code that is none: %v", err)
	}
	if _, err := w.service.ShowOffer(t.Context(), "AAAAAAAAAAAAAAAAAAAA"); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("a code that is none: %v", err)
	}
	if seen, err := w.service.ShowOffer(t.Context(), offer.Code); err != nil || seen.ID != offer.ID || seen.Seat != mine.Seat || seen.Event != mine.Event || w.service.OfferCode(seen.ID) != offer.Code {
		t.Errorf("%+v %v", seen, err)
	}
	typed := " " + offer.Code[:5] + "-" + string(bytes.ToLower([]byte(offer.Code[5:10]))) + " " + offer.Code[10:]
	accept := uuid.New()
	theirs, again, err := w.service.AcceptOffer(t.Context(), typed, "a_2", accept)
	if err != nil || again || !theirs.Transferred || theirs.Owner != "a_2" || theirs.Named || theirs.OrderID != id {
		t.Fatalf("%+v %v %v", theirs, again, err)
	}
	if c := w.code(&theirs); c.Holder != [8]byte{} || c.Ticket != theirs.ID {
		t.Error("the recipient's code has the giver's name")
	}
	if replay, again, err := w.service.AcceptOffer(t.Context(), offer.Code, "a_2", accept); err != nil || !again || replay.ID != theirs.ID {
		t.Errorf("the same request again: %v %v", again, err)
	}
	_, _, err = w.service.AcceptOffer(t.Context(), offer.Code, "a_3", uuid.New())
	refused(t, err, ledger.ChangeOfferAccepted)
	_, err = w.service.ShowOffer(t.Context(), offer.Code)
	refused(t, err, ledger.ChangeOfferAccepted)
	_, err = w.service.CancelOffer(t.Context(), mine.ID, offer.ID)
	refused(t, err, ledger.ChangeOfferAccepted)
	if old, err := w.service.Ticket(t.Context(), mine.ID); err != nil || old.VoidReason != "transferred" {
		t.Errorf("%+v %v", old, err)
	}
	// The first name of the new owner is no change; to pass it on is one too many.
	named, _, err := w.service.NameTicket(t.Context(), name(theirs.ID, "Grace"))
	if err != nil || !named.Transferred || named.Owner != "a_2" {
		t.Fatalf("%+v %v", named, err)
	}
	_, _, err = w.service.OfferTicket(t.Context(), named.ID, uuid.New(), time.Now().Add(time.Hour))
	refused(t, err, ledger.ChangeTooOften)
	if changes, err := w.service.TicketChanges(t.Context(), id); err != nil || changes[mine.Seat] != (ledger.LineChanges{Transferred: 1}) {
		t.Errorf("%v %v", changes, err)
	}
}

func ticketOffers(t *testing.T, w *world) {
	_, tickets := w.ticketed(1)
	w.rules(ledger.TicketRules{Names: "none", Transfers: 2})
	ticket := tickets[0].ID
	offer, _, err := w.service.OfferTicket(t.Context(), ticket, uuid.New(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.service.CancelOffer(t.Context(), ticket, offer.ID); err != nil || again {
		t.Fatal(again, err)
	}
	if again, err := w.service.CancelOffer(t.Context(), ticket, offer.ID); err != nil || !again {
		t.Errorf("%v %v", again, err)
	}
	if _, err := w.service.CancelOffer(t.Context(), ticket, uuid.New()); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("%v", err)
	}
	_, _, err = w.service.AcceptOffer(t.Context(), offer.Code, "", uuid.New())
	refused(t, err, ledger.ChangeOfferOver)
	// One whose time is over is in nobody's way. It ends with the event's deadline, however long it was wanted.
	short, _, err := w.service.OfferTicket(t.Context(), ticket, uuid.New(), time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.service.AcceptOffer(t.Context(), short.Code, "", uuid.New())
	refused(t, err, ledger.ChangeOfferOver)
	_, err = w.service.ShowOffer(t.Context(), short.Code)
	refused(t, err, ledger.ChangeOfferOver)
	long, _, err := w.service.OfferTicket(t.Context(), ticket, uuid.New(), time.Now().Add(1000*time.Hour))
	if err != nil || long.ExpiresAt.After(time.Now().Add(25*time.Hour)) {
		t.Fatalf("%+v %v", long, err)
	}
	if _, _, err := w.service.AcceptOffer(t.Context(), long.Code, "", uuid.New()); err != nil {
		t.Error(err)
	}
}

// ticketOfferEnds: an open offer of a ticket that is under dispute, or was refunded, gives nobody anything, and says so before anybody tries.
func ticketOfferEnds(t *testing.T, w *world) {
	w.rules(ledger.TicketRules{Names: "none", Transfers: 2})
	o, p := w.sold(1)
	tickets, err := w.service.Tickets(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	offer, _, err := w.service.OfferTicket(t.Context(), tickets[0].ID, uuid.New(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	both := func(want ledger.TicketChange) {
		t.Helper()
		_, err := w.service.ShowOffer(t.Context(), offer.Code)
		refused(t, err, want)
		_, _, err = w.service.AcceptOffer(t.Context(), offer.Code, "", uuid.New())
		refused(t, err, want)
	}
	w.disputed(p, order.DisputeOpened, 1)
	both(ledger.ChangeOrder)
	w.disputed(p, order.DisputeWon, 2)
	if _, err := w.service.ShowOffer(t.Context(), offer.Code); err != nil {
		t.Errorf("the dispute was won: %v", err)
	}
	w.refund(wish(o))
	both(ledger.ChangeVoid)
	w.settled(o, order.Refunded)
}

// ticketRace: many who have the code, the owner who takes it back, and a new name: one of them wins, and one ticket is live.
func ticketRace(t *testing.T, w *world) {
	w.rules(ledger.TicketRules{Names: "optional", NameChanges: 9, Transfers: 9})
	for range 5 {
		id, tickets := w.ticketed(1)
		ticket := tickets[0]
		offer, _, err := w.service.OfferTicket(t.Context(), ticket.ID, uuid.New(), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		won := 0
		count := func(again bool, err error) {
			mu.Lock()
			defer mu.Unlock()
			var r *order.TicketRefused
			switch {
			case err == nil && !again:
				won++
			case err != nil && !errors.As(err, &r):
				t.Error(err)
			}
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, again, err := w.service.AcceptOffer(t.Context(), offer.Code, "a", uuid.New())
				count(again, err)
			})
		}
		all.Go(func() {
			_, again, err := w.service.NameTicket(t.Context(), name(ticket.ID, "Ada"))
			count(again, err)
		})
		all.Wait()
		if live := w.live(id, ticket.Seat); won != 1 || len(live) != 1 {
			t.Errorf("%d won, %d are live", won, len(live))
		}
	}
}

func ticketErasure(t *testing.T, w *world) {
	w.rules(ledger.TicketRules{Names: "optional", NameChanges: 9, Transfers: 9})
	id, tickets := w.ticketed(2)
	document := uuid.New()
	wish := name(tickets[0].ID, "Ada")
	wish.Document = document[:]
	mine, _, err := w.service.NameTicket(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := w.service.NameTicket(t.Context(), name(mine.ID, "Ada L"))
	if err != nil {
		t.Fatal(err)
	}
	offer, _, err := w.service.OfferTicket(t.Context(), tickets[1].ID, uuid.New(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	given, _, err := w.service.AcceptOffer(t.Context(), offer.Code, "a_2", uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := w.service.NameTicket(t.Context(), name(given.ID, "Grace"))
	if err != nil {
		t.Fatal(err)
	}
	if erased, err := w.ledger.Erase(t.Context(), id, "ops", true, w.now()); err != nil || erased["ticket_holders"] != 2 || erased["tickets"] != 0 {
		t.Fatalf("erased %v, %v", erased, err)
	}
	for _, one := range []uuid.UUID{mine.ID, kept.ID} {
		if got, err := w.service.Ticket(t.Context(), one); err != nil || !got.Named || got.Holder != "" || got.Document != nil || got.Salt != nil {
			t.Errorf("%+v %v", got, err)
		}
	}
	if got, err := w.service.Ticket(t.Context(), theirs.ID); err != nil || got.Holder != "Grace" {
		t.Errorf("the new owner's name is gone: %+v %v", got, err)
	}
}
