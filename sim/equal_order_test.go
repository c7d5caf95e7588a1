package sim

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

const bank = "bank"

// sale takes one step of one order in both.
func (p *pair) sale() {
	if len(p.orders) == 0 {
		p.fact(Payment{ID: p.id(), Ref: p.id().String()})
		return
	}
	o := p.sim.orders[rapid.SampledFrom(p.orders).Draw(p.T, "order")]
	now := nowMs()
	var pays []Payment
	for _, pay := range p.refs {
		if pay.Order == o.ID && pay.Attempt == o.Attempt {
			pays = append(pays, pay)
		}
	}
	switch what := rapid.IntRange(0, 19).Draw(p.T, "step"); {
	case what < 2 || what > 2 && what < 6 && o.State != order.PendingPayment && o.State != order.Paid:
		p.after(o, now)
	case what == 19:
		p.move(o, now)
	case what == 18:
		p.captureFail(o, now)
	case what == 17:
		p.lists(now)
	case (what > 14 || what == 2) && len(p.refs) > 0:
		p.fact(rapid.SampledFrom(p.refs).Draw(p.T, "payment"))
	case o.State == order.PendingPayment:
		p.beginPayment(o, now)
	case o.State == order.Paying && len(pays) == 0:
		p.insertPayment(o)
	case o.State == order.Paid:
		p.issue(o, now)
	case len(pays) > 0:
		p.fact(pays[0])
	}
}

func (p *pair) beginPayment(o *Order, now int64) {
	until := now + hour
	theirs, err := p.db.PaymentBegin(p.ctx, o.ID, 3, time.UnixMilli(until), time.UnixMilli(now))
	for code, known := range map[int32]error{-1: ledger.ErrNotFound, -2: ledger.ErrOrderState, -3: ledger.ErrTooManyAttempts, -4: ledger.ErrHoldOver, -5: ledger.ErrEventCancelled} {
		if errors.Is(err, known) {
			theirs, err = code, nil
		}
	}
	p.must(err)
	simulated, err := p.sim.PaymentBegin(o.ID, 3, until, now)
	p.must(err)
	p.same("payment begin", theirs, simulated)
}

func (p *pair) insertPayment(o *Order) {
	pay := Payment{ID: p.id(), Order: o.ID, Attempt: max(o.Attempt-rapid.Int32Range(0, 5).Draw(p.T, "late")/4, 1), Amount: o.Total}
	pay.Ref = pay.ID.String()
	p.must(p.db.PaymentInsert(p.ctx, ledger.Payment{
		ID: pay.ID, OrderID: o.ID, Attempt: pay.Attempt, Provider: bank, ProviderRef: pay.Ref, Amount: pay.Amount, Currency: "EUR",
	}))
	p.sim.PaymentInsert(pay)
	p.refs = append(p.refs, pay)
}

// fact tells both what the provider says of a payment, perhaps again, perhaps with a wrong amount, perhaps of one that nobody knows.
func (p *pair) fact(pay Payment) {
	now := nowMs()
	f := Fact{Ref: pay.Ref, Amount: pay.Amount}
	f.Kind = rapid.SampledFrom([]string{order.PaymentAuthorized, order.PaymentAuthorized, order.PaymentCaptured, order.PaymentFailed, order.PaymentVoided}).Draw(p.T, "fact")
	if rapid.IntRange(0, 19).Draw(p.T, "wrong amount") == 3 {
		f.Amount++
	}
	f.ID = fmt.Sprint(f.Ref, ":", f.Kind, rapid.IntRange(0, 2).Draw(p.T, "message"))
	if _, told := p.sim.facts[f.ID]; told { // the same message has the same words
		f.Amount = pay.Amount
	}
	p.tell(f, now)
}

// tell tells both a fact.
func (p *pair) tell(f Fact, now int64) {
	amount := max(f.Amount, 1)
	verdicts, err := p.db.PaymentTake(p.ctx, []ledger.PaymentFact{{
		Provider: bank, ID: f.ID, Ref: f.Ref, Kind: f.Kind, Amount: amount, Currency: "EUR", At: time.UnixMilli(now),
	}}, time.UnixMilli(now))
	p.must(err)
	f.Amount = amount
	simulated, err := p.sim.Take([]Fact{f}, now)
	p.must(err)
	p.same("fact "+f.Kind, verdicts, []ledger.FactVerdict{{Code: simulated[0].Code, Again: simulated[0].Again, Order: simulated[0].Order}})
	p.seen[fmt.Sprint("verdict ", simulated[0].Code)]++
}

// move ends an order's payment as a worker does, perhaps one that knows an older attempt.
func (p *pair) move(o *Order, now int64) {
	to, event := order.Expired, order.EventDeadline
	switch {
	case o.State == order.Paying && rapid.Bool().Draw(p.T, "stuck"):
		to = order.Stuck
	case o.State == order.Paying && rapid.Bool().Draw(p.T, "failed"):
		to, event = order.PendingPayment, order.EventPayFail
	case o.State != order.Paying && o.State != order.Stuck:
		to = order.Expired
	}
	attempt := max(o.Attempt-rapid.Int32Range(0, 1).Draw(p.T, "late"), 0)
	from := rapid.SampledFrom([]order.State{order.Paying, order.Stuck}).Draw(p.T, "from")
	if from == order.Stuck && to != order.Expired {
		return
	}
	if to == order.Expired {
		theirs, err := p.db.OrderExpire(p.ctx, o.ID, int16(from), attempt, "", time.UnixMilli(now))
		p.must(err)
		simulated, err := p.sim.OrderExpire(o.ID, from, attempt, now)
		p.must(err)
		p.same("order expiry", theirs, simulated)
		return
	}
	theirs, err := p.db.OrderMove(p.ctx, o.ID, int16(from), int16(to), event, attempt, "", time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.OrderMove(o.ID, from, to, event, attempt, 0, now)
	p.must(err)
	p.same("order move", theirs, simulated)
}

func (p *pair) captureFail(o *Order, now int64) {
	pay := p.placed(o)
	if pay == nil {
		return
	}
	theirs, err := p.db.CaptureFail(p.ctx, o.ID, pay.ID, "", time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.CaptureFail(o.ID, pay.ID, now)
	p.must(err)
	p.same("capture fail", theirs, simulated)
}

func (p *pair) placed(o *Order) *Payment {
	for _, pay := range p.sim.payments {
		if pay.Order == o.ID && pay.Placed {
			return pay
		}
	}
	return nil
}

func (p *pair) issue(o *Order, now int64) {
	var tickets []ledger.NewTicket
	for _, l := range o.Lines {
		tickets = append(tickets, ledger.NewTicket{ID: p.id(), Seat: int64(l.Seat), Code: "c"})
	}
	pay := p.placed(o)
	theirs, err := p.db.Issue(p.ctx, []ledger.NewIssue{{Order: o.ID, Payment: pay.ID, Tickets: tickets}}, time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.Issue(o.ID, pay.ID, now)
	p.must(err)
	p.same("issue", theirs, []int32{simulated})
	p.seen[fmt.Sprint("issued ", simulated)]++
}

// lists compares what the workers look for.
func (p *pair) lists(now int64) {
	mine := func(id uuid.UUID) bool { return p.sim.orders[id] == nil }
	follow, err := p.db.OrdersToFollow(p.ctx, time.UnixMilli(now+hour), 10_000)
	p.must(err)
	slices.SortFunc(follow, byID)
	p.same("orders to follow", slices.DeleteFunc(follow, mine), p.sim.OrdersToFollow(now+hour))
	overdue, err := p.db.OrdersOverdue(p.ctx, time.UnixMilli(now+2*hour), true, 10_000)
	p.must(err)
	slices.SortFunc(overdue, byID)
	p.same("orders overdue", slices.DeleteFunc(overdue, mine), p.sim.OrdersOverdue(now+2*hour))
	loose, err := p.db.LoosePins(p.ctx, 10_000)
	p.must(err)
	var theirs []LoosePin
	for _, l := range loose {
		if !mine(l.Order) {
			theirs = append(theirs, LoosePin{l.Order, l.Hold, l.Attempt, p.sim.holds[l.Hold].segment, order.State(l.State)})
		}
	}
	slices.SortFunc(theirs, func(a, b LoosePin) int { return byID(a.Hold, b.Hold) })
	p.same("loose pins", theirs, p.sim.LoosePins())
}

// soldTo is whether a hold has a sold seat.
func (p *pair) soldTo(id uuid.UUID) bool {
	_, seats, _ := p.sim.Hold(id)
	return slices.ContainsFunc(seats, func(s stock.SeatRow) bool { return s.State == stock.Sold })
}

// compareRows compares everything that is written down.
func (p *pair) compareRows() {
	p.same("rows", p.dump(), p.sim.Dump())
	for _, ref := range p.segments {
		var head []byte
		var seq, epoch, session int64
		row := p.sim.part(ref.Part)
		p.must(p.db.SQL().QueryRowContext(p.ctx, `SELECT session, epoch, applied_seq, head_hash FROM ledger.part WHERE part = $1`, int32(ref.Part)).Scan(&session, &epoch, &seq, &head))
		p.same("partition", fmt.Sprintf("%d %d %d %x", session, epoch, seq, head), fmt.Sprintf("%d %d %d %x", row.session, row.epoch, row.seq, row.head))
	}
	theirs := map[string]int32{}
	p.rows(`SELECT dimension, key, n FROM ledger.quota WHERE event = $1`, func(r *sql.Rows) error {
		var d, n int32
		var key uuid.UUID
		err := r.Scan(&d, &key, &n)
		theirs[fmt.Sprint(d, key)] = n
		return err
	}, int32(p.event))
	simulated := map[string]int32{}
	for k, n := range p.sim.quota {
		simulated[fmt.Sprint(k.dimension, k.key)] = n
	}
	p.same("counters", theirs, simulated)
	for key, row := range p.sim.keys {
		r, err := p.db.Replayed(p.ctx, key.scope, key.key)
		p.must(err)
		_, outcome, _ := p.sim.Replayed(key.scope, key.key)
		p.same("request", fmt.Sprint(r.Fingerprint, r.Kind, r.Hold, r.Order, r.Outcome, r.Refused),
			fmt.Sprint(row.fingerprint, int16(row.kind), row.hold, row.order, int16(outcome), int16(row.refused)))
	}
	p.compareOutbox()
	p.compareRefunds()
	p.compareGrants()
}

func (p *pair) compareGrants() {
	theirs := map[uuid.UUID]string{}
	p.rows(`SELECT id, from_seg, to_seg, n, given_part, given_seq, coalesce(taken_part, -1), coalesce(taken_seq, -1) FROM ledger.grants WHERE event = $1`, func(r *sql.Rows) error {
		var id uuid.UUID
		var from, to, n, givenPart, givenSeq, takenPart, takenSeq int64
		err := r.Scan(&id, &from, &to, &n, &givenPart, &givenSeq, &takenPart, &takenSeq)
		theirs[id] = fmt.Sprint(from, to, n, givenPart, givenSeq, takenPart, takenSeq)
		return err
	}, int32(p.event))
	simulated := map[uuid.UUID]string{}
	for id, g := range p.sim.grants {
		takenPart, takenSeq := int64(-1), int64(-1)
		if g.taken != nil {
			takenPart, takenSeq = int64(g.taken.part), g.taken.seq
		}
		simulated[id] = fmt.Sprint(g.from, g.to, g.n, g.given.part, g.given.seq, takenPart, takenSeq)
	}
	p.same("grants", theirs, simulated)
	left, err := p.db.GrantsUntaken(p.ctx, 1000)
	p.must(err)
	var untaken []Untaken
	for _, g := range left {
		if g.Event == int32(p.event) {
			untaken = append(untaken, Untaken{g.ID, p.event, stock.Grant{From: stock.SegmentNo(g.From), To: stock.SegmentNo(g.To), Quantity: g.N}})
		}
	}
	p.same("grants on their way", untaken, p.sim.GrantsUntaken())
}

func (p *pair) compareOutbox() {
	var jobs []string
	p.rows(`SELECT topic, coalesce(payload->>'ref', payload->>'order') FROM ledger.outbox ORDER BY 1, 2`, func(r *sql.Rows) error {
		var topic, about string
		if err := r.Scan(&topic, &about); err != nil {
			return err
		}
		if id, err := uuid.Parse(about); err == nil && (p.sim.orders[id] != nil || p.knows(about)) {
			jobs = append(jobs, topic+" "+about)
		}
		return nil
	})
	var simulated []string
	for _, j := range p.sim.outbox {
		if j.Topic != topicUnsell {
			simulated = append(simulated, j.Topic+" "+j.Ref)
		} else if j.Topic == topicUnsell {
			simulated = append(simulated, j.Topic+" "+j.Order.String())
		}
	}
	slices.SortFunc(jobs, cmp.Compare[string])
	slices.SortFunc(simulated, cmp.Compare[string])
	p.same("outbox", jobs, simulated)
}

// knows is whether a provider's name for a payment was used in this run.
func (p *pair) knows(ref string) bool {
	for _, j := range p.sim.outbox {
		if j.Ref == ref {
			return true
		}
	}
	return p.sim.byRef[ref] != noID
}

func (p *pair) rows(query string, scan func(*sql.Rows) error, args ...any) {
	rows, err := p.db.SQL().QueryContext(p.ctx, query, args...)
	p.must(err)
	defer rows.Close()
	for rows.Next() {
		p.must(scan(rows))
	}
	p.must(rows.Err())
}

// dump is Postgres's rows as Ledger.Dump writes the simulated ones.
func (p *pair) dump() (text string) {
	line := func(format string, args ...any) { text += fmt.Sprintf(format, args...) }
	for _, ref := range p.segments {
		p.rows(`SELECT held, paying, sold FROM ledger.segments WHERE event = $1 AND segment = $2`, func(r *sql.Rows) error {
			var held, paying, sold int32
			err := r.Scan(&held, &paying, &sold)
			line("segment %d/%d held %d paying %d sold %d\n", ref.Event, ref.Segment, held, paying, sold)
			return err
		}, int32(ref.Event), int32(ref.Segment))
		p.rows(`SELECT s.seat, s.state, s.ver, s.type, s.hold, s.generation, s.order_id, s.attempt, EXISTS (SELECT 1 FROM ledger.sales x
			WHERE x.event = s.event AND x.seat = s.seat AND x.ended_seq IS NULL) FROM ledger.seats s WHERE s.event = $1 AND s.segment = $2 AND s.ver > 0 ORDER BY s.seat`,
			func(r *sql.Rows) error {
				var seat int64
				var state, ver, kind, generation, attempt int
				var hold, ordered uuid.NullUUID
				var sale bool
				err := r.Scan(&seat, &state, &ver, &kind, &hold, &generation, &ordered, &attempt, &sale)
				line("seat %d state %d ver %d type %d hold %v/%d order %v/%d sale %v\n", seat, state, ver, kind, hold.UUID, generation, ordered.UUID, attempt, sale)
				return err
			}, int32(ref.Event), int32(ref.Segment))
	}
	list := strings.NewReplacer("{", "[", "}", "]", ",", " ")
	p.rows(`SELECT id, state, try, legs::text, generation, quantity, deadline, max_expires_at, coalesce(remaining_ms, -1), order_id, attempt, quota_seats::text FROM ledger.holds WHERE event = $1 ORDER BY id`, func(r *sql.Rows) error {
		var id uuid.UUID
		var ordered uuid.NullUUID
		var state, try, generation, quantity, left, attempt int
		var deadline, last time.Time
		var legs, documents string
		err := r.Scan(&id, &state, &try, &legs, &generation, &quantity, &deadline, &last, &left, &ordered, &attempt, &documents)
		if state == int(ledger.HoldTrying) || state == int(ledger.HoldDropped) { // by the clock of each
			deadline, last = time.UnixMilli(0), time.UnixMilli(0)
		}
		if legs != "{}" && state == int(ledger.HoldEnded) && quantity > 0 && p.soldTo(id) {
			p.seen["wide sold"]++
		}
		line("hold %v state %d try %d legs %v gen %d quantity %d deadline %d max %d left %d order %v/%d documents %v\n", id, state, try, list.Replace(legs),
			generation, quantity, deadline.UnixMilli(), last.UnixMilli(), left, ordered.UUID, attempt, list.Replace(documents))
		return err
	}, int32(p.event))
	for _, id := range p.sim.sortedOrders(func(*Order) bool { return true }) {
		o, err := p.db.OrderGet(p.ctx, id)
		p.must(err)
		until := int64(0)
		if !o.PayingUntil.IsZero() {
			until = o.PayingUntil.UnixMilli()
		}
		var lines []string
		for _, l := range o.Lines {
			text := fmt.Sprintf("%012d", l.Seat)
			if l.Refund != noID {
				text += "x"
			}
			lines = append(lines, text)
		}
		slices.Sort(lines)
		line("order %v hold %v state %v ver %d attempt %d total %d lines %v until %d\n", id, o.Hold, order.State(o.State), o.Ver, o.Attempt, o.Total, strings.Join(lines, " "), until)
		slices.SortFunc(o.Payments, func(a, b ledger.Payment) int { return cmp.Compare(a.Attempt, b.Attempt) })
		for _, pay := range o.Payments {
			line("payment %d %s amount %d placed %v captured %d refunded %d\n", pay.Attempt, pay.State, pay.Amount, pay.Placed, pay.Captured, pay.Refunded)
		}
	}
	return text
}
