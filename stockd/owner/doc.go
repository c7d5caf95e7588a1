// Package owner decides what a node owns and when it may promise: sessions, claims, epochs, flush lanes, hand-off.
//
// It is sans-IO: Core.Step takes one input and the time and returns effects. It starts no goroutine, reads no clock, draws no random
// numbers and reaches neither network nor database, so that a node, the tests and a simulator run the same code. One goroutine drives a Core.
//
//	view, ticks, requests, results of effects ──► Step ──► claim, load, flush, reply, release, nudge …
//
// A partition on its way through a node:
//
//	idle ── Claim ──► claiming ── Claimed ──► loading ── Loaded ──► serving ── no longer wanted ──► draining ── Release ──► releasing ──► idle
//	  ▲                                                               │ fenced, constraint, panic, session over
//	  └───────────────────────────────────────────────────────────────┘ (claimed and loaded again when it is still wanted)
//
// What holds:
//   - A positive or final answer leaves only after its operation's flush came back applied. The answers from memory are the engine's
//     refusals that ask to try again, and the Problems of this package.
//   - A partition's flushes carry its epoch and the sequence numbers applied_seq+1, +2, … without a gap, one operation for a hold at a time.
//   - A lane has one batch in flight. When its outcome is unknown the very same batch is sent again until it is known.
//   - A hold over several segments has a leg in each. Its row in the ledger decides; a core asks for the rows of its legs every few seconds, and after
//     a take-over at once, and frees those whose hold was dropped or has ended. Trying such a hold is a Wide, which any node may drive.
//   - A fenced or rolled-back batch was not written: its requests wait for the next owner, or are told to try again.
//   - Time only decides when to stop promising. It is never the reason why a promise is safe; the fence in the ledger is.
package owner
