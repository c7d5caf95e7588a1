package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"ticketrush/stockd/stock"
)

// crowd is the load: buyers who hold, extend, release, order, cancel, pay and give back, half of them through the edge and half straight at the nodes.
type crowd struct {
	wires   []*wire
	places  *places
	history *history
	book    *book
	buyers  int
	opsMax  int64

	ops     atomic.Int64 // answered operations
	sales   atomic.Int64 // seats and units that were sold
	window  []sync.Mutex // one for each segment, guarding its part of sold
	sold    []map[int]bool
	running sync.WaitGroup
	stop    chan struct{}
	money   *money
	matinee *matinee
}

// hot is how many seats of a segment buyers look at, the first ones that are not sold: few enough that they often want the same.
const hot = 40

// payMax bounds how long one buyer may poll for the end of a payment.
const payMax = 90 * time.Second

func newCrowd(wires []*wire, p *places, h *history, b *book, buyers int, opsMax int64) *crowd {
	n := 0
	for no := range p.segments {
		n = max(n, no)
	}
	c := &crowd{wires: wires, places: p, history: h, book: b, buyers: buyers, opsMax: opsMax, stop: make(chan struct{}), money: &money{}, matinee: newMatinee(), window: make([]sync.Mutex, n+1), sold: make([]map[int]bool, n+1)}
	for i := range c.sold {
		c.sold[i] = map[int]bool{}
	}
	return c
}

// start sends the buyers. They stop after finish, each at the end of what it has begun; ctx cuts them off.
func (c *crowd) start(ctx context.Context) {
	for i := range c.buyers {
		b := &buyer{crowd: c, wire: c.wires[i%len(c.wires)], dice: rand.New(rand.NewPCG(uint64(i), 7))}
		c.running.Go(func() {
			for c.ops.Load() < c.opsMax {
				select {
				case <-c.stop:
					return
				case <-ctx.Done():
					return
				default:
					if b.dice.IntN(ofMatinee) > 0 || !b.visitMatinee(ctx) {
						b.visit(ctx)
					}
				}
			}
		})
	}
}

// finish lets everybody end what they have begun.
func (c *crowd) finish() {
	close(c.stop)
	c.running.Wait()
}

// pick chooses neighbours in a segment among its hot seats.
func (c *crowd) pick(dice *rand.Rand) (segment int, labels []string) {
	segment = 1 + dice.IntN(sections)
	seats := c.places.segments[segment]
	c.window[segment].Lock()
	defer c.window[segment].Unlock()
	var free []int
	for i := 0; i < len(seats) && len(free) < hot; i++ {
		if !c.sold[segment][i] {
			free = append(free, i)
		}
	}
	if len(free) == 0 {
		return segment, nil
	}
	first := free[dice.IntN(len(free))]
	labels = []string{seats[first]}
	if next := first + 1; dice.IntN(2) == 0 && next < len(seats) && !c.sold[segment][next] {
		labels = append(labels, seats[next])
	}
	return segment, labels
}

// mark moves the window past seats that nobody can get any more, or lets those be looked at again that go on sale.
func (c *crowd) mark(labels []string, sold bool) {
	for _, label := range labels {
		id, ok := c.places.at[label]
		if !ok {
			continue // a place of the area: another one will do
		}
		seat := stock.SeatID(id)
		c.window[seat.Segment()].Lock()
		c.sold[seat.Segment()][int(seat.Index())] = sold
		c.window[seat.Segment()].Unlock()
	}
}
