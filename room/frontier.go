package room

import (
	"math"
	"time"
)

// What the show rate is made of.
const (
	showWindow   = 30 // seconds that are looked at
	showDelay    = 3  // seconds that people take to come, about
	calledWindow = 10 // seconds that a slot is kept in mind for somebody who was called: three of their polls
	showPrior    = 10 // places whose holders all came, assumed before anything was seen
	showMin      = 0.05
)

// second counts the places that were opened in one second, and how many of their holders came.
type second struct {
	at       int64 // Unix seconds
	opened   [groups]uint64
	frontier [groups]uint64 // at its end, where opened is not 0
	came     uint64
}

// lane moves the frontier: how much may be opened, and how many of those called come.
type lane struct {
	last    int64   // ms of the last opening
	credit  float64 // places that the rate allows to open
	extra   float64 // places to open for passes that nobody claimed
	owed    float64 // places of them that the slow lane may have
	seconds [2 * showWindow]second
	shows   *recent[struct{}] // who has claimed already
}

func (l *lane) reset() { *l = lane{shows: newRecent[struct{}](recentMax / 4)} }

func (l *lane) second(at int64) *second {
	s := &l.seconds[at/1000%int64(len(l.seconds))]
	if s.at != at/1000 {
		*s = second{at: at / 1000}
	}
	return s
}

// between adds up the seconds from older to newer seconds ago, both included.
func (l *lane) between(older, newer int64) (opened [groups]uint64, came float64) {
	now := l.last / 1000
	for i := range l.seconds {
		s := &l.seconds[i]
		if age := now - s.at; age <= older && age >= newer {
			opened[GroupMain] += s.opened[GroupMain]
			opened[GroupSlow] += s.opened[GroupSlow]
			came += float64(s.came)
		}
	}
	return opened, came
}

// come notes the first claim of a place, with those that were opened in the same second.
func (l *lane) come(tid Tid, rank uint64) {
	if _, known := l.shows.get(tid); known {
		return
	}
	l.shows.add(tid, struct{}{})
	g := groupOf(rank)
	var found *second
	for i := range l.seconds {
		s := &l.seconds[i]
		if s.opened[g] > 0 && s.frontier[g] >= rank && (found == nil || s.at < found.at) {
			found = s
		}
	}
	if found != nil && found.came < found.opened[GroupMain]+found.opened[GroupSlow] {
		found.came++
	}
}

// showRate is the share of people who come when they are called, with a Beta prior.
func (l *lane) showRate() float64 {
	opened, came := l.between(showWindow, showDelay)
	return min(1, max(showMin, (came+showPrior)/(float64(opened[GroupMain]+opened[GroupSlow])+showPrior)))
}

// outstanding is how many were called lately and have not come yet.
func (l *lane) outstanding() float64 {
	opened, came := l.between(calledWindow, 0)
	return float64(opened[GroupMain]+opened[GroupSlow]) - came
}

// speed is how many places per second were opened lately; 0 when too little was seen.
func (l *lane) speed(g Group) float64 {
	opened, _ := l.between(20, 1)
	if opened[g] < 10 {
		return 0
	}
	return float64(opened[g]) / 20
}

// lostGain is how many places are opened for a pass that the rate allowed and nobody claimed: until the show rate is known, this is what keeps
// the site fed. Rate and slots bound the passes all the same; a wrong guess means a short "you are next".
const lostGain = 2

// makeUp opens more for passes that nobody claimed while people wait.
func (r *Room) makeUp(lost float64) {
	if r.waiting(GroupMain)+r.waiting(GroupSlow) > 0 && len(r.pending) == 0 {
		r.lane.extra = min(r.lane.extra+lost*lostGain, r.rate())
	}
}

// open moves the frontier as far as rate and slots allow, and not beyond the last place.
func (r *Room) open(at int64) {
	l := &r.lane
	show := l.showRate()
	elapsed := min(float64(at-l.last)/1000, 1)
	l.last = at
	speed := r.rate() / show
	// What an empty line did not use is kept for half a second only: the frontier is no savings bank.
	l.credit = min(l.credit+speed*elapsed, max(1, speed/2)) + l.extra
	l.extra = 0
	busy := float64(len(r.state.Inside) + len(r.pending))
	free := min(float64(r.state.Limits.MaxActive)-busy, r.wanted(busy))/show - l.outstanding()
	n := math.Floor(min(l.credit, free))
	if n < 1 {
		return
	}
	mainWaits, slowWaits := r.waiting(GroupMain), r.waiting(GroupSlow)
	slow := uint64(0)
	if slowWaits > 0 {
		l.owed = min(l.owed+n*r.set.SlowShare, 1+n)
		slow = min(slowWaits, uint64(l.owed), uint64(n))
	}
	line := min(mainWaits, uint64(n)-slow)
	slow = min(slowWaits, max(slow, uint64(n)-line))
	l.owed = max(0, l.owed-float64(slow))
	r.advance(at, line, slow, r.auto.why())
}

// advance opens so many more places of each group.
func (r *Room) advance(at int64, line, slow uint64, reason string) {
	if line+slow == 0 {
		return
	}
	next := r.state.Frontier
	for g, n := range [groups]uint64{line, slow} {
		if n > 0 {
			g := Group(g)
			passed := r.crowd().countUpTo(g, next[g])
			next[g] = max(next[g], r.crowd().rankOf(g, passed+n))
		}
	}
	if next == r.state.Frontier {
		return
	}
	s := r.lane.second(at)
	s.opened[GroupMain] += line
	s.opened[GroupSlow] += slow
	s.frontier = next
	r.lane.credit = max(0, r.lane.credit-float64(line+slow))
	r.do(Record{Kind: KindFrontier, Frontier: &next, Reason: reason})
}

// OpenPlaces lets n more people of the line claim, by hand, beyond what the rate would open. Rate and slots still hold for their claims.
func (r *Room) OpenPlaces(now time.Time, n uint64, reason string) {
	at := r.step(now)
	r.lane.last = max(r.lane.last, at)
	r.advance(at, min(n, r.waiting(GroupMain)), 0, "manual: "+reason)
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	last   int64
}

// bucketSpan is for how long a bucket gathers what nobody takes: what is between two services, and a little for ticks that come late. It is what ten seconds
// may have beyond the rate, so it is less than 2 % of them.
const bucketSpan = 0.18

// stallMax is for how long, in seconds, a room that stood still makes up for what it owed to those who waited.
const stallMax = 1

// fill adds what the rate gives; the bucket holds bucketSpan's worth, at least one, and what became due while somebody waited for it. It gives what
// did not fit.
func (b *bucket) fill(at int64, rate float64, awaited bool) (lost float64) {
	passed := float64(at-b.last) / 1000
	full := b.tokens + rate*passed
	most := max(1, rate*bucketSpan)
	if awaited {
		most += rate * min(passed, stallMax)
	}
	b.tokens = min(full, most)
	b.last = at
	return full - b.tokens
}
