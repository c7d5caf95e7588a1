package stock

import (
	"math"

	"github.com/google/uuid"
)

// model is the stock of a segment the slow and obvious way: a list of seats, a map of holds, and no index of any kind.
// It keeps committed and tentative state apart, and reads the seats' specification, never the layout made of it.
type model struct {
	specs    []SeatSpec // nil for an area
	capacity int
	seats    map[int32]*modelSeat // by index or unit
	holds    map[uuid.UUID]*modelHold
}

type modelSeat struct {
	state State
	ver   int32
	hold  uuid.UUID
}

type modelHold struct {
	generation           int32
	seats                map[int32]int16 // index → ticket type
	state                State
	deadline, maxExpires int64
	order, fingerprint   uuid.UUID
	attempt              int32
	quotas               []Quota
	tentative            bool
	busy                 bool
	loaded               bool
}

func newModel(specs []SeatSpec, capacity int) *model {
	m := &model{specs: specs, capacity: capacity, seats: map[int32]*modelSeat{}, holds: map[uuid.UUID]*modelHold{}}
	for i := range specs {
		m.seats[int32(i)] = &modelSeat{}
	}
	return m
}

func (m *model) counts() Counts {
	c := Counts{Capacity: int32(m.capacity)}
	for _, seat := range m.seats {
		switch seat.state {
		case Held:
			c.Held++
		case Paying:
			c.Paying++
		case Sold:
			c.Sold++
		case Available:
		}
	}
	c.Free = c.Capacity - c.Held - c.Paying - c.Sold
	return c
}

// verdict is what a command should come to: an operation of some kind, or an answer from memory.
type verdict struct {
	kind Kind // 0: from memory
	code Code // of the answer, or what a note refuses
}

func op(kind Kind) verdict       { return verdict{kind: kind} }
func note(code Code) verdict     { return verdict{KindNote, code} }
func memory(code Code) verdict   { return verdict{0, code} }
func (v verdict) moves() bool    { return v.kind != 0 && v.kind != KindNote }
func (m *model) free(i int) bool { return m.seats[int32(i)].state == Available }

// expect is the table of transitions for commands on holds.
func (m *model) expect(cmd *Command, now int64) verdict {
	h := m.holds[cmd.Hold]
	if h == nil {
		if cmd.Kind == KindExpire {
			return memory(CodeNoHold)
		}
		return note(CodeNoHold)
	}
	if h.busy {
		return memory(CodeBusy)
	}
	expired := h.deadline <= now
	mine := cmd.Order == h.order
	switch cmd.Kind {
	case KindExtend:
		switch {
		case h.state != Held:
			return note(CodeIllegal)
		case expired:
			return note(CodeHoldExpired)
		}
	case KindOrder:
		switch {
		case h.order == cmd.NewOrder.ID:
			return note(CodeReplay)
		case h.state != Held || h.order != uuid.Nil:
			return note(CodeIllegal)
		case expired:
			return note(CodeHoldExpired)
		}
	case KindRelease:
		switch {
		case h.state != Held || cmd.Order == uuid.Nil && h.order != uuid.Nil:
			return note(CodeIllegal)
		case !mine:
			return note(CodeHoldNotYours)
		}
	case KindExpire:
		if h.state != Held || !expired {
			return memory(CodeIllegal)
		}
	case KindPin:
		switch {
		case !mine && (h.state != Held || h.order != uuid.Nil): // a hold without an order may be one's that took it over: the ledger knows
			return note(CodeHoldNotYours)
		case h.state == Paying && cmd.Attempt == h.attempt:
			return note(CodeReplay)
		case h.state == Sold, cmd.Attempt < h.attempt:
			return note(CodeIllegal)
		}
	case KindUnpin, KindSell:
		switch {
		case !mine:
			return note(CodeHoldNotYours)
		case cmd.Attempt == h.attempt && (cmd.Kind == KindSell && h.state == Sold || cmd.Kind == KindUnpin && !cmd.Free && h.state == Held):
			return note(CodeReplay)
		case h.state != Paying || cmd.Attempt != h.attempt:
			return note(CodeIllegal)
		}
	case KindRefund:
		switch {
		case !mine:
			return note(CodeHoldNotYours)
		case h.state != Sold:
			return note(CodeIllegal)
		}
		for _, a := range cmd.Ask.Seats {
			if _, ok := h.seats[a.Seat.Index()]; !ok {
				return note(CodeHoldNotYours)
			}
		}
	default:
	}
	return op(cmd.Kind)
}

// kinds of seats that a best-available search for ordinary people may look at.
func (m *model) ordinary(i int, cats uint64, companions bool) bool {
	s := m.specs[i]
	return (cats == 0 || cats>>s.Category&1 != 0) && s.Flags&SeatAccessible == 0 && (companions || s.Flags&SeatCompanion == 0)
}

// open is whether the search may take the seat now.
func (m *model) open(i int, cats uint64, companions bool) bool {
	return i >= 0 && i < len(m.specs) && m.free(i) && m.ordinary(i, cats, companions)
}

// lonely is whether seat i, in the block, is free with nobody's free seat beside it once the seats in taken are gone.
func (m *model) lonely(i int, block int32, companions bool, taken map[int]bool) bool {
	is := func(j int) bool {
		return j >= 0 && j < len(m.specs) && m.specs[j].Block == block && !taken[j] && m.open(j, 0, companions)
	}
	return is(i) && !is(i-1) && !is(i+1)
}

// bestRun is the smallest cost of an adjacent run of k, and whether there is one.
func (m *model) bestRun(k int, legal bool, cats uint64, companions bool) (float32, bool) {
	best, found := float32(math.Inf(1)), false
	for from := 0; from+k <= len(m.specs); from++ {
		fits, taken := true, map[int]bool{}
		for i := from; i < from+k; i++ {
			fits = fits && m.specs[i].Block == m.specs[from].Block && m.open(i, cats, companions)
			taken[i] = true
		}
		if !fits || legal && m.leavesSingle(taken, companions) {
			continue
		}
		if cost := m.specs[from+(k-1)/2].Distance; !found || cost < best {
			best, found = cost, true
		}
	}
	return best, found
}

// leavesSingle is whether taking the seats makes a lonely seat that was not lonely.
func (m *model) leavesSingle(taken map[int]bool, companions bool) bool {
	for i := range taken {
		for _, j := range []int{i - 1, i + 1} {
			if j < 0 || j >= len(m.specs) {
				continue
			}
			block := m.specs[i].Block
			if m.specs[j].Block == block && m.lonely(j, block, companions, taken) && !m.lonely(j, block, companions, nil) {
				return true
			}
		}
	}
	return false
}

// openCount is how many seats the search may take.
func (m *model) openCount(cats uint64, companions bool) int {
	n := 0
	for i := range m.specs {
		if m.open(i, cats, companions) {
			n++
		}
	}
	return n
}

// rows is the committed state as a ledger would give it to Load.
func (m *model) rows(no SegmentNo) ([]SeatRow, []HoldRow, int32) {
	var seats []SeatRow
	var holds []HoldRow
	next := int32(1)
	for i, seat := range m.seats {
		row := SeatRow{Seat: NewSeatID(no, i), State: seat.state, Ver: seat.ver}
		if m.specs == nil && seat.ver > 0 {
			next = max(next, i+1)
		}
		if h := m.holds[seat.hold]; h != nil && h.tentative {
			if seat.ver == 0 {
				continue // the ledger never heard of it
			}
			row.State = Available
		} else if seat.state != Available {
			row.Hold, row.Generation, row.Type = seat.hold, h.generation, h.seats[i]
			if seat.state != Held {
				row.Order, row.Attempt = h.order, h.attempt
			}
		}
		seats = append(seats, row)
	}
	for id, h := range m.holds {
		if h.tentative {
			continue
		}
		holds = append(holds, HoldRow{
			ID: id, Generation: h.generation, Quantity: int32(len(h.seats)), Deadline: h.deadline, MaxExpires: h.maxExpires,
			Order: h.order, Attempt: h.attempt, Quotas: h.quotas,
		})
	}
	return seats, holds, next
}
