package shed

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// rush is a simulated node with its clients: a number of places, each request at work for a time, requests that come by chance. It has a clock of its own,
// so the same seed is the same rush on any machine.
type rush struct {
	gate    *Gate // nil: everybody waits in one line, as long as it gets
	places  int
	serve   time.Duration
	rng     *rand.Rand
	now     time.Duration
	moments moments
	order   int

	busy int
	line []*caller

	served [classes]int // answered while the client still waited
	late   [classes]int // answered when it had gone: work for nothing
	asked  [classes]int
	told   [classes]int // refused
	waits  []time.Duration
	from   time.Duration // counts begin here
}

type caller struct {
	class   Class
	arrived time.Duration
	ticket  *Ticket
}

type moment struct {
	at    time.Duration
	order int
	do    func()
}

type moments []moment

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	return m[i].at < m[j].at || m[i].at == m[j].at && m[i].order < m[j].order
}
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)   { *m = append(*m, x.(moment)) }
func (m *moments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// clientWaits is how long a client of a class waits for its answer.
func clientWaits(c Class) time.Duration {
	if c == Browse || c == Look {
		return time.Second
	}
	return 5 * time.Second
}

func newRush(t *testing.T, gated bool) *rush {
	r := &rush{places: 16, serve: 16 * time.Millisecond, rng: rand.New(rand.NewPCG(7, 7))} // 1,000 a second
	if gated {
		var err error
		if r.gate, err = New(Config{Work: r.places, Reads: r.places}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rush) after(d time.Duration, do func()) {
	r.order++
	heap.Push(&r.moments, moment{r.now + d, r.order, do})
}

func (r *rush) run(until time.Duration) {
	for len(r.moments) > 0 && r.moments[0].at <= until {
		m := heap.Pop(&r.moments).(moment)
		r.now = m.at
		m.do()
	}
	r.now = until
}

// send lets requests of a class come, so many a second, until a moment.
func (r *rush) send(c Class, perSecond float64, until time.Duration) {
	if r.now < until {
		r.after(time.Duration(r.rng.ExpFloat64()/perSecond*float64(time.Second)), func() {
			r.arrive(&caller{class: c, arrived: r.now})
			r.send(c, perSecond, until)
		})
	}
}

func (r *rush) arrive(c *caller) {
	if r.now >= r.from {
		r.asked[c.class]++
	}
	if r.gate == nil {
		if r.busy == r.places {
			r.line = append(r.line, c)
			return
		}
		r.busy++
		r.work(c)
		return
	}
	ticket, why := r.gate.Enter(c.class, r.now)
	if why != Admitted {
		r.refused(c)
		return
	}
	c.ticket = ticket
	if ticket.Ready() == nil {
		r.work(c)
		return
	}
	r.line = append(r.line, c)
	r.after(c.class.Patience(), func() {
		if ticket.waiting {
			r.gate.GiveUp(ticket, Age, r.now)
			r.gate.Leave(ticket, r.now)
			r.line = slices.DeleteFunc(r.line, func(o *caller) bool { return o == c })
			r.refused(c)
		}
	})
}

func (r *rush) refused(c *caller) {
	if r.now >= r.from {
		r.told[c.class]++
	}
}

func (r *rush) work(c *caller) { r.after(r.serve, func() { r.done(c) }) }

func (r *rush) done(c *caller) {
	if r.now >= r.from {
		if wait := r.now - c.arrived; wait <= clientWaits(c.class) {
			r.served[c.class]++
			r.waits = append(r.waits, wait)
		} else {
			r.late[c.class]++
		}
	}
	if r.gate == nil {
		if len(r.line) == 0 {
			r.busy--
			return
		}
		next := r.line[0]
		r.line = r.line[1:]
		r.work(next)
		return
	}
	r.gate.Leave(c.ticket, r.now)
	r.line = slices.DeleteFunc(r.line, func(o *caller) bool {
		if o.ticket.waiting {
			return false
		}
		if o.ticket.Decided() == Admitted {
			r.work(o)
		} else {
			r.gate.Leave(o.ticket, r.now)
			r.refused(o)
		}
		return true
	})
}

func (r *rush) quantile(q float64) time.Duration {
	slices.Sort(r.waits)
	return r.waits[int(q*float64(len(r.waits)-1))]
}

// TestGoodputDoesNotCollapse: ten times as many ask as can be served, for half a minute. With the gate nearly everything that the node does is answered in
// time; in one line, which is what there was without it, everybody is answered when they have gone.
func TestGoodputDoesNotCollapse(t *testing.T) {
	t.Parallel()
	const end = 30 * time.Second
	results := map[bool]*rush{}
	for _, gated := range []bool{true, false} {
		r := newRush(t, gated)
		r.from = 5 * time.Second
		r.send(Hold, 10_000, end)
		r.run(end)
		results[gated] = r
		t.Logf("gate %v: %d asked, %d served in time, %d for nothing, %d told to come again, p50 %v, p99 %v", gated, r.asked[Hold], r.served[Hold], r.late[Hold], r.told[Hold], last(r, .5), last(r, .99))
	}
	with, without := results[true], results[false]
	if capacity := 25 * 1000; with.served[Hold] < capacity*9/10 || with.late[Hold] > 0 {
		t.Errorf("%d of %d were served in time, %d for nothing", with.served[Hold], capacity, with.late[Hold])
	}
	if with.served[Hold] < 10*without.served[Hold] {
		t.Errorf("one line served %d in time: the rush is not one in which a gate matters", without.served[Hold])
	}
	if p99 := with.quantile(.99); p99 > 600*time.Millisecond {
		t.Errorf("the slowest in a hundred waited %v", p99)
	}
}

func last(r *rush, q float64) time.Duration {
	if len(r.waits) == 0 {
		return -1
	}
	return r.quantile(q)
}

// TestWhoHasSomethingIsShedLast: reads go first, then those who have nothing yet; who pays does not notice.
func TestWhoHasSomethingIsShedLast(t *testing.T) {
	t.Parallel()
	const end = 30 * time.Second
	r := newRush(t, true)
	r.from = 5 * time.Second
	r.send(Browse, 2000, end)
	r.send(Hold, 3000, end)
	r.send(Look, 100, end)
	r.send(Buy, 200, end)
	r.run(end)
	part := func(c Class) float64 { return float64(r.served[c]) / float64(r.asked[c]) }
	t.Logf("served: browse %.3f, hold %.3f, look %.3f, buy %.3f; p99 %v", part(Browse), part(Hold), part(Look), part(Buy), r.quantile(.99))
	if part(Buy) < 0.999 || part(Look) < 0.999 {
		t.Errorf("buy %.3f and look %.3f were not served whole", part(Buy), part(Look))
	}
	if want := 0.9 * 700 / 3000; part(Hold) < want {
		t.Errorf("holds %.3f, want %.3f: what is left of the node is theirs", part(Hold), want)
	}
	if part(Browse) > part(Hold) {
		t.Errorf("browse %.3f is served better than hold %.3f", part(Browse), part(Hold))
	}
}

// TestSharesComeBack: when the rush is over everybody gets in again, within seconds.
func TestSharesComeBack(t *testing.T) {
	t.Parallel()
	r := newRush(t, true)
	r.send(Browse, 5000, 10*time.Second)
	r.send(Hold, 10_000, 10*time.Second)
	r.run(10 * time.Second)
	if n := r.gate.Numbers(r.now); n.Share[Browse] > 0.05 || n.Share[Hold] > 0.3 {
		t.Fatalf("in the rush: %+v", n)
	}
	r.run(20 * time.Second)
	for _, c := range Classes() {
		if s := r.gate.Numbers(r.now).Share[c]; s < 1 {
			t.Errorf("%v has a share of %v ten seconds later", c, s)
		}
	}
}

// TestABurstIsServed: a crowd that the node can work off within a moment is not sent away.
func TestABurstIsServed(t *testing.T) {
	t.Parallel()
	r := newRush(t, true)
	for range 300 { // at once: 300 ms of work
		r.arrive(&caller{class: Hold})
	}
	r.run(time.Second)
	if r.served[Hold] != 300 {
		t.Errorf("%d of 300 were served", r.served[Hold])
	}
}
