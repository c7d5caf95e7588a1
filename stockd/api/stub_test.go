package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ticketrush/stockd/chart"
	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// stubNode is the real engine, all segments in one place, with a map instead of the ledger: for tests of what the handlers make of answers.
// What a commit means is tested against Postgres.
type stubNode struct {
	mu       sync.Mutex
	now      func() time.Time
	events   map[stock.EventID]*Event
	segments map[soldKey]*stock.Segment
	replays  map[[2]uuid.UUID]Replay
	used     map[uuid.UUID]int32          // quota key → seats
	wides    map[uuid.UUID]stock.HoldView // holds over several segments
	standFor map[stock.SeatID]uuid.UUID   // the documents of their seats

	wideQuotas []stock.Quota // what the last of them counts against
	charts     map[uuid.UUID]Chart
	compiled   map[uuid.UUID]*chart.Chart
	audits     []AuditEntry
	mass       MassRefund // zero: nothing was cancelled
	fail       error      // what Do answers
	foreign    bool       // everything belongs to another node
	stale      bool       // its counts are said to be old
	order      []stock.SegmentNo
	deltas     chan Delta
	reasons    []string
	boom       bool
	trying     bool   // what is over a limit may be given back
	before     func() // called by Do before anything else
	// eventNode is where another node listens, for those that are not this one's.
	eventNode string
}

func newStubNode(now func() time.Time) *stubNode {
	return &stubNode{
		now: now, events: map[stock.EventID]*Event{}, segments: map[soldKey]*stock.Segment{}, replays: map[[2]uuid.UUID]Replay{},
		used: map[uuid.UUID]int32{}, wides: map[uuid.UUID]stock.HoldView{}, standFor: map[stock.SeatID]uuid.UUID{}, charts: map[uuid.UUID]Chart{}, compiled: map[uuid.UUID]*chart.Chart{}, deltas: make(chan Delta, 8),
	}
}

// put adds an event over a chart.
func (n *stubNode) put(c *chart.Chart, ev Event) *Event {
	compiled, err := c.Compile()
	if err != nil {
		panic(err)
	}
	ev.Categories = compiled.Categories
	ev.Layout = Layout{Width: c.Width, Height: c.Height, FocalX: c.Focal.X, FocalY: c.Focal.Y, Colors: []string{"#aa0000", "#00aa00"}}
	for _, seg := range compiled.Segments {
		one := Segment{No: seg.No, Section: seg.Section, Name: seg.Name, Area: seg.Area, Capacity: seg.Capacity}
		if seg.Area {
			one.Category = 1
			n.segments[soldKey{ev.Number, seg.No}] = stock.NewArea(ev.Number, seg.No, seg.Capacity)
		} else {
			one.Capacity = seg.Layout.Capacity()
			n.segments[soldKey{ev.Number, seg.No}] = stock.NewSegment(seg.Layout, ev.Number, seg.No)
		}
		for _, seat := range seg.Seats {
			one.Seats = append(one.Seats, Seat{seat.Label, seat.Category, float64(seat.X), float64(seat.Y), uint8(seat.Flags)})
		}
		ev.Segments = append(ev.Segments, one)
	}
	n.events[ev.Number] = &ev
	return &ev
}

func (n *stubNode) Do(_ context.Context, cmd stock.Command) (stock.Answer, error) {
	n.mu.Lock()
	before := n.before
	n.mu.Unlock()
	if before != nil {
		before()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.boom {
		panic("boom")
	}
	if n.fail != nil {
		return stock.Answer{}, n.fail
	}
	seg, now := n.segments[soldKey{cmd.Event, cmd.Segment}], n.now().UnixMilli()
	for _, id := range seg.Due(now, 100) {
		n.settle(seg, seg.Apply(stock.Command{Kind: stock.KindExpire, Event: cmd.Event, Segment: cmd.Segment, Hold: id}, now), now)
	}
	return n.settle(seg, seg.Apply(cmd, now), now), nil
}

// settle plays the ledger.
func (n *stubNode) settle(seg *stock.Segment, e stock.Effect, now int64) stock.Answer {
	if e.Op == nil {
		return e.Answer
	}
	op, outcome := e.Op, stock.OutcomeApplied
	id := [2]uuid.UUID{op.Request.Scope, op.Request.Key}
	before, seen := n.replays[id]
	switch {
	case op.Request == (stock.Request{}):
	case seen && before.Fingerprint != op.Request.Fingerprint:
		outcome = stock.OutcomeKeyReused
	case seen:
		outcome = stock.OutcomeReplay
	}
	if outcome == stock.OutcomeApplied {
		replay := Replay{Found: true, Fingerprint: op.Request.Fingerprint, Hold: op.Hold, Order: op.Order, Refused: op.Refused}
		asked := map[uuid.UUID]int32{}
		for _, q := range op.Quotas {
			asked[q.Key] += q.Count(op.Quantity)
		}
		for _, q := range op.Quotas {
			if op.Kind == stock.KindHold && n.used[q.Key]+asked[q.Key] > q.Limit {
				outcome = stock.OutcomeLimit(q.Dimension, n.used[q.Key])
				if n.trying {
					outcome = stock.OutcomeLimitBusy
				}
				replay.Outcome = outcome
				break
			}
		}
		for _, q := range op.Quotas {
			switch {
			case outcome != stock.OutcomeApplied:
			case op.Kind == stock.KindHold:
				n.used[q.Key] += q.Count(op.Quantity)
			case op.Kind == stock.KindRelease, op.Kind == stock.KindExpire:
				n.used[q.Key] -= q.Count(op.Quantity)
			}
		}
		if op.Request != (stock.Request{}) && outcome != stock.OutcomeLimitBusy {
			n.replays[id] = replay
		}
	}
	a := seg.Settle(op, outcome, now)
	a.Seq = int64(len(n.replays))
	return a
}

func (n *stubNode) DoInArea(ctx context.Context, _ stock.EventID, home stock.SegmentNo, command func(stock.SegmentNo) stock.Command) (stock.Answer, error) {
	return n.Do(ctx, command(home))
}

func (n *stubNode) Owner(stock.PartitionID) (Owner, bool, bool) {
	return Owner{APIAddr: "127.0.0.1:7102", Epoch: 3}, !n.foreign, true
}

func (n *stubNode) Find(_ context.Context, id uuid.UUID) (stock.HoldView, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return stock.HoldView{}, false, n.fail
	}
	for _, seg := range n.segments {
		if view, ok := seg.Hold(id); ok {
			return view, true, nil
		}
	}
	if view, ok := n.wides[id]; ok {
		return view, true, nil
	}
	return stock.HoldView{}, false, nil
}

func (n *stubNode) Replayed(_ context.Context, scope, key uuid.UUID) (Replay, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.replays[[2]uuid.UUID{scope, key}], nil
}

func (n *stubNode) Event(name string) (*Event, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ev := range n.events {
		if ev.Slug == name || prefixEvent+ev.ID.String() == name {
			return ev, true
		}
	}
	return nil, false
}

func (n *stubNode) EventByNumber(id stock.EventID) (*Event, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ev, ok := n.events[id]
	return ev, ok
}

func (n *stubNode) BestSegments(event stock.EventID, ask stock.Ask) []stock.SegmentNo {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.order != nil {
		return n.order
	}
	var list []stock.SegmentNo
	for _, seg := range n.events[event].Segments {
		if !seg.Area && n.segments[soldKey{event, seg.No}].Counts().Free >= ask.Quantity && seg.has(ask.Categories) {
			list = append(list, seg.No)
		}
	}
	return list
}

func (n *stubNode) Counts(event stock.EventID) Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := Counts{Segments: map[stock.SegmentNo]stock.Counts{}, AsOf: n.now(), Stale: n.stale}
	for id, seg := range n.segments {
		if id.event == event {
			c.Segments[id.segment] = seg.Counts()
		}
	}
	return c
}

func (n *stubNode) SeatStates(_ context.Context, event stock.EventID, segment stock.SegmentNo) ([]stock.State, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.segments[soldKey{event, segment}].States(nil), nil
}

func (n *stubNode) Subscribe(stock.EventID, string) (<-chan Delta, func()) {
	return n.deltas, func() {}
}

func (n *stubNode) EventNode(stock.EventID) (Owner, bool, bool) {
	return Owner{APIAddr: cmp.Or(n.eventNode, "127.0.0.1:1")}, !n.foreign, true
}

func (n *stubNode) CreateChart(_ context.Context, c NewChart) (Chart, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	parse := chart.Parse
	switch c.Format {
	case "csv":
		parse = chart.FromCSV
	case "pretix":
		parse = chart.FromPretix
	}
	parsed, _, err := parse(c.Body)
	if err != nil {
		return Chart{}, false, &ChartError{Faults: []ChartFault{{"", err.Error()}}}
	}
	compiled, err := parsed.Compile()
	if err != nil {
		return Chart{}, false, err
	}
	sum := sha256.Sum256(c.Body)
	id := versioned(hashed("chart", sum[:]))
	if before, ok := n.charts[id]; ok {
		return before, true, nil
	}
	out := Chart{ID: id, Name: parsed.Name, Digest: sum[:], Categories: compiled.Categories, Segments: len(compiled.Segments), Sections: len(parsed.Sections)}
	out.Seats, _ = parsed.Counts()
	out.Areas = len(parsed.Areas)
	n.charts[id], n.compiled[id] = out, parsed
	return out, false, nil
}

func (n *stubNode) Chart(_ context.Context, id uuid.UUID) (Chart, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, ok := n.charts[id]
	return c, ok, nil
}

func (n *stubNode) CreateEvent(_ context.Context, want NewEvent) (*Event, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ev := range n.events {
		if ev.Slug == want.Slug || ev.ID == want.ID {
			return nil, ErrTaken
		}
	}
	want.Number, want.Version = stock.EventID(len(n.events)+1), 1
	return n.put(n.compiled[want.Chart], want.Event), nil
}

func (n *stubNode) ChangeEvent(_ context.Context, id stock.EventID, state string, version int) (*Event, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.events[id].Version != version {
		return nil, ErrStale
	}
	ev := *n.events[id]
	ev.State, ev.Version = state, version+1
	n.events[id] = &ev
	return &ev, nil
}

func (n *stubNode) APIKey(_ context.Context, text string) (Key, bool, error) {
	switch text {
	case opsKey:
		return Key{ID: uuid.MustParse("0198f7f5-7f3c-7c52-9c1d-000000000001"), Name: "ops", Person: "Ada", Scopes: []string{"ops"}}, true, nil
	case gateKey:
		return Key{ID: uuid.UUID{3}, Name: "door", Person: "Mary", Scopes: []string{scopeGate}}, true, nil
	case financeKey:
		return Key{ID: uuid.UUID{4}, Name: "desk", Person: "Luca", Scopes: []string{scopeFinance}}, true, nil
	case sellKey:
		return Key{ID: uuid.MustParse("0198f7f5-7f3c-7c52-9c1d-000000000002"), Name: "box", Person: "Bob", Scopes: []string{"sell"}}, true, nil
	}
	return Key{}, false, nil
}

func (n *stubNode) Audit(_ context.Context, e AuditEntry) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.audits = append(n.audits, e)
	return nil
}

func (n *stubNode) Ready() []string                     { return n.reasons }
func (n *stubNode) Status(context.Context) (any, error) { return map[string]any{"node": "stub"}, nil }
func (n *stubNode) ID() string                          { return "stub" }

// stubOrders opens and cancels orders on the engine; payments and tickets are tested against the real service.
type stubOrders struct {
	stubTickets

	node   *stubNode
	mu     sync.Mutex
	orders map[uuid.UUID]Order
	fail   error
}

func newStubOrders(n *stubNode) *stubOrders {
	return &stubOrders{node: n, orders: map[uuid.UUID]Order{}, stubTickets: stubTickets{rules: TicketRules{Names: namesNone, NameChanges: 3, Transfers: 3}}}
}

func (o *stubOrders) Open(ctx context.Context, req OpenOrder) (Order, stock.Answer, error) {
	a, err := o.node.Do(ctx, stock.Command{
		Kind: stock.KindOrder, Event: req.Hold.Event, Segment: req.Hold.Segment, Hold: req.Hold.ID, Request: req.Request,
		NewOrder: &stock.NewOrder{ID: req.ID, Currency: req.Currency, Lines: req.Lines},
	})
	if err != nil || a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		return Order{}, a, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	order, ok := o.orders[req.ID]
	if !ok {
		order = Order{ID: req.ID, Hold: req.Hold.ID, Event: req.Hold.Event, State: "pending_payment", Version: 1, Currency: req.Currency, Lines: req.Lines,
			HoldUntil: time.UnixMilli(req.Hold.Deadline)}
		for _, l := range req.Lines {
			order.Total += l.Face + l.Fee + l.Tax
		}
		o.orders[req.ID] = order
	}
	return order, a, nil
}

func (o *stubOrders) Get(_ context.Context, id uuid.UUID) (Order, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	order, ok := o.orders[id]
	return order, ok, nil
}

func (o *stubOrders) Cancel(ctx context.Context, id uuid.UUID, req stock.Request) (Order, error) {
	o.mu.Lock()
	order := o.orders[id]
	o.mu.Unlock()
	if o.fail != nil {
		return Order{}, o.fail
	}
	if order.State == "cancelled" {
		return order, nil
	}
	view, _, err := o.node.Find(ctx, order.Hold)
	if err == nil {
		_, err = o.node.Do(ctx, stock.Command{Kind: stock.KindRelease, Event: view.Event, Segment: view.Segment, Hold: view.ID, Order: id, Request: req})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	order.State, order.Version = "cancelled", order.Version+1
	o.orders[id] = order
	return order, err
}

func (o *stubOrders) Refund(_ context.Context, wish RefundWish) (Order, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return Order{}, false, o.fail
	}
	order := o.orders[wish.Order]
	for _, r := range order.Refunds {
		if r.ID == wish.ID {
			return order, true, nil
		}
	}
	if len(wish.Seats) == 0 {
		for _, l := range order.Lines {
			wish.Seats = append(wish.Seats, l.Seat)
		}
	}
	order.Ended = map[stock.SeatID]string{}
	for _, seat := range wish.Seats {
		order.Ended[seat] = "refunded"
	}
	order.State, order.Version = "refunding", order.Version+1
	order.Refunds = append(order.Refunds, Refund{ID: wish.ID, State: "decided", Currency: order.Currency, Amount: 1, Reason: wish.Reason, Seats: wish.Seats, At: time.Unix(1_800_000_000, 0)})
	o.orders[wish.Order] = order
	return order, false, nil
}

func (o *stubOrders) AnswerOffer(_ context.Context, id uuid.UUID, yes bool) (Order, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	order := o.orders[id]
	if order.Offer == nil {
		return Order{}, false, ErrNoOffer
	}
	if yes {
		for i, seat := range order.Offer.Seats {
			order.Lines[i].Seat = seat
		}
	}
	order.State, order.Offer = map[bool]string{true: "paid", false: "refunding"}[yes], nil
	o.orders[id] = order
	return order, false, nil
}

func (o *stubOrders) StartPayment(_ context.Context, _ uuid.UUID, _ stock.Request, provider, _ string) (Payment, bool, error) {
	if o.fail != nil {
		return Payment{}, false, o.fail
	}
	if provider != "sandbox" {
		return Payment{}, false, ErrNoProvider
	}
	return Payment{ID: uuid.MustParse("0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a13"), Provider: provider, State: "created", Attempt: 1, PayURL: "/sandbox/pay/1"}, false, nil
}

func (o *stubOrders) Webhook(context.Context, string, []byte, http.Header) error { return o.fail }

func (o *stubOrders) Tickets(_ context.Context, id uuid.UUID) ([]Ticket, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var tickets []Ticket
	for i, l := range o.orders[id].Lines {
		if o.orders[id].State == "issued" {
			tickets = append(tickets, Ticket{ID: ticketID(id, i), Order: id, Event: o.orders[id].Event, Seat: l.Seat, Type: l.Type, Code: "code", State: ticketValid})
		}
	}
	if o.given != nil && o.given.Order == id {
		tickets = append(tickets, *o.given)
	}
	return tickets, nil
}

func ticketID(order uuid.UUID, i int) uuid.UUID {
	return versioned(hashed("ticket", order[:], []byte{byte(i)}))
}

func (o *stubOrders) Ticket(ctx context.Context, id uuid.UUID) (Ticket, bool, error) {
	for order := range o.orders {
		tickets, _ := o.Tickets(ctx, order)
		if i := slices.IndexFunc(tickets, func(t Ticket) bool { return t.ID == id }); i >= 0 {
			return tickets[i], true, nil
		}
	}
	return Ticket{}, false, nil
}

func (o *stubOrders) HoldToken(id uuid.UUID) string  { return "sh1.1." + id.String() + ".mac" }
func (o *stubOrders) OrderToken(id uuid.UUID) string { return "so1.1." + id.String() + ".mac" }

func (o *stubOrders) CheckHoldToken(text string, id uuid.UUID) error {
	if !strings.HasPrefix(text, "sh1.") || text != o.HoldToken(id) {
		return errors.New("wrong token")
	}
	return nil
}

func (o *stubOrders) CheckOrderToken(text string, id uuid.UUID) error {
	if text != o.OrderToken(id) {
		return errors.New("wrong token")
	}
	return nil
}
