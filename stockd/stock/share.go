package stock

import (
	"fmt"

	"github.com/google/uuid"
)

// transfer is a grant whose operation is under way.
type transfer struct {
	kind Kind
	n    int32
}

// applyGrant moves capacity to another segment of the area, or takes what another has given. What is given away is gone at once, so that
// nobody is promised it; what is taken counts once the ledger has it.
func (s *Segment) applyGrant(cmd *Command) Effect {
	if s.layout != nil || cmd.Other <= 0 || cmd.Other == s.no || cmd.Ask.Quantity < 0 {
		return refuse(CodeInvalid)
	}
	if _, busy := s.grants[cmd.Hold]; busy {
		return refuse(CodeBusy)
	}
	n := cmd.Ask.Quantity
	if cmd.Kind == KindGrantOut {
		if n == 0 {
			n = s.freeCount() / 2
		}
		n = min(n, s.freeCount())
		if n == 0 {
			return Effect{Answer: Answer{Code: CodeAllHeld, Moving: len(s.grants) > 0}}
		}
		s.capacity -= n
	} else if n == 0 {
		return refuse(CodeInvalid)
	}
	if s.grants == nil {
		s.grants = map[uuid.UUID]transfer{}
	}
	s.grants[cmd.Hold] = transfer{cmd.Kind, n}
	op := s.newOp(cmd, cmd.Kind)
	op.Other, op.Quantity = cmd.Other, n
	return Effect{Op: op}
}

// settleGrant makes a grant final, or takes back what Apply gave away.
func (s *Segment) settleGrant(op *Op, outcome Outcome) Answer {
	g, found := s.grants[op.Hold]
	if !found || g.kind != op.Kind || g.n != op.Quantity {
		return Answer{Code: CodeBusy} // loaded anew since
	}
	delete(s.grants, op.Hold)
	if (outcome == OutcomeApplied) == (op.Kind == KindGrantIn) {
		s.capacity += g.n
	}
	if outcome != OutcomeApplied {
		return refusal(op, outcome)
	}
	return Answer{Code: CodeOK, Granted: g.n}
}

// checkGrants verifies what is under way.
func (s *Segment) checkGrants() error {
	for id, g := range s.grants {
		if g.n <= 0 || g.kind != KindGrantOut && g.kind != KindGrantIn {
			return fmt.Errorf("%w: grant %v of kind %d moves %d", ErrBroken, id, g.kind, g.n)
		}
	}
	return nil
}

// SharesMax is the most segments of one area. The tail of an area is gathered from all of them, one question for each, and no cluster gains by
// more: sixteen owners sell more than a ledger commits.
const SharesMax = 16

// SplitArea is the capacities of the segments of an area, the home first: as even as can be, each with at most most places while there are no
// more than SharesMax. most 0 or less: the area stays whole.
func SplitArea(capacity, most int32) []int32 {
	if most <= 0 || capacity <= most {
		return []int32{capacity}
	}
	k := min((capacity-1)/most+1, SharesMax)
	parts := make([]int32, k)
	for i := range parts {
		parts[i] = capacity / k
		if int32(i) < capacity%k {
			parts[i]++
		}
	}
	return parts
}

// Share is what one segment of an area has free, as others have heard. It is a hint: the segment decides what it can give.
type Share struct {
	No   SegmentNo
	Free int32
}

// Grant is a wish to move capacity. Quantity is the most to give; 0: half of what is free.
type Grant struct {
	From, To SegmentNo
	Quantity int32
}

// All is the quantity of a grant that gives everything that is free.
const All = MaxIndex

// Tail is how few free places make the rest of an area small, so that all of them go to the home: what the largest party needs in each segment,
// and no more than an eighth of an area that is small itself.
func Tail(segments int, opened int32) int32 {
	return max(1, min(int32(segments)*QuantityMax, opened/8))
}

// Balance says which grant a segment should see to now, by what is known of all segments of its area, the home first; opened is the area's
// capacity. In the tail it gives what it has free to the home. Before, it takes half of the richest when it has less than a quarter of what would
// be even: after that it has more than that, so that nothing is moved to and fro. In between nothing is done.
func Balance(self SegmentNo, shares []Share, opened int32) (Grant, bool) {
	var total, mine int32
	var rich Share
	for _, s := range shares {
		total += s.Free
		if s.No == self {
			mine = s.Free
		} else if s.Free > rich.Free {
			rich = s
		}
	}
	tail := Tail(len(shares), opened)
	switch home := shares[0].No; {
	case total <= tail:
		return Grant{self, home, All}, self != home && mine > 0
	case total > 2*tail && mine < total/int32(len(shares))/4:
		return Grant{rich.No, self, 0}, rich.Free > 1
	}
	return Grant{}, false
}
