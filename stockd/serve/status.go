package serve

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"ticketrush/stockd/admin"
	"ticketrush/stockd/node"
	"ticketrush/stockd/rooms"
	"ticketrush/stockd/stock"
)

// status gathers what the admin page draws, as this node sees it.
type status struct {
	port     *nodePort
	rooms    *rooms.Rooms
	registry *prometheus.Registry

	mu   sync.Mutex // guards what follows
	at   time.Time
	last flushes
	now  admin.Node // the rates since at
}

// flushes are the totals of the flush metrics at a moment.
type flushes struct {
	buckets    []*dto.Bucket
	count, ops float64
}

func newStatus(port *nodePort, rooms *rooms.Rooms, registry *prometheus.Registry) *status {
	return &status{port: port, rooms: rooms, registry: registry}
}

// read is the answer of /admin/status.
func (s *status) read(ctx context.Context) (any, error) {
	now := time.Now().UTC()
	own := s.port.Node.Status()
	out := admin.Status{
		Now: now, Node: own.Node, Version: Version(), Rooms: []admin.Room{}, Nodes: []admin.Node{}, Events: []admin.Event{}, Alarms: []admin.Alarm{},
		History: []admin.Sample{},
	}
	rates := s.rates(now)
	for _, member := range own.Nodes {
		n := admin.Node{ID: member.ID, Addr: member.API, Alive: true, Partitions: own.Partitions[member.ID], PartitionsAll: stock.Partitions}
		if member.ID == own.Node {
			n.FlushP50Ms, n.FlushP99Ms, n.BatchMean, n.OpsPerSecond = rates.FlushP50Ms, rates.FlushP99Ms, rates.BatchMean, rates.OpsPerSecond
			n.Queue = own.Waiting
		}
		out.Nodes = append(out.Nodes, n)
	}
	if all, err := s.rooms.List(ctx); err == nil { // else Postgres is away, and an alarm says so
		for _, r := range all {
			out.Rooms = append(out.Rooms, adminRoom(r))
		}
	}
	for _, e := range s.port.Catalog().Events() {
		out.Events = append(out.Events, s.event(e))
	}
	for _, a := range own.Alarms {
		out.Alarms = append(out.Alarms, admin.Alarm{Level: "critical", Text: fmt.Sprintf("%s in partition %d: %s", a.Kind, a.Part, a.Text), Since: a.At,
			Do: "Look at the node's log, and run stockd reconcile."})
	}
	s.calls(ctx, &out)
	if !own.Promising {
		out.Alarms = append(out.Alarms, admin.Alarm{Level: "warning", Text: "This node does not promise anything: the ledger does not confirm its session.", Since: now,
			Do: "Look at Postgres and at the network to it."})
	}
	return out, nil
}

// callsMax is how many of the calls that were given up the page lists.
const callsMax = 20

// calls adds the calls that were given up, and an alarm for them.
func (s *status) calls(ctx context.Context, out *admin.Status) {
	out.Calls = []admin.Call{}
	_, dead, err := s.port.Ledger().OutboxCount(ctx)
	if err != nil || dead == 0 {
		return // when Postgres is away another alarm says so
	}
	list, err := s.port.Ledger().OutboxList(ctx, true, callsMax)
	if err != nil {
		return
	}
	out.Calls, out.CallsDead = Calls(list), dead
	out.Alarms = append(out.Alarms, admin.Alarm{
		Level: "critical", Text: fmt.Sprintf("%d calls to payment providers or to the stock were given up.", dead), Since: *out.Calls[0].DeadAt,
		Do: "Mend what their last error says, and try them again, below or by stockd outbox retry.",
	})
}

func (s *status) event(e *node.Event) admin.Event {
	counts := s.port.Counts(e.Number)
	starts := e.StartsAt
	out := admin.Event{
		ID: "evt_" + e.ID.String(), Slug: e.Slug, Name: e.Name, State: e.State, Version: fmt.Sprintf("%q", fmt.Sprint(e.Version)), StartsAt: &starts, Currency: e.Currency,
		Stale: counts.Stale, Sections: []admin.Section{},
	}
	at := map[string]int{}
	for i := range e.Segments {
		segment := &e.Segments[i]
		n, ok := at[segment.Section]
		if !ok {
			n = len(out.Sections)
			at[segment.Section] = n
			name, _, _ := strings.Cut(segment.Name, " · ")
			out.Sections = append(out.Sections, admin.Section{ID: segment.Section, Name: name, Area: segment.Area})
		}
		c, section := counts.Segments[segment.No], &out.Sections[n]
		section.Capacity += int(segment.Capacity)
		section.Free += int(c.Free)
		section.Held += int(c.Held)
		section.Paying += int(c.Paying)
		section.Sold += int(c.Sold)
	}
	return out
}

// ratesEvery is the least time between two readings that rates are made of.
const ratesEvery = time.Second

// rates are the flush times and the work per second since the last look.
func (s *status) rates(now time.Time) admin.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := now.Sub(s.at)
	if passed < ratesEvery {
		return s.now
	}
	next := s.gather()
	if count := next.count - s.last.count; !s.at.IsZero() && count > 0 {
		ops := next.ops - s.last.ops
		s.now = admin.Node{
			BatchMean: ops / count, OpsPerSecond: ops / passed.Seconds(),
			FlushP50Ms: 1000 * quantile(0.5, s.last.buckets, next.buckets), FlushP99Ms: 1000 * quantile(0.99, s.last.buckets, next.buckets),
		}
	} else {
		s.now = admin.Node{}
	}
	s.last, s.at = next, now
	return s.now
}

// gather reads the flush histograms.
func (s *status) gather() (f flushes) {
	families, err := s.registry.Gather()
	if err != nil {
		return f // what a broken collector hides shows as no rate
	}
	for _, family := range families {
		if len(family.GetMetric()) != 1 || family.GetMetric()[0].GetHistogram() == nil {
			continue
		}
		h := family.GetMetric()[0].GetHistogram()
		switch family.GetName() {
		case "stockd_flush_seconds":
			f.buckets, f.count = h.GetBucket(), float64(h.GetSampleCount())
		case "stockd_flush_operations":
			f.ops = h.GetSampleSum()
		}
	}
	return f
}

// quantile is read off the buckets' growth, as the upper bound of the bucket that it falls into.
func quantile(q float64, before, after []*dto.Bucket) float64 {
	grown := func(i int) float64 {
		n := float64(after[i].GetCumulativeCount())
		if i < len(before) {
			n -= float64(before[i].GetCumulativeCount())
		}
		return n
	}
	if len(after) == 0 {
		return 0
	}
	want := math.Ceil(q * grown(len(after)-1))
	for i := range after {
		if grown(i) >= want {
			return after[i].GetUpperBound()
		}
	}
	return after[len(after)-1].GetUpperBound()
}
