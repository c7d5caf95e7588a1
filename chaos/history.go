package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
)

// verb is what an operation did to a seat.
type verb uint8

const (
	verbHold   verb = iota + 1 // took it
	verbKeep                   // an answer that is only true while the hold has the seat: extended, read, ordered
	verbDrop                   // gave it back: released, or the order cancelled
	verbSell                   // its order is paid
	verbReturn                 // its line was refunded, or charged back: it goes on sale again
	verbGone                   // an answer that is only true while the hold does not have the seat: no such hold, expired
	verbFind                   // read in the ledger at the end, when nothing was under way
)

var verbNames = map[verb]string{verbHold: "hold", verbKeep: "keep", verbDrop: "drop", verbSell: "sell", verbReturn: "return", verbGone: "gone", verbFind: "find"}

// state of a seat.
type state uint8

const (
	stateFree state = iota
	stateHeld
	stateSold
)

var stateNames = map[state]string{stateFree: "free", stateHeld: "held", stateSold: "sold"}

// seat is a seat's model: who has it. A sold seat stays with the hold that it was sold to.
type seat struct {
	state state
	hold  uuid.UUID // of stateHeld and stateSold
}

// op is an operation on a seat.
type op struct {
	verb verb
	hold uuid.UUID
	open bool // nobody knows whether it happened: the client gave up without an answer
	find seat // what verbFind has read
}

// step is what a seat may do: whether the operation can have happened in this state, and the next one. An open operation can always have
// happened, or not have: it may take its turn after everything else, where nobody looks.
func step(now seat, o op) (bool, seat) {
	mine := now.state != stateFree && now.hold == o.hold
	held := mine && now.state == stateHeld
	switch o.verb {
	case verbHold:
		return change(now, now.state == stateFree, o.open, seat{stateHeld, o.hold})
	case verbDrop:
		return change(now, held, o.open, seat{})
	case verbSell:
		return change(now, held, o.open, seat{stateSold, o.hold})
	case verbReturn:
		return change(now, mine && now.state == stateSold, o.open, seat{})
	case verbKeep:
		return mine, now
	case verbGone:
		return !mine, now
	case verbFind:
		return now == o.find, now
	}
	return false, now
}

func change(from seat, may, open bool, to seat) (bool, seat) {
	if may {
		return true, to
	}
	return open, from
}

// model is a seat as porcupine takes it. Histories are cut by seat before they are checked.
var model = porcupine.Model{
	Init:  func() any { return seat{} },
	Step:  func(state, input, _ any) (bool, any) { return step(state.(seat), input.(op)) },
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, _ any) string {
		return input.(op).String()
	},
}

// String is the operation for people.
func (o op) String() string {
	text := verbNames[o.verb] + " " + o.hold.String()
	if o.verb == verbFind {
		text = "find " + stateNames[o.find.state] + " " + o.find.hold.String()
	}
	if o.open {
		text += " (no answer)"
	}
	return text
}

// history is what the crowd did and was told.
type history struct {
	start time.Time

	mu    sync.Mutex // guards what follows
	seats map[string][]porcupine.Operation
	told  map[uuid.UUID]bool // the holds that somebody was told of
	count int
}

func newHistory() *history {
	return &history{start: time.Now(), seats: map[string][]porcupine.Operation{}, told: map[uuid.UUID]bool{}}
}

// add writes an operation down for each of its seats. An open one has no end.
func (h *history) add(seats []string, o op, from, to time.Time) {
	call, back := from.Sub(h.start).Nanoseconds(), to.Sub(h.start).Nanoseconds()
	if o.open {
		back = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.verb == verbHold {
		h.told[o.hold] = true
	}
	for _, s := range seats {
		h.seats[s] = append(h.seats[s], porcupine.Operation{Input: o, Call: call, Return: back})
	}
	h.count++
}

// knows is whether somebody was told of a hold.
func (h *history) knows(hold uuid.UUID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told[hold]
}

// operations is how many were written down; seatsTouched how many seats they were about.
func (h *history) operations() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

func (h *history) seatsTouched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seats)
}

// checkMax bounds the time for one seat, of which there are thousands: a seat that takes longer is told as not decided.
const checkMax = 20 * time.Second

// wrongMax bounds the seats whose history is told.
const wrongMax = 5

// check looks at every seat and tells those whose history cannot be explained.
func (h *history) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	for name, ops := range h.seats {
		if result := porcupine.CheckOperationsTimeout(model, ops, checkMax); result != porcupine.Ok {
			wrong = append(wrong, fmt.Sprintf("seat %s: %s\n%s", name, result, tell(ops)))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	text := ""
	for _, w := range wrong[:min(len(wrong), wrongMax)] {
		text += "\n" + w
	}
	return fmt.Errorf("%d seats have a history that no seat can have:%s", len(wrong), text)
}

// tellMax bounds the operations of a seat that are told: the last ones, where what went wrong is read at the latest.
const tellMax = 60

func tell(ops []porcupine.Operation) (text string) {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	for _, o := range ops[max(0, len(ops)-tellMax):] {
		end := "…"
		if o.Return != math.MaxInt64 {
			end = time.Duration(o.Return).Round(time.Microsecond).String()
		}
		text += fmt.Sprintf("  %12v → %-12s %v\n", time.Duration(o.Call).Round(time.Microsecond), end, o.Input)
	}
	return text
}

// again counts how often a seat was sold after it had been sold.
func (h *history) again() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ops := range h.seats {
		sales := 0
		for _, o := range ops {
			if in := o.Input.(op); in.verb == verbSell && !in.open {
				sales++
			}
		}
		n += max(0, sales-1)
	}
	return n
}

// labels are the seats that anybody touched.
func (h *history) labels() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.seats))
}
