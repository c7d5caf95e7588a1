package reconcile

import (
	"context"
	"math"

	"ticketrush/ledger/db"
)

// The walk reads the journal once, partition by partition in the order in which it was written, and does what a node does that takes a partition over, with
// a check at each step: it verifies the chain, replays the movements, and compares what comes out with the seats and the sales. A seat belongs to one
// partition for ever, so what is in memory is the seats of some partitions.

// journalChecks are the checks that one walk makes. What a walk took is said of the first of them.
var journalChecks = []string{"chain", "movements", "seats", "epochs", "sales"}

const (
	// walkShares is into how many shares of about as many batches the partitions are divided, for as many connections.
	walkShares = 4
	// groupBatches is how many batches the partitions have together that are walked as one, so that small ones do not cost a question each.
	groupBatches = 2000
	// pageBatches bounds how many batches, with their movements, are in memory at once.
	pageBatches = 500
)

// walk is a walk over the partitions of one share.
type walk struct {
	r                                       *reconciler
	chain, movements, seats, epochs, saleOf *tally
	rows                                    []journalRow
	replay                                  replay
}

// walkJournal is the share of a number of all walks.
func walkJournal(share int) func(context.Context, *reconciler) error {
	return func(ctx context.Context, r *reconciler) error {
		parts, err := r.q.ReconcileParts(ctx, r.tx, r.event)
		if err != nil {
			return err
		}
		w := walk{
			r: r, chain: r.of("chain"), movements: r.of("movements"), seats: r.of("seats"), epochs: r.of("epochs"), saleOf: r.of("sales"),
			replay: newReplay(),
		}
		parts = shareOf(parts, share)
		for len(parts) > 0 {
			n, batches := 1, parts[0].AppliedSeq
			// Between the partitions of one event there may be others.
			for n < len(parts) && batches+parts[n].AppliedSeq <= groupBatches && (r.event == 0 || parts[n].Part == parts[n-1].Part+1) {
				batches += parts[n].AppliedSeq
				n++
			}
			if err := w.group(ctx, parts[:n]); err != nil {
				return err
			}
			parts = parts[n:]
		}
		return nil
	}
}

// shareOf are neighbours that have a share's number of all batches.
func shareOf(parts []db.ReconcilePartsRow, share int) []db.ReconcilePartsRow {
	var all, before int64
	for _, p := range parts {
		all += p.AppliedSeq + 1
	}
	first, end := len(parts), len(parts)
	for i, p := range parts {
		of := int(before * walkShares / max(all, 1))
		if of == share && first == len(parts) {
			first = i
		}
		if of > share {
			end = i
			break
		}
		before += p.AppliedSeq + 1
	}
	return parts[min(first, end):end]
}

// group walks partitions; those between them have nothing.
func (w *walk) group(ctx context.Context, parts []db.ReconcilePartsRow) error {
	first, last := parts[0].Part, parts[len(parts)-1].Part
	tenures, err := readTenures(ctx, w.r, first, last)
	if err != nil {
		return err
	}
	w.replay.reset()
	c := chain{tally: w.chain, parts: parts}
	c.begin()
	end := place{last, math.MaxInt64}
	for after := (place{first, 0}); after.before(end); {
		batches, err := w.r.q.BatchPage(ctx, w.r.tx, db.BatchPageParams{Part: after.part, After: after.seq, LastPart: last, MaxRows: pageBatches})
		if err != nil {
			return err
		}
		to := end
		if len(batches) == pageBatches {
			to = place{batches[len(batches)-1].Part, batches[len(batches)-1].Seq}
		}
		packed, err := w.r.q.MovementPage(ctx, w.r.tx, db.MovementPageParams{Part: after.part, After: after.seq, LastPart: to.part, LastSeq: to.seq})
		if err != nil {
			return err
		}
		if w.rows, err = readMovements(packed, w.rows[:0]); err != nil {
			return err
		}
		w.page(&c, tenures, batches)
		after = to
	}
	c.finish()
	return w.compare(ctx, first, last)
}

// page takes batches and all movements until the last of them, or until the end where there is none.
func (w *walk) page(c *chain, tenures tenures, batches []db.BatchPageRow) {
	rows := w.rows
	for i := range batches {
		b := &batches[i]
		at := place{b.Part, b.Seq}
		n := 0
		for n < len(rows) && rows[n].before(at) {
			n++
		}
		w.orphans(rows[:n])
		rows, n = rows[n:], 0
		for n < len(rows) && rows[n].place == at {
			n++
		}
		c.batch(b)
		c.movements(b, rows[:n])
		w.epochs.rows(1)
		tenures.batch(w.epochs, b)
		for j := range rows[:n] {
			if m := &rows[j]; m.epoch != b.Epoch {
				w.epochs.broken(movementRow(m), "it says epoch %d, its batch says %d", m.epoch, b.Epoch)
			}
		}
		w.take(rows[:n])
		rows = rows[n:]
	}
	w.orphans(rows)
}

// orphans are movements of batches that are not there.
func (w *walk) orphans(rows []journalRow) {
	for i := range rows {
		w.epochs.broken(movementRow(&rows[i]), "there is no batch %d of partition %d", rows[i].seq, rows[i].part)
	}
	w.take(rows)
}

// take replays movements.
func (w *walk) take(rows []journalRow) {
	for i := range rows {
		if m := &rows[i]; w.r.event == 0 || m.Event == w.r.event {
			w.movements.rows(1)
			w.replay.take(w.movements, m)
		}
	}
}

// compare compares what the journal made with the seats and sales of the partitions.
func (w *walk) compare(ctx context.Context, first, last int32) error {
	packed, err := w.r.q.SeatPage(ctx, w.r.tx, db.SeatPageParams{FirstPart: first, LastPart: last, Event: w.r.event})
	if err != nil {
		return err
	}
	if err := readSeats(packed, func(s *seatRecord) {
		w.seats.rows(1)
		w.replay.seat(w.seats, s)
	}); err != nil {
		return err
	}
	if packed, err = w.r.q.SalePage(ctx, w.r.tx, db.SalePageParams{FirstPart: first, LastPart: last, Event: w.r.event}); err != nil {
		return err
	}
	if err := readSales(packed, func(s *saleRecord) {
		w.saleOf.rows(1)
		w.replay.sale(w.saleOf, s)
	}); err != nil {
		return err
	}
	w.replay.rest(w.seats, w.saleOf)
	return nil
}

// tenures are the epochs of partitions: after which sequence number each began.
type tenures map[int32][]db.ReconcileTenuresRow

func readTenures(ctx context.Context, r *reconciler, first, last int32) (tenures, error) {
	rows, err := r.q.ReconcileTenures(ctx, r.tx, db.ReconcileTenuresParams{FirstPart: first, LastPart: last})
	t := tenures{}
	for _, e := range rows {
		t[e.Part] = append(t[e.Part], e)
	}
	return t, err
}

// batch checks that a batch was written under the epoch that owned its partition then.
func (t tenures) batch(found *tally, b *db.BatchPageRow) {
	of := t[b.Part]
	for i, e := range of {
		if e.Epoch != b.Epoch {
			continue
		}
		end := int64(-1)
		if i+1 < len(of) {
			end = of[i+1].StartSeq
		}
		if b.Seq <= e.StartSeq || end >= 0 && b.Seq > end {
			found.broken(batchRow(b.Part, b.Seq), "it was written under epoch %d, which has the sequence numbers after %d up to %d (-1: the last epoch)", b.Epoch, e.StartSeq, end)
		}
		return
	}
	found.broken(batchRow(b.Part, b.Seq), "it was written under epoch %d, which nobody claimed", b.Epoch)
}

// seenBy says by which check all rows of a table are seen.
var seenBy = []struct {
	check, table string
	rows         func(all *db.StockRowsRow) int64
}{
	{"movements", "seat_movements", func(all *db.StockRowsRow) int64 { return all.Movements }},
	{"chain", "flush_batches", func(all *db.StockRowsRow) int64 { return all.Batches }},
	{"seats", "seats", func(all *db.StockRowsRow) int64 { return all.Seats }},
	{"sales", "sales", func(all *db.StockRowsRow) int64 { return all.Sales }},
}

// checkSeen proves that the walks have seen all there is: rows of partitions or segments that do not exist are in no walk.
func checkSeen(all *db.StockRowsRow, found []Check, event, most int32) {
	for _, seen := range seenBy {
		for i := range found {
			c := &found[i]
			if c.Name != seen.check || c.Rows == seen.rows(all) || seen.check == "chain" && event != 0 { // batches belong to no event
				continue
			}
			t := tally{Check: c, most: most}
			t.broken(seen.table, "it has %d rows, of which %d belong to a partition or segment that is there", seen.rows(all), c.Rows)
		}
	}
}
