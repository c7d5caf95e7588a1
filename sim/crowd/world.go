package crowd

import (
	"crypto/ed25519"
	"encoding/binary"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"ticketrush/room"
)

// moment is true time, in milliseconds from the beginning of the run: the lobby opens at 0.
type moment int64

// epoch is when a run begins.
var epoch = time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC)

func (m moment) time() time.Time { return epoch.Add(time.Duration(m) * time.Millisecond) }

func ms(d time.Duration) moment { return moment(d / time.Millisecond) }

// event is something that happens to a person, or anything else.
type event struct {
	who int32
	do  func(*World, *person)
	any func()
}

// World is one run.
type World struct {
	cfg    Config
	set    room.Settings
	rng    *rand.Rand
	now    moment
	slots  [][]event // by moment
	owner  *owner
	edges  []*edge
	people []person
	left   int // tickets
	codes  uint32
	key    ed25519.PrivateKey
	check  checks
	course hash.Hash64 // of what happened
}

const roomName = "sale"

// longest bounds a run: whoever still waits then is counted as waiting.
const longest = 40 * time.Minute

func newWorld(cfg Config) *World {
	w := &World{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 7)), slots: make([][]event, ms(cfg.Lobby+longest)), left: cfg.Tickets,
		key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), course: fnv.New64a(),
	}
	w.set = room.Settings{
		Rate: cfg.Rate, MaxActive: cfg.MaxActive, PassLife: passLife, OpensAt: w.opening().time(), Lobby: cfg.Lobby,
	}.WithDefaults()
	w.check = newChecks(w)
	w.owner = &owner{w: w}
	for i := range cfg.Edges {
		w.edges = append(w.edges, newEdge(w, i))
	}
	return w
}

// opening is when people are let in.
func (w *World) opening() moment { return ms(w.cfg.Lobby) }

// at lets something happen; what would be after the end of the run never does.
func (w *World) at(m moment, e event) {
	if m = max(m, w.now); m < moment(len(w.slots)) {
		w.slots[m] = append(w.slots[m], e)
	}
}

func (w *World) after(d moment, do func()) { w.at(w.now+d, event{any: do}) }

func (w *World) later(p *person, d moment, do func(*World, *person)) {
	w.at(w.now+d, event{who: p.id, do: do})
}

// between is a delay.
func (w *World) between(low, high moment) moment {
	return low + moment(w.rng.Int64N(int64(high-low)+1))
}

// hop is how long a message takes from an edge to the owner, or back.
func (w *World) hop() moment {
	if w.rng.IntN(200) == 0 {
		return w.between(40, 250) // sent again
	}
	return w.between(1, 20)
}

// note makes what happened part of the course.
func (w *World) note(what byte, n uint64) {
	var b [17]byte
	b[0] = what
	binary.LittleEndian.PutUint64(b[1:], uint64(w.now))
	binary.LittleEndian.PutUint64(b[9:], n)
	w.course.Write(b[:])
}

// run goes on until nobody waits and nobody is inside, or the time is over.
func (w *World) run() {
	w.crowd()
	w.owner.start()
	for _, e := range w.edges {
		w.after(w.between(0, 250), e.sync)
	}
	if !w.cfg.Calm {
		w.faults()
	}
	w.after(1000, w.look)
	for ; w.now < moment(len(w.slots)); w.now++ {
		for i := 0; i < len(w.slots[w.now]); i++ { // it may grow
			switch e := w.slots[w.now][i]; {
			case e.any != nil:
				e.any()
			default:
				e.do(w, &w.people[e.who])
			}
		}
		w.slots[w.now] = nil
		if w.check.unsettled == 0 && w.now > w.opening() {
			return
		}
	}
}

// look checks once a second what cannot be seen from a single event.
func (w *World) look() {
	w.check.inside()
	w.after(1000, w.look)
}
