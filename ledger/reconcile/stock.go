package reconcile

import (
	"context"
	"fmt"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
)

var stockChecks = []check{
	{"segments", "capacity = available + held + paying + sold, and the counters are those of the seats", checkSegments},
	{"seats", "the journal, replayed, gives the seats", nil},
	{"movements", "each seat's versions are 1, 2, 3… and each movement starts where the last one ended", nil},
	{"sequences", "each partition's batches are 1, 2, 3… up to its applied_seq, and its epochs 1, 2, 3… up to its epoch", checkSequences},
	{"epochs", "each batch and movement was written under the epoch that owned its partition then", nil},
	{"chain", "each batch's hash, recomputed, links to the one before it, and its movements are the ones that were asked for", nil},
	{"sales", "sold seats are the live sales, and sales are the journal's", nil},
	{"holds", "live holds have their seats, ended ones have none; of those over several segments none is being tried for long", checkHolds},
	{"limits", "each buyer's counter is what they hold, pay for and bought", checkQuota},
	{"grants", "the capacities of an area's segments and the grants under way between them are what the area was put on sale with", checkGrants},
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
	return fmt.Sprintf("seats event %d seat %d (segment %d, index %d)", event, seat, seat>>24, seat&(1<<24-1))
}

func movementRow(m *journalRow) string {
	return fmt.Sprintf("seat_movements part %d seq %d row %d", m.part, m.seq, m.no)
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

// checkWide compares the rows of holds over several segments with their seats.
func checkWide(ctx context.Context, r *reconciler) error {
	rows, err := r.q.ReconcileWide(ctx, r.tx, db.ReconcileWideParams{Event: r.event, MaxRows: r.limit()})
	for _, h := range rows {
		row := fmt.Sprintf("holds %s (event %d, over several segments)", h.ID, h.Event)
		switch {
		case h.Elsewhere > 0:
			r.broken(row, "%d of its seats are in segments that are not its", h.Elsewhere)
		case h.Former > 0:
			r.broken(row, "it was decided at try %d a while ago, but %d seats are still kept for earlier tries", h.Try, h.Former)
		case h.State == ledger.HoldTrying:
			r.broken(row, "it is being tried (try %d) for longer than it may, or with more than its %d seats: %d held, %d sold", h.Try, h.Quantity, h.Kept, h.Sold)
		case h.State == ledger.HoldHeld:
			r.broken(row, "it is held with %d seats, but %d are held or paid for it, and %d sold", h.Quantity, h.Kept, h.Sold)
		default:
			r.broken(row, "it was dropped or has ended a while ago, but %d seats are still held or paid for it, and %d sold", h.Kept, h.Sold)
		}
	}
	return err
}

func checkGrants(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileGrantsRows(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	r.rows(n)
	segments, err := r.q.ReconcileGrants(ctx, r.tx, db.ReconcileGrantsParams{Event: r.event, MaxRows: r.limit()})
	if err != nil {
		return err
	}
	for _, s := range segments {
		r.broken(segmentRow(s.Event, s.Segment), "it opened with %d and its grants make %+d, but its capacity is %d", s.Opened, s.Moved, s.Capacity)
	}
	areas, err := r.q.ReconcileAreas(ctx, r.tx, db.ReconcileAreasParams{Event: r.event, MaxRows: r.limit()})
	if err != nil {
		return err
	}
	for _, a := range areas {
		r.broken(fmt.Sprintf("segments event %d of home %d", a.Event, a.Home), "they opened with %d, but have %d and %d are under way", a.Opened, a.Capacity, a.UnderWay)
	}
	grants, err := r.q.ReconcileGrantBatches(ctx, r.tx, db.ReconcileGrantBatchesParams{Event: r.event, MaxRows: r.limit()})
	for _, g := range grants {
		r.broken(fmt.Sprintf("grants %s", g.ID), "event %d, %d places from segment %d to %d: the segments are not of one area, or there is no batch that gave or took it",
			g.Event, g.N, g.FromSeg, g.ToSeg)
	}
	return err
}
