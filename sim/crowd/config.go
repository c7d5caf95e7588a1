package crowd

import (
	"fmt"
	"time"
)

// Config says how large a sale is. Zero fields mean their defaults.
type Config struct {
	Seed      uint64
	People    int           // default 1,000,000
	Edges     int           // default 8
	Rate      float64       // passes per second; default a thousandth of the people
	MaxActive int           // default 40 s of the rate
	Tickets   int           // default a fifth of the people
	Lobby     time.Duration // before the opening; default 5 min. Half of the people come in it.
	Calm      bool          // nothing goes wrong
	Wrong     Mutant        // breaks the simulated parts on purpose: something has to notice
}

// Mutant is a way to break what the simulator adds to the room, so that it is seen that the checks notice.
type Mutant string

// The mutants.
const (
	NoMutant        Mutant = ""
	ForgetsGrants   Mutant = "forgets-grants"    // the owner's store keeps nothing of the last seconds
	AnswersTooEarly Mutant = "answers-too-early" // answers are given before their batch is stored
	StampsOwnTime   Mutant = "stamps-own-time"   // an edge takes its own clock for the owner's
)

// Mutants are all of them.
var Mutants = []Mutant{ForgetsGrants, AnswersTooEarly, StampsOwnTime}

const (
	peopleMax = 10_000_000
	edgesMax  = 200
	passLife  = 60 * time.Second
	meanStay  = 15 * time.Second
)

func (c Config) withDefaults() (Config, error) {
	if c.People == 0 {
		c.People = 1_000_000
	}
	if c.Edges == 0 {
		c.Edges = 8
	}
	if c.Rate == 0 {
		c.Rate = max(10, float64(c.People)/1000)
	}
	if c.MaxActive == 0 {
		c.MaxActive = int(c.Rate * 40)
	}
	if c.Tickets == 0 {
		c.Tickets = c.People / 5
	}
	if c.Lobby == 0 {
		c.Lobby = 5 * time.Minute
	}
	switch {
	case c.People < 100 || c.People > peopleMax:
		return c, fmt.Errorf("%d people: give 100 to %d", c.People, peopleMax)
	case c.Edges < 1 || c.Edges > edgesMax:
		return c, fmt.Errorf("%d edges: give 1 to %d", c.Edges, edgesMax)
	case c.Rate < 1 || c.MaxActive < 1 || c.Tickets < 0:
		return c, fmt.Errorf("a rate of %v, %d inside at most and %d tickets: give a rate and people inside of at least 1", c.Rate, c.MaxActive, c.Tickets)
	case c.Lobby < 30*time.Second || c.Lobby > time.Hour:
		return c, fmt.Errorf("a lobby of %v: give 30s to 1h", c.Lobby)
	}
	return c, nil
}
