// Package rush sends a crowd of fans through the doors of a deployment, as browsers would: they join the line, poll as they are told, claim
// their pass, look at what is left, hold seats, and pay. Some let go, some come too late, some fight for the same seats. Afterwards it checks what
// they were promised against what is there.
//
//	Run ─► fans (one goroutine each) ─► tally: counts, samples, one row per second
//	          │                           │
//	          ▼                           ▼
//	       edge and API                progress, Summary, Verdict, report
//
// It has no privilege: it uses the public endpoints only, so that it can be pointed at any deployment with the sandbox payment provider. What it counts as lost is
// what a client can see: an acknowledged hold that ended before its time, an acknowledged order or payment that is not there any more.
//
// Chance comes from one seed: the same seed makes the same people with the same wishes. What they get depends on the race.
package rush
