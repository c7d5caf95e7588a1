package room

import (
	"math"
	"time"
)

// renewPause is how long a renewal answers the next one too, so that a nervous page does not fill the log.
const renewPause = 2 * time.Second

// Alive says whether the pass of tid with this renewal lets its bearer in now; an older pass only within the overlap.
func (r *Room) Alive(now time.Time, tid Tid, renewal uint16) (Session, error) {
	at := r.step(now)
	return r.alive(at, tid, renewal)
}

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
	s.Free = s.Expires + r.set.Grace.Milliseconds()
	r.do(Record{Kind: KindRenew, Tid: &tid, Session: &s})
	return s, nil
}

// Leave ends a living pass; its slot is free after the grace.
func (r *Room) Leave(now time.Time, tid Tid) error {
	at := r.step(now)
	s, ok := r.state.Inside[tid]
	if !ok || s.Left || at >= s.Expires {
		return ErrNotInside
	}
	s.Left = true
	s.Free = min(s.Free, at+r.set.Grace.Milliseconds())
	r.do(Record{Kind: KindLeave, Tid: &tid, Session: &s})
	return nil
}

// Ban ends the pass of tid and refuses its claims until the given time.
func (r *Room) Ban(now, until time.Time, tid Tid) {
	_ = r.Leave(now, tid)
	r.do(Record{Kind: KindBan, Tid: &tid, Until: until.UnixMilli()})
}

// Forget drops the memory of a join, so that a visitor who gave up their place gets a new one at the end of the line.
func (r *Room) Forget(tid Tid) { delete(r.joins.byTid, tid) }
