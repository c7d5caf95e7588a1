package sim

import (
	"math/rand/v2"
	"time"
)

// plan is what a seed is about: the size of the cluster and which faults it has. Each seed has some of them, so that each is seen alone and in
// every company.
type plan struct {
	nodes, segments, clients int
	batchMax                 int
	linger                   time.Duration
	wholeHouse               bool  // all 4096 partitions are claimed, and not only those with stock
	wide                     bool  // holds over several segments
	area, second             bool  // an area; a second event that comes later
	places                   int32 // of the area: few, so that it is sold out
	shares                   int32 // the segments of the area
	skew                     time.Duration
	chaos                    time.Duration // how long the faults last
	every                    time.Duration // the mean time between two faults
	faults                   []fault

	cancelled bool // the first event, towards the end

	slowNet, duplicates, impatient, eager                      bool
	slowBank, lateBank, doubleBank, silentBank, refusesCapture bool
	clockJumps                                                 bool // of the database: then what was promised by time cannot be held
	patience                                                   time.Duration
	limitTid, limitAccount, partyMax                           int32
}

// sometimes is true in n of ten seeds.
func sometimes(rng *rand.Rand, n int) bool { return rng.IntN(10) < n }

func newPlan(rng *rand.Rand, seed uint64) plan {
	p := plan{
		nodes: 2 + rng.IntN(3), segments: 2 + rng.IntN(4), clients: 4 + rng.IntN(6), batchMax: 1 + rng.IntN(8)*rng.IntN(3),
		linger: time.Duration(rng.IntN(3000)) * time.Microsecond, wholeHouse: seed%97 == 13, area: sometimes(rng, 6), places: 1 + rng.Int32N(5), shares: 1 + rng.Int32N(4), second: sometimes(rng, 3),
		chaos: time.Duration(1800+rng.IntN(1600)) * time.Millisecond, every: time.Duration(50+rng.IntN(350)) * time.Millisecond,
		slowNet: sometimes(rng, 5), duplicates: sometimes(rng, 5), impatient: sometimes(rng, 4), eager: sometimes(rng, 3),
		slowBank: sometimes(rng, 4), lateBank: sometimes(rng, 4), doubleBank: sometimes(rng, 4), silentBank: sometimes(rng, 3), refusesCapture: sometimes(rng, 2),
		clockJumps: sometimes(rng, 2), patience: time.Duration(150+rng.IntN(600)) * time.Millisecond,
		limitTid: 2 + rng.Int32N(4), limitAccount: 3 + rng.Int32N(5), partyMax: 2 + rng.Int32N(4),
	}
	p.wide = sometimes(rng, 5)
	p.cancelled = sometimes(rng, 2)
	if p.area && p.shares > 1 {
		p.places += p.shares * (1 + rng.Int32N(4))
	}
	if sometimes(rng, 6) {
		p.skew = time.Hour
	}
	for _, f := range faults {
		if f.jumps && !p.clockJumps {
			continue
		}
		if sometimes(rng, f.often) {
			p.faults = append(p.faults, f)
		}
	}
	return p
}
