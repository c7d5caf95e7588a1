package owner

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// Now is the time of an input: Mono is monotonic, from any fixed start, and decides when to stop promising and when to try again;
// Wall is Unix milliseconds, for the deadlines of holds.
type Now struct {
	Mono time.Duration
	Wall int64
}

// Engine is the part of stock.Segment that a Core drives.
type Engine interface {
	Apply(cmd stock.Command, now int64) stock.Effect
	Settle(op *stock.Op, outcome stock.Outcome, now int64) stock.Answer
	Due(now int64, limit int) []uuid.UUID
	Hold(id uuid.UUID) (stock.HoldView, bool)
	Counts() stock.Counts
	States(to []stock.State) []stock.State
	Pins(olderThan int64) []stock.Pin
	Legs(now int64, limit int) []stock.Leg
	Lives(now int64) []stock.Life
}

// Input is something that happened: a request, a tick, or the result of an effect.
type Input interface{ input() }

// Tick lets time pass. Send one at NextWake.
type Tick struct{}

// View is who is alive, by node id.
type View struct{ Members []string }

// SegmentRef names a segment and its partition.
type SegmentRef struct {
	Event   stock.EventID
	Segment stock.SegmentNo
	Part    stock.PartitionID
}

// Segments is every segment that the catalog knows. Those that owned partitions lack are loaded.
type Segments struct{ All []SegmentRef }

// SessionOpened and SessionFailed answer OpenSession.
type SessionOpened struct {
	ID   int64
	Sent time.Duration
}

// SessionFailed says that the ledger could not be asked for a session.
type SessionFailed struct{}

// Renewed answers Renew. Alive is the ledger's word.
type Renewed struct {
	Session int64
	Sent    time.Duration
	Alive   bool
}

// RenewFailed says that the ledger could not be asked.
type RenewFailed struct{ Session int64 }

// Claim is a partition that was claimed.
type Claim struct {
	Part       stock.PartitionID
	Epoch, Seq int64 // Seq is the last one that was applied
}

// Claimed answers Claim effects: Got is a part of Asked.
type Claimed struct {
	Session int64
	Asked   []stock.PartitionID
	Got     []Claim
}

// ClaimFailed says that the ledger could not be asked, or that its answer was lost: claiming again is harmless.
type ClaimFailed struct{ Asked []stock.PartitionID }

// LoadedSegment is a segment with its state from the ledger.
type LoadedSegment struct {
	Event   stock.EventID
	Segment stock.SegmentNo
	Engine  Engine
}

// LoadedPart is what was loaded of a partition. With Err the ledger contradicts itself there: the partition is tried again later.
type LoadedPart struct {
	Part     stock.PartitionID
	Epoch    int64
	Segments []LoadedSegment
	Err      error
}

// Loaded answers Load, and LoadSegments with Added.
type Loaded struct {
	Parts []LoadedPart
	Added bool
}

// LoadFailed says that the ledger could not be asked.
type LoadFailed struct {
	Parts []PartEpoch
	Added bool
}

// WorkResult is what became of one Work of a batch.
type WorkResult struct {
	// Fenced: another owner has the partition. Nothing of the work was or ever will be written.
	Fenced   bool
	Outcomes []stock.Outcome
}

// Flushed answers SendFlush: one result for each work.
type Flushed struct {
	Lane    int
	Batch   uuid.UUID
	Results []WorkResult
}

// FlushUnknown says that nobody knows whether the batch was written.
type FlushUnknown struct {
	Lane  int
	Batch uuid.UUID
}

// FlushRefused says that a constraint of the ledger fired: the batch was rolled back as a whole. That is a bug somewhere, and an alarm.
type FlushRefused struct {
	Lane  int
	Batch uuid.UUID
	Cause string
}

// Released answers Release. With Failed the ledger could not be asked or its answer was lost.
type Released struct {
	Parts  []PartEpoch
	Failed bool
}

// Nudged says that the partitions have probably just become free.
type Nudged struct{ Parts []stock.PartitionID }

// Overtaken says that somebody has claimed partitions under these epochs. Who still believes to serve one of them under an older epoch was
// overtaken by another process of the same node: the next flush would tell, but without one the partition would stay dark for as long as the
// session lives. It is advice, and may be wrong: the partition is claimed anew.
type Overtaken struct{ Parts []PartEpoch }

// Named says that the ledger's rows named a session for these partitions, a moment ago. One that the core does not know to be its own was given
// by a claim whose answer is lost and that was committed after a later claim had been answered: nobody else may claim it while the session lives.
type Named struct {
	Session int64
	Parts   []stock.PartitionID
}

// LegsFollowed answers FollowLegs: the legs that were asked about, and what the rows of their holds say. Legs that are in no answer are asked about
// again later.
type LegsFollowed struct {
	Legs []Leg
	Rows []stock.WideRow
}

// Request asks for one command. Reply answers it under the same id, exactly once.
type Request struct {
	ID      uint64
	Part    stock.PartitionID
	Command stock.Command
	// Waited is for how long its client has been waiting already, here or at another node: QueueWait counts from then. What has waited for longer
	// is refused at once.
	Waited time.Duration
}

// Freeze stops moves for balance, or allows them again.
type Freeze struct{ On bool }

// Drain hands everything off and ends the session; Stopped follows.
type Drain struct{}

// Reset drops everything that was loaded, because the ledger is not the one that it was loaded from (a restored or promoted server).
type Reset struct{ Cause string }

func (Tick) input()          {}
func (View) input()          {}
func (Segments) input()      {}
func (SessionOpened) input() {}
func (SessionFailed) input() {}
func (Renewed) input()       {}
func (RenewFailed) input()   {}
func (Claimed) input()       {}
func (ClaimFailed) input()   {}
func (Loaded) input()        {}
func (LoadFailed) input()    {}
func (Flushed) input()       {}
func (FlushUnknown) input()  {}
func (FlushRefused) input()  {}
func (Released) input()      {}
func (Nudged) input()        {}
func (Overtaken) input()     {}
func (Named) input()         {}
func (LegsFollowed) input()  {}
func (Request) input()       {}
func (Freeze) input()        {}
func (Drain) input()         {}
func (Reset) input()         {}
