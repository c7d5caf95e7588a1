// Package chaos breaks a real deployment while a crowd buys from it, and proves afterwards that every promise was kept.
//
//	crowd ──► Caddy ──► node 1..3 ──► Postgres      faults: kill, pause, hand-off, restarts, cuts at every byte,
//	  └──────────────────┘  (also straight)          networks in two, a full disk, a clock that jumps
//	  │
//	  history ──► porcupine, seat by seat · reconcile · gap meters ──► a table, and exit code 1 when one line does not hold
//
// The programs are the real ones: stockd, Caddy with the module, Postgres; package demo starts them, here they are only hurt. Clients obey the
// rules that the API's document gives them: the same Idempotency-Key until there is an answer, Retry-After, another node when one does not answer.
//
// What is measured is what those clients see. The gap of a segment is the longest time in which somebody was asking for something of it and nobody
// got an answer. A history is kept of all operations; each seat's must be explainable by a seat that is free, held by one hold or sold by it.
package chaos
