package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ticketrush/stockd/stock"
)

// availabilityType is the binary form of availability.
const availabilityType = "application/vnd.ticketrush.avail"

// availabilityFor is how long an answer is kept: a crowd that polls costs the owners five questions a second.
const availabilityFor = 200 * time.Millisecond

type countsDoc struct {
	Capacity int32 `json:"capacity"`
	Free     int32 `json:"free"`
	Held     int32 `json:"held"`
	Sold     int32 `json:"sold"`
}

// countsOf counts seats that are being paid as held: they are not to be had, and may come back.
func countsOf(c stock.Counts) countsDoc {
	return countsDoc{c.Capacity, c.Free, c.Held + c.Paying, c.Sold}
}

type segmentCounts struct {
	Segment stock.SegmentNo `json:"segment"`
	Section string          `json:"section"`
	Area    bool            `json:"area"`
	countsDoc
}

type categoryFree struct {
	Category string `json:"category"`
	Free     int32  `json:"free"`
}

type availabilityDoc struct {
	Event    string          `json:"event"`
	AsOf     string          `json:"as_of"`
	Stale    bool            `json:"stale"`
	State    string          `json:"state"`
	Segments []segmentCounts `json:"segments"`
	Totals   countsDoc       `json:"totals"`
	// Categories are what is free by price category, in the chart's order.
	Categories []categoryFree    `json:"categories,omitempty"`
	Seats      map[string]string `json:"seats,omitempty"`
}

// snapshot is an event's availability at a moment.
type snapshot struct {
	at    time.Time // when it was taken, by this node's clock
	doc   availabilityDoc
	asOf  time.Time
	seats map[stock.SegmentNo][]byte // two bits per seat; nil when only counts were asked for
	count map[stock.SegmentNo]int    // seats of a segment
}

// snapshots keeps the last snapshot of each event. Its size is bounded by the number of events.
type snapshots struct {
	mu  sync.Mutex
	all map[snapshotKey]*snapshotCell // guarded by mu
}

type snapshotKey struct {
	event stock.EventID
	seats bool
}

type snapshotCell struct {
	mu   sync.Mutex
	last *snapshot // guarded by mu
}

func (c *snapshots) cell(key snapshotKey) *snapshotCell {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[snapshotKey]*snapshotCell{}
	}
	if c.all[key] == nil {
		c.all[key] = &snapshotCell{}
	}
	return c.all[key]
}

// snapshot gives the availability, at most availabilityFor old. Those who come while it is taken wait for the same one.
func (s *server) snapshot(ctx context.Context, ev *Event, seats bool) (*snapshot, error) {
	cell := s.snaps.cell(snapshotKey{ev.Number, seats})
	cell.mu.Lock()
	defer cell.mu.Unlock()
	if now := s.Now(); cell.last != nil && now.Sub(cell.last.at) < availabilityFor && cell.last.doc.State == ev.State {
		return cell.last, nil
	}
	snap, err := s.takeSnapshot(ctx, ev, seats)
	if err == nil {
		cell.last = snap
	}
	return snap, err
}

func (s *server) takeSnapshot(ctx context.Context, ev *Event, seats bool) (*snapshot, error) {
	counts := s.Node.Counts(ev.Number)
	snap := &snapshot{at: s.Now(), asOf: counts.AsOf, count: map[stock.SegmentNo]int{}, doc: availabilityDoc{
		Event: prefixEvent + ev.ID.String(), AsOf: stamp(counts.AsOf), Stale: counts.Stale, State: ev.State, Segments: make([]segmentCounts, 0, len(ev.Segments)),
	}}
	if seats {
		snap.seats, snap.doc.Seats = map[stock.SegmentNo][]byte{}, map[string]string{}
	}
	for _, name := range ev.Categories {
		snap.doc.Categories = append(snap.doc.Categories, categoryFree{Category: name})
	}
	for i := range ev.Segments {
		seg := &ev.Segments[i]
		c, known := counts.Segments[seg.No]
		if !known { // nobody has said anything of it yet
			c = stock.Counts{Capacity: seg.Capacity, Free: seg.Capacity}
			snap.doc.Stale = true
		}
		one := countsOf(c)
		snap.doc.Segments = append(snap.doc.Segments, segmentCounts{seg.No, seg.Section, seg.Area, one})
		snap.doc.Totals.add(one)
		snap.count[seg.No] = len(seg.Seats)
		category, alike := seg.category()
		if alike {
			snap.doc.free(category, one.Free)
		}
		if seg.Area || !seats && alike {
			continue
		}
		states, err := s.Node.SeatStates(ctx, ev.Number, seg.No)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			snap.doc.Stale = true // a reader is better off with the other segments than with nothing
			states = make([]stock.State, len(seg.Seats))
		} else if !alike {
			for i, state := range states {
				if state == stock.Available {
					snap.doc.free(seg.Seats[i].Category, 1)
				}
			}
		}
		if !seats {
			continue
		}
		packed := pack(states)
		snap.seats[seg.No] = packed
		snap.doc.Seats[strconv.Itoa(int(seg.No))] = base64.StdEncoding.EncodeToString(packed)
	}
	return snap, nil
}

// free counts places of a category that are to be had.
func (d *availabilityDoc) free(category int16, n int32) {
	if int(category) < len(d.Categories) {
		d.Categories[category].Free += n
	}
}

// category gives the one that all places of a segment have; false where they differ.
func (seg *Segment) category() (category int16, alike bool) {
	if len(seg.Seats) == 0 {
		return seg.Category, true
	}
	first := seg.Seats[0].Category
	return first, !slices.ContainsFunc(seg.Seats, func(s Seat) bool { return s.Category != first })
}

func (c *countsDoc) add(o countsDoc) {
	c.Capacity, c.Free, c.Held, c.Sold = c.Capacity+o.Capacity, c.Free+o.Free, c.Held+o.Held, c.Sold+o.Sold
}

// pack writes two bits per seat, the first seat in the lowest bits.
func pack(states []stock.State) []byte {
	packed := make([]byte, (len(states)+3)/4)
	for i, state := range states {
		packed[i/4] |= byte(state&3) << (i % 4 * 2)
	}
	return packed
}

// only narrows a snapshot to one segment.
func (snap *snapshot) only(no stock.SegmentNo) *snapshot {
	one := *snap
	one.doc.Segments, one.doc.Categories = nil, nil
	for _, seg := range snap.doc.Segments {
		if seg.Segment == no {
			one.doc.Segments, one.doc.Totals = []segmentCounts{seg}, seg.countsDoc
		}
	}
	if snap.doc.Seats != nil {
		one.doc.Seats = map[string]string{}
		if text, ok := snap.doc.Seats[strconv.Itoa(int(no))]; ok {
			one.doc.Seats[strconv.Itoa(int(no))] = text
		}
	}
	return &one
}

// tag is an entity tag of what is free and what not, without the time.
func (snap *snapshot) tag(form string) (string, error) {
	doc := snap.doc
	doc.AsOf = form
	body, err := json.Marshal(doc)
	return entityTag(body), err
}

// binary is the form that openapi.yaml describes.
func (snap *snapshot) binary() []byte {
	b := []byte("TRA1")
	flags := uint32(0)
	if snap.doc.Stale {
		flags = 1
	}
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(snap.asOf.UnixMilli()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(snap.doc.Segments)))
	for _, seg := range snap.doc.Segments {
		for _, n := range []int32{int32(seg.Segment), seg.Capacity, seg.Free, seg.Held, seg.Sold, int32(snap.count[seg.Segment])} {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		b = append(b, snap.seats[seg.Segment]...)
	}
	return b
}

func (s *server) getAvailability(w http.ResponseWriter, r *http.Request) error {
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	binaryForm, err := wantsBinary(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	seats := query.Get("seats") == "1" || binaryForm
	if text := query.Get("seats"); text != "" && text != "0" && text != "1" {
		return invalid(fault{"seats", "0 or 1."})
	}
	var only *Segment
	if text := query.Get("segment"); text != "" {
		no, err := strconv.ParseInt(text, 10, 32)
		if only = ev.segment(stock.SegmentNo(no)); err != nil || only == nil {
			return invalid(fault{"segment", "There is no such segment."})
		}
	}
	return s.atEventNode(w, r, ev, func() error {
		snap, err := s.snapshot(r.Context(), ev, seats)
		if err != nil {
			return err
		}
		if only != nil {
			snap = snap.only(only.No)
		}
		return snap.answer(w, r, binaryForm)
	})
}

func (snap *snapshot) answer(w http.ResponseWriter, r *http.Request, binaryForm bool) error {
	form := "json"
	if binaryForm {
		form = "binary"
	}
	tag, err := snap.tag(form)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Cache-Control", "no-cache")
	if notModified(w, r, tag) {
		return nil
	}
	if !binaryForm {
		return answer(w, http.StatusOK, snap.doc)
	}
	w.Header().Set("Content-Type", availabilityType)
	w.Write(snap.binary())
	return nil
}

// wantsBinary reads Accept: the binary form when it is named, JSON when that is acceptable.
func wantsBinary(r *http.Request) (bool, error) {
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, availabilityType) {
		return true, nil
	}
	if accept == "" || strings.Contains(accept, "*/*") || strings.Contains(accept, "application/json") || strings.Contains(accept, "application/*") {
		return false, nil
	}
	return false, refuse(kindNotAcceptable, "application/json or "+availabilityType+".")
}
