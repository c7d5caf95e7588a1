package rush

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// world is what all fans share.
type world struct {
	config    Config
	event     Event
	room      string // "": none
	transport http.RoundTripper
	tally     *tally
	labels    map[int][]string // the seats of each segment, in the order of the map
	hot       [][]string       // seats that people fight for, by segment, best first
	fights    atomic.Int64

	over chan struct{} // closed when everything is sold, or nobody will come any more
	once sync.Once
	more chan struct{} // one receive is one more visit

	mu      sync.Mutex // guards what follows, but for idle, which is watch's
	active  int        // people who are on their way or in a visit
	resting int        // people who would come again
	idle    int        // looks in a row at which nobody was there and nothing free
}

// finish ends the sale for those who wait.
func (w *world) finish() { w.once.Do(func() { close(w.over) }) }

// done ends a visit; again says that the fan would come once more.
func (w *world) done(again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active--
	if again {
		w.resting++
	}
}

// rest waits for a further visit to be worth it.
func (w *world) rest(ctx context.Context) bool {
	select {
	case <-w.more:
		return true
	case <-w.over:
	case <-ctx.Done():
	}
	return false
}

// crowd gives the numbers of people.
func (w *world) crowd() (active, resting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active, w.resting
}

// watch looks at the sale once a second: it ends it when everything is sold, and lets people come again while there is something left and
// nobody stands in line.
func (w *world) watch(ctx context.Context, v *visitor, frontiers func(frontier)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.finish()
			return
		case <-w.over:
			return
		case <-tick.C:
		}
		if w.room != "" {
			if f, err := v.frontier(ctx, w.room); err == nil {
				frontiers(f)
			}
		}
		a, err := v.availability(ctx, w.config.Event)
		if err != nil {
			if active, _ := w.crowd(); active == 0 {
				w.finish() // nobody is left who could mend it
			}
			continue
		}
		w.tally.stock(time.Now(), a)
		w.decide(a)
	}
}

// seatsPerVisit is how many tickets a further visit is expected to take; fewer than the mean, so that not everybody comes at once.
const seatsPerVisit = 3

// idleMax is how many seconds held seats may keep everybody waiting who would come again.
const idleMax = 30

// decide ends the sale, or lets some people come again.
func (w *world) decide(a Availability) {
	if !a.Stale && a.Capacity > 0 && a.Sold == a.Capacity {
		w.finish()
		return
	}
	waiting := w.tally.snapshot(time.Now()).Waiting
	active, resting := w.crowd()
	if active == 0 && a.Free == 0 {
		w.idle++
	} else {
		w.idle = 0
	}
	if active == 0 && (resting == 0 || a.Free == 0 && a.Held == 0) || w.idle > idleMax {
		w.finish()
		return
	}
	if waiting > 0 || active > w.config.Fans/4 {
		return
	}
	for range min(resting, (a.Free+seatsPerVisit-1)/seatsPerVisit-active) {
		select {
		case w.more <- struct{}{}:
			w.mu.Lock()
			w.active++
			w.resting--
			w.mu.Unlock()
		default: // whoever rested has just gone
			return
		}
	}
}

const (
	// hotSegments and hotRun bound what people fight for: the first seats of the best segments, one segment after the other.
	hotSegments = 24
	hotRun      = 24
	// fightsPerSegment is how many people fight for the seats of one segment before the next one becomes the rage.
	fightsPerSegment = 40
)

// learn keeps the labels of the map.
func (w *world) learn(m seatMap) {
	w.labels = map[int][]string{}
	for _, s := range m.Segments {
		for _, seat := range s.Seats {
			w.labels[s.No] = append(w.labels[s.No], seat.ID)
		}
	}
}

// pick chooses up to n free seats of one segment, any segment, side by side where it can.
func (w *world) pick(free map[int][]int, n int, dice *rand.Rand) (seats []string) {
	segments := slices.Sorted(maps.Keys(free))
	if len(segments) == 0 {
		return nil
	}
	segment := segments[dice.IntN(len(segments))]
	list := free[segment]
	start := dice.IntN(max(1, len(list)-n+1))
	for _, i := range list[start:min(start+n, len(list))] {
		if labels := w.labels[segment]; i < len(labels) {
			seats = append(seats, labels[i])
		}
	}
	return seats
}

// heat picks the seats that people will fight for: the first ones of the segments with the best category.
func (w *world) heat(m seatMap) {
	for category := 0; len(w.hot) < hotSegments && category < 8; category++ {
		for _, s := range m.Segments {
			if len(s.Seats) == 0 || s.Seats[0].C != category || len(w.hot) == hotSegments {
				continue
			}
			var run []string
			for _, seat := range s.Seats[:min(hotRun, len(s.Seats))] {
				run = append(run, seat.ID)
			}
			w.hot = append(w.hot, run)
		}
	}
}

// hotSeats are n neighbouring seats of those that are fought for.
func (w *world) hotSeats(dice *rand.Rand, n int) []string {
	if len(w.hot) == 0 {
		return nil
	}
	run := w.hot[int(w.fights.Add(1)/fightsPerSegment)%len(w.hot)]
	if len(run) < n {
		return nil
	}
	// All groups begin at few places, so that they meet.
	start := min(dice.IntN(4)*6, len(run)-n)
	return run[start : start+n]
}
