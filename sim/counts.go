package sim

// Sight is something that has to happen now and then: a fault that was really hit, or a path that was really taken. A run of many seeds in
// which one of them never happened proves less than it says, and fails.
type Sight int

// The sights.
const (
	SawKill Sight = iota
	SawPause
	SawDatabaseCut
	SawPeerCut
	SawDatabaseRestart
	SawDatabaseDown
	SawDatabaseJump
	SawWrongClock
	SawFalseGossip
	SawTwin
	SawDrained
	SawSlowCommit
	SawSlowMessage
	SawHeldBack
	SawCrashedTransaction
	SawUnknown
	SawReplyLost
	SawResendFound
	SawResendApplied
	SawFenced
	SawFlushWaits
	SawRenewFailed
	SawSessionOver
	SawClaimFailed
	SawLoadFailed
	SawReleaseFailed
	SawSegmentsAdded
	SawTakeOverWithHolds
	SawTakeOverWithPins
	SawHandOffWithHolds
	SawOvertaken
	SawMoving
	SawForwarded
	SawBusy
	SawGranted
	SawReplay
	SawDuplicate
	SawRetry
	SawExtended
	SawReleased
	SawExpired
	SawSoldOut
	SawAllHeld
	SawSeatTaken
	SawLimit
	SawOverLimitAtFirst
	SawBatchWithRefusal
	SawFinalNo
	SawOrderLocked
	SawOrderNo
	SawPaid
	SawIssued
	SawDeclined
	SawPaymentResumed
	SawSecondAttempt
	SawLoosePin
	SawSoldBefore
	SawOrderExpired
	SawStuck
	SawProviderSilent
	SawSilentWebhook
	SawDoubleWebhook
	SawLateWebhook
	SawLatePayment
	SawOrphan
	SawVoided
	SawRefunded
	SawCaptureRefused
	SawUnsold
	SawNotPinned
	SawEager
	SawImpatient
	SawLateCommand
	SawGrantGiven
	SawGrantTaken
	SawGrantGone
	SawGrantAgain
	SawGrantLeft
	SawGrantAtKill
	SawGathered
	SawNotSold
	SawWideBegun
	SawWideAgain
	SawWideHeld
	SawWideDropped
	SawWideLeft
	SawWideExpired
	SawWideReleased
	SawWideOrdered
	SawWideSold
	SawWideLimit
	SawWideDocument
	SawWideNamed
	SawWideBack
	SawWideBusy
	SawCoordinatorDied
	SawLegLate
	SawLegKept
	SawLegFollowed
	SawTakeOverWithLegs
	SawTakeOverWhileTrying
	SawReturned
	SawReturnedInPart
	SawRefundVoided
	SawCancelled
	SawMassRefund
	SawPaidLate
	SawLateSame
	SawLateOffered
	SawLateAccepted
	SawLatePlaced
	SawLateReturned
	sights
)

var sightNames = [sights]string{
	"kill", "pause longer than the lease", "message lost: cut from the database", "message lost: cut from the peers", "database restarted",
	"database away", "database clock set", "machine with a wrong clock", "false gossip", "two processes with one node id", "node drained", "slow commit",
	"slow message", "message held back by a pause", "transaction lost in a crash", "unknown commit", "reply lost after the commit",
	"resend found its batch", "resend was applied", "fenced flush", "flush waits for a flush", "renewal failed", "session over",
	"claim failed", "load failed", "release failed", "segments loaded later", "take-over with live holds", "take-over with pins",
	"hand-off with remaining lives", "owner hears that it was overtaken", "partition on its way", "forwarded", "hold busy", "hold granted",
	"request replayed", "client duplicate", "client retry", "hold extended", "hold released", "hold expired", "sold out", "all held",
	"seat taken", "limit reached", "limit reached by the first hold", "batch with a refusal in it", "final no", "order locked",
	"order says no", "paid", "issued", "payment declined", "payment resumed by another call", "second attempt", "loose pin", "sold before",
	"order expired unpaid", "order stuck", "provider silent", "webhook long after", "webhook sent twice", "webhook late", "late payment",
	"money of a payment not written down", "void", "refund", "capture refused", "sold seats given back", "payment before the pin",
	"provider asked before the pin", "speculative follow", "late internal command", "capacity given", "capacity taken", "capacity asked for that was taken", "capacity asked for twice and given once", "grant left on its way found",
	"grant on its way at a kill", "area gathered", "called sold out by its home, and not so",
	"wide hold tried", "wide hold tried again after it was dropped", "wide hold held", "wide hold dropped by its coordinator", "wide hold dropped by somebody else",
	"wide hold expired", "wide hold released", "order of a wide hold", "wide hold sold to the last seat", "limit reached by a wide hold", "document used up by a wide hold", "documents of a wide hold named", "documents of a wide sale given back", "wide hold asked for while it is tried",
	"coordinator killed on the way", "leg refused: its hold is not being tried", "leg that its hold keeps asked to go", "leg freed by its owner alone",
	"take-over with legs", "take-over while a hold is being tried",
	"order given back", "order given back in part", "refund of what was only authorised", "event cancelled", "order refunded with its event", "order paid late", "late order has its seats again",
	"other seats offered", "other seats accepted", "late order paid", "late order sent its money back",
}

func (s Sight) String() string { return sightNames[s] }

// Counts are how often each sight was seen.
type Counts [sights]int

func (c *Counts) add(o *Counts) {
	for i := range c {
		c[i] += o[i]
	}
}

// Never are the sights that were not seen.
func (c *Counts) Never() (never []Sight) {
	for i, n := range c {
		if n == 0 {
			never = append(never, Sight(i))
		}
	}
	return never
}

// EnoughSeeds is from how many seeds on each sight has to be seen.
const EnoughSeeds = 4000
