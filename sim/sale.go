package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// What happens between a hold and a ticket, step by step as stockd/order does it. That package talks to Postgres itself and cannot be driven
// without; so its steps are made here, with its states and by the same commands. A crash between any two of them only delays the rest.

// Times of a sale, in the proportions of stockd/order.
const (
	payFor      = int64(1200) // ms
	stuckFor    = int64(800)
	followIn    = int64(200)
	callLease   = int64(900)
	attempts    = int32(3)
	orphanGrace = int64(600)
	tidyEvery   = 250 * time.Millisecond
	callProver  = 300 * time.Millisecond // a call to the provider
)

// commandOf is a command about an order's seats.
func commandOf(kind stock.Kind, o *Order, segment stock.SegmentNo) stock.Command {
	return stock.Command{Kind: kind, Event: o.Event, Segment: segment, Hold: o.Hold, Order: o.ID, Attempt: o.Attempt}
}

// segmentOf is the segment of an order's hold; 0 when it is over several.
func (w *World) segmentOf(o *Order) stock.SegmentNo { return w.ledger.holds[o.Hold].segment.no }

// commandsOf are the commands of a kind about an order's seats, one for each segment.
func commandsOf(kind stock.Kind, o *Order) []stock.Command {
	var all []stock.Command
	for _, no := range segmentsOf(o) {
		all = append(all, commandOf(kind, o, no))
	}
	return all
}

// sortedLines are the lines of an order, in order of their seats.
func sortedLines(o *Order) []stock.OrderLine {
	return slices.SortedFunc(slices.Values(o.Lines), func(a, b stock.OrderLine) int { return cmp.Compare(a.Seat, b.Seat) })
}

func segmentsOf(o *Order) []stock.SegmentNo {
	var all []stock.SegmentNo
	for _, line := range o.Lines {
		all = append(all, line.Seat.Segment())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// doAll runs commands one after the other. With until it ends at the first that is not done, now or before. It tells the first answer of that kind.
func (p *process) doAll(cmds []stock.Command, until bool, then func(told)) {
	result := told{Answer: stock.Answer{Code: stock.CodeOK}}
	var next func(i int)
	next = func(i int) {
		if i == len(cmds) {
			then(result)
			return
		}
		p.w.late(p, cmds[i])
		p.doBusy(cmds[i], func(t told) {
			done := t.problem == owner.ProblemNone && (t.Code == stock.CodeOK || t.Code == stock.CodeReplay)
			if result.problem == owner.ProblemNone && (result.Code == stock.CodeOK || result.Code == stock.CodeReplay || t.problem != owner.ProblemNone) {
				result = t
			}
			if until && !done {
				i = len(cmds) - 1
			}
			next(i + 1)
		})
	}
	next(0)
}

// getOrder reads an order.
func (p *process) getOrder(id uuid.UUID, then func(o Order, payments []Payment, ok bool)) {
	var o Order
	var payments []Payment
	var found bool
	p.query(func() { o, payments, found = p.w.ledger.OrderGet(id) }, func(ok bool) { then(o, payments, ok && found) })
}

// change is a transaction on an order's row: it locks the row until it commits.
func (p *process) change(id uuid.UUID, do func() error, then func(ok bool)) {
	l := p.w.ledger
	begin := func() func() {
		l.locked[id]++
		return func() { l.locked[id]-- }
	}
	p.queryIn(callGiveUp, begin, func() {
		if err := do(); err != nil {
			p.w.fail("the last line of the ledger fired at a change of an order by %s: %v", p.name, err)
		}
	}, then)
}

// startPayment turns the order paying, pins its seats, and only then creates the payment. While an attempt is open it goes on with that.
func (p *process) startPayment(id uuid.UUID, then func(started bool)) {
	p.getOrder(id, func(o Order, payments []Payment, ok bool) {
		switch {
		case ok && o.State == order.PendingPayment:
			attempt := int32(-1)
			p.change(id, func() (err error) {
				if attempt, err = p.w.ledger.PaymentBegin(id, attempts, p.wall()+payFor, p.wall()); attempt > 0 {
					p.w.check.begun(id)
				}
				return err
			}, func(ok bool) {
				if !ok || attempt < 0 {
					then(false)
					return
				}
				o.Attempt = attempt
				p.createPayment(&o, then)
			})
		case ok && o.State == order.Paying:
			if n := len(payments); n > 0 && payments[n-1].Attempt == o.Attempt {
				then(true)
				return
			}
			p.w.some[SawPaymentResumed]++
			p.createPayment(&o, then)
		default:
			then(false)
		}
	})
}

// createPayment pins the seats and creates the payment. Both may be repeated.
func (p *process) createPayment(o *Order, then func(started bool)) {
	pins := commandsOf(stock.KindPin, o)
	if p.w.plan.eager && !p.w.calm && p.w.chance(2) { // does not wait for the pin, which comes late: the ledger has to notice
		p.w.some[SawEager]++
		p.w.after(p.w.between(0, 40*time.Millisecond), func() { p.deliver(func() { p.doAll(pins, true, func(told) {}) }) })
		p.atProvider(o, true, then)
		return
	}
	p.doAll(pins, true, func(t told) {
		switch {
		case t.problem != owner.ProblemNone, t.Code == stock.CodeBusy, t.Code == stock.CodeKeyInFlight:
			then(false)
		case t.Code == stock.CodeOK, t.Code == stock.CodeReplay:
			p.atProvider(o, false, then)
		default:
			p.w.check.pinRefused(o, t)
			p.failAttempt(o)
			then(false)
		}
	})
}

// atProvider creates the payment. A buyer who is prompt pays at once.
func (p *process) atProvider(o *Order, prompt bool, then func(started bool)) {
	payment := Payment{
		ID:    stock.NewCoordinatedID(stock.CoordinatorOf(o.ID), o.ID, uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%d", o.Attempt)), "payment"),
		Order: o.ID, Attempt: o.Attempt, Amount: o.Total,
	}
	payment.Ref = payment.ID.String()
	p.w.provider.create(p, payment, prompt, func(ok bool) {
		if !ok {
			then(false)
			return
		}
		p.query(func() { p.w.ledger.PaymentInsert(payment) }, func(ok bool) { then(ok) })
	})
}

// failAttempt ends an attempt for which no payment was made.
func (p *process) failAttempt(o *Order) {
	moved := false
	p.change(o.ID, func() (err error) {
		moved, err = p.w.ledger.OrderMove(o.ID, order.Paying, order.PendingPayment, order.EventPayFail, o.Attempt, 0, p.wall())
		return err
	}, func(ok bool) {
		if ok && moved {
			p.unpin(LoosePin{Order: o.ID, Hold: o.Hold, Attempt: o.Attempt, Segment: segmentKey{o.Event, p.w.segmentOf(o)}, State: order.PendingPayment})
		}
	})
}

// unpin undoes a pin that nobody waits for: to the hold while the order waits for payment, to the pool when it has ended.
func (p *process) unpin(pin LoosePin) {
	if pin.Segment.no == 0 {
		p.unpinWide(pin)
		return
	}
	cmd := stock.Command{
		Kind: stock.KindUnpin, Event: pin.Segment.event, Segment: pin.Segment.no, Hold: pin.Hold, Order: pin.Order, Attempt: pin.Attempt,
		Free: pin.State != order.PendingPayment,
	}
	p.w.late(p, cmd)
	p.doBusy(cmd, func(told) {})
}

// late sends a command a second time, much later, by somebody else: such a message must do no harm.
func (w *World) late(from *process, cmd stock.Command) {
	if w.calm || !w.plan.duplicates || !w.chance(4) {
		return
	}
	w.after(w.between(50*time.Millisecond, 1500*time.Millisecond), func() {
		if p := w.anybody(); p != nil {
			w.some[SawLateCommand]++
			p.deliver(func() { p.do(cmd, func(told) {}) })
		}
	})
}

// webhook takes a message of the provider; heard says that everything is committed.
func (p *process) webhook(f Fact, heard func(ok bool)) {
	p.take(f, func(v Verdict, ok bool) { heard(ok) })
}

// take commits a fact and does what follows from it at once.
func (p *process) take(f Fact, then func(v Verdict, ok bool)) {
	l := p.w.ledger
	var verdict Verdict
	var before map[uuid.UUID]int
	pay := l.payments[l.byRef[f.Ref]]
	id := uuid.Nil
	if pay != nil {
		id = pay.Order
	}
	if l.wrong == DecideOnOldSnapshot && pay != nil {
		before = map[uuid.UUID]int{id: l.pinned(l.orders[id], pay.Attempt)}
	}
	p.change(id, func() error {
		truth := p.w.check.pins(f.Ref)
		take := l.Take
		if before != nil {
			take = func(facts []Fact, now int64) ([]Verdict, error) { return l.take(facts, before, now) }
		}
		v, err := take([]Fact{f}, p.wall())
		if err == nil {
			verdict = v[0]
			p.w.check.decided(f, verdict, truth)
		}
		return err
	}, func(ok bool) {
		if !ok {
			then(verdict, false)
			return
		}
		switch verdict.Code {
		case factPaid, factAlready:
			p.followOrder(verdict.Order)
		case factFailed:
			p.unpinOrder(verdict.Order)
		case factLate:
			p.w.some[SawPaidLate]++
			p.latePaid(verdict.Order)
		}
		then(verdict, true)
	})
}

// unpinOrder undoes the pins of an order that does not wait for a payment any more.
func (p *process) unpinOrder(id uuid.UUID) {
	p.getOrder(id, func(o Order, _ []Payment, ok bool) {
		if ok && (o.State == order.PendingPayment || o.State == order.Expired) {
			p.unpin(LoosePin{Order: id, Hold: o.Hold, Attempt: o.Attempt, Segment: segmentKey{o.Event, p.w.segmentOf(&o)}, State: o.State})
		}
	})
}

// followOrder finishes a paid order: its pins become sales, its payment is captured, its tickets are issued.
func (p *process) followOrder(id uuid.UUID) {
	if p.follow[id] {
		return
	}
	p.follow[id] = true
	over := func() { delete(p.follow, id) }
	p.getOrder(id, func(o Order, payments []Payment, ok bool) {
		var placed *Payment
		for i := range payments {
			if payments[i].Placed {
				placed = &payments[i]
			}
		}
		if !ok || o.State != order.Paid || placed == nil {
			over()
			return
		}
		p.doAll(commandsOf(stock.KindSell, &o), false, func(t told) { p.sold(&o, placed, t, over) })
	})
}

// sold captures once the seats are sold, now or before.
func (p *process) sold(o *Order, pay *Payment, t told, over func()) {
	if t.problem != owner.ProblemNone {
		over()
		return
	}
	if t.Code == stock.CodeOK {
		p.capture(o, pay, over)
		return
	}
	var seats []stock.SeatRow
	p.query(func() { _, seats, _ = p.w.ledger.Hold(o.Hold) }, func(ok bool) {
		n := 0
		for _, s := range seats {
			if s.State == stock.Sold {
				n++
			}
		}
		if !ok || n < len(o.Lines) {
			over()
			return
		}
		p.w.some[SawSoldBefore]++
		p.capture(o, pay, over)
	})
}

func (p *process) capture(o *Order, pay *Payment, over func()) {
	p.w.provider.call(p, func() bool { return p.w.provider.capture(pay.Ref) }, func(done, ok bool) {
		switch {
		case !ok:
			over()
		case !done:
			p.change(o.ID, func() error {
				ended, err := p.w.ledger.CaptureFail(o.ID, pay.ID, p.wall())
				if ended {
					p.w.some[SawCaptureRefused]++
					p.w.check.unsold(o.ID)
				}
				return err
			}, func(bool) { over() })
		default:
			p.change(o.ID, func() error {
				code, err := p.w.ledger.Issue(o.ID, pay.ID, p.wall())
				if code == issuedNow {
					p.w.some[SawIssued]++
				}
				return err
			}, func(bool) { over() })
		}
	})
}
