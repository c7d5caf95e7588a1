package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// The ledger's states of a seat.
const (
	ledgerHeld   = 1
	ledgerPaying = 2
	ledgerSold   = 3
)

// find reads in the ledger what became of each seat that anybody touched, as the last operation of its history.
func (d *deployment) find(ctx context.Context, db *ledger.DB, r *Report) error {
	parts := make([]int32, stock.Partitions)
	for i := range parts {
		parts[i] = int32(i)
	}
	from := time.Now()
	loaded, err := db.Load(ctx, parts)
	if err != nil {
		return fmt.Errorf("read the stock: %w", err)
	}
	to := time.Now()
	events, err := db.Events(ctx)
	if err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	event := events[slices.IndexFunc(events, func(e ledger.Event) bool { return e.Slug == eventSlug })] // ours
	rows := make(map[int64]ledger.SeatRow, len(loaded.Seats))
	for _, row := range loaded.Seats {
		if row.Event == event.ID {
			rows[row.Seat] = row
		}
	}
	var shares []stock.SegmentNo
	for _, s := range event.Segments {
		if int(s.Home) == d.crowd.places.standing {
			shares = append(shares, stock.SegmentNo(s.Segment))
		}
	}
	untold := map[uuid.UUID]bool{}
	for _, label := range d.history.labels() {
		row := rows[d.crowd.places.seatID(label, shares)]
		found := seat{}
		switch row.State {
		case ledgerHeld:
			if !d.history.knows(row.Hold) { // for everybody the seat is free until it ends
				untold[row.Hold] = true
				break
			}
			found = seat{stateHeld, row.Hold}
		case ledgerSold:
			found = seat{stateSold, row.Hold}
		case ledgerPaying:
			r.Wrong = append(r.Wrong, fmt.Sprintf("seat %s is still being paid when nothing is under way", label))
			continue
		}
		if found.state == stateSold {
			r.Sold++
		}
		d.history.add([]string{label}, op{verb: verbFind, find: found}, from, to)
	}
	// A refusal is not remembered under its key: a copy of the request that a cut network or a frozen node kept, and that is carried out after the client
	// was refused elsewhere, may find the seats free. Nobody knows of that hold, and it ends by itself. So does one that was taken for an order that was
	// paid late, and ended before the seats were its own.
	r.Untold += len(untold)
	if may := d.book.count(lateRefusal) + d.crowd.money.Refunds.Late; len(untold) > may {
		r.Wrong = append(r.Wrong, fmt.Sprintf("%d holds are in the ledger that nobody was told of, and only %d requests were refused after they had been sent more than once, or paid late", len(untold), may))
	}
	return nil
}
