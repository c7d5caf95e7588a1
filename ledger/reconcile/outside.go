package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
)

// OutsideTicket is a ticket that somebody holds, as its code says.
type OutsideTicket struct {
	Where  string // where the code was found, for people: "line 7"
	Ticket uuid.UUID
	Event  uuid.UUID
	Seat   int64
}

// outsideChunk is how many tickets are looked up at a time.
const outsideChunk = 1000

// Tickets compares tickets that people hold with the ledger: what was sold after the time to which a ledger was restored is in their
// hands only. Each ticket that the ledger does not have, has voided, or has for another seat, is a break, which says what has become of its seat.
func Tickets(ctx context.Context, l *ledger.DB, outside []OutsideTicket) (*Check, error) {
	begin := time.Now()
	check := &Check{Name: "outside", About: "the tickets that people hold are those of the ledger", Breaks: []Break{}}
	for len(outside) > 0 {
		chunk := outside[:min(len(outside), outsideChunk)]
		outside = outside[len(chunk):]
		var p db.TicketsOutsideParams
		for _, t := range chunk {
			p.Tickets, p.Events, p.Seats = append(p.Tickets, t.Ticket), append(p.Events, t.Event), append(p.Seats, t.Seat)
		}
		rows, err := queries.TicketsOutside(ctx, l.SQL(), p)
		if err != nil {
			return nil, fmt.Errorf("compare tickets: %w", ledger.Explain(err))
		}
		check.Rows += int64(len(chunk))
		for _, r := range rows {
			if text := outsideBreak(&r); text != "" {
				t := chunk[r.N-1]
				check.Breaks = append(check.Breaks, Break{Row: fmt.Sprintf("%s: ticket %s", t.Where, t.Ticket), Text: text})
			}
		}
	}
	check.Took = time.Since(begin)
	return check, nil
}

// outsideBreak says what is wrong with a ticket; nothing when it is as the ledger says.
func outsideBreak(r *db.TicketsOutsideRow) string {
	seat := fmt.Sprintf("seat %s of event %s", r.Label.String, r.Slug.String)
	switch {
	case r.Found && r.VoidedAt.Valid:
		return fmt.Sprintf("%s: it was voided at %s", seat, r.VoidedAt.Time.UTC().Format(time.RFC3339))
	case r.Found && r.Same:
		return ""
	case r.Found:
		return "the ledger has it for another seat or event than its code says: is the code of this system?"
	case !r.Slug.Valid:
		return "the ledger has neither the ticket nor its event"
	case !r.Label.Valid:
		return fmt.Sprintf("the ledger does not have it, and event %s has no such seat: was the place of an area sold after the time of the restore?", r.Slug.String)
	}
	now := "free: take it from sale and give it back to who holds the ticket"
	switch r.State.Int16 {
	case 1:
		now = fmt.Sprintf("held by hold %s", r.Hold.UUID)
	case 2:
		now = fmt.Sprintf("being paid for by order %s", r.OrderID.UUID)
	case stateSold:
		now = fmt.Sprintf("sold to order %s: two people hold a ticket for it", r.OrderID.UUID)
	}
	return fmt.Sprintf("the ledger does not have it; %s is %s", seat, now)
}
