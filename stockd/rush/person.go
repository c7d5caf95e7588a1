package rush

import (
	"math/rand/v2"
	"time"
)

// manner is what a person does with the seats that they hold.
type manner int

const (
	buys manner = iota
	letsGo
	cancels
	walksOff // closes the tab: the hold runs out by itself
	dawdles  // lets the hold run out and then wants to pay
)

// person is a fan with their wishes. All of it comes from the seed and the fan's number.
type person struct {
	arrives  time.Duration
	party    int
	manner   manner
	fights   bool
	declined bool
	wheels   bool // needs a place for a wheelchair
}

// wheelsShare is the share of those who need a place for a wheelchair.
const wheelsShare = 0.01

// newPerson makes the n-th fan. People come early: half of them within the first quarter of the time.
func newPerson(c Config, n int) (person, *rand.Rand) {
	dice := rand.New(rand.NewPCG(c.Seed, uint64(n)))
	u := dice.Float64()
	p := person{arrives: time.Duration(float64(c.Arrive) * u * u)}
	p.again(c, dice)
	return p, dice
}

// again gives the wishes of a further visit.
func (p *person) again(c Config, dice *rand.Rand) {
	p.party = c.PartyMin + dice.IntN(c.PartyMax-c.PartyMin+1)
	p.fights = dice.Float64() < c.Fight
	p.declined = dice.Float64() < c.Decline
	p.wheels = dice.Float64() < wheelsShare
	p.manner = buys
	switch u := dice.Float64(); {
	case u < max(0, c.Late):
		p.manner = dawdles
	case u < max(0, c.Late)+max(0, c.Abandon):
		p.manner = []manner{letsGo, cancels, walksOff}[dice.IntN(3)]
	}
}

// thinks is how long somebody takes at a step: most are quick, some are not.
func thinks(c Config, dice *rand.Rand) time.Duration {
	return min(time.Duration(dice.ExpFloat64()*float64(c.Think)), 6*c.Think)
}
