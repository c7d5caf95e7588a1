package order

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

const (
	holderDomain = "ticketrush/holder/v1"
	saltBytes    = 16
)

// HolderHash is what a ticket's code says of whom it is bound to: a truncated hash over a salt, their name and the keyed hash of their document (nil:
// none). The salt is kept beside the name, so that nothing can be tried against a code once both are erased.
func HolderHash(salt []byte, name string, document []byte) (short [8]byte) {
	h := sha256.New()
	h.Write([]byte(holderDomain))
	for _, part := range [][]byte{salt, []byte(name), document} {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(part))))
		h.Write(part)
	}
	copy(short[:], h.Sum(nil))
	if short == ([8]byte{}) { // means that there is no name
		short[0] = 1
	}
	return short
}

// TicketRefused says why a ticket stays as it is.
type TicketRefused struct{ Why ledger.TicketChange }

func (e *TicketRefused) Error() string { return fmt.Sprintf("the ticket stays as it is (%d)", e.Why) }

// changed turns what the ledger said into an error; again says that it was done before.
func changed(out ledger.TicketChange, err error) (again bool, _ error) {
	switch {
	case err != nil:
		return false, err
	case out == ledger.ChangeDone:
		return false, nil
	case out == ledger.ChangeAgain, out == ledger.ChangeSame:
		return true, nil
	case out == ledger.ChangeNone:
		return false, ErrNotFound
	}
	return false, &TicketRefused{Why: out}
}

// sign makes the code of a ticket.
func (s *Service) sign(ctx context.Context, event int32, id uuid.UUID, seat int64, typ int16, holder [8]byte) (string, error) {
	uid, starts, err := s.ledger.EventForTickets(ctx, event)
	if err != nil {
		return "", err
	}
	return TicketCode{KeyID: s.config.TicketKeyID, Event: uid, Ticket: id, Seat: seat, Type: typ, ValidFrom: s.config.Now(),
		ValidUntil: starts.Add(ticketLife), Holder: holder}.Sign(s.config.TicketKey), nil
}

// NameWish binds a ticket to somebody.
type NameWish struct {
	Ticket      uuid.UUID
	Request     uuid.UUID // names the request: the same one again is answered with the same ticket
	Fingerprint uuid.UUID
	Name        string
	Document    []byte // a keyed hash of 16 bytes; nil: none
	DocumentMax int32  // tickets of the event for one document; 0: any number
	Force       bool   // without deadline and limit
}

// NameTicket carries out the wish: the ticket becomes void and another one, whose code is bound to the name, takes its place. again says that this was done
// before, or that the ticket has this name already. TicketRefused when it may not be, ErrNotFound when there is no such ticket.
func (s *Service) NameTicket(ctx context.Context, w NameWish) (t ledger.Ticket, again bool, err error) {
	old, err := s.Ticket(ctx, w.Ticket)
	if err != nil {
		return t, false, err
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	id := derived("ticket.name", w.Ticket, w.Request)
	code, err := s.sign(ctx, old.Event, id, old.Seat, old.Type, HolderHash(salt, w.Name, w.Document))
	if err != nil {
		return t, false, err
	}
	out, err := s.ledger.TicketName(ctx, ledger.TicketName{Ticket: w.Ticket, New: id, Code: code, Name: w.Name, Document: w.Document, Salt: salt,
		DocumentMax: w.DocumentMax, Force: w.Force, Fingerprint: w.Fingerprint}, s.config.Now())
	if again, err = changed(out, err); err != nil {
		return t, false, err
	}
	if out == ledger.ChangeSame {
		id = w.Ticket
	}
	t, err = s.Ticket(ctx, id)
	return t, again, err
}

// derived is the id of what a request makes, so that the same request makes the same thing.
func derived(what string, of, request uuid.UUID) uuid.UUID {
	h := sha256.New()
	h.Write([]byte("ticketrush/order/v1/" + what + "\x00"))
	h.Write(of[:])
	h.Write(request[:])
	id := uuid.UUID(h.Sum(nil)[:16])
	id[6], id[8] = 0x80|id[6]&0x0f, 0x80|id[8]&0x3f
	return id
}

// TicketRules are what holds for the tickets of an event.
func (s *Service) TicketRules(ctx context.Context, event int32) (ledger.TicketRules, error) {
	r, err := s.ledger.TicketRules(ctx, event)
	if errors.Is(err, ledger.ErrNotFound) {
		return r, ErrNotFound
	}
	return r, err
}

// SetTicketRules writes them.
func (s *Service) SetTicketRules(ctx context.Context, event int32, r ledger.TicketRules) error {
	return s.ledger.TicketRulesSet(ctx, event, r, s.config.Now())
}

// TicketChanges are how often the tickets of an order's lines were renamed and given away, by seat.
func (s *Service) TicketChanges(ctx context.Context, order uuid.UUID) (map[int64]ledger.LineChanges, error) {
	return s.ledger.TicketChanges(ctx, order)
}

// offerSecret is the key of the one-time codes of offers: it follows from the key of tickets, which all nodes have.
func (s *Service) offerSecret() []byte {
	sum := sha256.Sum256(append([]byte("ticketrush/offers/v1"), s.config.TicketKey.Seed()...))
	return sum[:]
}
