package ledger

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// What the calls about holds over several segments answer, beside the outcomes of a flush (10 replay, 11 key reused, 20 over, 21 it has time, 30 the
// order says no, 31 the order is locked, 32 there is an order, 41 and from 100 on over a limit, 60 it is not being tried).
const (
	WideDone      int32 = 0
	WideReplay    int32 = 10
	WideKeyReused int32 = 11
	WideOver      int32 = 20
	WideHasTime   int32 = 21
	WideOrderNo   int32 = 30
	WideLocked    int32 = 31
	WideOrdered   int32 = 32
	WideNotTrying int32 = 60
	WideLacking   int32 = 62 // the seats are not the hold's
)

// Request names a client's request. Without a key nothing is remembered.
type Request struct{ Scope, Key, Fingerprint uuid.UUID }

// WideHold is a hold over several segments that is to be tried.
type WideHold struct {
	ID       uuid.UUID
	Event    int32
	Part     int32   // the partition that its id names
	Legs     []int32 // its segments, in order
	Quantity int32   // of all legs together
	Quotas   []Quota // a document for each seat, or none; the flushes that take the legs name the seats
	Request  Request
}

// WideBegin begins to try a hold, for tryFor by the ledger's clock; after that anybody may drop it. It returns the try, above 0; or 0: it is being tried
// already; or, negative, WideReplay, WideKeyReused, WideOver, or what a flush says of a hold that is over a limit.
func (l *DB) WideBegin(ctx context.Context, h *WideHold, tryFor time.Duration, now time.Time) (int32, error) {
	p := db.WideBeginParams{
		ID: h.ID, Event: h.Event, Part: h.Part, Legs: h.Legs, Quantity: h.Quantity, Dims: []int32{}, Keys: []uuid.UUID{}, Limits: []int32{},
		Scope: h.Request.Scope, Key: h.Request.Key, Fingerprint: h.Request.Fingerprint, TryMs: tryFor.Milliseconds(), Now: now,
	}
	for _, q := range h.Quotas {
		p.Dims, p.Keys, p.Limits = append(p.Dims, int32(q.Dimension)), append(p.Keys, q.Key), append(p.Limits, q.Limit)
	}
	code, err := l.q.WideBegin(ctx, l.short, p)
	return code, explain(err)
}

// WideCommit is the commit point of a hold: all of its seats are in. WideDone, WideReplay, WideKeyReused, WideNotTrying, WideLacking.
func (l *DB) WideCommit(ctx context.Context, id uuid.UUID, try int32, seats []int64, deadline, maxExpires time.Time, r Request, now time.Time) (int32, error) {
	code, err := l.q.WideCommit(ctx, l.short, db.WideCommitParams{
		ID: id, Try: try, Seats: seats, Deadline: deadline, MaxExpires: maxExpires, Scope: r.Scope, Key: r.Key, Fingerprint: r.Fingerprint, Now: now,
	})
	return code, explain(err)
}

// WideDrop gives a try up; with overdue only if its time is over. False: it is not being tried with this try, or has time.
func (l *DB) WideDrop(ctx context.Context, id uuid.UUID, try int32, overdue bool, now time.Time) (bool, error) {
	dropped, err := l.q.WideDrop(ctx, l.short, db.WideDropParams{ID: id, Try: try, Overdue: overdue, Now: now})
	return dropped, explain(err)
}

// WideExtend gives a hold until deadline, at most. WideDone, WideReplay, WideKeyReused, WideOver, WideOrderNo.
func (l *DB) WideExtend(ctx context.Context, id uuid.UUID, deadline time.Time, r Request, now time.Time) (int32, error) {
	code, err := l.q.WideExtend(ctx, l.short, db.WideExtendParams{ID: id, Deadline: deadline, Scope: r.Scope, Key: r.Key, Fingerprint: r.Fingerprint, Now: now})
	return code, explain(err)
}

// WideEnd ends a hold, and with it the order, which has to be named unless the hold expires. WideDone, WideReplay, WideKeyReused, WideOver,
// WideHasTime, WideOrderNo, WideLocked.
func (l *DB) WideEnd(ctx context.Context, id, order uuid.UUID, expire bool, r Request, now time.Time) (int32, error) {
	code, err := l.q.WideEnd(ctx, l.short, db.WideEndParams{ID: id, OrderID: order, Expire: expire, Scope: r.Scope, Key: r.Key, Fingerprint: r.Fingerprint, Now: now})
	return code, explain(err)
}

// WideOrder opens the order of a hold. WideDone, WideReplay, WideKeyReused, WideOver, WideOrdered, WideLacking.
func (l *DB) WideOrder(ctx context.Context, hold uuid.UUID, o *NewOrder, r Request, now time.Time) (int32, error) {
	if err := checkOrder(o); err != nil {
		return 0, err
	}
	p := db.WideOrderParams{
		ID: hold, OrderID: o.ID, Buyer: o.Buyer, Currency: o.Currency, Ip: o.ClientIP, Scope: r.Scope, Key: r.Key, Fingerprint: r.Fingerprint, Now: now,
	}
	for _, x := range o.Lines {
		p.Seats, p.Types = append(p.Seats, x.Seat), append(p.Types, x.Type)
		p.Faces, p.Fees, p.Taxes = append(p.Faces, x.Face), append(p.Fees, x.Fee), append(p.Taxes, x.Tax)
	}
	code, err := l.q.WideOrder(ctx, l.short, p)
	return code, explain(err)
}

// WideLost are holds that are being tried although their time is over: whoever tried them has ended, perhaps before it took a leg, so that no leg's
// owner asks for them. WideFollow drops them.
func (l *DB) WideLost(ctx context.Context, limit int32) ([]uuid.UUID, error) {
	ids, err := l.q.WideLost(ctx, l.short, limit)
	return ids, explain(err)
}

// WideRow is what the row says of a hold over several segments.
type WideRow struct {
	ID    uuid.UUID
	State int16
	Try   int32
}

// WideFollow reads what the rows say, for the owners of legs. A hold whose time is over is ended before, whoever asks: one that is being tried is
// dropped, one that is held expires, unless its order counts on it.
func (l *DB) WideFollow(ctx context.Context, ids []uuid.UUID, now time.Time) ([]WideRow, error) {
	rows, err := l.q.WideRows(ctx, l.short, ids)
	if err != nil {
		return nil, explain(err)
	}
	changed := false
	for _, r := range rows {
		if !r.Due {
			continue
		}
		switch r.State {
		case HoldTrying:
			_, err = l.WideDrop(ctx, r.ID, r.Try, true, now)
		case HoldHeld:
			_, err = l.WideEnd(ctx, r.ID, uuid.Nil, true, Request{}, now)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		changed = true
	}
	if changed {
		if rows, err = l.q.WideRows(ctx, l.short, ids); err != nil {
			return nil, explain(err)
		}
	}
	out := make([]WideRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, WideRow{ID: r.ID, State: r.State, Try: r.Try})
	}
	return out, nil
}
