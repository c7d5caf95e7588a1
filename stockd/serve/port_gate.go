package serve

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/api"
	"ticketrush/stockd/gate"
	"ticketrush/stockd/stock"
)

// GateTickets are the valid tickets of an event.
func (p *orderPort) GateTickets(ctx context.Context, event stock.EventID) ([]api.GateTicket, error) {
	list, err := p.TicketsForGate(ctx, int32(event))
	out := make([]api.GateTicket, 0, len(list))
	for _, t := range list {
		out = append(out, api.GateTicket{ID: t.ID, Seat: stock.SeatID(t.Seat), Code: t.Code, Holder: t.Holder, Document: t.Document, Salt: t.Salt})
	}
	return out, orderError(err)
}

// GateTicket is what a gate would take along of one ticket.
func (p *orderPort) GateTicket(ctx context.Context, id uuid.UUID) (t api.GateTicket, void string, err error) {
	found, err := p.Service.Ticket(ctx, id)
	return api.GateTicket{ID: found.ID, Seat: stock.SeatID(found.Seat), Code: found.Code, Holder: found.Holder, Document: found.Document, Salt: found.Salt},
		found.VoidReason, orderError(err)
}

// Revoked are void tickets of an event, after a place in the list.
func (p *orderPort) Revoked(ctx context.Context, event stock.EventID, after time.Time, afterID uuid.UUID, count int) ([]api.RevokedTicket, error) {
	list, err := p.TicketsRevoked(ctx, int32(event), after, afterID, int32(count))
	out := make([]api.RevokedTicket, 0, len(list))
	for _, t := range list {
		out = append(out, api.RevokedTicket(t))
	}
	return out, orderError(err)
}

// CheckIn writes a scan down that is made now.
func (p *orderPort) CheckIn(ctx context.Context, event stock.EventID, ticket uuid.UUID, gate string, apiKey uuid.UUID, req stock.Request) (api.CheckinVerdict, error) {
	v, err := p.Service.CheckIn(ctx, int32(event), ticket, gate, apiKey, requestID(req))
	return verdictOf(v), orderError(err)
}

// CheckInLate writes scans down that gates made without a network.
func (p *orderPort) CheckInLate(ctx context.Context, event stock.EventID, scans []gate.Scan, apiKey uuid.UUID) ([]api.CheckinVerdict, error) {
	list := make([]ledger.Scan, 0, len(scans))
	for _, s := range scans {
		list = append(list, ledger.Scan(s))
	}
	found, err := p.Service.CheckInLate(ctx, int32(event), list, apiKey)
	out := make([]api.CheckinVerdict, 0, len(found))
	for _, v := range found {
		out = append(out, verdictOf(v))
	}
	return out, orderError(err)
}

func verdictOf(v ledger.CheckinVerdict) api.CheckinVerdict {
	return api.CheckinVerdict{Known: v.Known, VoidReason: v.VoidReason, Again: v.Again, First: gate.Scan(v.First)}
}
