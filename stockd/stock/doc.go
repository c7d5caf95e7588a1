// Package stock is the engine that decides who gets which seat: one Segment of an event's inventory in memory, as a pure function
// Apply(state, command, now) → effect.
//
// It reads no clock, draws no random numbers, takes no locks and reaches nothing outside: the same code runs in the server, in recovery,
// in tests and in the simulator. One goroutine at a time may use a Segment.
//
// A decision is tentative until Settle tells what the ledger said of it:
//
//	command ── Apply ──► Effect{Op}     ── flush ──► outcome ── Settle ──► Answer
//	               └───► Effect{Answer}    (from memory: busy, taken, try again)
//
// What Apply changes at once is only what it takes away from others: the seats of a new hold. Everything else (release, expire, pin, sell…)
// takes effect in Settle, so that seats are never offered, and no state is shown, before the ledger has it. One hold has at most one
// operation under way.
//
// Seats are held in blocks, the seats from aisle to aisle, at most 64, one uint64 of free bits each. Adjacency comes from the map,
// never from labels.
//
// The state of a seat is the state of its hold:
//
//	available ── hold ──► held ── pin ──► paying ── sell ──► sold
//	    ▲ release, expire  │ ▲── unpin ──────┘ │               │
//	    └──────────────────┴───────────────────┴── refund ─────┘
//
// A hold over several segments has a leg in each: it goes the same way, but for its end, which is its row's (leg.go).
//
// The package imports no network, no database and no clock.
package stock
