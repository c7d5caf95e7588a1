// Package room decides who enters: places in the line, the frontier, the rate, the slots, and every claim. It is the owner of one waiting room.
//
// A Room is a state machine. Its driver calls Join, Claim, Renew, Leave and the settings as they arrive, and Tick four times a second. What they
// change is collected as records; the driver takes them as a Batch, stores it durably, says so by Stored, and only then gives the answers.
// Snapshot and the batches after it rebuild the state.
//
//	join ──► queued ──(frontier passes the rank)──► eligible ──(claim, by rank, rate and slots)──► inside ──(pass end + grace)──► slot free
//
// What always holds:
//   - At most MaxActive passes are alive. A slot is free again only when its pass has ended, or was left, and the grace is over.
//   - The frontier moves only forward within an edition, also over a restart: what is shown to anybody was stored before.
//   - Of the claims that wait at a tick, a lower rank is served before a higher one of the same group (the line, the slow lane).
//   - Two claims of one tid give one pass.
//   - Nothing is kept per waiting visitor but a bounded buffer of recent joins; memory grows with the people inside only.
//
// Ranks are by order of arrival; those who came before the opening are class 1, in the order they came.
//
// The package is pure: no network, no clock, no goroutine, no lock; times are passed in and may only grow (an older time counts as the last one).
package room
