package ledger

import (
	"context"

	"github.com/google/uuid"
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
