// Package pass is the signed place token and the signed admission pass: their 78 bytes, the keys that sign them, and the rotation of those keys.
//
// A token is a fixed binary layout: version first, a truncated HMAC-SHA-256 last, base64url around it (104 characters). There is no choice of
// algorithm in it and nothing of variable length, so there is nothing to negotiate and nothing to parse wrongly.
//
//	 0 version 1   1 type 1   2 key id 1   3 flags 1   4 room 4   8 edition 2   10 renewal 2   12 tid 16   28 rank 8
//	36 issued 5   41 expires 5 (ms since 2024-01-01 UTC)   46 browser key 8   54 network 4   58 risk 1   59 zero 3   62 tag 16
//
// What holds:
//   - The MAC key is derived per type, room and edition, so bytes of one can never verify as another, even if the check of the field were forgotten.
//   - The MAC is checked over all 62 bytes before any field reaches the caller.
//   - A keyring has one current key, that signs, and any number of next and previous ones, that only verify.
//
// The package is pure: no network, no clock; the time is passed in.
package pass
