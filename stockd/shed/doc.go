// Package shed decides which requests a node works on when more come than it can serve, so that those which it takes are answered in time and
// the others are told so at once, for the price of a look at some numbers.
//
// What there is to decide with. Each request has a class, by what it is worth to the sale, and an age, from its arrival at the node:
//
//	Browse   anybody's reads: event, map, availability, its stream      shed first
//	Hold     somebody who has nothing yet asks for seats
//	Look     reads of one's own hold, order or tickets
//	Buy      order, payment, extension, release, cancellation; the bank's word
//	Operate  what needs an API key: charts, events, the admin page      shed by age only
//
// What happens to a request:
//
//	Enter ── its share is used up, or the queue of its class is full ──► refused
//	  ├── a place is free, nobody of its pool waits ──► at work ── Leave ──► the place goes to the next one
//	  └── waits ── a place ──► at work
//	           └── older than the patience of its class ──► refused
//
// Places. Browse has places of its own, for it is answered from memory: a ledger that hangs fills the others with requests that wait, and reads
// go on. The other classes share the rest; the higher class comes first, and within a class who came first. Nothing overtakes within a
// class, however full it is: a queue that turned round would be quicker and unfair.
//
// The signal is the age of the oldest one that waits (CoDel: Nichols and Jacobson, RFC 8289). A queue that was empty once in an interval
// absorbs a burst and is left alone. When its oldest one was older than Target all the time, more comes than goes; then the lowest class
// that still takes part gets a smaller share (10 % less, 25 % when the age is four times Target), and the next higher one only when
// that one has almost nothing left. When no queue stands, the highest class that was cut gets its share back first, slowly. So the shares settle where
// the node is just busy. This is the admission level of DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices", 2018) with
// shares instead of steps.
//
// A share is kept by counting, not by lot: of four requests of a class with the share 0.25 exactly one is let in. So the same course of requests has the
// same outcome, which tests and people like.
//
// The package is pure: no clock, no goroutine, no network. A Gate has a mutex, held for a few comparisons only.
package shed
