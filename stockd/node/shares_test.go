package node

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/stock"
)

// putAreaOnSale makes an event of one area, cut into segments of share places.
func (g *gang) putAreaOnSale(slug string, capacity int, share int32) (*Event, *Segment) {
	g.t.Helper()
	c := chart.Chart{
		Format: chart.Format, Name: slug, Width: 100, Height: 100, Focal: chart.Point{X: 50}, Categories: []chart.Category{{Name: "A", Color: "#aa0000"}},
		Areas: []chart.Area{{ID: "field", Name: "Field", Category: "A", Capacity: capacity, Polygon: [][2]float64{{0, 0}, {100, 0}, {100, 50}}}},
	}
	text, err := c.Encode()
	if err != nil {
		g.t.Fatal(err)
	}
	n := g.alive()[0]
	info, _, err := n.CreateChart(g.t.Context(), "", slug, text)
	if err != nil {
		g.t.Fatal(err)
	}
	e, err := n.CreateEvent(g.t.Context(), NewEvent{
		ChartID: info.ID, Slug: slug, Name: "A concert", StartsAt: time.Now().Add(24 * time.Hour), Currency: "EUR", OnSale: true, AreaShare: share,
		Types: []string{"adult"}, Tiers: []Tier{{Face: 3000, Fee: 200}}, HoldTTL: time.Hour,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	home := e.Segment(1)
	opened := int32(0)
	for _, no := range home.Shares {
		opened += e.Segment(no).Capacity
	}
	if int(opened) != capacity || len(home.Shares) < 2 {
		g.t.Fatalf("the area of %d was split into %v with %d places", capacity, home.Shares, opened)
	}
	return e, home
}

// inArea asks for places of an area as the API does, and again while it is told to try again.
func (g *gang) inArea(m *member, e *Event, quantity int32) stock.Answer {
	request := stock.Request{Scope: uuid.New(), Key: uuid.New(), Fingerprint: uuid.New()}
	command := func(no stock.SegmentNo) stock.Command {
		cmd := newHold(e, no, quantity)
		cmd.Request = request
		cmd.Hold = stock.NewCoordinatedID(stock.PartitionOf(e.Number, no), request.Scope, request.Key, "hold")
		return cmd
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if a, err := m.DoInArea(g.t.Context(), e.Number, 1, command); err == nil {
			return a
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-g.t.Context().Done():
		}
	}
	g.t.Errorf("%s gave no answer", m.ID())
	return stock.Answer{Code: stock.CodeBusy}
}

// rush asks for places on all nodes at once and returns the answers by code, and the holds that were made.
func (g *gang) rush(e *Event, askers int, quantity int32) (codes map[stock.Code]int, holds []stock.HoldView) {
	codes = map[stock.Code]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range askers {
		all.Go(func() {
			a := g.inArea(g.nodes[i%len(g.nodes)], e, quantity)
			mu.Lock()
			defer mu.Unlock()
			codes[a.Code]++
			if a.Code == stock.CodeOK {
				holds = append(holds, *a.Hold)
			}
		})
	}
	all.Wait()
	return codes, holds
}

func (g *gang) exec(sql string, args ...any) {
	g.t.Helper()
	if _, err := g.alive()[0].Ledger().SQL().ExecContext(g.t.Context(), sql, args...); err != nil {
		g.t.Fatal(err)
	}
}

// sell sells a hold; the order moves as the order service moves it.
func (g *gang) sell(hold *stock.HoldView) stock.Command {
	g.t.Helper()
	m := g.nodes[0]
	id := uuid.New()
	lines := make([]stock.OrderLine, 0, len(hold.Seats))
	for _, s := range hold.Seats {
		lines = append(lines, stock.OrderLine{Seat: s.Seat, Face: 3000, Fee: 200})
	}
	cmd := stock.Command{Kind: stock.KindOrder, Event: hold.Event, Segment: hold.Segment, Hold: hold.ID, NewOrder: &stock.NewOrder{ID: id, Buyer: "b", Currency: "EUR", Lines: lines}}
	g.must(m, cmd)
	cmd.NewOrder, cmd.Order, cmd.Attempt = nil, id, 1
	g.orderTo(id, "pay_start", 2)
	cmd.Kind = stock.KindPin
	g.must(m, cmd)
	g.orderTo(id, "pay_ok", 3)
	cmd.Kind = stock.KindSell
	g.must(m, cmd)
	return cmd
}

func (g *gang) orderTo(id uuid.UUID, event string, state int) {
	g.t.Helper()
	g.exec(`WITH o AS (SELECT * FROM ledger.orders WHERE id = $1), e AS (
		INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, at) SELECT id, ver+1, ver, state, $2, $3, 1, now() FROM o)
		UPDATE ledger.orders x SET state = $2, ver = x.ver+1, attempt = 1 FROM o WHERE x.id = o.id`, id, state, event)
}

// areasHold wants the ledger's checks of segments and grants to pass.
func (g *gang) areasHold() {
	g.t.Helper()
	report, err := reconcile.Run(g.t.Context(), g.alive()[0].Ledger(), reconcile.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, c := range report.Checks {
		if (c.Name == "segments" || c.Name == "grants") && len(c.Breaks) > 0 {
			g.t.Errorf("%s: %+v", c.Name, c.Breaks)
		}
	}
}

// An area of 100,000 places in sixteen segments has one left, somewhere. It is asked for on all nodes at once, sold once, and before it is sold
// nobody is told "sold out". When it is, everybody is; and when it comes back, it can be had again.
func TestTheLastPlaceOfAnAreaIsSoldOnce(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	first := newCalmGang(t, dsn, 1)
	e, home := first.putAreaOnSale("last", 100_000, 512)
	if len(home.Shares) != stock.SharesMax {
		t.Fatalf("%d segments", len(home.Shares))
	}
	// What is sold was sold before: in each segment to one order; in the seventh one place is left.
	first.exec(`INSERT INTO ledger.seats(event, seat, segment, label, category, state, ver, hold, generation, order_id, attempt)
		SELECT s.event, s.segment::bigint << 24 | u, s.segment, s.name || '#' || u, 0, 3, 3, md5('h' || s.segment)::uuid, 1, md5('o' || s.segment)::uuid, 1
		  FROM ledger.segments s, generate_series(1, s.capacity - (s.segment = 7)::int) u WHERE s.event = $1`, e.Number)
	first.exec(`UPDATE ledger.segments SET sold = capacity - (segment = 7)::int WHERE event = $1`, e.Number)
	first.nodes[0].stop(t)
	g := newCalmGang(t, dsn, 3)
	codes, holds := g.rush(e, 90, 1)
	if codes[stock.CodeOK] != 1 || codes[stock.CodeAllHeld] != 89 {
		t.Fatalf("answers by code: %v", codes)
	}
	if codes, _ = g.rush(e, 30, 1); codes[stock.CodeAllHeld] != 30 { // it may still come back
		t.Errorf("while it is held: %v", codes)
	}
	sale := g.sell(&holds[0])
	if codes, _ = g.rush(e, 30, 1); codes[stock.CodeSoldOut] != 30 {
		t.Errorf("when it is sold: %v", codes)
	}
	g.areasHold()
	g.orderTo(sale.Order, "capture_fail", 6)
	sale.Kind = stock.KindRefund
	g.must(g.nodes[0], sale)
	if codes, _ = g.rush(e, 30, 1); codes[stock.CodeOK] != 1 || codes[stock.CodeAllHeld] != 29 {
		t.Errorf("when it has come back: %v", codes)
	}
	g.areasHold()
}

// A party of six finds its places although every segment has two.
func TestAPartyFindsPlacesThatLieApart(t *testing.T) {
	t.Parallel()
	g := newCalmGang(t, database(t), 3)
	e, home := g.putAreaOnSale("apart", 30, 10)
	for _, no := range home.Shares {
		g.must(g.nodes[0], newHold(e, no, 8))
	}
	codes, holds := g.rush(e, 9, 6)
	if codes[stock.CodeOK] != 1 || codes[stock.CodeAllHeld] != 8 {
		t.Errorf("nine parties of six for six places: %v", codes)
	}
	if len(holds) == 1 && len(holds[0].Seats) != 6 {
		t.Errorf("the party got %d places", len(holds[0].Seats))
	}
	g.areasHold()
	g.reconcile()
}

// free are the places that the segments of an area have by the node's counts.
func free(m *member, e *Event, home *Segment) []int32 {
	counts, _, _ := m.Counts(e.Number)
	var list []int32
	for _, no := range home.Shares {
		list = append(list, counts[no].Free)
	}
	return list
}

// A segment that runs low gets from the richest; when little is left all of it goes home, and so does what is freed later; a grant whose giver
// does not come to the end is taken all the same.
func TestSegmentsOfAnAreaKeepInBalance(t *testing.T) {
	t.Parallel()
	g := newCalmGang(t, database(t), 3)
	e, home := g.putAreaOnSale("balance", 3000, 1000)
	low := home.Shares[1]
	for range 15 {
		g.must(g.nodes[0], newHold(e, low, 64))
	}
	until(t, "the low segment gets half of the richest", func() bool { return free(g.nodes[0], e, home)[1] >= 500 })
	left := stock.Command{Kind: stock.KindGrantOut, Event: e.Number, Segment: home.No, Hold: uuid.New(), Other: home.Shares[2], Ask: stock.Ask{Quantity: 7}}
	if a := g.must(g.nodes[1], left); a.Granted != 7 {
		t.Errorf("%+v", a)
	}
	if a := g.must(g.nodes[2], left); a.Code != stock.CodeReplay { // the same again gives nothing twice
		t.Errorf("%+v", a)
	}
	until(t, "the grant that was left is taken", func() bool {
		untaken, err := g.nodes[0].Ledger().GrantsUntaken(t.Context(), 10)
		return err == nil && len(untaken) == 0
	})
	var held []stock.HoldView
	total := int32(3000 - 15*64)
	for ; total > 150; total -= 30 {
		a := g.inArea(g.nodes[total%3], e, 30)
		if a.Code != stock.CodeOK {
			t.Fatalf("%d places are left, and 30 are refused: %+v", total, a)
		}
		held = append(held, *a.Hold)
	}
	// All of it: while a grant is on its way, the others may have nothing left and the home not yet everything.
	atHome := func(n int32) func() bool {
		return func() bool { f := free(g.nodes[0], e, home); return f[0] == n && f[1] == 0 && f[2] == 0 }
	}
	until(t, "the rest is at home", atHome(total))
	at := slices.IndexFunc(held, func(h stock.HoldView) bool { return h.Segment != home.No })
	if at < 0 {
		t.Fatal("all holds are at home")
	}
	g.must(g.nodes[0], stock.Command{Kind: stock.KindRelease, Hold: held[at].ID})
	until(t, "what was freed goes home", atHome(total+30))
	g.areasHold()
	g.reconcile()
}

// While the stock of a node that was killed is away, the other segments of an area are sold, and nobody waits for it.
func TestAnAreaIsSoldWhileAnOwnerIsAway(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e, home := g.putAreaOnSale("away", 300, 20)
	m := g.nodes[0]
	until(t, "the counts are known", func() bool {
		sum, known := e.Area(home.No, func() map[stock.SegmentNo]stock.Counts { c, _, _ := m.Counts(e.Number); return c }())
		return known && sum.Free == 300
	})
	g.nodes[2].kill()
	until(t, "its end is known", func() bool { return len(m.table.ids()) == 2 })
	away := 0
	for _, no := range home.Shares {
		if !m.reachable(e.Segment(no).Part) {
			away++
		}
	}
	if away == 0 {
		t.Error("the node that was killed had none of the area, or was replaced before its session was over")
	}
	for range 20 {
		request := stock.Request{Scope: uuid.New(), Key: uuid.New(), Fingerprint: uuid.New()}
		a, err := m.DoInArea(t.Context(), e.Number, home.No, func(no stock.SegmentNo) stock.Command {
			cmd := newHold(e, no, 1)
			cmd.Request = request
			cmd.Hold = stock.NewCoordinatedID(stock.PartitionOf(e.Number, no), request.Scope, request.Key, "hold")
			return cmd
		})
		if err != nil || a.Code != stock.CodeOK {
			t.Fatalf("with %d of %d segments away: %+v, %v", away, len(home.Shares), a, err)
		}
	}
	g.settle(2)
	g.areasHold()
	g.reconcile()
}

// While an owner of a part of an area is away nobody is told that nothing is free: parties are put off, and all of the area is held in the end.
func TestAPartOfAnAreaThatIsAwayIsNotTakenForHeld(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e, home := g.putAreaOnSale("put-off", 60, 5)
	until(t, "the counts are known", func() bool {
		sum, known := e.Area(home.No, func() map[stock.SegmentNo]stock.Counts { c, _, _ := g.nodes[0].Counts(e.Number); return c }())
		return known && sum.Free == 60
	})
	var owner, gone *member
	for _, m := range g.nodes {
		if m.Local(home.Part) {
			owner = m
		} else if slices.ContainsFunc(home.Shares, func(no stock.SegmentNo) bool { return m.Local(e.Segment(no).Part) }) {
			gone = m
		}
	}
	if owner == nil || gone == nil {
		t.Fatal("one node has the whole area, or nobody has its home")
	}
	gone.kill()
	until(t, "its end is known", func() bool { return len(owner.table.ids()) == 2 })
	for i := range 12 {
		if a := g.inArea(owner, e, 5); a.Code != stock.CodeOK {
			t.Fatalf("party %d of 12: %v", i+1, a.Code)
		}
	}
	if a := g.inArea(owner, e, 1); a.Code != stock.CodeAllHeld {
		t.Errorf("when all is held: %v", a.Code)
	}
	g.settle(2)
	g.areasHold()
	g.reconcile()
}

// A grant is not lost and not taken twice when the node that gives, or the one that takes, ends.
func TestGrantsOutliveTheirNodes(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e, home := g.putAreaOnSale("outlive", 300, 100)
	for i, m := range []*member{g.nodes[1], g.nodes[2]} {
		var all sync.WaitGroup
		for round := range 20 {
			all.Go(func() {
				from, to := home.Shares[round%3], home.Shares[(round+1)%3]
				_, _ = g.ask(m, stock.Command{Kind: stock.KindGrantOut, Event: e.Number, Segment: from, Hold: uuid.New(), Other: to, Ask: stock.Ask{Quantity: 3}})
			})
		}
		if i == 0 {
			m.kill()
		} else {
			m.stop(t)
		}
		all.Wait()
	}
	g.settle(1)
	until(t, "everything that was given is taken", func() bool {
		untaken, err := g.nodes[0].Ledger().GrantsUntaken(t.Context(), 10)
		return err == nil && len(untaken) == 0
	})
	until(t, "the counts have all places", func() bool {
		sum, known := e.Area(home.No, func() map[stock.SegmentNo]stock.Counts { c, _, _ := g.nodes[0].Counts(e.Number); return c }())
		return known && sum.Free == 300
	})
	total := int32(0)
	for a := (stock.Answer{}); a.Code == stock.CodeOK; {
		if a = g.inArea(g.nodes[0], e, 60); a.Code == stock.CodeOK {
			total += 60
		}
	}
	if total != 300 {
		t.Errorf("%d of 300 places were had by parties of 60", total)
	}
	g.areasHold()
	g.reconcile()
}
