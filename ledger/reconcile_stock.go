package ledger

import (
	"context"
	"fmt"

	"ticketrush/ledger/db"
)

var stockChecks = []check{
	whole("segments", "capacity = available + held + paying + sold, and the counters are those of the seats", checkSegments),
	whole("seats", "the journal, replayed, gives the seats", checkReplay),
	whole("movements", "each seat's versions are 1, 2, 3… and each movement starts where the last one ended", checkMovements),
	whole("sequences", "each partition's batches are 1, 2, 3… up to its applied_seq, and its epochs 1, 2, 3… up to its epoch", checkSequences),
	whole("epochs", "each batch and movement was written under the epoch that owned its partition then", checkEpochs),
	check{"chain", "each batch's hash, recomputed, links to the one before it, and its movements are the ones that were asked for", []func(context.Context, *reconciler) error{checkChain(0), checkChain(1), checkChain(2), checkChain(3)}},
	whole("sales", "sold seats are the live sales, and sales are the journal's", checkSales),
	whole("holds", "live holds have their seats, ended ones have none; of those over several segments none is being tried for long", checkHolds),
	whole("limits", "each buyer's counter is what they hold, pay for and bought", checkQuota),
	whole("grants", "the capacities of an area's segments and the grants under way between them are what the area was put on sale with", checkGrants),
}

// stateNames are the names of a seat's states.
var stateNames = [...]string{"available", "held", "paying", "sold"}

func stateName(s int16) string {
	if s < 0 || int(s) >= len(stateNames) {
		return "nothing"
	}
	return stateNames[s]
}

func segmentRow(event, segment int32) string {
	return fmt.Sprintf("segments event %d segment %d", event, segment)
}

func seatRow(event int32, seat int64) string {
	return fmt.Sprintf("seats event %d seat %d (segment %d, index %d)", event, seat, seat>>24, seat&unitMask)
}

func movementRow(part int32, seq int64, rowNo int32) string {
	return fmt.Sprintf("seat_movements part %d seq %d row %d", part, seq, rowNo)
}

func batchRow(part int32, seq int64) string {
	return fmt.Sprintf("flush_batches part %d seq %d", part, seq)
}

func saleRow(event int32, seat int64, ver int32) string {
	return fmt.Sprintf("sales event %d seat %d version %d", event, seat, ver)
}

func checkSegments(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileSegmentsRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileSegments(ctx, r.tx, db.ReconcileSegmentsParams{Event: r.event, MaxRows: r.limit()})
	for _, s := range rows {
		kind := "seats"
		if s.Area {
			kind = "units"
		}
		r.broken(segmentRow(s.Event, s.Segment), "capacity %d, counters held %d paying %d sold %d, but its %s are available %d held %d paying %d sold %d",
			s.Capacity, s.Held, s.Paying, s.Sold, kind, s.SeatsAvailable, s.SeatsHeld, s.SeatsPaying, s.SeatsSold)
	}
	return err
}

func checkReplay(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileReplayRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileReplay(ctx, r.tx, db.ReconcileReplayParams{Event: r.event, MaxRows: r.limit()})
	for _, s := range rows {
		row := seatRow(s.Event, s.Seat)
		switch {
		case s.Ver < 0:
			r.broken(row, "the journal has it up to version %d (%s), but there is no such seat, or it was never touched", s.JournalVer, stateName(s.JournalState))
		case s.JournalVer < 0:
			r.broken(row, "it is %s at version %d, but the journal has no movement of it", stateName(s.State), s.Ver)
		case s.State != s.JournalState || s.Ver != s.JournalVer:
			r.broken(row, "it is %s at version %d, but the journal ends with %s at version %d", stateName(s.State), s.Ver, stateName(s.JournalState), s.JournalVer)
		case s.Hold != s.JournalHold:
			r.broken(row, "it belongs to hold %q, but to %q in the journal", s.Hold, s.JournalHold)
		default:
			r.broken(row, "it belongs to order %q attempt %d, but to %q attempt %d in the journal", s.OrderID, s.Attempt, s.JournalOrderID, s.JournalAttempt)
		}
	}
	return err
}

func checkMovements(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileMovementsRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileMovements(ctx, r.tx, db.ReconcileMovementsParams{Event: r.event, MaxRows: r.limit()})
	for _, m := range rows {
		row := movementRow(m.Part, m.Seq, m.RowNo)
		switch {
		case m.SeatVer != m.PrevVer+1:
			r.broken(row, "event %d seat %d goes from version %d to %d: movements are missing", m.Event, m.Seat, m.PrevVer, m.SeatVer)
		case m.FromState != m.PrevState:
			r.broken(row, "event %d seat %d version %d starts %s, but the one before ended %s", m.Event, m.Seat, m.SeatVer, stateName(m.FromState), stateName(m.PrevState))
		default:
			r.broken(row, "event %d seat %d version %d is moved for hold %s, but belonged to hold %s", m.Event, m.Seat, m.SeatVer, m.Hold, m.PrevHold)
		}
	}
	return err
}

func checkSequences(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcilePartsRows(ctx, r.tx)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileSequences(ctx, r.tx, r.limit())
	for _, p := range rows {
		row := fmt.Sprintf("part %d", p.Part)
		if p.AppliedSeq != p.LastSeq || p.AppliedSeq != p.Batches {
			r.broken(row, "applied_seq is %d, but flush_batches has %d batches and ends at %d", p.AppliedSeq, p.Batches, p.LastSeq)
			continue
		}
		r.broken(row, "epoch is %d, of which %d came from restores, but part_epochs has %d claims and ends at %d", p.Epoch, p.Jumped, p.Claims, p.LastEpoch)
	}
	return err
}

func checkEpochs(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileEpochsRows(ctx, r.tx)
	if err != nil {
		return err
	}
	r.rows(n)
	batches, err := r.q.ReconcileEpochs(ctx, r.tx, r.limit())
	if err != nil {
		return err
	}
	for _, b := range batches {
		row := batchRow(b.Part, b.Seq)
		if b.StartSeq < 0 {
			r.broken(row, "it was written under epoch %d, which nobody claimed", b.Epoch)
			continue
		}
		r.broken(row, "it was written under epoch %d, which has the sequence numbers after %d up to %d (-1: the last epoch)", b.Epoch, b.StartSeq, b.EndSeq)
	}
	movements, err := r.q.ReconcileMovementEpochs(ctx, r.tx, r.limit())
	for _, m := range movements {
		row := movementRow(m.Part, m.Seq, m.RowNo)
		if m.BatchEpoch < 0 {
			r.broken(row, "there is no batch %d of partition %d", m.Seq, m.Part)
			continue
		}
		r.broken(row, "it says epoch %d, its batch says %d", m.Epoch, m.BatchEpoch)
	}
	return err
}

func checkSales(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileSalesRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileSales(ctx, r.tx, db.ReconcileSalesParams{Event: r.event, MaxRows: r.limit()})
	if err != nil {
		return err
	}
	for _, s := range rows {
		switch {
		case s.SoldVer < 0:
			r.broken(seatRow(s.Event, s.Seat), "it is sold at version %d to order %s, but has no live sale", s.SeatVer, s.SeatOrderID)
		case s.SeatVer < 0:
			r.broken(saleRow(s.Event, s.Seat, s.SoldVer), "it is a live sale to order %s, but the seat is not sold", s.SaleOrderID)
		default:
			r.broken(saleRow(s.Event, s.Seat, s.SoldVer), "the sale is to order %s at version %d, the seat is sold to %s at version %d, or their holds differ",
				s.SaleOrderID, s.SoldVer, s.SeatOrderID, s.SeatVer)
		}
	}
	moves, err := r.q.ReconcileSaleMovements(ctx, r.tx, db.ReconcileSaleMovementsParams{Event: r.event, MaxRows: r.limit()})
	for _, m := range moves {
		row := saleRow(m.Event, m.Seat, m.Ver)
		switch {
		case m.JournalSeq < 0:
			r.broken(row, "the journal has no such sell")
		case m.SoldSeq < 0:
			r.broken(row, "the journal sold it at sequence %d to order %s, but there is no such sale", m.JournalSeq, m.JournalOrderID)
		case m.Price != m.JournalPrice:
			r.broken(row, "the sale's price is %d, the journal's %d", m.Price, m.JournalPrice)
		case m.EndedSeq != m.JournalEndedSeq:
			r.broken(row, "the sale ended at sequence %d, in the journal at %d (-1: it did not)", m.EndedSeq, m.JournalEndedSeq)
		default:
			r.broken(row, "the sale is of order %s at sequence %d, the journal's of order %s at %d, or their holds or partitions differ", m.OrderID, m.SoldSeq, m.JournalOrderID, m.JournalSeq)
		}
	}
	return err
}

func checkHolds(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileHoldsRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileHolds(ctx, r.tx, db.ReconcileHoldsParams{Event: r.event, MaxRows: r.limit()})
	for _, h := range rows {
		row := fmt.Sprintf("holds %s (event %d segment %d)", h.ID, h.Event, h.Segment)
		switch {
		case h.State < 0:
			r.broken(row, "%d seats are held and %d sold for it, but there is no such hold", h.Kept, h.Sold)
		case h.State == 1:
			r.broken(row, "it is live with %d seats, but %d seats are held or paid for it", h.Quantity, h.Kept)
		default:
			r.broken(row, "it has ended, but %d seats are still held or paid for it", h.Kept)
		}
	}
	if err != nil {
		return err
	}
	return checkWide(ctx, r)
}

func checkQuota(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileQuotaRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileQuota(ctx, r.tx, db.ReconcileQuotaParams{Event: r.event, MaxRows: r.limit()})
	for _, q := range rows {
		r.broken(fmt.Sprintf("quota event %d dimension %d key %s", q.Event, q.Dimension, q.Key), "the counter is %d, but live holds and sales make %d", q.Counter, q.Due)
	}
	if err != nil {
		return err
	}
	seats, err := r.q.ReconcileDocuments(ctx, r.tx, db.ReconcileDocumentsParams{Event: r.event, MaxRows: r.limit()})
	for _, s := range seats {
		r.broken(fmt.Sprintf("holds %s (event %d)", s.ID, s.Event), "%d of its documents stand for its seat %d: what that gives back is not known", s.Documents, s.Seat)
	}
	return err
}
