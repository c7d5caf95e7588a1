package crowd

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"ticketrush/room"
)

type state uint8

const (
	coming state = iota
	waiting
	claiming
	inside
	gone // had their turn
	gaveUp
	toldSoldOut
)

// settled is whether nothing more will become of a person.
func (s state) settled() bool { return s >= gone }

// person is a visitor. Chance is a person's own, so that what one does is the same in whatever order their edge's answers come.
type person struct {
	id      int32
	edge    int16
	state   state
	class   room.Class
	home    int16 // the edge that gave the place
	run     int16 // and which of its processes
	vanish  bool  // goes away without a word when done
	lobby   bool  // was there before the opening
	came    moment
	joined  moment // when the place was given
	granted moment
	until   moment // gives up then
	rank    uint64
	bound   float32 // of the clock that stamped the arrival, in ms
	code    uint32  // serial number of an access code; 0: none
	chance  uint64
	pass    room.Session
}

// random is the person's own next number, from 0 to 1 (splitmix64).
func (p *person) random() float64 {
	p.chance += 0x9e3779b97f4a7c15
	z := p.chance
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

func (p *person) between(low, high moment) moment {
	return low + moment(p.random()*float64(high-low+1))
}

// tid is the name of a person.
func (p *person) tid() room.Tid {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(p.id)))
	return room.Tid(sum[:16])
}

const (
	shareLobby    = 0.5   // there before the opening
	shareFlood    = 0.6   // of the others: with the opening
	shareSlow     = 0.02  // suspected automation
	shareCode     = 0.003 // with an access code
	shareTwice    = 0.02  // with a second tab
	shareGiveUp   = 0.3
	shareVanish   = 0.2
	shareBuys     = 0.6
	codeUses      = 2
	peoplePerCode = 3 // one more than may use it
)

// crowd brings everybody.
func (w *World) crowd() {
	w.people = make([]person, w.cfg.People)
	w.check.unsettled = len(w.people)
	holders := uint32(0)
	for i := range w.people {
		p := &w.people[i]
		*p = person{id: int32(i), edge: int16(w.rng.IntN(len(w.edges))), class: room.ClassArrival, chance: w.rng.Uint64(), vanish: w.rng.Float64() < shareVanish}
		opens := w.opening()
		switch x := p.random(); {
		case x < shareLobby:
			p.came = moment(p.random() * float64(opens-5500))
		case x < shareLobby+(1-shareLobby)*shareFlood:
			p.came = opens + moment(-8000*math.Log(1-p.random()))
		default:
			p.came = opens + moment(p.random()*150_000)
		}
		switch x := p.random(); {
		case x < shareSlow:
			p.class = room.ClassSlow
			p.came = max(p.came, opens)
		case x < shareSlow+shareCode:
			holders++
			p.code = (holders-1)/peoplePerCode + 1
			p.came = max(p.came, 2000)
		}
		if p.random() < shareGiveUp {
			p.until = max(p.came, opens) + moment(-120_000*math.Log(1-p.random()))
		} else {
			p.until = math.MaxInt32
		}
		w.at(p.came, event{who: p.id, do: (*World).join})
		if p.random() < shareTwice {
			w.at(p.came+p.between(300, 3000), event{who: p.id, do: (*World).joinAgain})
		}
	}
	w.codes = (holders + peoplePerCode - 1) / peoplePerCode
}

// settle ends a person's sale.
func (w *World) settle(p *person, as state) {
	if p.state.settled() {
		return
	}
	p.state = as
	w.check.unsettled--
	w.note('s', uint64(p.id)<<8|uint64(as))
}

// join asks the person's edge for a place; one that is down is left for another.
func (w *World) join(p *person) {
	e := w.edges[p.edge]
	if !e.up {
		p.edge = int16(p.random() * float64(len(w.edges)))
		w.later(p, p.between(500, 2000), (*World).join)
		return
	}
	rank, err := e.room.Join(e.clock(), p.tid(), p.class)
	if err != nil {
		if w.now > p.until {
			w.settle(p, gaveUp)
			return
		}
		w.later(p, p.between(500, 3000), (*World).join)
		return
	}
	p.rank, p.joined, p.bound, p.lobby = rank, w.now, float32(e.room.Bound(e.clock())), rank == 0
	p.state, p.home, p.run = waiting, p.edge, int16(e.runs)
	if p.code != 0 {
		w.redeem(p)
		return
	}
	w.later(p, p.between(500, 1500), (*World).poll)
}

// joinAgain is a second tab.
func (w *World) joinAgain(p *person) {
	e := w.edges[p.edge]
	if p.state != waiting || !e.up || p.lobby || p.code != 0 {
		return
	}
	if rank, err := e.room.Join(e.clock(), p.tid(), p.class); err == nil {
		w.check.again(p, e, rank)
		p.rank = min(p.rank, rank)
	}
}

// buy takes tickets, if any are left.
func (w *World) buy(p *person) {
	if p.random() < shareBuys {
		w.left -= min(w.left, 1+int(p.random()*2))
	}
}
