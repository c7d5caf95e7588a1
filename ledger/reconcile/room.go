package reconcile

import (
	"context"
	"fmt"
)

// roomChecks are the checks of waiting rooms. Rooms belong to no event: they are always checked as a whole.
var roomChecks = []check{
	{"rooms", "each room's batches follow its snapshot without a gap, each under an epoch that owned it, and its lobby and log have what was counted", checkRooms},
}

func checkRooms(ctx context.Context, r *reconciler) error {
	n, err := r.q.ReconcileRoomsRows(ctx, r.tx)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.ReconcileRooms(ctx, r.tx, r.limit())
	for _, x := range rows {
		row := fmt.Sprintf("rooms %s", x.Room)
		switch {
		case x.Unowned > 0:
			r.broken(row, "%d of its batches were written under epochs that nobody claimed", x.Unowned)
		case x.Lobby != x.Told:
			r.broken(row, "%d people were counted into the lobby of edition %d, and %d are there", x.Lobby, x.Edition, x.Told)
		case x.Entries != x.Logged:
			r.broken(row, "%d entries of its log were counted, and %d are there", x.Entries, x.Logged)
		default:
			r.broken(row, "its last batch is %d, its snapshot is of batch %d, and there are %d batches, from %d to %d", x.Seq, x.Snapshot, x.Batches, x.First, x.Last)
		}
	}
	return err
}
