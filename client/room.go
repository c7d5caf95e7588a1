package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/host"
	"ticketrush/stockd/stock"
)

// Room is a waiting room of the cluster, as an edge asks it. It implements host.Owner, and finds the node that owns the room as a Client does: who
// is wrong, moving or gone is not seen. What is asked may be asked twice, but for two changes by ops (Change says which). Safe for
// concurrent use.
type Room struct {
	client *Client
	name   string
	part   stock.PartitionID
	claims chan struct{} // permits
}

var _ host.Owner = (*Room)(nil)

// Room gives the room of a name; it asks nobody. Keep it: it bounds the claims that wait at once.
func (c *Client) Room(name string) *Room {
	return &Room{client: c, name: name, part: PartitionOfRoom(name), claims: make(chan struct{}, claimsMax)}
}

const (
	// syncWait bounds a sync: the next one says the same. It is longer than a take-over by another node takes.
	syncWait = 5 * time.Second
	// syncPatience is how long one node may take to answer it.
	syncPatience = 2 * time.Second
	// claimsMax bounds the claims of a Room that wait for their owner at once, each on a connection of its own. Those beyond wait here, and are told that it is
	// not their turn yet when their time is over.
	claimsMax = 128
	// claimSpare is how long after its end the outcome of a claim may come.
	claimSpare = time.Second
)

// Enter asks for the room with these settings, and creates it when there is none. When it is there already nothing changes: the answer has the
// settings in force, and what of those asked for differs.
func (r *Room) Enter(ctx context.Context, set room.Settings) (entered RoomEntered, err error) {
	err = r.ask(ctx, question{method: http.MethodPut, in: RoomEnter{set}, out: &entered})
	return entered, err
}

// Describe tells how the room is. ErrNoRoom when it was never entered.
func (r *Room) Describe(ctx context.Context) (state RoomState, err error) {
	err = r.ask(ctx, question{method: http.MethodGet, out: &state})
	return state, err
}

// Sync implements host.Owner.
func (r *Room) Sync(ctx context.Context, report *room.Report) (*room.Answer, error) {
	var a *room.Answer
	err := r.ask(ctx, question{
		method: http.MethodPost, path: "/sync", in: report, within: syncWait, patience: syncPatience,
		read: func(text []byte) (err error) { a, err = DecodeSynced(text); return err },
	})
	return a, err
}

// Claim implements host.Owner.
func (r *Room) Claim(ctx context.Context, claim room.Claim) (claimed host.Claimed, err error) {
	timer := time.NewTimer(time.Until(claim.Until))
	defer timer.Stop()
	select {
	case r.claims <- struct{}{}:
		defer func() { <-r.claims }()
	case <-timer.C:
		return claimed, nil
	case <-ctx.Done():
		return claimed, context.Cause(ctx)
	}
	within := min(time.Until(claim.Until), RoomWaitMax) + claimSpare
	err = r.ask(ctx, question{
		method: http.MethodPost, path: "/claim", out: &claimed, within: within, patience: within,
		anew: func() any {
			return RoomClaim{claim.Tid, claim.Rank, claim.Handed, max(0, time.Until(claim.Until).Milliseconds())}
		},
	})
	return claimed, err
}

// Renew implements host.Owner.
func (r *Room) Renew(ctx context.Context, tid room.Tid, renewal uint16, life time.Duration) (s room.Session, err error) {
	err = r.ask(ctx, question{method: http.MethodPost, path: "/renew", in: RoomRenew{tid, renewal, life.Milliseconds()}, out: &s})
	return s, err
}

// Leave implements host.Owner.
func (r *Room) Leave(ctx context.Context, tid room.Tid) error {
	return r.ask(ctx, question{method: http.MethodPost, path: "/leave", in: RoomLeave{tid}})
}

// Ban implements host.Owner.
func (r *Room) Ban(ctx context.Context, tid room.Tid, until time.Time) error {
	return r.ask(ctx, question{method: http.MethodPost, path: "/ban", in: RoomBan{tid, until.UnixMilli()}})
}

// Redeem implements host.Owner.
func (r *Room) Redeem(ctx context.Context, tid room.Tid, serial uint32, uses int) (uint64, error) {
	var out RoomRedeemed
	err := r.ask(ctx, question{method: http.MethodPost, path: "/redeem", in: RoomRedeem{tid, serial, uses}, out: &out})
	return out.Rank, err
}

// Offer implements host.Owner.
func (r *Room) Offer(ctx context.Context, place room.Place, code room.Digest, look bool) (time.Duration, error) {
	var out RoomOffered
	err := r.ask(ctx, question{method: http.MethodPost, path: "/offer", in: RoomOffer{place, code, look}, out: &out})
	return time.Duration(out.LeftMs) * time.Millisecond, err
}

// Handover implements host.Owner.
func (r *Room) Handover(ctx context.Context, code, taker room.Digest) (place room.Place, err error) {
	err = r.ask(ctx, question{method: http.MethodPost, path: "/handover", in: RoomHandover{code, taker}, out: &place})
	return place, err
}

// IssueCodes implements host.Owner. It takes more each time: after host.ErrNotReady or an error of the context some numbers may be taken that nobody was
// told, and are used by nobody.
func (r *Room) IssueCodes(ctx context.Context, n uint32, reason string) (uint32, error) {
	var out RoomCodes
	err := r.ask(ctx, question{method: http.MethodPost, path: "/codes", in: RoomIssue{n, reason}, out: &out, once: true})
	return out.First, err
}

// Receipt implements host.Owner.
func (r *Room) Receipt(ctx context.Context, tid room.Tid) (*draw.Receipt, error) {
	var out draw.Receipt
	if err := r.ask(ctx, question{method: http.MethodGet, path: "/receipt?" + url.Values{"tid": {tid.String()}}.Encode(), out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// Log implements host.Owner.
func (r *Room) Log(ctx context.Context, path string) (part []byte, err error) {
	err = r.ask(ctx, question{
		method: http.MethodGet, path: "/log/" + (&url.URL{Path: path}).EscapedPath(), read: func(text []byte) error { part = text; return nil },
	})
	return part, err
}

// drawnWait bounds the reading of a whole draw: a million people are 33 MB.
const drawnWait = 2 * time.Minute

// Drawn implements host.Owner. When the node ends on the way w has a part of it.
func (r *Room) Drawn(ctx context.Context, w io.Writer) error {
	return r.ask(ctx, question{method: http.MethodGet, path: "/draw", to: w, within: drawnWait, patience: r.client.cfg.WriteWait})
}

// Change implements host.Owner. `frontier` and `edition` do more each time: after host.ErrNotReady or an error of the context look (Describe) whether they
// were done. The others may be asked for again.
func (r *Room) Change(ctx context.Context, change host.Change) error {
	once := change.Action == "frontier" || change.Action == "edition"
	return r.ask(ctx, question{method: http.MethodPost, path: "/change", in: change, once: once})
}
