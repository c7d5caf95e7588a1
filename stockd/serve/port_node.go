package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/api"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/node"
	"ticketrush/stockd/stock"
)

// nodePort is a running node as the API sees it: it turns the node's types and errors into the API's.
type nodePort struct {
	*node.Node
	status func(ctx context.Context) (any, error)

	mu     sync.Mutex                 // guards events
	events map[*node.Event]*api.Event // those of the catalog that was asked last
	of     *node.Catalog
}

// apiError wraps a node's error into the one that the API knows.
func apiError(err error) error {
	var moving *node.ErrMoving
	var broken *chart.Error
	wrap := func(known error) error { return fmt.Errorf("%w: %w", known, err) }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &moving), errors.Is(err, node.ErrFailed), errors.Is(err, node.ErrStopped):
		return wrap(api.ErrMoving)
	case errors.Is(err, node.ErrLedgerAway), errors.Is(err, ledger.ErrUnavailable):
		return wrap(api.ErrLedgerAway)
	case errors.Is(err, node.ErrOverloaded):
		return wrap(api.ErrOverloaded)
	case errors.Is(err, ledger.ErrNotFound):
		return wrap(api.ErrNotFound)
	case errors.Is(err, ledger.ErrStale):
		return wrap(api.ErrStale)
	case errors.Is(err, ledger.ErrExists):
		return wrap(api.ErrTaken)
	case errors.As(err, &broken):
		list := &api.ChartError{}
		for _, p := range broken.Problems {
			list.Faults = append(list.Faults, api.ChartFault{Pointer: p.Pointer, Detail: p.Detail})
		}
		return list
	case errors.Is(err, node.ErrBadChart):
		return wrap(api.ErrBadChart)
	}
	return err
}

// Do runs a command at its owner.
func (p *nodePort) Do(ctx context.Context, cmd stock.Command) (stock.Answer, error) {
	a, err := p.Node.Do(ctx, cmd)
	return a, apiError(err)
}

// Owner is who owns a partition.
func (p *nodePort) Owner(part stock.PartitionID) (owner api.Owner, here, known bool) {
	o, known := p.Node.Owner(part)
	return api.Owner{APIAddr: o.APIAddr, Epoch: o.Epoch}, o.NodeID == p.ID(), known
}

// EventNode is the node that merges an event's availability.
func (p *nodePort) EventNode(event stock.EventID) (owner api.Owner, here, known bool) {
	o, here := p.Node.EventNode(event)
	return api.Owner{APIAddr: o.APIAddr, Epoch: o.Epoch}, here, o.APIAddr != ""
}

// Find asks a hold's owner.
func (p *nodePort) Find(ctx context.Context, hold uuid.UUID) (stock.HoldView, bool, error) {
	view, ok, err := p.Node.Find(ctx, hold)
	return view, ok, apiError(err)
}

// Replayed asks the ledger what became of a key.
func (p *nodePort) Replayed(ctx context.Context, scope, key uuid.UUID) (api.Replay, error) {
	r, err := p.Node.Replayed(ctx, scope, key)
	if errors.Is(err, ledger.ErrNotFound) {
		return api.Replay{}, nil
	}
	if err != nil {
		return api.Replay{}, apiError(err)
	}
	return api.Replay{Found: true, Fingerprint: r.Fingerprint, Hold: r.Hold, Order: r.Order, Outcome: stock.Outcome(r.Outcome), Refused: stock.Code(r.Refused)}, nil
}

// DoInArea makes a hold in an area with several segments.
func (p *nodePort) DoInArea(ctx context.Context, event stock.EventID, home stock.SegmentNo, command func(stock.SegmentNo) stock.Command) (stock.Answer, error) {
	a, err := p.Node.DoInArea(ctx, event, home, command)
	return a, apiError(err)
}

// HoldWide makes a hold over several segments.
func (p *nodePort) HoldWide(ctx context.Context, hold stock.WideHold, legs []stock.Command, ttl, maxTTL time.Duration) (stock.Answer, error) {
	a, err := p.Node.HoldWide(ctx, hold, legs, ttl, maxTTL)
	return a, apiError(err)
}

// ExtendWide gives such a hold more time.
func (p *nodePort) ExtendWide(ctx context.Context, view stock.HoldView, req stock.Request, ttl time.Duration) (stock.Answer, error) {
	a, err := p.Node.ExtendWide(ctx, view, req, ttl)
	return a, apiError(err)
}

// EndWide releases such a hold.
func (p *nodePort) EndWide(ctx context.Context, view stock.HoldView, req stock.Request) (stock.Answer, error) {
	a, err := p.Node.EndWide(ctx, view, req)
	return a, apiError(err)
}

// Counts are an event's totals. An area with several segments is one.
func (p *nodePort) Counts(event stock.EventID) api.Counts {
	counts, asOf, stale := p.Node.Counts(event)
	return api.Counts{Segments: p.areas(event, counts, counts), AsOf: asOf, Stale: stale}
}

// areas replaces the segments of areas, in counts, by their homes with what all of their segments have by the counts in all.
func (p *nodePort) areas(event stock.EventID, counts, all map[stock.SegmentNo]stock.Counts) map[stock.SegmentNo]stock.Counts {
	e, ok := p.Catalog().ByNumber(event)
	if !ok {
		return counts
	}
	out := make(map[stock.SegmentNo]stock.Counts, len(counts))
	for no, c := range counts {
		s := e.Segment(no)
		if s == nil || s.Home == no && len(s.Shares) == 0 {
			out[no] = c
		} else if sum, known := e.Area(s.Home, all); known {
			out[s.Home] = sum
		}
	}
	return out
}

// Subscribe follows an event's changes. The goroutine that hands them on ends when the node closes its channel, which cancel makes it do.
func (p *nodePort) Subscribe(event stock.EventID, last string) (<-chan api.Delta, func()) {
	in, cancel := p.Node.Subscribe(event, last)
	out := make(chan api.Delta)
	gone := make(chan struct{})
	go func() {
		defer close(out)
		for d := range in {
			all, _, _ := p.Node.Counts(event)
			delta := api.Delta{ID: d.ID, Reset: d.Reset, Counts: p.areas(event, d.Counts, all)}
			for _, s := range d.Seats {
				delta.Seats = append(delta.Seats, api.SeatChange{Seat: s.Seat, State: s.State})
			}
			select {
			case out <- delta:
			case <-gone:
				return
			}
		}
	}()
	return out, sync.OnceFunc(func() { close(gone); cancel() })
}

// CreateChart stores a chart; again says that it was there.
func (p *nodePort) CreateChart(ctx context.Context, c api.NewChart) (out api.Chart, again bool, err error) {
	info, created, err := p.Node.CreateChart(ctx, c.Format, c.Name, c.Body)
	if err != nil {
		return api.Chart{}, false, apiError(err)
	}
	return chartOf(&info), !created, nil
}

// Chart reads a stored chart.
func (p *nodePort) Chart(ctx context.Context, id uuid.UUID) (api.Chart, bool, error) {
	info, ok, err := p.Node.Chart(ctx, id)
	if err != nil || !ok {
		return api.Chart{}, false, apiError(err)
	}
	return chartOf(&info), true, nil
}

func chartOf(info *node.ChartInfo) api.Chart {
	seats, _ := info.Chart.Counts()
	c := api.Chart{
		ID: info.ID, Name: info.Chart.Name, Digest: info.Digest[:], Seats: seats, Areas: len(info.Chart.Areas), Sections: len(info.Chart.Sections),
		Segments: len(info.Compiled.Segments), Categories: info.Compiled.Categories,
	}
	for _, w := range info.Warnings {
		c.Warnings = append(c.Warnings, w.String())
	}
	return c
}

// APIKey finds who a key was given to.
func (p *nodePort) APIKey(ctx context.Context, text string) (api.Key, bool, error) {
	k, err := p.Ledger().APIKeyFind(ctx, text)
	if errors.Is(err, ledger.ErrNotFound) {
		return api.Key{}, false, nil
	}
	if err != nil {
		return api.Key{}, false, apiError(err)
	}
	return api.Key{ID: k.ID, Name: k.Name, Person: k.Person, Scopes: k.Scopes}, true, nil
}

// auditDetail is the detail of an entry of the audit log.
type auditDetail struct {
	Key    string `json:"key"`
	Detail string `json:"detail"`
}

// Audit writes down what was done with a key.
func (p *nodePort) Audit(ctx context.Context, e api.AuditEntry) error {
	from, _ := netip.ParseAddr(e.Address) // none is written when it is not known
	detail, err := json.Marshal(auditDetail{Key: e.Key.Name, Detail: e.Detail})
	if err != nil {
		return err
	}
	return p.Ledger().Audit(ctx, e.Key.Person, e.Action, e.Target, detail, from)
}

// Changes reads the audit log of an event.
func (p *nodePort) Changes(ctx context.Context, event stock.EventID, name string, after int64, most int) ([]api.Change, error) {
	rows, err := p.Ledger().AuditOf(ctx, int32(event), name, after, most)
	out := make([]api.Change, len(rows))
	for i, r := range rows {
		out[i] = api.Change{ID: r.ID, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject, Address: r.From}
		var said auditDetail
		if json.Unmarshal(r.Detail, &said) == nil { // what other programs wrote has no key
			out[i].Key, out[i].Detail = said.Key, said.Detail
		}
	}
	return out, apiError(err)
}

// Status is what the admin page draws.
func (p *nodePort) Status(ctx context.Context) (any, error) { return p.status(ctx) }

// EventID is the uuid of an evt_ id.
func EventID(name string) (uuid.UUID, bool) {
	text, ok := strings.CutPrefix(name, "evt_")
	if !ok {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}
