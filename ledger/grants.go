package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Grant is capacity on its way from one segment of an area to another: given, and not taken yet.
type Grant struct {
	ID       uuid.UUID
	Event    int32
	From, To int32
	N        int32
}

// GrantsUntaken reads up to limit grants that nobody has taken. One that is there just now may be taken a moment later: taking it is refused then.
func (l *DB) GrantsUntaken(ctx context.Context, limit int32) ([]Grant, error) {
	rows, err := l.q.GrantsUntaken(ctx, l.short, limit)
	if err != nil {
		return nil, explain(err)
	}
	grants := make([]Grant, 0, len(rows))
	for _, r := range rows {
		grants = append(grants, Grant{ID: r.ID, Event: r.Event, From: r.FromSeg, To: r.ToSeg, N: r.N})
	}
	return grants, nil
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
