package order

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// Doors are open from and until so long around an event's start.
const (
	DoorsBefore = 24 * time.Hour
	DoorsAfter  = ticketLife
)

// TicketsForGate are the valid tickets of an event.
func (s *Service) TicketsForGate(ctx context.Context, event int32) ([]ledger.GateTicket, error) {
	return s.ledger.TicketsForGate(ctx, event)
}

// TicketsRevoked are at most count void tickets of an event, after a place in the list.
func (s *Service) TicketsRevoked(ctx context.Context, event int32, after time.Time, afterID uuid.UUID, count int32) ([]ledger.RevokedTicket, error) {
	return s.ledger.TicketsRevoked(ctx, event, after, afterID, count)
}

// CheckIn writes a scan down that is made now; of two at once one is first. request names it: the same again gets the same answer.
func (s *Service) CheckIn(ctx context.Context, event int32, ticket uuid.UUID, gate string, apiKey, request uuid.UUID) (ledger.CheckinVerdict, error) {
	return s.ledger.CheckIn(ctx, event, ledger.Scan{Ticket: ticket, Gate: gate, At: s.config.Now()}, apiKey, request)
}

// CheckInLate writes scans down that gates made without a network.
func (s *Service) CheckInLate(ctx context.Context, event int32, scans []ledger.Scan, apiKey uuid.UUID) ([]ledger.CheckinVerdict, error) {
	return s.ledger.CheckInLate(ctx, event, scans, apiKey)
}
