package room

import "sort"

// voids are the passes that ended before their time: of people who left, were put out, or renewed. Edges learn them with each sync, and say up to which
// number they obey. There is at most one for a visitor.
type voids struct {
	last  uint64
	order []numbered // by number; an entry whose tid has a newer one is stale
	byTid map[Tid]Void
}

type numbered struct {
	n   uint64
	tid Tid
}

func newVoids() voids { return voids{byTid: map[Tid]Void{}} }

// add enters a void and gives its number. What an older void of the visitor ended stays ended.
func (v *voids) add(next Void) uint64 {
	if old, ok := v.byTid[next.Tid]; ok {
		next.Hard = max(next.Hard, old.Hard)
		if old.Before < next.Before {
			// The pass before the last: its overlap is over, or will be before the last one's.
			next.Hard = max(next.Hard, old.Before)
		}
		next.Until = max(next.Until, old.Until)
	}
	v.last++
	next.N = v.last
	v.byTid[next.Tid] = next
	v.order = append(v.order, numbered{next.N, next.Tid})
	return next.N
}

// after gives the voids that count from n on, voidsAtOnce of them at most, and whether there are more.
func (v *voids) after(n uint64, at int64) (out []Void, more bool) {
	v.purge(at)
	for i := sort.Search(len(v.order), func(i int) bool { return v.order[i].n > n }); i < len(v.order); i++ {
		if void := v.byTid[v.order[i].tid]; void.N == v.order[i].n {
			if len(out) == voidsAtOnce {
				return out, true
			}
			out = append(out, void)
		}
	}
	return out, false
}

// purge forgets from the oldest on what is stale or ended by itself.
func (v *voids) purge(at int64) {
	gone := 0
	for ; gone < len(v.order); gone++ {
		entry := v.order[gone]
		void, ok := v.byTid[entry.tid]
		if ok && void.N == entry.n {
			if at < void.Until {
				break
			}
			delete(v.byTid, entry.tid)
		}
	}
	v.order = v.order[gone:]
	if cap(v.order) > 64 && len(v.order) < cap(v.order)/4 {
		v.order = append([]numbered(nil), v.order...)
	}
}

// leaving is a slot that comes free once every edge turns its last bearer away.
type leaving struct {
	void uint64
	tid  Tid
}

// depart makes the pass of somebody who left void everywhere.
func (r *Room) depart(at int64, tid Tid, s Session) {
	n := r.voids.add(Void{Tid: tid, Hard: at + 1, Before: at + 1, From: at, Until: s.Expires + clockBound})
	r.leaving = append(r.leaving, leaving{n, tid})
}

// release gives back, after the grace, the slots of people who left and whom every live edge turns away. Where one does not answer, the end of
// the pass decides.
func (r *Room) release(at int64) {
	if len(r.leaving) == 0 {
		return
	}
	acked, live := ^uint64(0), false
	for _, e := range r.state.Edges {
		if at < e.Heard+edgeLease {
			acked, live = min(acked, e.acked), true
		}
	}
	for live && len(r.leaving) > 0 && r.leaving[0].void <= acked {
		tid := r.leaving[0].tid
		r.leaving = r.leaving[1:]
		s, ok := r.state.Inside[tid]
		if free := at + r.set.Grace.Milliseconds(); ok && s.Left && free < s.Free {
			s.Free = free
			r.do(Record{Kind: KindLeave, Tid: &tid, Session: &s})
		}
	}
}

// restoreVoids makes the voids that the sessions imply, for edges that have met another owner, or none. Who left, and whose slot was given on, has no
// session any more: an edge that does not remember their voids must not trust the passes of that time.
func (r *Room) restoreVoids() {
	r.since = r.now + 1
	for tid, s := range r.state.Inside {
		switch {
		case s.Left:
			r.depart(r.now, tid, s)
		case s.Renewal > 0:
			r.voidOlder(tid, s)
		}
	}
}

// voidOlder ends, after the overlap, the passes that a renewal replaced.
func (r *Room) voidOlder(tid Tid, s Session) {
	r.voids.add(Void{Tid: tid, Before: s.Issued, From: s.Issued + r.set.Overlap.Milliseconds(), Until: s.Expires + clockBound})
}
