package node

import (
	"context"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Who lives and cannot reach the ledger says so and is counted out, so that its stock goes to somebody who can sell it; it comes back when it can.
func TestMemberThatIsAwayIsCountedOut(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	sees := func(m *member, members int) func() bool {
		return func() bool { return len(m.Status().Members) == members && len(m.table.ids()) == members }
	}
	until(t, "trust in the ledger", func() bool { return g.nodes[0].trusting.Load() && g.nodes[1].trusting.Load() })
	if err := g.nodes[2].gossip.SetAway(true); err != nil {
		t.Fatal(err)
	}
	until(t, "the others count it out", func() bool { return sees(g.nodes[0], 2)() && sees(g.nodes[1], 2)() })
	if !sees(g.nodes[2], 3)() {
		t.Error("it counts itself out")
	}
	// When nobody has the ledger nobody is counted out: afterwards each has its own back at once.
	g.nodes[0].trusting.Store(false)
	g.nodes[0].look()
	if ids := g.nodes[0].table.ids(); len(ids) != 3 {
		t.Errorf("without the ledger it sees %v", ids)
	}
	if err := g.nodes[2].gossip.SetAway(false); err != nil {
		t.Fatal(err)
	}
	until(t, "the others count it in", func() bool { return sees(g.nodes[0], 3)() && sees(g.nodes[1], 3)() })
}

// After its hand-off a node owns nothing and still sends on who comes to it, and reads the ledger, until it stops.
func TestNodeAnswersAfterItsHandOff(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 2)
	e := g.putOnSale("hand-off", 4, 4, 10)
	leaving := g.nodes[1]
	var holds []stock.Command
	for segment := range 4 {
		cmd := newHold(e, stock.SegmentNo(segment+1), 1)
		g.must(leaving, cmd)
		holds = append(holds, cmd)
	}
	doc := make(chan client.RoutesDocument)
	go func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		defer context.AfterFunc(leaving.polling, cancel)()
		version := leaving.table.since(ctx, "", 0).Version
		for leaving.polling.Err() == nil {
			version = leaving.table.since(ctx, version, time.Minute).Version
		}
		doc <- leaving.table.since(ctx, version, 0)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := leaving.HandOff(ctx); err != nil {
		t.Fatal(err)
	}
	<-doc // who follows the routes here is let go
	if reasons := leaving.Ready(); len(reasons) == 0 {
		t.Error("it says that it should get traffic")
	}
	for _, cmd := range holds {
		if leaving.Local(partOf(&cmd)) {
			t.Errorf("partition %d is still here", partOf(&cmd))
		}
		if view, ok, err := leaving.Find(t.Context(), cmd.Hold); err != nil || !ok || view.State != stock.Held {
			t.Errorf("the hold is %+v %v %v", view, ok, err)
		}
		g.must(leaving, releaseOf(cmd))
	}
	leaving.stop(t)
	g.reconcile()
}

// A node that has just left still hears who owns what: while it hands over, who comes to it is sent on.
func TestNewsReachesThoseWhoLeave(t *testing.T) {
	t.Parallel()
	node := func(id string) client.Node { return client.Node{ID: id, API: id + ":1", Internal: id + ":2"} }
	table := newTable(node("a"))
	table.setMembers([]client.Node{node("a"), node("b"), node("c")})
	if got := table.audience(time.Now()); len(got) != 2 {
		t.Errorf("audience %v", got)
	}
	table.setMembers([]client.Node{node("a"), node("c")})
	if got := table.audience(time.Now()); len(got) != 2 || got[1] != node("b") {
		t.Errorf("after b has left: %v", got)
	}
	if got := table.audience(time.Now().Add(2 * farewell)); len(got) != 1 || got[0] != node("c") {
		t.Errorf("long after b has left: %v", got)
	}
	table.setMembers([]client.Node{node("a"), node("b"), node("c")})
	if got := table.audience(time.Now()); len(got) != 2 {
		t.Errorf("after b has come back: %v", got)
	}
}

// A request that waits at one node is let go when another has the partition, and not when the same node has claimed it anew.
func TestWaitEndsWhenAnotherNodeOwns(t *testing.T) {
	t.Parallel()
	node := func(id string) client.Node { return client.Node{ID: id, API: id + ":1", Internal: id + ":2"} }
	table := newTable(node("a"))
	overtaken := make(chan struct{})
	go table.watch(t.Context(), 7, "a", func() { close(overtaken) })
	for epoch, id := range map[int64]string{1: "a", 2: "a"} {
		table.own(node(id), []owner.PartEpoch{{Part: 7, Epoch: epoch}})
	}
	select {
	case <-overtaken:
		t.Error("its own claim ends the wait")
	case <-time.After(50 * time.Millisecond):
	}
	table.own(node("b"), []owner.PartEpoch{{Part: 7, Epoch: 3}})
	<-overtaken
}
