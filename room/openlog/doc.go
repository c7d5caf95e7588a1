// Package openlog is the transparency log of a room: an append-only Merkle log of what the room did and why, that nobody can rewrite unnoticed.
//
// An entry is a JSON object on one line, of at most EntryMax bytes: {"n": its index, "at", "kind", "edition", …, "why"}. entry.go has the kinds, and
// the fields of those that settle a draw. To the log itself an entry is bytes; it only checks that they are such a line.
//
//	checkpoint              C2SP tlog-checkpoint: origin, size, root; a signed note with the room's Ed25519 key
//	tile/<L>/<N>[.p/<W>]    C2SP tlog-tiles: 256 hashes of level 8·L
//	tile/entries/<N>[.p/<W>]  256 entries, each after its length in two bytes
//	draw                    the published draw (package draw), beside the log
//
// Log appends and knows the root; it keeps at most 63 hashes. Tiles serves what is above from the entries, which its driver keeps. Verify reads a whole log,
// computes the root again, checks the signature and earlier checkpoints, and follows the room: commitment before seal before draw, and a frontier
// that never goes back.
//
// # What it proves
//
// A checkpoint that somebody keeps, a fan, a witness, an archive, binds everything before it: Options.Seen compares. Without any kept checkpoint the operator
// could still have written the log anew, with the same key. The times in entries are the operator's own.
//
// A Log belongs to one goroutine; Tiles may be used by many. The package is pure: no network, no clock, no goroutine.
package openlog
