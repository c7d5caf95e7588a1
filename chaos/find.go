package chaos

import (
	"context"
	"fmt"
	"time"

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
	rows := make(map[int64]ledger.SeatRow, len(loaded.Seats))
	for _, row := range loaded.Seats {
		rows[row.Seat] = row
	}
	events, err := db.Events(ctx)
	if err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	var shares []stock.SegmentNo
	for _, s := range events[0].Segments { // there is one event
		if int(s.Home) == d.crowd.places.standing {
			shares = append(shares, stock.SegmentNo(s.Segment))
		}
	}
	for _, label := range d.history.labels() {
		row := rows[d.crowd.places.seatID(label, shares)]
		found := seat{}
		switch row.State {
		case ledgerHeld:
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
	return nil
}
