// Package draw is the lottery of a lobby: an order that nobody could choose, and that anybody can compute again.
//
//	secret S ──► C = SHA-256(S) published ──► list sealed: root R, count N, round ──► beacon of that round ──► seed ──► ranks
//
// Who was in the lobby is a set of tids; the order of arrival and repetitions do not count. Seal sorts it and takes its Merkle root, Draw gives
// everybody a rank, Receipt proves one person's, and File publishes the whole.
//
// # The rule, ticketrush/draw/v1
//
// Everything needed to write this again. SHA-256 and HMAC-SHA-256 throughout; u64(x) is 8 bytes, big-endian; str(x) is u64(length in bytes)
// followed by the bytes in UTF-8.
//
//   - Commitment: C = SHA-256(S), S being 32 bytes.
//   - List: the tids, 16 bytes each, sorted as bytes, each once. Root R: the Merkle tree hash of RFC 6962, section 2.1, over them: a leaf is
//     SHA-256(0x00 ‖ tid), a node SHA-256(0x01 ‖ left ‖ right), the root of no leaves SHA-256 of nothing.
//   - Seed: SHA-256(str("ticketrush/draw/v1") ‖ str(room) ‖ u64(edition) ‖ S ‖ R ‖ u64(N) ‖ str(source) ‖ u64(round) ‖ str(value)).
//     source, round and value are the beacon's; in the mode "operator" they are "", 0 and "". Edition and N are in it because a Merkle root alone
//     does not settle N, and so that no field of a receipt can be changed without being noticed.
//   - Rank: the bits 001 (class 1), then the first 61 bits of HMAC-SHA-256 with the seed as key and the 16 bytes of the tid as message; a
//     64-bit number, big-endian. Smaller is earlier; of equal ranks the smaller tid is earlier.
//   - Ordinal: the number in that order, from 1 on.
//
// # What it proves
//
// With the beacon of a round that was named in the published seal before that round existed, nobody, the operator included, could choose or foresee the
// order. In the mode "operator" the order was fixed when S and the list were, but the operator knew S while the list was open, and could have
// added tids of their own until they liked the order. In both, that each tid is a person is not proven. A receipt proves membership and rank; its
// ordinal follows from the full list only (VerifyDraw).
//
// A List belongs to one goroutine. Sealed and Drawn never change and may be used by many. The package is pure: no network, no clock, no
// goroutine; chance comes in as a reader.
package draw
