package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Delta is one change of an event's availability. ID orders the deltas of one board.
type Delta struct {
	ID string
	// Reset says that what came before is not known: Counts has all segments then, and seats have to be read anew.
	Reset  bool
	Counts map[stock.SegmentNo]stock.Counts
	Seats  []SeatChange
}

// SeatChange is a seat's new state.
type SeatChange struct {
	Seat  stock.SeatID
	State stock.State
}

const (
	deltasKept    = 512             // of a board, for those who come back
	subscriberMax = 64              // deltas that a subscriber may lag behind
	heardWithin   = 8 * time.Second // owners report all every few seconds; older is stale
)

// board is the availability of one event: at the event's node it is gathered from the owners, elsewhere copied from there.
type board struct {
	event       stock.EventID
	incarnation string
	used        atomic.Int64 // when somebody last asked, Unix ms
	following   atomic.Bool

	mu       sync.Mutex
	version  int64
	segments map[stock.SegmentNo]*boardSegment
	deltas   []Delta // the last ones; the last has version
	readers  map[chan Delta]struct{}
	changed  chan struct{} // closed at the next change
	filled   chan struct{} // closed with the first report
}

type boardSegment struct {
	state   owner.SegmentState
	heard   time.Time
	version int64
}

// boards are the boards that somebody has asked for or reported to; no more than there are events.
type boards struct {
	mu  sync.Mutex
	all map[stock.EventID]*board
}

func (b *boards) get(event stock.EventID) *board {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.all[event]
	if found == nil {
		found = &board{
			event: event, incarnation: strconv.FormatInt(time.Now().UnixNano(), 36), segments: map[stock.SegmentNo]*boardSegment{},
			readers: map[chan Delta]struct{}{}, changed: make(chan struct{}), filled: make(chan struct{}),
		}
		b.all[event] = found
	}
	return found
}

// merge takes reports over; an older epoch or sequence number changes nothing. It returns how many segments really changed.
func (b *board) merge(states []owner.SegmentState, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	delta := Delta{Counts: map[stock.SegmentNo]stock.Counts{}}
	for _, s := range states {
		old := b.segments[s.Segment]
		if old == nil {
			old = &boardSegment{}
			b.segments[s.Segment] = old
		} else if s.Epoch < old.state.Epoch || s.Epoch == old.state.Epoch && s.Seq < old.state.Seq {
			continue
		}
		old.heard = now
		seats := changedSeats(s.Segment, old.state.Seats, s.Seats)
		if old.version > 0 && len(seats) == 0 && old.state.Counts == s.Counts {
			old.state = s
			continue
		}
		if old.version > 0 {
			delta.Seats = append(delta.Seats, seats...)
		}
		old.state, old.version = s, b.version+1
		delta.Counts[s.Segment] = s.Counts
	}
	if len(delta.Counts) > 0 {
		b.publish(delta)
	}
	return len(delta.Counts)
}

// publish gives a delta its number and hands it out. Called with mu held.
func (b *board) publish(delta Delta) {
	b.version++
	if b.version == 1 {
		close(b.filled)
	}
	delta.ID = b.id()
	b.deltas = append(b.deltas, delta)
	if len(b.deltas) > deltasKept {
		b.deltas = append([]Delta(nil), b.deltas[len(b.deltas)-deltasKept/2:]...)
	}
	for reader := range b.readers {
		select {
		case reader <- delta:
		default: // too slow: it has to come back and take everything anew
			delete(b.readers, reader)
			close(reader)
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) id() string { return fmt.Sprintf("%s.%d", b.incarnation, b.version) }

// changedSeats compares packed states. Without old ones nothing is known to have changed.
func changedSeats(segment stock.SegmentNo, old, now []byte) []SeatChange {
	if len(old) != len(now) {
		return nil
	}
	var out []SeatChange
	for i := range now {
		if old[i] == now[i] {
			continue
		}
		for k := range 4 {
			if was, is := old[i]>>(2*k)&3, now[i]>>(2*k)&3; was != is {
				out = append(out, SeatChange{stock.NewSeatID(segment, int32(4*i+k)), stock.State(is)})
			}
		}
	}
	return out
}

// after is the number in an id of this board; 0 when it is another's.
func (b *board) after(id string) int64 {
	incarnation, number, ok := strings.Cut(id, ".")
	if !ok || incarnation != b.incarnation {
		return 0
	}
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil || v > b.version {
		return 0
	}
	return v
}

// subscribe hands out what came after an id and everything that follows.
func (b *board) subscribe(last string) (<-chan Delta, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	missed, whole := b.missed(b.after(last))
	reader := make(chan Delta, subscriberMax+len(missed)+1)
	if !whole {
		counts := map[stock.SegmentNo]stock.Counts{}
		for no, s := range b.segments {
			counts[no] = s.state.Counts
		}
		reader <- Delta{ID: b.id(), Reset: true, Counts: counts}
	}
	for _, d := range missed {
		reader <- d
	}
	b.readers[reader] = struct{}{}
	return reader, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, open := b.readers[reader]; open {
			delete(b.readers, reader)
			close(reader)
		}
	}
}

// missed are the deltas after a version; whole says that none is lacking. Called with mu held.
func (b *board) missed(after int64) (missed []Delta, whole bool) {
	n := b.version - after
	if after == 0 || n > int64(len(b.deltas)) {
		return nil, false
	}
	return b.deltas[int64(len(b.deltas))-n:], true
}

// boardDoc is what a copy asks for: the segments that changed after a version.
type boardDoc struct {
	Version  string               `json:"version"`
	Stale    bool                 `json:"stale,omitempty"`
	Segments []owner.SegmentState `json:"segments"`
}

// document answers once there is something after since, or wait is over.
func (b *board) document(ctx context.Context, since string, wait time.Duration) boardDoc {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		doc, news, changed := b.changedSince(since)
		if news {
			return doc
		}
		select {
		case <-changed:
		case <-timer.C:
			return doc
		case <-ctx.Done():
			return doc
		}
	}
}

func (b *board) changedSince(since string) (doc boardDoc, news bool, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	after := b.after(since)
	doc.Version = b.id()
	for _, s := range b.segments {
		doc.Stale = doc.Stale || time.Since(s.heard) >= heardWithin
		if s.version > after {
			doc.Segments = append(doc.Segments, s.state)
		}
	}
	return doc, b.version > after, b.changed
}

// counts are the totals, since when they are surely right, and whether that is too long ago.
func (b *board) counts(segments int, now time.Time) (map[stock.SegmentNo]stock.Counts, time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[stock.SegmentNo]stock.Counts, len(b.segments))
	oldest := now
	for no, s := range b.segments {
		out[no] = s.state.Counts
		if s.heard.Before(oldest) {
			oldest = s.heard
		}
	}
	if len(out) == segments && now.Sub(oldest) < heardWithin {
		return out, now, false // owners report changes at once, and everything now and then
	}
	return out, oldest, true
}

// seats are the states of a segment's seats.
func (b *board) seats(no stock.SegmentNo, capacity int32) ([]stock.State, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.segments[no]
	if s == nil || len(s.state.Seats) < int(capacity+3)/4 {
		return nil, false
	}
	states := make([]stock.State, capacity)
	for i := range states {
		states[i] = stock.State(s.state.Seats[i/4] >> (i % 4 * 2) & 3)
	}
	return states, true
}
