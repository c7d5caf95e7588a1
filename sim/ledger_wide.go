package sim

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// Holds over several segments: the calls that write their rows, and what a flush compares with them.

// segments are the segments of a hold.
func (h *holdRow) segments() []segmentKey {
	if !h.wide() {
		return []segmentKey{h.segment}
	}
	var keys []segmentKey
	for _, no := range h.legs {
		keys = append(keys, segmentKey{h.segment.event, no})
	}
	return keys
}

// Outcomes of the calls about rows, beside those of a flush.
const (
	wideDone    int32 = 0
	wideLacking int32 = 62
)

// wall is the wall against a request that was answered before; a new one is written down.
func (l *Ledger) wall(r stock.Request, kind stock.Kind, hold, o uuid.UUID) int32 {
	if r.Key == noID {
		return wideDone
	}
	key := requestKey{r.Scope, r.Key}
	known, found := l.keys[key]
	switch {
	case !found:
		l.keys[key] = keyRow{fingerprint: r.Fingerprint, kind: kind, hold: hold, order: o}
		return wideDone
	case known.fingerprint == r.Fingerprint:
		return int32(stock.OutcomeReplay)
	}
	return int32(stock.OutcomeKeyReused)
}

func (l *Ledger) forget(r stock.Request) { delete(l.keys, requestKey{r.Scope, r.Key}) }

// remember writes a final refusal down, and the outcome of one that is a number.
func (l *Ledger) remember(r stock.Request, code stock.Code, outcome stock.Outcome) {
	if r.Key != noID {
		row := l.keys[requestKey{r.Scope, r.Key}]
		row.refused, row.outcome = code, outcome
		l.keys[requestKey{r.Scope, r.Key}] = row
	}
}

// WideBegin begins to try a hold, or tries one anew that was dropped or is overdue. It returns the try, or 0: it is being tried; or a negative outcome.
func (l *Ledger) WideBegin(w *stock.WideHold, part stock.PartitionID, tryFor time.Duration) int32 {
	if code := l.wall(w.Request, stock.KindHold, w.ID, noID); code != wideDone {
		return -code
	}
	h := l.holds[w.ID]
	try := int32(1)
	if h != nil {
		switch {
		case h.state == holdTrying && h.until <= l.Clock():
			l.giveBackHold(h)
			h.state = holdDropped
		case h.state != holdDropped:
			l.forget(w.Request)
			return map[int16]int32{holdTrying: 0, holdHeld: -int32(stock.OutcomeReplay), holdEnded: -int32(stock.OutcomeHoldGone)}[h.state]
		}
		try = h.try + 1
	}
	if over := l.limit(w.Event, w.Quotas, w.Quantity); over != stock.OutcomeApplied {
		l.tally(w.Event, w.Quotas, 0)
		if over == stock.OutcomeLimitBusy {
			l.forget(w.Request)
		} else {
			l.remember(w.Request, stock.CodeLimitReached, over)
		}
		return -int32(over)
	}
	l.tally(w.Event, w.Quotas, w.Quantity)
	l.forget(w.Request)
	l.holds[w.ID] = &holdRow{
		HoldRow: stock.HoldRow{ID: w.ID, Quantity: w.Quantity, Quotas: w.Quotas}, segment: segmentKey{w.Event, 0}, part: part, state: holdTrying, remaining: -1,
		legs: slices.Clone(w.Segments), try: try, until: l.Clock() + tryFor.Microseconds(),
	}
	return try
}

// hasSeats is whether seats, each once, are held by a hold for its try, as many as it is for.
func (l *Ledger) hasSeats(h *holdRow, seats []stock.SeatID) bool {
	seats = slices.Clone(seats)
	slices.Sort(seats)
	n := int32(0)
	for _, id := range slices.Compact(seats) {
		seat := l.segments[segmentKey{h.segment.event, id.Segment()}].seats[id.Index()]
		if seat != nil && seat.Hold == h.ID && seat.Generation == h.try && seat.State == stock.Held {
			n++
		}
	}
	return n == h.Quantity && int32(len(seats)) == h.Quantity
}

// WideCommit is the commit point of a hold over several segments.
func (l *Ledger) WideCommit(id uuid.UUID, try int32, seats []stock.SeatID, deadline, maxExpires int64, r stock.Request) int32 {
	if code := l.wall(r, stock.KindHold, id, noID); code != wideDone {
		return code
	}
	h := l.holds[id]
	switch {
	case h == nil || h.state != holdTrying && (l.wrong != CommitAfterDrop || h.state != holdDropped) || h.try != try:
		l.forget(r)
		return int32(stock.OutcomeNotTrying)
	case (!l.hasSeats(h, seats) || !h.named() && l.wrong != DocumentsUnnamed) && l.wrong != CommitWithoutLegs && l.wrong != CommitAfterDrop:
		l.forget(r)
		return wideLacking
	}
	h.state, h.Deadline, h.MaxExpires = holdHeld, deadline, maxExpires
	return wideDone
}

// WideDrop gives a try up; with overdue only if its time is over.
func (l *Ledger) WideDrop(id uuid.UUID, try int32, overdue bool) bool {
	h := l.holds[id]
	if h == nil || h.state != holdTrying || h.try != try || overdue && h.until > l.Clock() {
		return false
	}
	if l.wrong != DroppedKeepsCount {
		l.giveBackHold(h)
	}
	h.state = holdDropped
	return true
}

// WideExtend gives a hold more time.
func (l *Ledger) WideExtend(id uuid.UUID, deadline int64, r stock.Request) int32 {
	if code := l.wall(r, stock.KindExtend, id, noID); code != wideDone {
		return code
	}
	h := l.holds[id]
	switch {
	case h == nil || h.state != holdHeld || h.Deadline*1000 <= l.Clock():
		l.remember(r, stock.CodeHoldExpired, stock.OutcomeApplied)
		return int32(stock.OutcomeHoldGone)
	case h.Order != noID && l.orders[h.Order].State != order.PendingPayment:
		l.remember(r, stock.CodeIllegal, stock.OutcomeApplied)
		return int32(stock.OutcomeOrderNo)
	}
	h.Deadline = max(h.Deadline, min(deadline, h.MaxExpires))
	return wideDone
}

// WideEnd ends a hold: as its buyer asks, or because its deadline has passed.
func (l *Ledger) WideEnd(id, ordered uuid.UUID, expire bool, r stock.Request, now int64) (int32, error) {
	if code := l.wall(r, stock.KindRelease, id, ordered); code != wideDone {
		return code, nil
	}
	h := l.holds[id]
	switch {
	case h == nil || h.state != holdHeld:
		l.remember(r, stock.CodeHoldExpired, stock.OutcomeApplied)
		return int32(stock.OutcomeHoldGone), nil
	case expire && h.Deadline*1000 > l.Clock():
		return int32(stock.OutcomeNotExpired), nil
	case !expire && ordered != h.Order:
		l.remember(r, stock.CodeIllegal, stock.OutcomeApplied)
		return int32(stock.OutcomeOrderNo), nil
	}
	if o := l.orders[h.Order]; o != nil {
		switch {
		case l.locked[h.Order] > 0:
			l.forget(r)
			return int32(stock.OutcomeOrderLocked), nil
		case o.State == order.PendingPayment:
			to, event := order.Cancelled, order.EventCancel
			if expire {
				to, event = order.Expired, order.EventDeadline
			}
			if err := l.move(o, to, event, o.Attempt, o.PayingUntil, now); err != nil {
				return 0, err
			}
		case o.State == order.Paying || o.State == order.Paid || o.State == order.Issued || o.State > order.Refunded:
			l.remember(r, stock.CodeIllegal, stock.OutcomeApplied)
			return int32(stock.OutcomeOrderNo), nil
		}
	}
	l.giveBackUnsold(h)
	h.state = holdEnded
	return wideDone, nil
}

// WideOrder opens the order of a hold.
func (l *Ledger) WideOrder(id uuid.UUID, n *stock.NewOrder, r stock.Request, now int64) int32 {
	if code := l.wall(r, stock.KindOrder, id, n.ID); code != wideDone {
		return code
	}
	h := l.holds[id]
	ended := h == nil || h.state != holdHeld || h.Deadline*1000 <= l.Clock()
	switch {
	case ended && (h == nil || l.wrong != OrderOnEndedHold):
		l.remember(r, stock.CodeHoldExpired, stock.OutcomeApplied)
		return int32(stock.OutcomeHoldGone)
	case h.Order != noID:
		l.remember(r, stock.CodeIllegal, stock.OutcomeApplied)
		return int32(stock.OutcomeOrderOpen)
	}
	var seats []stock.SeatID
	for _, line := range n.Lines {
		seats = append(seats, line.Seat)
	}
	if !l.hasSeats(h, seats) && l.wrong != OrderOnEndedHold {
		l.forget(r)
		return wideLacking
	}
	l.insertOrder(n, h, now)
	return wideDone
}

// WideRow is what a hold's row says, and whether its time is over.
type WideRow struct {
	stock.WideRow
	Due bool
}

// WideRows reads what the rows say of holds.
func (l *Ledger) WideRows(ids []uuid.UUID) []WideRow {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, byID)
	var rows []WideRow
	for _, id := range slices.Compact(ids) {
		if h := l.holds[id]; h != nil && h.wide() {
			due := h.Deadline*1000 <= l.Clock()
			if h.state == holdTrying || h.state == holdDropped {
				due = h.until <= l.Clock()
			}
			rows = append(rows, WideRow{stock.WideRow{Hold: id, State: stock.WideState(h.state), Try: h.try}, due})
		}
	}
	return rows
}

// wideFollow is WideRows, after the holds whose time is over have been ended: what the owners of legs ask.
func (l *Ledger) wideFollow(ids []uuid.UUID, now int64) ([]stock.WideRow, error) {
	for _, r := range l.WideRows(ids) {
		switch {
		case !r.Due:
		case r.State == stock.WideTrying:
			l.WideDrop(r.Hold, r.Try, true)
		case r.State == stock.WideHeld:
			if _, err := l.WideEnd(r.Hold, noID, true, stock.Request{}, now); err != nil {
				return nil, err
			}
		}
	}
	var rows []stock.WideRow
	for _, r := range l.WideRows(ids) {
		rows = append(rows, r.WideRow)
	}
	return rows, nil
}

// WideLost are the holds that are being tried although their time is over: whoever tried them has ended, perhaps before it took a leg.
func (l *Ledger) WideLost() []uuid.UUID {
	var ids []uuid.UUID
	for id, h := range l.holds {
		if h.state == holdTrying && h.until <= l.Clock() {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, byID)
	return ids
}

// rowsAllow: a leg is taken while its hold is being tried with its try, and freed when that does not keep it.
func (f *flush) rowsAllow() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindLeg && op.Kind != stock.KindUnleg {
			continue
		}
		h := f.holds[op.Hold]
		switch {
		case h == nil:
			f.out[i] = stock.OutcomeNotTrying
		case op.Kind == stock.KindLeg:
			if (h.state != holdTrying || h.try != op.Generation) && f.wrong != LegAfterDrop || !f.name(h, op.Quotas) {
				f.out[i] = stock.OutcomeNotTrying
			}
		case (stock.WideRow{State: stock.WideState(h.state), Try: h.try}).Keeps(op.Generation) && f.wrong != UnlegWithoutRow && f.wrong != LegExpires:
			f.out[i] = stock.OutcomeLegStays
		}
	}
	return nil
}

// endSold ends a hold over several segments with the last of its seats that is sold.
func (f *flush) endSold() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindSell || !op.Leg {
			continue
		}
		sold := true
		o := f.orders[op.Order]
		if o == nil { // a mutant does not look
			continue
		}
		for _, line := range o.Lines {
			sold = sold && f.segments[segmentKey{op.Event, line.Seat.Segment()}].seats[line.Seat.Index()].State == stock.Sold
		}
		if h := f.holds[op.Hold]; sold && h.state == holdHeld {
			h.state = holdEnded
		}
	}
	return nil
}
