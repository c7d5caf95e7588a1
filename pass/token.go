package pass

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// Type says what a token is good for.
type Type byte

// The types of tokens. Each has keys of its own.
const (
	Lobby     Type = 'L' // in the lobby: no rank yet
	Queued    Type = 'Q' // a place in the line
	Pass      Type = 'P' // admitted
	Challenge Type = 'C' // a task to solve
)

// Flags are facts about a token that the edge wants to see again.
type Flags byte

// The flags of a token.
const (
	Unbound  Flags = 1 << iota // no browser key stands behind it
	NoJS                       // the place was made by a plain navigation
	Priority                   // class 0
	SlowLane                   // class 3
	Test                       // made by a load test
	InDraw                     // the room's owner has stored that this place of the lobby will be drawn
)

// Sizes of a token. TextLen is the length of base64url(Size bytes); it divides evenly, so each token has exactly one text.
const (
	bodyLen = 62
	tagLen  = 16
	Size    = bodyLen + tagLen
	TextLen = Size * 4 / 3
)

const version = 1

// timeBase is the zero of a token's clock; 40 bits of milliseconds reach into 2058.
var timeBase = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

const timeMax = 1<<40 - 1

// Token is what a token says. Times have a resolution of one millisecond.
type Token struct {
	Type    Type
	KeyID   byte // set by Sign
	Flags   Flags
	Room    uint32 // RoomNumber of the room's name
	Edition uint16
	Renewal uint16 // how often a pass was renewed, or a place was handed over to another device
	Tid     [16]byte
	Rank    uint64 // smaller is earlier; 0 in the lobby
	Issued  time.Time
	Expires time.Time
	// BrowserKey is the truncated thumbprint of the browser's key, zero when unbound.
	BrowserKey [8]byte
	// Network is a keyed hash of the visitor's network: a soft signal only.
	Network [4]byte
	Risk    byte
}

// ErrRange is given by Sign for a token whose times do not fit.
var ErrRange = errors.New("token times are out of range")

// RoomNumber is the number that stands for a room's name in tokens: the first 4 bytes of its SHA-256.
func RoomNumber(name string) uint32 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint32(sum[:4])
}

func (t *Token) encode(b *[Size]byte) error {
	issued, expires := t.Issued.Sub(timeBase).Milliseconds(), t.Expires.Sub(timeBase).Milliseconds()
	if issued < 0 || issued > timeMax || expires < 0 || expires > timeMax {
		return ErrRange
	}
	b[0], b[1], b[2], b[3] = version, byte(t.Type), t.KeyID, byte(t.Flags)
	binary.BigEndian.PutUint32(b[4:], t.Room)
	binary.BigEndian.PutUint16(b[8:], t.Edition)
	binary.BigEndian.PutUint16(b[10:], t.Renewal)
	copy(b[12:28], t.Tid[:])
	binary.BigEndian.PutUint64(b[28:], t.Rank)
	put40(b[36:41], uint64(issued))
	put40(b[41:46], uint64(expires))
	copy(b[46:54], t.BrowserKey[:])
	copy(b[54:58], t.Network[:])
	b[58] = t.Risk
	b[59], b[60], b[61] = 0, 0, 0
	return nil
}

// decode reads the fields of a body whose tag has been checked.
func (t *Token) decode(b *[Size]byte) {
	t.Type, t.KeyID, t.Flags = Type(b[1]), b[2], Flags(b[3])
	t.Room = binary.BigEndian.Uint32(b[4:])
	t.Edition = binary.BigEndian.Uint16(b[8:])
	t.Renewal = binary.BigEndian.Uint16(b[10:])
	copy(t.Tid[:], b[12:28])
	t.Rank = binary.BigEndian.Uint64(b[28:])
	t.Issued = fromMillis(get40(b[36:41]))
	t.Expires = fromMillis(get40(b[41:46]))
	copy(t.BrowserKey[:], b[46:54])
	copy(t.Network[:], b[54:58])
	t.Risk = b[58]
}

func fromMillis(ms uint64) time.Time { return timeBase.Add(time.Duration(ms) * time.Millisecond) }

func put40(b []byte, v uint64) {
	b[0], b[1], b[2], b[3], b[4] = byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}

func get40(b []byte) uint64 {
	return uint64(b[0])<<32 | uint64(b[1])<<24 | uint64(b[2])<<16 | uint64(b[3])<<8 | uint64(b[4])
}
