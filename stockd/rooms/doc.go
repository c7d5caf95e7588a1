// Package rooms runs the waiting rooms of the partitions that this node owns, each as a host.Host over the ledger, and answers edges about them.
//
//	edge ── client.Room ──► internal listener ──► ServeHTTP ── owned here? ──► host.Host ──(batch)──► ledger.room_append
//	                                                  └── no: one hop, or 421, or 503
//
// A room hashes to a partition by its name, as a segment does, and is owned by whoever owns that partition: the node says when it comes (Begin), when it is lost
// (End) and when it is to be handed off (LetGo, which returns when everything is stored). Each life of a host opens the room in the ledger, under the
// partition's epoch and session; what an earlier life has sent is refused from then on, wherever it ran. So two hosts of one room may live for a
// moment, and only one of them decides anything.
//
// A host that ends by an error or a panic begins anew after a pause, from what the ledger has; other rooms do not notice.
package rooms
