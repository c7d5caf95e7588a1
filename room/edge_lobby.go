package room

import (
	"encoding/base64"
	"fmt"

	"ticketrush/room/draw"
)

// LobbyReport is the part of a report about the lobby.
type LobbyReport struct {
	From   uint64 `json:"from,omitempty"`   // so many tids of this incarnation were told before
	Tids   Tids   `json:"tids,omitempty"`   // those after them
	Closed bool   `json:"closed,omitempty"` // no more will come
}

// LobbyAnswer is the part of an answer about the lobby and the draw.
type LobbyAnswer struct {
	Taken      uint64     `json:"taken,omitempty"` // so many tids of this incarnation are stored
	Count      uint64     `json:"count,omitempty"` // of all edges, with repetitions
	OpensAt    int64      `json:"opens_at,omitempty"`
	LobbyAt    int64      `json:"lobby_at,omitempty"`
	EndsAt     int64      `json:"ends_at,omitempty"`
	NextAt     int64      `json:"next_at,omitempty"` // the opening after this one, of a room that opens again and again
	Draw       *DrawView  `json:"draw,omitempty"`
	Commitment *draw.Hash `json:"commitment,omitempty"`
}

// Tids is a list of visitors; its text is base64 of 16 bytes each.
type Tids []Tid

// MarshalText gives base64.
func (t Tids) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, len(t)*len(Tid{}))
	for i := range t {
		raw = append(raw, t[i][:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads base64.
func (t *Tids) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	if len(raw)%len(Tid{}) != 0 {
		return fmt.Errorf("a list of tids of %d bytes", len(raw))
	}
	*t = make(Tids, len(raw)/len(Tid{}))
	for i := range *t {
		copy((*t)[i][:], raw[i*len(Tid{}):])
	}
	return nil
}

// lobbyAtOnce bounds the tids of a report.
const lobbyAtOnce = 1 << 15

func (p *LobbyReport) validate() error {
	if len(p.Tids) > lobbyAtOnce {
		return fmt.Errorf("%w: %d tids at once, at most %d", ErrReport, len(p.Tids), lobbyAtOnce)
	}
	return nil
}

// lobbyMax bounds the tids that wait for the owner.
const lobbyMax = 1 << 20

// edgeLobby holds the tids of the lobby until the owner has them.
type edgeLobby struct {
	taken uint64 // by the owner
	tids  Tids   // after them
}

func (l *edgeLobby) add(tid Tid) bool {
	if len(l.tids) >= lobbyMax {
		return false
	}
	l.tids = append(l.tids, tid)
	return true
}

func (l *edgeLobby) report(closed bool) LobbyReport {
	n := min(len(l.tids), lobbyAtOnce)
	return LobbyReport{From: l.taken, Tids: append(Tids(nil), l.tids[:n]...), Closed: closed && n == len(l.tids)}
}

func (l *edgeLobby) learn(taken uint64, sealed bool) {
	if sealed {
		l.tids = nil // too late for the draw
		return
	}
	if gone := taken - l.taken; taken > l.taken && gone <= uint64(len(l.tids)) {
		l.tids = append(Tids(nil), l.tids[gone:]...)
		l.taken = taken
	}
}

// LobbyMark names the present end of the lobby's list; InDraw says whether all up to a mark are in the draw.
func (e *Edge) LobbyMark() uint64 { return e.lobby.taken + uint64(len(e.lobby.tids)) }

// InDraw says whether the owner has stored everybody up to the mark.
func (e *Edge) InDraw(mark uint64) bool { return e.lobby.taken >= mark }

// Draw gives what is known of the draw; nil before it is sealed.
func (e *Edge) Draw() *DrawView { return e.owner.Lobby.Draw }
