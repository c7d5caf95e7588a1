package sim

// Mutant is one thing that is wrong on purpose. The simulator has to notice each; what it does not notice it does not prove.
// These are wrong in the simulated ledger, in the simulated driver or in the simulated clients; package mutants has those of the product's code.
type Mutant string

// The mutants of the ledger and of what drives the cores. The protocol that each of them breaks is in docs/design.md.
const (
	NoMutant               Mutant = ""
	NoFence                Mutant = "no-fence"                  // a flush is applied whoever owns the partition
	FenceWithoutLock       Mutant = "fence-without-lock"        // ownership is read when the flush begins and not locked
	LoadBeforeBump         Mutant = "load-before-bump"          // claim and load in one statement: the load sees the past
	WallClockExpiry        Mutant = "wall-clock-expiry"         // a node goes by its machine's clock
	FullLifeOnReplay       Mutant = "full-life-on-replay"       // a repeated request is told the full life of its hold
	UnpinWithoutOrderCheck Mutant = "unpin-without-order-check" // seats are unpinned whatever their order is
	PinWithoutAttempt      Mutant = "pin-without-attempt"       // a pin counts for whatever attempt is being paid
	SellWithoutOrderCheck  Mutant = "sell-without-order-check"  // seats are sold whatever their order is
	DecideWithoutPins      Mutant = "decide-without-pins"       // an order is paid without a look at its seats
	DecideOnOldSnapshot    Mutant = "decide-on-old-snapshot"    // the pins are read before the order is locked
	FirstCounterUnchecked  Mutant = "first-counter-unchecked"   // the first hold of a buyer is not compared with the limit
	CounterLeaked          Mutant = "counter-leaked"            // a hold that is refused keeps its count
	RefusalsLost           Mutant = "refusals-lost-on-resend"   // a resend is told that everything was applied
	ResendBySeqOnly        Mutant = "resend-by-seq-only"        // a resend is recognised by its number and not by its batch
	GrantTakenTwice        Mutant = "grant-taken-twice"         // capacity is credited whenever it is asked for
	SoldOutOfOneSegment    Mutant = "sold-out-of-one-segment"   // the home speaks for the area, and nobody looks at the others
)

// Those of holds over several segments.
const (
	LegAfterDrop      Mutant = "leg-accepted-after-dropped"  // seats are taken for a hold whoever is trying it, or nobody
	UnlegWithoutRow   Mutant = "leg-freed-without-its-row"   // a leg is freed without a look at its hold
	LegExpires        Mutant = "leg-expires-by-itself"       // a leg goes by a deadline of its own, and the ledger lets it
	CommitWithoutLegs Mutant = "commit-without-legs"         // a leg that was refused is left out, and the ledger does not count
	CommitAfterDrop   Mutant = "held-after-dropped"          // a hold that was dropped is held after all
	DroppedKeepsCount Mutant = "dropped-keeps-its-count"     // a hold that was dropped goes on counting against limits
	OrderOnEndedHold  Mutant = "order-beside-an-ended-hold"  // an order is opened on a hold that has ended
	DocumentsKept     Mutant = "documents-kept-when-dropped" // a hold that is dropped or ends gives everything back but its documents
	DocumentsUnnamed  Mutant = "documents-without-seats"     // a leg is taken, and which seats the documents stand for is not written down
)

// Those of refunds, late payments and events that are cancelled.
const (
	RefundEndsOneLine Mutant = "refund-ends-one-line"        // of several lines that are given back one ends, and the money is that of all
	RefundedTooSoon   Mutant = "refunded-before-it-is-sent"  // an order is through with its refunds when the first is sent
	UnsellWithoutLine Mutant = "seats-back-without-a-refund" // sold seats come back whatever their lines are
	MassSkipsWide     Mutant = "mass-refund-skips-wide"      // the orders of holds over several segments are left out
	MassEndsEarly     Mutant = "mass-refund-ends-early"      // it has finished when nothing is paid for, whatever may still be
	LateStillVoided   Mutant = "late-payment-still-voided"   // an order looks for seats, and its money is given back meanwhile
	LateBeforeUnsold  Mutant = "late-before-it-is-unsold"    // an order looks for seats while those come back that it had been sold
	LateKeepsMoney    Mutant = "late-payment-keeps-money"    // no seats could be had, and nobody sends the money
)

// Mutants are all of them.
var Mutants = []Mutant{
	NoFence, FenceWithoutLock, LoadBeforeBump, WallClockExpiry, FullLifeOnReplay, UnpinWithoutOrderCheck, PinWithoutAttempt, SellWithoutOrderCheck,
	DecideWithoutPins, DecideOnOldSnapshot, FirstCounterUnchecked, CounterLeaked, RefusalsLost, ResendBySeqOnly, GrantTakenTwice,
	SoldOutOfOneSegment,
	LegAfterDrop, UnlegWithoutRow, LegExpires, CommitWithoutLegs, CommitAfterDrop, DroppedKeepsCount, OrderOnEndedHold, DocumentsKept, DocumentsUnnamed,
	RefundEndsOneLine, RefundedTooSoon, UnsellWithoutLine, MassSkipsWide, MassEndsEarly, LateStillVoided, LateBeforeUnsold, LateKeepsMoney,
}
