package room

import (
	"encoding/hex"
	"fmt"
)

// Tid names a visitor within a room.
type Tid [16]byte

// String gives 32 hexadecimal digits.
func (t Tid) String() string { return hex.EncodeToString(t[:]) }

// MarshalText gives 32 hexadecimal digits.
func (t Tid) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (t *Tid) UnmarshalText(text []byte) error {
	if len(text) != 2*len(t) {
		return fmt.Errorf("tid %q: want %d hexadecimal digits", text, 2*len(t))
	}
	_, err := hex.Decode(t[:], text)
	return err
}

// Class is the group of people that a rank belongs to: its top 3 bits.
type Class uint8

// The classes, in the order in which they are let in. The slow lane has a frontier of its own.
const (
	ClassPriority Class = iota // access codes, invitations
	ClassLobby                 // there before the opening
	ClassArrival               // came later
	ClassSlow                  // suspected automation, told so
	classes
)

const (
	classShift  = 61
	arrivalBits = 42
	edgeBits    = 8
	seqBits     = 11
	seqMax      = 1<<seqBits - 1
)

// slowFloor is the slow lane's frontier before anybody of it is let in: everything below belongs to the line.
const slowFloor = uint64(ClassSlow)<<classShift - 1

// RankClass gives the class of a rank.
func RankClass(rank uint64) Class { return Class(rank >> classShift) }

// rankMs gives when the rank was given, in milliseconds since the room's base.
func rankMs(rank uint64) int64 { return int64(rank >> (edgeBits + seqBits) & (1<<arrivalBits - 1)) }

// rankEdge gives the number of the edge that gave it.
func rankEdge(rank uint64) uint8 { return uint8(rank >> seqBits & (1<<edgeBits - 1)) }

// Group is one of the two orders that have a frontier.
type Group uint8

// The groups: classes 0 to 2 are the line, class 3 the slow lane.
const (
	GroupMain Group = iota
	GroupSlow
	groups
)

func groupOf(rank uint64) Group {
	if RankClass(rank) >= ClassSlow {
		return GroupSlow
	}
	return GroupMain
}

// arrivals makes ranks that grow with time and never repeat: milliseconds since the room's base (42 bits), edge (8), sequence (11).
// More than 2,048 within one millisecond borrow from the next.
type arrivals struct {
	LastMs int64  `json:"last_ms"`
	Seq    uint32 `json:"seq"`
}

func (a *arrivals) next(class Class, sinceBase int64, edge uint8) uint64 {
	switch {
	case sinceBase > a.LastMs:
		a.LastMs, a.Seq = sinceBase, 0
	case a.Seq == seqMax:
		a.LastMs, a.Seq = a.LastMs+1, 0
	default:
		a.Seq++
	}
	ms := uint64(a.LastMs) & (1<<arrivalBits - 1)
	return uint64(class)<<classShift | ms<<(edgeBits+seqBits) | uint64(edge)<<seqBits | uint64(a.Seq)
}

// pass moves the clock beyond a rank that was seen elsewhere, for example as the frontier of a log whose last joins were not stored. Only ranks
// of those who came later hold a time.
func (a *arrivals) pass(rank uint64) {
	if class := RankClass(rank); class != ClassArrival && class != ClassSlow || rank == slowFloor {
		return
	}
	if ms := rankMs(rank); ms >= a.LastMs {
		a.LastMs, a.Seq = ms, seqMax
	}
}
