package sim

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// checker knows what was promised to whom, and compares it with the ledger after each commit and each answer. It learns of commits and answers
// only, and believes nobody's word: what it needs it reads from the rows.
type checker struct {
	w      *World
	parts  [stock.Partitions]bool // those with stock
	epochs map[stock.PartitionID]int64
	seqs   map[stock.PartitionID]int64
	early  map[*process]map[segmentKey]LoadedSegment // of the mutant that loads in its claim

	promises map[uuid.UUID]*promise   // by hold
	onSeat   map[seatKey]*promise     // the last one
	fates    map[requestKey]*fate     // what requests were answered
	counted  map[quotaKey][]uuid.UUID // the holds that ever counted against a limit
	sales    map[uuid.UUID]bool       // orders that somebody was told are paid
	ended    map[uuid.UUID]bool       // paid orders that ended by a refund, or of which a part did
	back     map[orderSeat]bool       // seats whose money goes back
	batches  map[uuid.UUID]uint64     // what was sent
	granted  map[*process]map[segmentKey][]grant
	waited   map[waited]uint64          // holds that were told to try again: the last request that had come by then
	served   map[stock.PartitionID]bool // since the faults ended
	strict   bool                       // what was promised by time has to be held
	lease    bool                       // a session's end by the database is its end by true time
}

type orderSeat struct {
	order uuid.UUID
	seat  stock.SeatID
}

type seatKey struct {
	event stock.EventID
	seat  stock.SeatID
}

// promise is what a client was told of a hold: it is the client's until then, by true time, unless the client gives it up.
type promise struct {
	hold  uuid.UUID
	until time.Duration
	over  bool
}

// fate is how a request was answered for good.
type fate struct {
	yes     bool
	no      stock.Code
	limit   stock.Outcome // of a hold over several segments: the limit that it was refused for
	effects int
}

// waited is a hold at a process. A copy of its request that waits in line for another copy may have its turn as late as when that was sent away.
type waited struct {
	p    *process
	hold uuid.UUID
}

// grant is a hold that was granted. Its turn came when its request did, or, where the request stood in line for another copy, when that copy
// was sent away: which of both the sight from outside does not tell.
type grant struct {
	came, turn uint64 // requests of the process, at the earliest and at the latest
	seq        int64
}

func newChecker(w *World) *checker {
	c := &checker{
		w: w, epochs: map[stock.PartitionID]int64{}, seqs: map[stock.PartitionID]int64{},
		promises: map[uuid.UUID]*promise{}, onSeat: map[seatKey]*promise{}, fates: map[requestKey]*fate{}, counted: map[quotaKey][]uuid.UUID{},
		sales: map[uuid.UUID]bool{}, ended: map[uuid.UUID]bool{}, back: map[orderSeat]bool{}, waited: map[waited]uint64{}, batches: map[uuid.UUID]uint64{}, granted: map[*process]map[segmentKey][]grant{},
		strict: !w.plan.clockJumps, lease: true,
	}
	for _, f := range w.plan.faults {
		if f.name == "database clock" || f.name == "sessions run out" {
			c.lease = false
		}
	}
	return c
}

func (c *checker) stocked(ref owner.SegmentRef) { c.parts[ref.Part] = true }

func (c *checker) hasStock(p stock.PartitionID) bool { return c.parts[p] }

// claimed checks that epochs only grow, and that each belongs to one session (I4).
func (c *checker) claimed(session int64, got []owner.Claim) {
	for _, g := range got {
		if g.Epoch <= c.epochs[g.Part] {
			c.w.fail("I4: partition %d got epoch %d after %d", g.Part, g.Epoch, c.epochs[g.Part])
		}
		c.epochs[g.Part] = g.Epoch
		if c.w.tracing() && c.parts[g.Part] {
			c.w.say("ledger", "session %d claims partition %d: epoch %d, seq %d", session, g.Part, g.Epoch, g.Seq)
		}
	}
}

// serves notes that a partition has an owner again.
func (c *checker) serves(p *process, pe owner.PartEpoch) {
	if pe.Epoch > c.w.ledger.part(pe.Part).epoch {
		c.w.fail("I4: %s serves partition %d under epoch %d, which nobody gave", p.name, pe.Part, pe.Epoch)
	}
}

// stepped checks that a core promises only while its session lives in the ledger.
func (c *checker) stepped(p *process) {
	if !c.lease {
		return
	}
	for part := range p.on {
		if !c.parts[part] {
			continue
		}
		var id uuid.UUID
		id[0], id[1] = byte(part>>4), byte(part<<4)
		if _, stale, _ := p.core.Hold(id); !stale && !c.w.ledger.live(p.session) {
			c.w.fail("%s promises under session %d, which is over in the ledger", p.name, p.session)
		}
		return
	}
}

// sent checks that a batch never changes once it was sent.
func (c *checker) sent(p *process, e owner.SendFlush) {
	sum := uint64(e.Batch.Now)
	for i := range e.Batch.Works {
		work := &e.Batch.Works[i]
		sum = sum*31 + uint64(work.Part)<<40 + uint64(work.Epoch)<<20 + uint64(work.Seq)
		for _, op := range work.Ops {
			sum = sum*31 + uint64(op.Kind) + uint64(len(op.Moves))<<8 + uint64(op.Hold[3])<<16 + uint64(op.Attempt)<<24
		}
	}
	if first, again := c.batches[e.Batch.ID]; again && first != sum {
		c.w.fail("%s sends batch %v again with other content", p.name, e.Batch.ID)
	}
	c.batches[e.Batch.ID] = sum
}

// arrives and answers see the requests at a core.
func (c *checker) arrives(p *process, id uint64, part stock.PartitionID, cmd *stock.Command) {
	if c.w.tracing() {
		c.w.say(p.name, "is asked (%d) for %s of hold %.8v on partition %d", id, kindName(cmd.Kind), cmd.Hold, part)
	}
}

func (c *checker) answers(p *process, id uint64, cmd *stock.Command, r owner.Reply) {
	if c.w.tracing() {
		c.w.say(p.name, "answers (%d): code %d problem %d seq %d", id, r.Answer.Code, r.Problem, r.Answer.Seq)
	}
	if r.Problem != owner.ProblemNone {
		return
	}
	a := &r.Answer
	part := partOf(cmd)
	switch a.Code {
	case stock.CodeOK, stock.CodeReplay, stock.CodeSoldOut, stock.CodeLimitReached, stock.CodeHoldExpired, stock.CodeHoldNotYours, stock.CodeIllegal:
		if a.Seq == 0 {
			c.w.fail("%s answers for good (code %d) from memory alone", p.name, a.Code)
			return
		}
		if c.w.ledger.batches[batchKey{part, a.Seq}] == nil {
			c.w.fail("I2: %s answers (code %d) from flush %d of partition %d, which is not in the ledger", p.name, a.Code, a.Seq, part)
			return
		}
	default:
	}
	if a.Code == stock.CodeOK && cmd.Request.Key != noID {
		if _, outcome, found := c.w.ledger.Replayed(cmd.Request.Scope, cmd.Request.Key); !found || outcome != stock.OutcomeApplied {
			c.w.fail("I2: %s says yes to a request that the ledger does not have (outcome %d)", p.name, outcome)
		}
	}
	if cmd.Kind != stock.KindHold {
		return
	}
	if a.Code == stock.CodeOK {
		c.fair(p, cmd, grant{id, max(id, c.waited[waited{p, cmd.Hold}]), a.Seq})
	}
}

// sentAway notes the holds that were told to try again, also when whoever asked had gone by then: the copies that wait behind them in line come now.
func (c *checker) sentAway(p *process, batch *owner.Batch, results []owner.WorkResult) {
	for i, r := range results {
		for j, outcome := range r.Outcomes {
			if outcome == stock.OutcomeLimitBusy {
				c.waited[waited{p, batch.Works[i].Ops[j].Hold}] = p.requests
			}
		}
	}
}

// fair checks that the holds of a segment are granted in the order in which they arrived at its owner (F1).
func (c *checker) fair(p *process, cmd *stock.Command, g grant) {
	all := c.granted[p]
	if all == nil {
		all = map[segmentKey][]grant{}
		c.granted[p] = all
	}
	key := segmentKey{cmd.Event, cmd.Segment}
	for _, other := range all[key] {
		if other.came > g.turn && other.seq < g.seq {
			c.w.fail("F1: %s granted request %d before request %d, which had come earlier", p.name, other.came, g.came)
		}
	}
	all[key] = append(all[key], g)
}

// asked sees what clients send: who gives a hold up has no claim to it any more.
func (c *checker) asked(cmd *stock.Command) {
	if pr := c.promises[cmd.Hold]; pr != nil && cmd.Kind == stock.KindRelease {
		pr.over = true
	} else if cmd.Kind == stock.KindRelease {
		c.promises[cmd.Hold] = &promise{hold: cmd.Hold, over: true}
	}
}

// begun notes that an order is being paid: from here the order says what becomes of its hold.
func (c *checker) begun(id uuid.UUID) {
	if pr := c.promises[c.w.ledger.orders[id].Hold]; pr != nil {
		pr.over = true
	}
}

// heard sees the answers that reach clients.
func (c *checker) heard(cl *client, cmd *stock.Command, t told, sent time.Duration) {
	if t.problem != owner.ProblemNone {
		return
	}
	c.noteCode(t.Code)
	c.same(cmd, t)
	yes := t.Code == stock.CodeOK || t.Code == stock.CodeReplay
	if !yes || t.Hold == nil || t.Hold.State != stock.Held {
		return
	}
	if t.Code == stock.CodeReplay {
		c.w.some[SawReplay]++
	}
	pr := c.promises[t.Hold.ID]
	if pr == nil {
		pr = &promise{hold: t.Hold.ID}
		c.promises[t.Hold.ID] = pr
	}
	pr.until = max(pr.until, sent+time.Duration(t.left)*time.Millisecond*98/100)
	row := c.w.ledger.holds[t.Hold.ID]
	if row == nil {
		c.w.fail("I3: hold %.8v was granted and is not in the ledger", t.Hold.ID)
		return
	}
	if row.Order != noID && c.w.ledger.orders[row.Order].State != order.PendingPayment {
		pr.over = true
	}
	if !pr.valid(c.w.now) || !c.strict {
		return
	}
	if row.state != holdHeld {
		c.w.fail("I3: hold %.8v is promised to client %d for %v, and has ended in the ledger", t.Hold.ID, cl.no, pr.until-c.w.now)
		return
	}
	for _, s := range t.Hold.Seats {
		if seat := c.w.ledger.segments[segmentKey{row.segment.event, s.Seat.Segment()}].seats[s.Seat.Index()]; seat == nil || seat.Hold != pr.hold {
			c.w.fail("I3: seat %d is promised under hold %.8v, and is not its in the ledger", s.Seat, pr.hold)
		}
		c.onSeat[seatKey{t.Hold.Event, s.Seat}] = pr
	}
}

func (p *promise) valid(now time.Duration) bool { return p != nil && !p.over && p.until > now }

// same checks that one request is answered in one way for good (I9). A hold that was granted may be over later.
func (c *checker) same(cmd *stock.Command, t told) {
	if cmd.Request.Key == noID {
		return
	}
	f := c.fateOf(cmd.Request)
	switch t.Code {
	case stock.CodeOK:
		if f.no != 0 {
			c.w.fail("I9: a request that was refused (code %d) was granted later", f.no)
		}
		f.yes = true
	case stock.CodeLimitReached:
		if f.yes {
			c.w.fail("I9: a request that was granted was refused (code %d) later", t.Code)
		}
		f.no = t.Code
	default:
	}
}

func (c *checker) fateOf(r stock.Request) *fate {
	key := requestKey{r.Scope, r.Key}
	f := c.fates[key]
	if f == nil {
		f = &fate{}
		c.fates[key] = f
	}
	return f
}

func (c *checker) noteCode(code stock.Code) {
	switch code {
	case stock.CodeSoldOut:
		c.w.some[SawSoldOut]++
	case stock.CodeAllHeld:
		c.w.some[SawAllHeld]++
	case stock.CodeSeatTaken:
		c.w.some[SawSeatTaken]++
	case stock.CodeLimitReached:
		c.w.some[SawLimit]++
	case stock.CodeHoldExpired, stock.CodeNoHold, stock.CodeIllegal:
		c.w.some[SawFinalNo]++
	default:
	}
}

// changed checks that nothing is lost or made in memory (I8).
func (c *checker) changed(e owner.Changed) {
	for _, s := range e.Segments {
		if n := s.Counts; n.Free < 0 || n.Free+n.Held+n.Paying+n.Sold != n.Capacity {
			c.w.fail("I8: segment %d of event %d has %+v in memory", s.Segment, s.Event, n)
		}
	}
}

var kindNames = map[stock.Kind]string{
	stock.KindHold: "hold", stock.KindExtend: "extend", stock.KindPin: "pin", stock.KindUnpin: "unpin", stock.KindRelease: "release", stock.KindExpire: "expire",
	stock.KindSell: "sell", stock.KindRefund: "refund", stock.KindOrder: "order", stock.KindNote: "note",
	stock.KindGrantOut: "grant", stock.KindGrantIn: "taking", stock.KindLeg: "leg", stock.KindUnleg: "end of the leg",
}

func kindName(k stock.Kind) string { return kindNames[k] }
