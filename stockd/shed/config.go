package shed

import (
	"errors"
	"fmt"
	"time"
)

// Class is what a request is worth when not all can be served; the higher one is served first and shed last.
type Class int8

// The classes, from the one that is shed first.
const (
	Browse Class = iota
	Hold
	Look
	Buy
	Operate
	classes
)

var classNames = [classes]string{"browse", "hold", "look", "buy", "operate"}

// String is the class as metrics call it.
func (c Class) String() string { return classNames[c] }

// Classes are all of them, from the one that is shed first.
func Classes() []Class { return []Class{Browse, Hold, Look, Buy, Operate} }

// patience is how long a request may wait before work on it begins. It is below what clients wait for an answer (ours: one second for reads, five for
// writes), so that who is refused hears it and does not have to guess.
var patience = [classes]time.Duration{500 * time.Millisecond, 2 * time.Second, 800 * time.Millisecond, 2500 * time.Millisecond, 5 * time.Second}

// Patience is how long a request of the class may wait.
func (c Class) Patience() time.Duration { return patience[c] }

// floors are the least shares: some always get in, or nobody would find out that there is room again. Operate is never cut.
var floors = [classes]float64{0.02, 0.02, 0.1, 0.1, 1}

// Config sets up a Gate. The zero value of each setting means its default.
type Config struct {
	// Work is the most requests at work at once, those that browse left out. Default 256: enough for full batches in both lanes of the ledger, and
	// few enough to be through in time: what is at work takes Work / (requests per second), 85 ms at 3,000/s.
	Work int
	// Reads is the same for those that browse. Default 256.
	Reads int
	// Queue is the most requests that wait in each class. Default 1024; a few kB each.
	Queue int
	// Target is the age of the oldest waiting request from which on a queue that stands is too long. Default 20 ms. Shorter: refusals begin
	// sooner and bursts of the garbage collector count as overload; longer: everybody waits longer in a rush.
	Target time.Duration
	// Interval is how long a queue has to stand before shares are cut, and the time from one change to the next. Default 100 ms.
	Interval time.Duration
}

func (c Config) withDefaults() (Config, error) {
	var problems []error
	for _, n := range []struct {
		name string
		at   *int
		def  int
	}{{"places for work", &c.Work, 256}, {"places for reads", &c.Reads, 256}, {"queue", &c.Queue, 1024}} {
		if *n.at < 0 {
			problems = append(problems, fmt.Errorf("%s: %d is negative", n.name, *n.at))
		}
		if *n.at == 0 {
			*n.at = n.def
		}
	}
	for _, d := range []struct {
		name string
		at   *time.Duration
		def  time.Duration
	}{{"target", &c.Target, 20 * time.Millisecond}, {"interval", &c.Interval, 100 * time.Millisecond}} {
		if *d.at < 0 {
			problems = append(problems, fmt.Errorf("%s: %v is negative", d.name, *d.at))
		}
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	return c, errors.Join(problems...)
}
