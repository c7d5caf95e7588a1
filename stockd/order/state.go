package order

import "ticketrush/ledger"

// State is the state of an order. The values are the ledger's.
type State int16

// The states of an order.
const (
	None           State = 0 // before it is opened
	PendingPayment       = State(ledger.OrderPendingPayment)
	Paying               = State(ledger.OrderPaying)
	Paid                 = State(ledger.OrderPaid)
	Issued               = State(ledger.OrderIssued)
	Expired              = State(ledger.OrderExpired)
	Cancelled            = State(ledger.OrderCancelled)
	Refunding            = State(ledger.OrderRefunding)
	Refunded             = State(ledger.OrderRefunded)
	Disputed             = State(ledger.OrderDisputed)
	Stuck                = State(ledger.OrderStuck)
)

var names = [...]string{"none", "pending_payment", "paying", "paid", "issued", "expired", "cancelled", "refunding", "refunded", "disputed", "stuck"}

func (s State) String() string {
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// What may happen to an order.
const (
	EventOpen        = "open"
	EventPayStart    = "pay_start"
	EventPayOK       = "pay_ok"
	EventPayFail     = "pay_fail"
	EventDeadline    = "deadline"
	EventCancel      = "cancel"
	EventIssue       = "issue"
	EventCaptureFail = "capture_fail"
	EventRefundOK    = "refund_ok"
	EventNoSeats     = "no_seats" // it was paid late
	EventDispute     = "dispute"
	EventDisputeWon  = "dispute_won"
	EventDisputeLost = "dispute_lost"
)

// step is one row of the table.
type step struct {
	from  State
	event string
	to    State
}

// table is every step that an order may take. The ledger has the same rows as data and refuses any other; a test compares them.
var table = []step{
	{None, EventOpen, PendingPayment},
	{PendingPayment, EventPayStart, Paying}, {PendingPayment, EventDeadline, Expired}, {PendingPayment, EventCancel, Cancelled},
	{Paying, EventPayOK, Paid}, {Paying, EventPayFail, PendingPayment}, {Paying, EventPayFail, Expired},
	{Paying, EventDeadline, Paid}, {Paying, EventDeadline, Expired}, {Paying, EventDeadline, Stuck}, {Paying, EventNoSeats, Refunding},
	{Paid, EventCaptureFail, Cancelled}, {Paid, EventCancel, Refunding}, {Paid, EventIssue, Issued}, {Paid, EventDispute, Disputed},
	{Issued, EventCancel, Refunding}, {Issued, EventDispute, Disputed},
	{Expired, EventPayOK, Paying}, {Cancelled, EventPayOK, Paying}, // late
	{Refunding, EventRefundOK, Refunded}, {Refunding, EventRefundOK, Issued}, {Refunding, EventCancel, Refunding}, // another part of it
	{Disputed, EventDisputeWon, Paid}, {Disputed, EventDisputeWon, Issued}, {Disputed, EventDisputeLost, Refunded},
	{Stuck, EventPayOK, Paid}, {Stuck, EventPayFail, Expired}, {Stuck, EventDeadline, Expired},
}

// May says whether an event may take an order from one state to another.
func May(from State, event string, to State) bool {
	for _, s := range table {
		if s == (step{from, event, to}) {
			return true
		}
	}
	return false
}

// Allowed are the events that may happen to an order in a state, in the order of the table.
func Allowed(from State) (events []string) {
	seen := map[string]bool{}
	for _, s := range table {
		if s.from == from && !seen[s.event] {
			seen[s.event] = true
			events = append(events, s.event)
		}
	}
	return events
}
