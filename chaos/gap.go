package chaos

import (
	"fmt"
	"sync"
	"time"
)

// gaps measures, for each segment, the longest time in which somebody was asking and nobody got an answer. Only an answer that is a committed
// promise counts; a refusal does not end a gap.
type gaps struct {
	mu       sync.Mutex // guards what follows
	segments map[int]*asked
}

// asked is one segment: how many ask, and since when without an answer.
type asked struct {
	asking int
	since  time.Time
	worst  time.Duration
	ended  time.Time // when the worst gap did
}

func newGaps() *gaps { return &gaps{segments: map[int]*asked{}} }

func (g *gaps) begin(segment int, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.segments[segment]
	if a == nil {
		a = &asked{}
		g.segments[segment] = a
	}
	if a.asking == 0 {
		a.since = now
	}
	a.asking++
}

func (g *gaps) end(segment int, answered bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.segments[segment]
	if answered {
		if gap := now.Sub(a.since); gap > a.worst {
			a.worst, a.ended = gap, now
		}
		a.since = now
	}
	a.asking--
}

// reset begins a new measurement. What is being asked counts from now on.
func (g *gaps) reset(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.segments {
		a.worst, a.since = 0, now
	}
}

// gap is a time in which somebody asked for something of a segment and nobody got an answer.
type gap struct {
	length  time.Duration
	segment int
	ended   time.Time
}

// String is the gap for people.
func (g gap) String() string {
	return fmt.Sprintf("%v (segment %d, until %s)", g.length.Round(time.Millisecond), g.segment, g.ended.UTC().Format("15:04:05.000"))
}

// longest is the longest gap since the last reset. One that has not ended counts as far as it has come.
func (g *gaps) longest(now time.Time) (worst gap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for no, a := range g.segments {
		if a.worst > worst.length {
			worst = gap{a.worst, no, a.ended}
		}
		if now := now.Sub(a.since); a.asking > 0 && now > worst.length {
			worst = gap{now, no, a.since.Add(now)}
		}
	}
	return worst
}
