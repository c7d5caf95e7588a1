package room

import (
	"math"
	"time"
)

// renewPause is how long a renewal answers the next one too, so that a nervous page does not fill the log.
const renewPause = 2 * time.Second

// alive says whether the pass of tid with this renewal is good; an older pass only within the overlap.
func (r *Room) alive(at int64, tid Tid, renewal uint16) (Session, error) {
	s, ok := r.state.Inside[tid]
	switch {
	case !ok || s.Left || at >= s.Expires:
		return Session{}, ErrNotInside
	case renewal == s.Renewal:
		return s, nil
	case renewal+1 == s.Renewal && at < s.Issued+r.set.Overlap.Milliseconds():
		return s, nil
	}
	return Session{}, ErrOldPass
}

// Renew gives a living pass a new life of PassLife, or of life when that is not 0. The answer may be given once the change is stored.
func (r *Room) Renew(now time.Time, tid Tid, renewal uint16, life time.Duration) (Session, error) {
	at := r.step(now)
	s, err := r.alive(at, tid, renewal)
	if err != nil {
		return s, err
	}
	if renewal != s.Renewal || s.Renewal == math.MaxUint16 || s.Renewal > 0 && at < s.Issued+renewPause.Milliseconds() {
		return s, nil
	}
	if life <= 0 {
		life = r.set.PassLife
	}
	expires := at + life.Milliseconds()
	if r.set.StayMax > 0 {
		expires = min(expires, s.Admitted+r.set.StayMax.Milliseconds())
		if expires <= s.Expires && s.Expires >= s.Admitted+r.set.StayMax.Milliseconds() {
			return s, ErrStay
		}
	}
	s.Renewal++
	s.Issued = at
	s.Expires = max(s.Expires, expires)
	s.Free = s.Expires + r.set.Grace.Milliseconds() + clockBound
	r.do(Record{Kind: KindRenew, Tid: &tid, Session: &s})
	r.voidOlder(tid, s)
	return s, nil
}

// Leave ends a living pass; its slot is free after the grace, which begins when every edge has heard of it.
func (r *Room) Leave(now time.Time, tid Tid) error {
	at := r.step(now)
	s, ok := r.state.Inside[tid]
	if !ok || s.Left || at >= s.Expires {
		return ErrNotInside
	}
	s.Left = true
	r.do(Record{Kind: KindLeave, Tid: &tid, Session: &s})
	r.depart(at, tid, s)
	return nil
}

// Ban ends the pass of tid and refuses its claims until the given time.
func (r *Room) Ban(now, until time.Time, tid Tid) {
	_ = r.Leave(now, tid)
	r.do(Record{Kind: KindBan, Tid: &tid, Until: until.UnixMilli()})
}
