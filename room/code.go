package room

import (
	"errors"
	"slices"
	"time"
)

// Why an access code gives no place.
var (
	ErrCodeUsed    = errors.New("this access code was used as often as it may be")
	ErrCodeRevoked = errors.New("this access code was revoked")
	ErrCodeUnknown = errors.New("this access code was not issued in this edition of the room")
)

// codesAtOnce bounds the codes that are issued by one act, codesMax those of an edition.
const (
	codesAtOnce = 10_000
	codesMax    = 1 << 22
)

// Codes are the access codes of an edition. A code is a serial number; whoever signs codes (caddymodule) puts the number of uses in it.
type Codes struct {
	Issued  uint32                `json:"issued,omitempty"`  // serial numbers from 1 to this one
	Uses    map[uint32][]Redeemed `json:"uses,omitempty"`    // by serial number
	Revoked map[uint32]bool       `json:"revoked,omitempty"` // serial numbers
	Places  uint64                `json:"places,omitempty"`  // given for codes: the last rank of the priority class
}

// Redeemed is one use of a code.
type Redeemed struct {
	Tid  Tid    `json:"tid"`
	Rank uint64 `json:"rank"`
}

func (c *Codes) clone() Codes {
	d := *c
	d.Uses = make(map[uint32][]Redeemed, len(c.Uses))
	for serial, uses := range c.Uses {
		d.Uses[serial] = slices.Clone(uses)
	}
	d.Revoked = make(map[uint32]bool, len(c.Revoked))
	for serial := range c.Revoked {
		d.Revoked[serial] = true
	}
	return d
}

// IssueCodes takes n more serial numbers, and gives the first of them.
func (r *Room) IssueCodes(now time.Time, n uint32, reason string) (first uint32, err error) {
	r.step(now)
	if n == 0 || n > codesAtOnce || r.state.Codes.Issued+n > codesMax {
		return 0, errors.New("issue 1 to 10000 codes at once, and 4194304 in an edition")
	}
	first = r.state.Codes.Issued + 1
	r.do(Record{Kind: KindCodes, Count: n, Reason: reason})
	return first, nil
}

// RevokeCode ends a code; places that it gave stay.
func (r *Room) RevokeCode(now time.Time, serial uint32, reason string) error {
	r.step(now)
	if serial == 0 || serial > r.state.Codes.Issued {
		return ErrCodeUnknown
	}
	if !r.state.Codes.Revoked[serial] {
		r.do(Record{Kind: KindCodeRevoked, Serial: serial, Reason: reason})
	}
	return nil
}

// Redeem gives a visitor a place of the priority class for a code that may be used so often. Asked again, it gives the same place.
func (r *Room) Redeem(now time.Time, tid Tid, serial uint32, uses int) (rank uint64, err error) {
	at := r.step(now)
	c := &r.state.Codes
	used := c.Uses[serial]
	if i := slices.IndexFunc(used, func(u Redeemed) bool { return u.Tid == tid }); i >= 0 {
		return used[i].Rank, nil
	}
	switch {
	case serial == 0 || serial > c.Issued:
		return 0, ErrCodeUnknown
	case c.Revoked[serial]:
		return 0, ErrCodeRevoked
	case len(used) >= uses:
		return 0, ErrCodeUsed
	case r.phase(at) == PhaseEnded:
		return 0, ErrClosed
	}
	rank = c.Places + 1
	r.do(Record{Kind: KindRedeem, Tid: &tid, Serial: serial, Rank: rank})
	return rank, nil
}

// applyCode applies the records about codes.
func (s *State) applyCode(r *Record) error {
	c := &s.Codes
	switch r.Kind {
	case KindCodes:
		c.Issued += r.Count
	case KindCodeRevoked:
		if c.Revoked == nil {
			c.Revoked = map[uint32]bool{}
		}
		c.Revoked[r.Serial] = true
	default:
		if r.Tid == nil || r.Rank <= c.Places {
			return errors.New("record redeem without tid, or with a rank that was given")
		}
		if c.Uses == nil {
			c.Uses = map[uint32][]Redeemed{}
		}
		c.Uses[r.Serial] = append(c.Uses[r.Serial], Redeemed{*r.Tid, r.Rank})
		c.Places = r.Rank
		s.rerank(*r.Tid, r.Rank)
		s.Gone[ClassPriority].Add(r.Rank)
	}
	return nil
}
