package order

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// offerCodeBytes is the length of an offer's code before it is written as text: 100 bits, which nobody guesses, and 20 characters to read out.
const offerCodeBytes = 13

const offerCodeChars = 20

// offerText writes codes without the letters that people take for others.
var offerText = base32.NewEncoding("ABCDEFGHJKLMNPQRSTUVWXYZ23456789").WithPadding(base32.NoPadding)

// Offer is an offer of a ticket. Code is its one-time code, for whoever has the ticket; it is computed, and kept nowhere.
type Offer struct {
	ledger.TicketOffer
	Code string
}

// OfferCode is the code of an offer, for whoever may see its ticket.
func (s *Service) OfferCode(offer uuid.UUID) string {
	mac := hmac.New(sha256.New, s.offerSecret())
	mac.Write(offer[:])
	return offerText.EncodeToString(mac.Sum(nil)[:offerCodeBytes])[:offerCodeChars]
}

// plainCode reads a code as people type it: spaces and dashes do not matter, nor does the size of letters.
func plainCode(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(text)))
}

// OfferTicket offers a ticket to whoever has the code, until a time, or until the event's own deadline. again says that the request has made it before.
// TicketRefused when it may not be, ErrNotFound when there is no such ticket.
func (s *Service) OfferTicket(ctx context.Context, ticket, request uuid.UUID, expires time.Time) (o Offer, again bool, err error) {
	id := derived("ticket.offer", ticket, request)
	code := s.OfferCode(id)
	out, err := s.ledger.TicketOfferInsert(ctx, ticket, id, sha256.Sum256([]byte(code)), expires, s.config.Now())
	if again, err = changed(out, err); err != nil {
		return o, false, err
	}
	found, err := s.ledger.TicketOfferGet(ctx, id)
	return Offer{TicketOffer: found, Code: code}, again, err
}

// CancelOffer takes an offer back; again says that it had ended before.
func (s *Service) CancelOffer(ctx context.Context, ticket, offer uuid.UUID) (again bool, err error) {
	return changed(s.ledger.TicketOfferCancel(ctx, ticket, offer, s.config.Now()))
}

// ShowOffer finds the offer of a code, for whoever was given it. It refuses what AcceptOffer would refuse now, and changes nothing.
func (s *Service) ShowOffer(ctx context.Context, code string) (ledger.TicketOffer, error) {
	offer, err := s.offerByCode(ctx, code)
	switch {
	case err != nil:
		return offer, err
	case offer.State == "accepted":
		return offer, &TicketRefused{Why: ledger.ChangeOfferAccepted}
	case offer.State != "open", !s.config.Now().Before(offer.ExpiresAt):
		return offer, &TicketRefused{Why: ledger.ChangeOfferOver}
	case offer.Void:
		return offer, &TicketRefused{Why: ledger.ChangeVoid}
	case !offer.Changeable:
		return offer, &TicketRefused{Why: ledger.ChangeOrder}
	}
	return offer, nil
}

func (s *Service) offerByCode(ctx context.Context, code string) (ledger.TicketOffer, error) {
	offer, err := s.ledger.TicketOfferByCode(ctx, sha256.Sum256([]byte(plainCode(code))))
	if errors.Is(err, ledger.ErrNotFound) {
		return offer, ErrNotFound
	}
	return offer, err
}

// AcceptOffer gives the ticket of an offer to an owner, a pseudonym of their account: the old ticket is void and a new one issued. request names who
// accepts and by which request; the same one again gets the same ticket. ErrNotFound when there is no such code, TicketRefused when it is of no use any more.
func (s *Service) AcceptOffer(ctx context.Context, code, owner string, request uuid.UUID) (t ledger.Ticket, again bool, err error) {
	offer, err := s.offerByCode(ctx, code)
	if err != nil {
		return t, false, err
	}
	id := derived("ticket.accept", offer.ID, request)
	signed, err := s.sign(ctx, offer.Event, id, offer.Seat, offer.Type, [8]byte{})
	if err != nil {
		return t, false, err
	}
	out, err := s.ledger.TicketAccept(ctx, offer.ID, id, signed, owner, request, s.config.Now())
	if again, err = changed(out, err); err != nil {
		return t, false, err
	}
	t, err = s.Ticket(ctx, id)
	return t, again, err
}
