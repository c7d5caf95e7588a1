package owner

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// world runs some cores against one ledger, with one clock and one source of chance: the same seed is the same run.
type world struct {
	rng    *rand.Rand
	now    time.Duration
	events events
	order  int
	ledger *ledgerModel
	nodes  []*simNode
	cfg    Config

	ledgerDown bool
	loseFlush  float64 // chance that the outcome of a flush is lost
	slow       time.Duration
	sent       map[uuid.UUID]string // batches as they were first sent
	resent     int
	fencedSeen int
	refuses    func(*Batch) bool // a constraint fires

	requests map[uint64]*simRequest
	lastID   uint64
	replies  map[Problem]int
	codes    map[stock.Code]int
	problems []string
}

type simNode struct {
	id     string
	core   *Core
	dead   bool
	paused bool
	later  []func()
	on     map[stock.PartitionID]int64
	done   bool
}

type simRequest struct {
	cmd     stock.Command
	node    *simNode
	replies int
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

func newWorld(seed uint64, nodes int) *world {
	segments := make([]SegmentRef, 0, 6)
	for no := range stock.SegmentNo(6) {
		segments = append(segments, SegmentRef{Event: 1, Segment: no + 1, Part: stock.PartitionOf(1, no+1)})
	}
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), ledger: newLedgerModel(segments), sent: map[uuid.UUID]string{}, slow: 5 * time.Millisecond,
		requests: map[uint64]*simRequest{}, replies: map[Problem]int{}, codes: map[stock.Code]int{},
		cfg: Config{BalanceAfter: 500 * time.Millisecond, MoveCooldown: 300 * time.Millisecond},
	}
	for i := range nodes {
		w.boot(fmt.Sprintf("n%d", i))
	}
	return w
}

func (w *world) boot(id string) *simNode {
	cfg := w.cfg
	cfg.Node = id
	core, err := New(cfg)
	if err != nil {
		panic(err)
	}
	n := &simNode{id: id, core: core, on: map[stock.PartitionID]int64{}}
	w.nodes = append(w.nodes, n)
	w.tick(n)
	return n
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + d, w.order, do})
}

// some is a delay between nothing and about twice slow.
func (w *world) some() time.Duration { return time.Duration(w.rng.Int64N(int64(2*w.slow))) + 1 }

func (w *world) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := heap.Pop(&w.events).(event)
		w.now = max(w.now, e.at)
		w.ledger.now = w.now
		e.do()
	}
	w.now = until
	w.ledger.now = until
}

// give is an input on its way to a node; a paused node finds it when it goes on.
func (w *world) give(n *simNode, in Input) {
	switch {
	case n.dead:
	case n.paused:
		n.later = append(n.later, func() { w.give(n, in) })
	default:
		effects := n.core.Step(Now{w.now, wallStart + w.now.Milliseconds()}, in)
		for _, e := range effects {
			w.effect(n, e)
		}
	}
}

func (w *world) resume(n *simNode) {
	n.paused = false
	later := n.later
	n.later = nil
	for _, do := range later {
		do()
	}
}

func (w *world) tick(n *simNode) {
	if n.dead || n.done {
		return
	}
	w.give(n, Tick{})
	w.after(max(n.core.NextWake()-w.now, 100*time.Microsecond), func() { w.tick(n) })
}

func (w *world) views() {
	var members []string
	for _, n := range w.nodes {
		if !n.dead && !n.done {
			members = append(members, n.id)
		}
	}
	for _, n := range w.nodes {
		w.give(n, View{members})
	}
}

// call reaches the ledger after a while, and its answer the node after another. When the ledger is away failed comes instead.
func (w *world) call(n *simNode, do func() Input, failed Input) {
	w.after(w.some(), func() {
		in := failed
		if !w.ledgerDown {
			in = do()
		}
		if in != nil {
			w.after(w.some(), func() { w.give(n, in) })
		}
	})
}

func (w *world) effect(n *simNode, e Effect) {
	ttl := 3 * time.Second
	switch e := e.(type) {
	case OpenSession:
		w.call(n, func() Input { return SessionOpened{w.ledger.open(n.id, ttl), e.Sent} }, SessionFailed{})
	case Renew:
		w.call(n, func() Input { return Renewed{e.Session, e.Sent, w.ledger.renew(e.Session, ttl)} }, RenewFailed{e.Session})
	case EndSession:
		w.call(n, func() Input { w.ledger.sessions[e.Session].dead = true; return nil }, nil)
	case ClaimParts:
		w.call(n, func() Input { return Claimed{e.Session, e.Parts, w.ledger.claim(e.Session, e.Parts)} }, ClaimFailed{e.Parts})
	case Load:
		w.call(n, func() Input { return Loaded{Parts: w.ledger.load(e.Parts, nil)} }, LoadFailed{Parts: e.Parts})
	case LoadSegments:
		w.call(n, func() Input { return Loaded{Parts: w.ledger.load(e.Parts, e.Segments), Added: true} }, LoadFailed{Parts: e.Parts, Added: true})
	case SendFlush:
		w.sendFlush(n, e)
	case Release:
		var parts []PartEpoch
		for _, p := range e.Parts {
			parts = append(parts, PartEpoch{p.Part, p.Epoch})
		}
		w.call(n, func() Input { w.ledger.release(e); return Released{Parts: parts} }, Released{Parts: parts, Failed: true})
	case Reply:
		w.reply(e)
	case Serving:
		for _, p := range e.Parts {
			if e.On {
				n.on[p.Part] = p.Epoch
			} else {
				delete(n.on, p.Part)
			}
		}
	case Nudge:
		for _, m := range w.nodes {
			if m.id == e.Node {
				w.after(w.some(), func() { w.give(m, Nudged{e.Parts}) })
			}
		}
	case Alarm:
		w.problems = append(w.problems, fmt.Sprintf("alarm %s on %d: %s", e.Kind, e.Part, e.Text))
	case Changed:
	case Stopped:
		n.done = true
	}
}

func dump(b *Batch) string {
	s := fmt.Sprint(b.ID, b.Session, b.Now)
	for _, work := range b.Works {
		s += fmt.Sprint(work.Part, work.Epoch, work.Seq)
		for _, op := range work.Ops {
			s += fmt.Sprintf("%+v", *op)
		}
	}
	return s
}

func (w *world) sendFlush(n *simNode, e SendFlush) {
	text := dump(e.Batch)
	if first, ok := w.sent[e.Batch.ID]; !ok {
		w.sent[e.Batch.ID] = text
	} else if first != text {
		w.problems = append(w.problems, "a batch was sent again with other content")
	} else {
		w.resent++
	}
	if !slices.IsSortedFunc(e.Batch.Works, func(a, b Work) int { return int(a.Part) - int(b.Part) }) {
		w.problems = append(w.problems, "the works of a batch are not in order")
	}
	unknown := FlushUnknown{e.Lane, e.Batch.ID}
	w.after(w.some(), func() {
		var in Input = unknown
		switch lose := w.rng.Float64(); {
		case w.refuses != nil && w.refuses(e.Batch):
			in = FlushRefused{e.Lane, e.Batch.ID, "refused"}
		case w.ledgerDown, lose < w.loseFlush/2: // not written, and nobody knows
		default:
			results := w.ledger.flush(e.Batch)
			for _, r := range results {
				if r.Fenced {
					w.fencedSeen++
				}
			}
			if lose >= w.loseFlush { // else written, and nobody knows
				in = Flushed{e.Lane, e.Batch.ID, results}
			}
		}
		w.after(w.some(), func() { w.give(n, in) })
	})
}

func (w *world) reply(e Reply) {
	r := w.requests[e.ID]
	if r.replies++; r.replies > 1 {
		w.problems = append(w.problems, fmt.Sprintf("request %d got %d replies", e.ID, r.replies))
	}
	w.replies[e.Problem]++
	if e.Problem != ProblemNone {
		return
	}
	w.codes[e.Answer.Code]++
	if e.Answer.Code == stock.CodeOK && w.ledger.applied[fmt.Sprint(r.cmd.Kind, r.cmd.Hold, r.cmd.Request.Key)] != 1 {
		w.problems = append(w.problems, fmt.Sprintf("request %d was promised and is not in the ledger: %+v", e.ID, r.cmd))
	}
	if final := e.Answer.Code == stock.CodeNoHold || e.Answer.Code == stock.CodeHoldExpired; final && e.Answer.Seq == 0 {
		w.problems = append(w.problems, fmt.Sprintf("request %d got a final no from memory", e.ID))
	}
}

// ask sends a command to a node.
func (w *world) ask(n *simNode, cmd stock.Command) {
	w.lastID++
	id := w.lastID
	w.requests[id] = &simRequest{cmd: cmd, node: n}
	w.give(n, Request{ID: id, Part: stock.PartitionOf(cmd.Event, cmd.Segment), Command: cmd})
}

func number(kind byte, n uint64) uuid.UUID {
	var id uuid.UUID
	id[0] = kind
	for i := range 8 {
		id[15-i] = byte(n >> (8 * i))
	}
	return id
}

// newHold is a command for a hold that nobody asked for before.
func (w *world) newHold(segment stock.SegmentNo, quantity int32) stock.Command {
	w.order++
	n := uint64(w.order)
	request := stock.Request{Scope: number(1, 1), Key: number(2, n), Fingerprint: number(3, n)}
	return stock.Command{
		Kind: stock.KindHold, Event: 1, Segment: segment, Request: request, Ask: stock.Ask{Quantity: quantity}, TTL: 1500, MaxTTL: 4000,
		Hold: stock.NewCoordinatedID(stock.PartitionOf(1, segment), request.Scope, request.Key, "hold"),
	}
}

// change is a command for a hold, under a key of its own.
func (w *world) change(kind stock.Kind, hold stock.Command) stock.Command {
	w.order++
	n := uint64(w.order)
	return stock.Command{
		Kind: kind, Event: hold.Event, Segment: hold.Segment, Hold: hold.Hold, TTL: 1500,
		Request: stock.Request{Scope: number(1, 1), Key: number(2, n), Fingerprint: number(3, n)},
	}
}

// verdict checks what must hold at any time.
func (w *world) verdict() []string {
	return append(slices.Clone(w.problems), w.ledger.broken...)
}

// settled checks what must hold when nothing is under way and all is well.
func (w *world) settled() []string {
	out := w.verdict()
	owners := map[stock.PartitionID]string{}
	for _, n := range w.nodes {
		if n.dead || n.done {
			continue
		}
		for p, epoch := range n.on {
			if other, twice := owners[p]; twice {
				out = append(out, fmt.Sprintf("partition %d is served by %s and %s", p, other, n.id))
			}
			if row := w.ledger.parts[p]; row.epoch != epoch || w.ledger.sessions[row.session].node != n.id {
				out = append(out, fmt.Sprintf("partition %d is served by %s, its row says otherwise", p, n.id))
			}
			owners[p] = n.id
		}
		for _, ref := range w.ledger.segments {
			if state, ok := n.core.Segment(ref.Event, ref.Segment); ok && n.on[ref.Part] > 0 {
				seats, _ := w.ledger.rows(ref)
				states := make([]stock.State, w.ledger.layout.Capacity())
				for _, s := range seats {
					states[s.Seat.Index()] = s.State
				}
				if !slices.Equal(state.Seats, pack(states)) {
					out = append(out, fmt.Sprintf("segment %d differs between memory and ledger", ref.Segment))
				}
			}
		}
	}
	if len(owners) != stock.Partitions {
		out = append(out, fmt.Sprintf("%d partitions have an owner", len(owners)))
	}
	for id, r := range w.requests {
		if r.replies != 1 && !r.node.dead { // a node that died takes its questions with it
			out = append(out, fmt.Sprintf("request %d has %d replies", id, r.replies))
		}
	}
	return out
}
