// Package room decides who enters: places in the line, the draw of the lobby, the frontier, the rate, the slots, and every claim.
//
// A room has one owner, a Room, and many edges, each an Edge. Both are state machines without network, clock, goroutine or lock; times are passed in.
//
//	        edge: stamps arrivals, checks passes                      owner: decides
//	join ──► queued ──(Report, Answer four times a second)──► counted ──(frontier passes the rank)──► eligible
//	claim ─────────────────────────────────────────────────► served by rank, rate and slots ──► inside ──(pass end + grace)──► slot free
//
// The owner's driver (package room/host) calls Sync, Claim, Renew, Leave and the settings as they arrive, and Tick forty times a second. What they
// change is collected as records; the driver takes them as a Batch, stores it durably, says so by Stored, and only then gives the answers. Snapshot
// and the batches after it rebuild the state.
//
// What always holds:
//   - At most MaxActive passes are alive. A slot is free again only when its pass has ended, or was left and every live edge turns it away, and the
//     grace is over.
//   - The frontier moves only forward within an edition, also over a restart: what is shown to anybody was stored before.
//   - Of the claims that wait at a full tick, a lower rank is served before a higher one of the same group (the line, the slow lane); in between,
//     claims are served only while there are passes for all of them.
//   - Two claims of one tid give one pass.
//   - A place has one bearer. It is handed over to another device by a code that is good once, and keeps its tid and rank (Offer, Handover).
//   - The owner's line is the sum of what its edges gave out, however reports are lost, repeated or late.
//   - An edge that hears nothing of the owner for its lease, or does not know the owner's time well enough, lets nobody in.
//   - Nothing is kept per waiting visitor but a bounded buffer of recent joins, and 16 bytes of each visitor of the lobby at the owner; memory grows
//     with the people inside only.
//
// A room may open again and again (Settings.Every): each occurrence is an edition, which Tick begins when its lobby opens.
//
// Ranks of the lobby are drawn (package room/draw); ranks of those who come later are by order of arrival in the owner's time, exact to the bound
// that each edge publishes (Edge.Bound).
package room
