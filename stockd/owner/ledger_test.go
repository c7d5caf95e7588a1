package owner

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

const wallStart = int64(1_800_000_000_000)

// ledgerModel is the ledger as far as ownership needs it, in memory: fence, idempotency, holds, seats.
type ledgerModel struct {
	now      time.Duration
	sessions map[int64]*sessionRow
	last     int64
	parts    [stock.Partitions]partRow
	batches  map[[2]int64]batchRow // by partition and seq
	keys     map[requestKey]uuid.UUID
	holds    map[uuid.UUID]*holdRow
	seats    map[stock.SeatID]*seatRow
	segments []SegmentRef
	layout   *stock.Layout
	// applied counts operations by what they are, to find one that was written twice.
	applied map[string]int
	broken  []string
}

type sessionRow struct {
	node    string
	expires time.Duration
	dead    bool
}

type partRow struct{ session, epoch, seq int64 }

type batchRow struct {
	id       uuid.UUID
	outcomes []stock.Outcome
}

type holdRow struct {
	part       stock.PartitionID
	segment    stock.SegmentNo
	generation int32
	quantity   int32
	deadline   int64
	maxExpires int64
	live       bool
	remaining  int64
}

type seatRow struct {
	state      stock.State
	ver        int32
	hold       uuid.UUID
	generation int32
}

func newLedgerModel(segments []SegmentRef) *ledgerModel {
	var specs []stock.SeatSpec
	for row := range 4 {
		for i := range 6 {
			specs = append(specs, stock.SeatSpec{Row: int32(row), Block: int32(row), X: float32(i), Y: float32(row), Distance: float32(10*row + i)})
		}
	}
	layout, err := stock.NewLayout(specs)
	if err != nil {
		panic(err)
	}
	return &ledgerModel{
		sessions: map[int64]*sessionRow{}, batches: map[[2]int64]batchRow{}, keys: map[requestKey]uuid.UUID{}, holds: map[uuid.UUID]*holdRow{},
		seats: map[stock.SeatID]*seatRow{}, segments: segments, layout: layout, applied: map[string]int{},
	}
}

func (l *ledgerModel) wall() int64 { return wallStart + l.now.Milliseconds() }

func (l *ledgerModel) breaks(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

func (l *ledgerModel) open(node string, ttl time.Duration) int64 {
	l.last++
	l.sessions[l.last] = &sessionRow{node: node, expires: l.now + ttl}
	return l.last
}

func (l *ledgerModel) live(session int64) bool {
	s := l.sessions[session]
	return s != nil && !s.dead && s.expires > l.now
}

func (l *ledgerModel) renew(session int64, ttl time.Duration) bool {
	if !l.live(session) {
		return false
	}
	l.sessions[session].expires = l.now + ttl
	return true
}

func (l *ledgerModel) claim(session int64, parts []stock.PartitionID) []Claim {
	var got []Claim
	if !l.live(session) {
		return nil
	}
	for _, p := range parts {
		row := &l.parts[p]
		if row.session == 0 || !l.live(row.session) || l.sessions[row.session].node == l.sessions[session].node {
			row.session = session
			row.epoch++
			got = append(got, Claim{Part: p, Epoch: row.epoch, Seq: row.seq})
		}
	}
	return got
}

func (l *ledgerModel) release(in Release) {
	for _, p := range in.Parts {
		row := &l.parts[p.Part]
		if row.session != in.Session || row.epoch != p.Epoch {
			continue
		}
		row.session = 0
		for _, life := range p.Lives {
			if h := l.holds[life.Hold]; h != nil && h.live {
				h.remaining = life.RemainingMs
			}
		}
	}
}

// load is a new snapshot.
func (l *ledgerModel) load(parts []PartEpoch, only []SegmentRef) []LoadedPart {
	var loaded []LoadedPart
	for _, pe := range parts {
		lp := LoadedPart{Part: pe.Part, Epoch: pe.Epoch}
		for _, ref := range l.segments {
			if ref.Part != pe.Part || only != nil && !slices.Contains(only, ref) {
				continue
			}
			s := stock.NewSegment(l.layout, ref.Event, ref.Segment)
			seats, holds := l.rows(ref)
			if err := s.Load(seats, holds, 0); err != nil {
				l.breaks("load of %v: %v", ref, err)
			}
			lp.Segments = append(lp.Segments, LoadedSegment{ref.Event, ref.Segment, s})
		}
		loaded = append(loaded, lp)
	}
	return loaded
}

func (l *ledgerModel) rows(ref SegmentRef) (seats []stock.SeatRow, holds []stock.HoldRow) {
	for i := range l.layout.Capacity() {
		id := stock.NewSeatID(ref.Segment, i)
		if row := l.seats[id]; row != nil {
			seats = append(seats, stock.SeatRow{Seat: id, State: row.state, Ver: row.ver, Hold: row.hold, Generation: row.generation})
		}
	}
	for id, h := range l.holds {
		if h.live && h.segment == ref.Segment {
			holds = append(holds, stock.HoldRow{ID: id, Generation: h.generation, Quantity: h.quantity, Deadline: l.wall() + 2000, MaxExpires: h.maxExpires})
		}
	}
	return seats, holds
}

func (l *ledgerModel) flush(b *Batch) []WorkResult {
	results := make([]WorkResult, len(b.Works))
	for i, w := range b.Works {
		row := &l.parts[w.Part]
		if w.Epoch != row.epoch || b.Session != row.session || row.seq != w.Seq-1 {
			if known, ok := l.batches[[2]int64{int64(w.Part), w.Seq}]; ok && known.id == b.ID {
				results[i].Outcomes = known.outcomes
			} else {
				results[i].Fenced = true
			}
			continue
		}
		row.seq++
		holds := map[uuid.UUID]bool{}
		for _, op := range w.Ops {
			if holds[op.Hold] {
				l.breaks("two operations of hold %v in one batch", op.Hold)
			}
			holds[op.Hold] = true
			results[i].Outcomes = append(results[i].Outcomes, l.write(w.Part, op))
		}
		l.batches[[2]int64{int64(w.Part), w.Seq}] = batchRow{b.ID, results[i].Outcomes}
	}
	return results
}

func (l *ledgerModel) write(part stock.PartitionID, op *stock.Op) stock.Outcome {
	if key := keyOf(&op.Request); key != (requestKey{}) {
		if f, ok := l.keys[key]; ok {
			if f != op.Request.Fingerprint {
				return stock.OutcomeKeyReused
			}
			return stock.OutcomeReplay
		}
	}
	h := l.holds[op.Hold]
	switch op.Kind {
	case stock.KindNote:
	case stock.KindHold:
		if h != nil {
			return stock.OutcomeHoldGone
		}
		l.holds[op.Hold] = &holdRow{part: part, segment: op.Segment, generation: op.Generation, quantity: op.Quantity, deadline: op.Deadline, maxExpires: op.MaxExpires, live: true, remaining: -1}
	default:
		if h == nil || !h.live || h.generation != op.Generation {
			return stock.OutcomeHoldGone
		}
		if op.Kind == stock.KindExpire && h.deadline > l.wall() {
			return stock.OutcomeNotExpired
		}
		if op.Kind == stock.KindExtend {
			h.deadline = op.Deadline
		} else {
			h.live = false
		}
	}
	for _, m := range op.Moves {
		row := l.seats[m.Seat]
		if row == nil {
			row = &seatRow{}
			l.seats[m.Seat] = row
		}
		if row.state != m.From || row.ver != m.Ver-1 {
			l.breaks("seat %d is in state %d version %d, the move is %+v", m.Seat, row.state, row.ver, m)
		}
		*row = seatRow{state: m.To, ver: m.Ver}
		if m.To != stock.Available {
			row.hold, row.generation = op.Hold, op.Generation
		}
	}
	if key := keyOf(&op.Request); key != (requestKey{}) {
		l.keys[key] = op.Request.Fingerprint
	}
	name := fmt.Sprint(op.Kind, op.Hold, op.Request.Key)
	if l.applied[name]++; l.applied[name] > 1 && op.Kind != stock.KindNote {
		l.breaks("%s was written twice", name)
	}
	return stock.OutcomeApplied
}
