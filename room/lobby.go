package room

import (
	"fmt"
	"time"

	"ticketrush/room/draw"
)

// lobbyClose is how long before the opening the lobby ends: time for the edges to say who is in it, and for the draw.
const lobbyClose = 5000

// sealPatience is how long the seal waits for an edge that is silent.
const sealPatience = 4000

// Lottery is the draw of the lobby, as far as it has come. The list itself is the driver's: it stores the tids of each batch, and does the work of
// sealing and drawing beside the room.
type Lottery struct {
	Secret     *draw.Secret `json:"secret,omitempty"`
	Commitment *draw.Hash   `json:"commitment,omitempty"` // SHA-256 of the secret, published from the start
	Told       uint64       `json:"told,omitempty"`       // tids that edges told, repetitions included
	Sealed     *Seal        `json:"sealed,omitempty"`
	Drawn      *Drawn       `json:"drawn,omitempty"`
	Late       uint32       `json:"late,omitempty"` // holders of a place of the lobby that came to the room's owner after the seal
	Lots       Line         `json:"lots"`           // the ranks that were drawn
}

// Seal closes the list. From here on the beacon is settled: who sees the list must not choose another rule.
type Seal struct {
	Root   draw.Hash `json:"root"`             // Merkle tree hash of the sorted tids
	Count  int64     `json:"count"`            // of them
	Beacon string    `json:"beacon,omitempty"` // whose value will be used, as in Settings; "": none
	Round  uint64    `json:"round,omitempty"`  // of a relay; 0 for anything else
}

// Drawn is the outcome: with it everybody can compute every rank.
type Drawn struct {
	Seed   draw.Hash   `json:"seed"`
	Secret draw.Secret `json:"secret"` // known to everybody from here on
	Beacon draw.Beacon `json:"beacon"`
}

// DrawView is what edges and the public may know.
type DrawView struct {
	Sealed *Seal  `json:"sealed,omitempty"`
	Drawn  *Drawn `json:"drawn,omitempty"`
}

// view gives what may be known once it is stored; nil before the list is sealed.
func (l *Lottery) view() *DrawView {
	if l.Sealed == nil {
		return nil
	}
	return &DrawView{Sealed: l.Sealed, Drawn: l.Drawn}
}

// Drawn gives the outcome of the draw once it is stored; nil before.
func (r *Room) Drawn() *Drawn {
	if r.shownDraw == nil {
		return nil
	}
	return r.shownDraw.Drawn
}

// Commit gives the room its secret, once; the driver makes it at random when it enters the room, and again at each new edition.
func (r *Room) Commit(secret draw.Secret) {
	if !r.Committed() {
		c := secret.Commitment()
		r.do(Record{Kind: KindCommit, Draw: &Lottery{Secret: &secret, Commitment: &c}})
	}
}

// Committed says whether the room has its secret.
func (r *Room) Committed() bool { return r.state.Draw.Commitment != nil }

// lobbyReport takes the tids of the lobby that an edge tells.
func (r *Room) lobbyReport(e *EdgeState, name string, p *LobbyReport) {
	end := p.From + uint64(len(p.Tids))
	if p.From <= e.Told && end > e.Told && r.state.Draw.Sealed == nil && !r.sealing {
		fresh := p.Tids[e.Told-p.From:]
		r.do(Record{Kind: KindLobby, Edge: name, Told: uint64(len(fresh))})
		r.lobby = append(r.lobby, fresh...)
	}
	e.closed = p.Closed && e.Told == end
}

func (r *Room) lobbyAnswer(e *EdgeState) LobbyAnswer {
	a := LobbyAnswer{Taken: e.Told, Count: r.state.Draw.Told, Commitment: r.state.Draw.Commitment, Draw: r.shownDraw}
	a.OpensAt, a.EndsAt, a.NextAt = r.opens(), r.ends(), r.when.next(r.opens())
	if a.OpensAt != 0 && r.when.lobby > 0 {
		a.LobbyAt = a.OpensAt - r.when.lobby
	}
	return a
}

// undrawn says that people of the lobby wait for the draw.
func (r *Room) undrawn(at int64) bool {
	if r.state.Draw.Drawn != nil {
		return false
	}
	// Even where nobody was told so far, an edge may be about to say that somebody was there.
	return r.state.Draw.Told > 0 || r.state.Draw.Sealed != nil || at < r.opens()-lobbyClose+sealPatience && r.owing(at)
}

// owing says whether a live edge has not said yet that it told all tids of its lobby.
func (r *Room) owing(at int64) bool {
	for _, e := range r.state.Edges {
		if at < e.Heard+edgeLease && !e.closed {
			return true
		}
	}
	return false
}

// BeginSeal says that the lobby is over and the driver is to seal the list: every edge has said that it told all, or was waited for long enough.
// Everything that was told is stored, and nothing more is taken from here on.
func (r *Room) BeginSeal(now time.Time) bool {
	at := r.step(now)
	if r.opens() == 0 || r.state.Draw.Sealed != nil || r.state.Draw.Told == 0 || r.Dirty() || r.sealing {
		return false
	}
	end := r.opens() - lobbyClose
	if at < end || at < end+sealPatience && r.owing(at) {
		return false
	}
	r.sealing = true
	return true
}

// Seal notes the sealed list.
func (r *Room) Seal(s Seal) error {
	if r.state.Draw.Sealed != nil {
		return fmt.Errorf("the list is sealed already")
	}
	r.do(Record{Kind: KindSeal, Draw: &Lottery{Sealed: &s}})
	return nil
}

// WantsDraw says that the list is sealed, durably, and waits for its seed.
func (r *Room) WantsDraw() (s Seal, ok bool) {
	if r.state.Draw.Sealed == nil || r.state.Draw.Drawn != nil || r.Dirty() {
		return s, false
	}
	return *r.state.Draw.Sealed, true
}

// Draw notes the outcome: the seed, and some of the ranks that follow from it, with how many there are up to each.
func (r *Room) Draw(d Drawn, points []draw.Point) error {
	if _, ok := r.WantsDraw(); !ok {
		return fmt.Errorf("the room waits for no draw")
	}
	lots := Line{Before: uint64(ClassLobby)<<classShift - 1}
	for _, p := range points {
		lots.push(lots.Before, Bucket{p.Rank, p.Count})
	}
	r.do(Record{Kind: KindDraw, Draw: &Lottery{Drawn: &d, Lots: lots}})
	return nil
}

// LotsMax is the most points of a draw that the room counts by.
const LotsMax = bucketsMax

// Lottery gives the draw as it stands; the secret in it is not to be told before it is drawn.
func (r *Room) Lottery() Lottery { return r.state.Draw }

// late gives a rank to somebody whose place in the lobby did not reach the owner before the seal: with the first who came later.
func (r *Room) late(tid Tid) uint64 {
	rank := uint64(ClassArrival)<<classShift | uint64(r.state.Draw.Late)
	r.do(Record{Kind: KindLate, Tid: &tid, Rank: rank})
	return rank
}
