package owner

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// Effect is something that the driver of a Core has to do.
type Effect interface{ effect() }

// OpenSession asks the ledger for a session. Sent goes back with the answer.
type OpenSession struct{ Sent time.Duration }

// Renew prolongs the session. Sent was read before the request leaves: what is promised counts from there.
type Renew struct {
	Session int64
	Sent    time.Duration
}

// EndSession gives the session up; no answer is needed.
type EndSession struct{ Session int64 }

// ClaimParts asks the ledger for partitions.
type ClaimParts struct {
	Session int64
	Parts   []stock.PartitionID
}

// PartEpoch is a partition under one owner.
type PartEpoch struct {
	Part  stock.PartitionID
	Epoch int64
}

// Load reads claimed partitions, in a new statement.
type Load struct{ Parts []PartEpoch }

// LoadSegments reads new segments of partitions that are served already.
type LoadSegments struct {
	Parts    []PartEpoch
	Segments []SegmentRef
}

// Work is what one partition wants written under one sequence number.
type Work struct {
	Part       stock.PartitionID
	Epoch, Seq int64
	Ops        []*stock.Op
}

// Batch is one flush. It never changes once it was sent.
type Batch struct {
	ID      uuid.UUID
	Session int64
	Now     int64 // Unix ms
	Works   []Work
}

// SendFlush writes a batch on a lane; Resend counts how often it was sent before.
type SendFlush struct {
	Lane   int
	Batch  *Batch
	Resend int
}

// PartRelease is a partition that is handed off, with what its holds have left.
type PartRelease struct {
	Part  stock.PartitionID
	Epoch int64
	Lives []stock.Life
}

// Release hands partitions off in one statement.
type Release struct {
	Session int64
	Parts   []PartRelease
}

// Leg names a leg and where it is.
type Leg struct {
	Event   stock.EventID
	Segment stock.SegmentNo
	stock.Leg
}

// FollowLegs asks the ledger for the rows of the holds that legs belong to. Whose time is over by the ledger's clock is ended before: one that is
// being tried is dropped, one that is held expires. LegsFollowed answers; when the ledger could not be asked nothing does.
type FollowLegs struct{ Legs []Leg }

// Problem is why a request got no answer from the engine. None of them is final: the same request may be tried again, with the same key.
type Problem int8

const (
	ProblemNone       Problem = iota
	ProblemNotOwner           // this node does not have the partition and does not expect it
	ProblemMoving             // the partition is on its way
	ProblemLedgerAway         // the ledger does not answer; whether the request was written may be unknown
	ProblemOverloaded         // too many requests wait
	ProblemFailed             // a bug was contained: the partition was loaded anew
)

// Reply answers a Request.
type Reply struct {
	ID         uint64
	Answer     stock.Answer
	Problem    Problem
	RetryAfter time.Duration // with a Problem
}

// Serving says that the node has begun (On) or ceased to serve partitions.
type Serving struct {
	Parts   []PartEpoch
	On      bool
	Session int64 // under which it has begun
}

// Nudge tells a node that it can claim partitions now.
type Nudge struct {
	Node  string
	Parts []stock.PartitionID
}

// SegmentState is a segment as its owner sees it. Seats has two bits for each seat in index order, from the lowest bit on; nil for an area.
type SegmentState struct {
	Event      stock.EventID
	Segment    stock.SegmentNo
	Part       stock.PartitionID
	Epoch, Seq int64
	Counts     stock.Counts
	Seats      []byte
}

// Changed reports segments whose counts or seats have changed. Newer (Epoch, Seq) wins.
type Changed struct{ Segments []SegmentState }

// Alarm is something that people should look at.
type Alarm struct {
	Part stock.PartitionID
	Kind string // constraint, panic, load, reset
	Text string
}

// Stopped says that everything was handed off.
type Stopped struct{}

func (OpenSession) effect()  {}
func (Renew) effect()        {}
func (EndSession) effect()   {}
func (ClaimParts) effect()   {}
func (Load) effect()         {}
func (LoadSegments) effect() {}
func (SendFlush) effect()    {}
func (Release) effect()      {}
func (Reply) effect()        {}
func (Serving) effect()      {}
func (Nudge) effect()        {}
func (Changed) effect()      {}
func (Alarm) effect()        {}
func (FollowLegs) effect()   {}
func (Stopped) effect()      {}
