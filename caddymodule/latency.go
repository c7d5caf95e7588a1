package caddymodule

import (
	"math"
	"sync"
	"time"
)

const (
	latencySlot    = 250 * time.Millisecond
	latencyWindow  = 20  // slots that are looked at: 5 s
	latencyOpen    = 240 // slots that requests under way are told apart by: 1 min; older ones count as that old
	latencyLeast   = 20  // answers below which nothing is said
	latencyOctave  = 8   // buckets from one duration to twice of it: a bucket is 9 % wide
	latencyBuckets = 17 * latencyOctave
)

// latency keeps how long the site takes to answer, from the request on to the answer's headers, in fixed memory. Requests that it has not answered
// yet count with their age, so that a site that hangs does not look well.
type latency struct {
	mu       sync.Mutex
	origin   time.Time // of slot 0
	answered [latencyWindow]struct {
		slot  int64
		count [latencyBuckets]uint32
	}
	open [latencyOpen]struct {
		slot  int64
		count uint32
	}
	oldest int64 // slot up to which requests under way are in old
	old    uint32
}

// begin notes a request, and gives what end wants.
func (l *latency) begin(now time.Time) (slot int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.origin.IsZero() {
		l.origin = now
	}
	slot = l.slot(now)
	o := &l.open[slot%latencyOpen]
	if o.slot < slot {
		l.old += o.count
		l.oldest = max(l.oldest, o.slot)
		o.slot, o.count = slot, 0
	}
	o.count++
	return slot
}

// end notes that the site has answered.
func (l *latency) end(slot int64, took time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := &l.open[slot%latencyOpen]; o.slot == slot {
		o.count--
	} else {
		l.old--
	}
	at := l.slot(now)
	a := &l.answered[at%latencyWindow]
	if a.slot != at {
		a.slot = at
		clear(a.count[:])
	}
	a.count[bucket(took)]++
}

// slot begins with 1, so that a slot that was never used is older than all.
func (l *latency) slot(now time.Time) int64 { return 1 + int64(max(0, now.Sub(l.origin))/latencySlot) }

// bucket finds where a duration is counted; a millisecond and less is the first.
func bucket(d time.Duration) int {
	ms := float64(d) / float64(time.Millisecond)
	if ms <= 1 {
		return 0
	}
	return min(latencyBuckets-1, int(math.Ceil(latencyOctave*math.Log2(ms))))
}

// p99 gives what 99 of 100 answers of the last 5 s took at most, within 10 %, never less; 0 when there were too few to say.
func (l *latency) p99(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.origin.IsZero() {
		return 0
	}
	var all [latencyBuckets]uint32
	at := l.slot(now)
	for i := range l.answered {
		if a := &l.answered[i]; a.slot > at-latencyWindow && a.slot <= at && a.slot > 0 {
			for b, n := range a.count {
				all[b] += n
			}
		}
	}
	// One that is under way says something only when it is already slower than most: a young one may still become anything.
	usual, _ := percentile(&all)
	for i := range l.open {
		if o := &l.open[i]; o.count > 0 {
			if b := bucket(time.Duration(at-o.slot-1) * latencySlot); b > usual {
				all[b] += o.count
			}
		}
	}
	if b := bucket(latencyOpen * latencySlot); b > usual {
		all[b] += l.old
	}
	b, n := percentile(&all)
	if n < latencyLeast {
		return 0
	}
	return time.Duration(math.Exp2(float64(b)/latencyOctave) * float64(time.Millisecond))
}

// percentile gives the bucket that the 99th of 100 falls into, and how many are counted.
func percentile(all *[latencyBuckets]uint32) (at int, n uint64) {
	for _, c := range all {
		n += uint64(c)
	}
	left := n / 100 // so many may be slower
	for at = latencyBuckets - 1; at > 0; at-- {
		if uint64(all[at]) > left {
			break
		}
		left -= uint64(all[at])
	}
	return at, n
}

// timed begins to measure an answer of the site; what it gives is to be called when the site has nothing more to say.
func (h *Handler) timed(site *siteWriter) func() {
	if !h.measures() {
		return func() {}
	}
	l, began := &h.keeper.latency, time.Now()
	slot := l.begin(began)
	site.answered = sync.OnceFunc(func() {
		now := time.Now()
		l.end(slot, now.Sub(began), now)
	})
	return site.answered
}

// measures says whether the room's rate follows the site's answers.
func (h *Handler) measures() bool { return h.use.set.Latency > 0 }
