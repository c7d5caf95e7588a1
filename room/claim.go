package room

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Claim is somebody who asks for a pass.
type Claim struct {
	Tid    Tid
	Rank   uint64
	Until  time.Time // answered by then, with a pass or without
	Handed uint16    // how often the place was handed over, as its token says
}

// Decision is what became of a claim that waited.
type Decision struct {
	Tid     Tid
	Session Session
	Granted bool // else: not yet, ask again
}

// MovedError says that a claim's place was not in the draw, though it was given in the lobby: its edge could not say so in time. It has another
// rank from now on, with the first who came later; the edge signs it anew once that is stored.
type MovedError struct{ Rank uint64 }

func (e *MovedError) Error() string {
	return fmt.Sprintf("the place was told too late for the draw; its rank is %d now", e.Rank)
}

// pendingMax bounds the claims that wait; one more is told to ask again.
const pendingMax = 20_000

// Claim asks for a pass. With waits, the answer comes as a Decision of a later Tick. Without, either s is the visitor's living pass (ok), which may
// be given once everything taken so far is stored, or it is not their turn and Look says why.
func (r *Room) Claim(now time.Time, c Claim) (s Session, ok, waits bool, err error) {
	at := r.step(now)
	r.recount(c.Rank)
	if _, banned := r.state.Banned[c.Tid]; banned {
		return s, false, false, ErrBanned
	}
	if err := r.bears(c.Tid, c.Handed); err != nil {
		return s, false, false, err
	}
	in, inside := r.state.Inside[c.Tid]
	if inside && !in.Left && at < in.Expires {
		return in, true, false, nil
	}
	if RankClass(c.Rank) == ClassLobby && r.state.Draw.Drawn != nil && r.Member != nil && !r.Member(c.Tid) {
		return s, false, false, &MovedError{Rank: r.late(c.Tid)}
	}
	if r.phase(at) != PhaseOpen || c.Rank > r.state.Frontier[groupOf(c.Rank)] {
		return s, false, false, nil
	}
	r.lane.come(c.Tid, c.Rank)
	if p := r.pending[c.Tid]; p != nil {
		p.Rank = min(p.Rank, c.Rank)
		if c.Until.After(p.Until) {
			p.Until = c.Until
		}
		return s, false, true, nil
	}
	if len(r.pending) >= pendingMax {
		return s, false, false, nil
	}
	r.pending[c.Tid] = &c
	return s, false, true, nil
}

// Tick moves the frontier, serves the waiting claims by rank, and gives what was decided. The driver answers after the next batch is stored.
func (r *Room) Tick(now time.Time) []Decision {
	at := r.step(now)
	r.roll(at)
	r.auto.tick(at, r.demand)
	lost := r.tokens.fill(at, r.rate(), len(r.pending) > 0)
	r.release(at)
	var out []Decision
	// First: who asked for a tid when it was another's must not be answered with what that one is granted.
	for _, tid := range r.voided {
		out = append(out, Decision{Tid: tid})
	}
	r.voided = nil
	if r.phase(at) != PhaseOpen {
		r.lane.last, r.opened = at, at
	} else {
		r.makeUp(lost)
		full := at >= r.served+serveEvery
		if full {
			r.served = at
		}
		if at >= r.opened+openEvery {
			r.opened = at
			r.open(at)
		}
		out = append(out, r.serve(at, full)...)
	}
	for tid, c := range r.pending {
		if at >= c.Until.UnixMilli() {
			out = append(out, Decision{Tid: tid})
			delete(r.pending, tid)
		}
	}
	return out
}

// serve grants passes to the waiting claims, as tokens and slots allow. Where there are fewer than claims, only a full tick decides, so that a claim
// over a slow line can still come before one that was quicker.
func (r *Room) serve(at int64, full bool) (out []Decision) {
	n := min(int(r.tokens.tokens), r.state.Limits.MaxActive-len(r.state.Inside))
	if n <= 0 || len(r.pending) == 0 || n < len(r.pending) && !full {
		return nil
	}
	queue := [groups][]*Claim{}
	for _, c := range r.pending {
		// A slot that is still taken by this visitor's last pass comes free first.
		if _, inside := r.state.Inside[c.Tid]; !inside {
			queue[groupOf(c.Rank)] = append(queue[groupOf(c.Rank)], c)
		}
	}
	for g := range queue {
		slices.SortFunc(queue[g], func(a, b *Claim) int {
			return cmp.Or(cmp.Compare(a.Rank, b.Rank), slices.Compare(a.Tid[:], b.Tid[:]))
		})
	}
	line, slow := r.split(n, len(queue[GroupMain]), len(queue[GroupSlow]))
	for _, c := range append(queue[GroupMain][:line:line], queue[GroupSlow][:slow]...) {
		s := r.grant(at, c)
		delete(r.pending, c.Tid)
		out = append(out, Decision{Tid: c.Tid, Session: s, Granted: true})
	}
	return out
}

// split shares n passes between those who claim in the line and in the slow lane.
func (r *Room) split(n, line, slow int) (forLine, forSlow int) {
	if slow > 0 {
		r.slow = min(r.slow+float64(min(n, line+slow))*r.set.SlowShare, float64(1+n))
		forSlow = min(slow, int(r.slow), n)
	}
	forLine = min(line, n-forSlow)
	forSlow = min(slow, max(forSlow, n-forLine))
	r.slow = max(0, r.slow-float64(forSlow))
	return forLine, forSlow
}

func (r *Room) grant(at int64, c *Claim) Session {
	s := Session{Rank: c.Rank, Admitted: at, Issued: at, Expires: at + r.set.PassLife.Milliseconds()}
	s.Free = s.Expires + r.set.Grace.Milliseconds() + clockBound
	r.tokens.tokens--
	tid := c.Tid
	r.do(Record{Kind: KindGrant, Tid: &tid, Session: &s})
	return s
}
