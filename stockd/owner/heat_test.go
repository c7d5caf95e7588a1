package owner

import (
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

func TestHeat(t *testing.T) {
	t.Parallel()
	const rate, stay = 10, time.Minute
	for _, c := range []struct {
		name   string
		perSec []int // operations of each second from 0 on
		want   map[time.Duration]bool
	}{
		{"nobody comes", make([]int, 5), map[time.Duration]bool{5 * time.Second: false}},
		{"a few come", []int{9, 9, 9}, map[time.Duration]bool{3 * time.Second: false}},
		{"a rush begins", []int{0, 0, 10}, map[time.Duration]bool{time.Second: false, 3 * time.Second: true, 20 * time.Second: true}},
		{"a rush is over", []int{10, 0}, map[time.Duration]bool{2 * time.Second: true, 32 * time.Second: false}},
		{"a rush that goes on", seconds(90, 10), map[time.Duration]bool{59 * time.Second: true, 60 * time.Second: false, 90 * time.Second: false}},
		{"the next one", append(append(seconds(70, 10), make([]int, 40)...), seconds(3, 10)...), map[time.Duration]bool{
			69 * time.Second: false, 109 * time.Second: false, 113 * time.Second: true,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h heat
			for at := range 120 {
				now := time.Duration(at) * time.Second
				if want, asked := c.want[now]; asked && h.stays(now, rate, stay) != want {
					t.Errorf("after %v: stays is %v: %+v", now, !want, h)
				}
				if at < len(c.perSec) {
					for i := range c.perSec[at] {
						h.note(now+time.Duration(i)*time.Millisecond, rate)
					}
				}
			}
		})
	}
}

func seconds(n, perSec int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = perSec
	}
	return list
}

// A node that comes in the middle of a rush takes what is quiet, and what is hot when the rush has lasted for its minutes.
func TestAHotPartitionStaysForTheFirstMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(1, 0)
	w.cfg.HotRate, w.cfg.HotStay = 20, 10*time.Second
	first := w.boot("n0")
	w.views()
	w.give(first, Segments{w.ledger.segments})
	w.run(3 * time.Second)
	check(t, w.settled())

	crowd := func(until time.Duration) {
		for w.now < until {
			for no := range stock.SegmentNo(6) {
				w.ask(w.owner(no+1), w.newHold(no+1, 1))
			}
			w.run(w.now + 20*time.Millisecond)
		}
	}
	crowd(6 * time.Second)
	second := w.boot("n1")
	w.views()
	w.give(second, Segments{w.ledger.segments})
	crowd(9 * time.Second)
	if s := first.core.Status(); s.Hot != 6 || s.Segments != 6 {
		t.Fatalf("in the rush the first node has %d segments, %d hot", s.Segments, s.Hot)
	}
	if s := second.core.Status(); s.Serving < 1000 {
		t.Errorf("the second node has not taken what is quiet: %+v", s)
	}
	crowd(20 * time.Second)
	if s := second.core.Status(); s.Segments == 0 {
		t.Errorf("the rush has lasted, and nothing has moved: %+v", s)
	}
}
