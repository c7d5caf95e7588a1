package sim

import (
	"slices"

	"ticketrush/stockd/stock"
)

// Limits: the counters of buyers, and which of a hold's seats its documents stand for.

// givesBack is whether an operation frees seats that count against limits.
func givesBack(op *stock.Op) bool {
	return op.Kind == stock.KindRelease || op.Kind == stock.KindExpire || op.Kind == stock.KindRefund || op.Kind == stock.KindUnpin && op.Free
}

// limits gives back first, then decides hold by hold, on all dimensions.
func (f *flush) limits() error {
	for i := range f.ops {
		op := &f.ops[i]
		if f.open(i) && givesBack(op.Op) {
			f.tally(op.Event, op.Quotas, -op.Quantity)
		}
	}
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindHold {
			continue
		}
		f.out[i] = f.limit(op.Event, op.Quotas, op.Quantity)
		if f.out[i] == stock.OutcomeApplied || f.wrong == CounterLeaked {
			f.tally(op.Event, op.Quotas, op.Quantity)
		} else {
			f.tally(op.Event, op.Quotas, 0)
		}
	}
	for i := range f.ops {
		for _, q := range f.ops[i].Quotas {
			if n := f.quota[quotaKey{f.ops[i].Event, q.Dimension, q.Key}]; n < 0 {
				return broken("a quota counter fell to %d", n)
			}
		}
	}
	return nil
}

// tally counts some seats against limits, or gives them back when there are fewer than none; with none the counters exist from then on.
func (l *Ledger) tally(event stock.EventID, quotas []stock.Quota, seats int32) {
	for _, q := range quotas {
		key := quotaKey{event, q.Dimension, q.Key}
		switch {
		case seats < 0:
			l.quota[key] -= q.Count(-seats)
		case seats > 0:
			l.quota[key] += q.Count(seats)
		default:
			l.quota[key] += 0
		}
	}
}

// limit decides one hold: over a limit for good, or only because of holds that are still being tried, or within all of them.
func (l *Ledger) limit(event stock.EventID, quotas []stock.Quota, quantity int32) stock.Outcome {
	out := stock.OutcomeApplied
	asked, limits := map[quotaKey]int32{}, map[quotaKey]int32{}
	for _, q := range quotas {
		key := quotaKey{event, q.Dimension, q.Key}
		if asked[key] += q.Count(quantity); limits[key] == 0 || q.Limit < limits[key] {
			limits[key] = q.Limit // of a document that occurs more than once the lowest counts
		}
	}
	for _, q := range quotas {
		key := quotaKey{event, q.Dimension, q.Key}
		n, counted := l.quota[key]
		switch {
		case n+asked[key] <= limits[key] || !counted && l.wrong == FirstCounterUnchecked:
		case n+asked[key]-l.trying(key) > limits[key]:
			return stock.OutcomeLimit(q.Dimension, n)
		default:
			out = stock.OutcomeLimitBusy
		}
	}
	return out
}

// trying is what holds that are still being tried count against a limit.
func (l *Ledger) trying(key quotaKey) (n int32) {
	for _, h := range l.holds {
		if h.state != holdTrying || h.segment.event != key.event {
			continue
		}
		for _, q := range h.Quotas {
			if q.Dimension == key.dimension && q.Key == key.key {
				n += q.Count(h.Quantity)
			}
		}
	}
	return n
}

// giveBackHold gives back what a hold counts against limits.
func (l *Ledger) giveBackHold(h *holdRow) {
	quotas := h.Quotas
	if l.wrong == DocumentsKept {
		quotas = slices.DeleteFunc(slices.Clone(quotas), isDocument)
	}
	l.tally(h.segment.event, quotas, -h.Quantity)
}

// giveBackUnsold is the same for a hold that ends with some of its seats sold: those give back by their refund, each once.
func (l *Ledger) giveBackUnsold(h *holdRow) {
	rest := *h
	sold := l.soldOf[h.ID]
	rest.Quantity -= int32(len(sold))
	rest.Quotas = slices.DeleteFunc(slices.Clone(h.Quotas), func(q stock.Quota) bool { return isDocument(q) && slices.Contains(sold, q.Seat) })
	l.giveBackHold(&rest)
}

func isDocument(q stock.Quota) bool { return q.Dimension == stock.DimensionDocument }

// name writes to a hold's row for which seats of a leg its documents stand: each to the first of that key that stands for none yet. False, and nothing
// is written, when one of them is not the hold's.
func (l *Ledger) name(h *holdRow, documents []stock.Quota) bool {
	quotas := slices.Clone(h.Quotas) // whoever has loaded the row has the old ones
	for _, d := range documents {
		i := slices.IndexFunc(quotas, func(q stock.Quota) bool { return isDocument(q) && q.Key == d.Key && q.Seat == 0 })
		if i < 0 {
			return false
		}
		quotas[i].Seat = d.Seat
	}
	if l.wrong != DocumentsUnnamed {
		h.Quotas = quotas
	}
	return true
}

// named is whether it is known for which seats all documents of a hold stand.
func (h *holdRow) named() bool {
	return !slices.ContainsFunc(h.Quotas, func(q stock.Quota) bool { return isDocument(q) && q.Seat == 0 })
}
