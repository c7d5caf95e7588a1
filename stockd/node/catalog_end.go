package node

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// CancelEvent closes an event for good and begins to give everybody their money back, and tells all nodes. A second call says again.
// ledger.ErrEventHeld: it took place.
func (n *Node) CancelEvent(ctx context.Context, id stock.EventID, reason, actor string) (e *Event, again bool, err error) {
	again, err = n.db.EventCancel(ctx, int32(id), uuid.Must(uuid.NewV7()), reason, actor, n.Now())
	if err != nil {
		return nil, false, fmt.Errorf("cancel event %d: %w", id, err)
	}
	e, err = n.published(ctx, id)
	return e, again, err
}

// PostponeEvent moves an event to another date, and tells all nodes. refundsUntil is until when buyers may give their tickets back by themselves, zero
// leaves it. A second call says again. ledger.ErrEventCancelled, ledger.ErrEventHeld.
func (n *Node) PostponeEvent(ctx context.Context, id stock.EventID, startsAt, refundsUntil time.Time) (e *Event, again bool, err error) {
	again, err = n.db.EventPostpone(ctx, int32(id), startsAt, refundsUntil)
	if err != nil {
		return nil, false, fmt.Errorf("postpone event %d: %w", id, err)
	}
	e, err = n.published(ctx, id)
	return e, again, err
}

// MassRefund is how far it is to give everybody their money back; ledger.ErrNotFound: the event was not cancelled.
func (n *Node) MassRefund(ctx context.Context, id stock.EventID) (ledger.MassRefund, error) {
	return n.db.MassRefundGet(ctx, int32(id))
}
