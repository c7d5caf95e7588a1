package reconcile

import (
	"context"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
)

// moneyChecks compare seats, orders, tickets, payments and postings with each other.
var moneyChecks = []check{
	{"orders", "sold seats are those of the live lines of paid orders, and a paid order's seats are sold, or pinned for seconds at most", checkOrders},
	{"tickets", "a live ticket for each live line of an issued order, and no other", checkTickets},
	{"totals", "an order's total is its lines, and what was paid and captured for it", checkTotals},
	{"postings", "what was posted for an order is its total and what was captured", checkPostings},
	{"refunds", "a refund's amount is its lines', and one that is not sent is on its way", checkRefunds},
	{"loose money", "money that pays nothing is on its way back", checkLooseMoney},
	{"suspense", "what is owed for refunds is what is on its way, to the last unit", checkSuspense},
	{"trial balance", "each account's postings add up, debits and credits to the same sum", checkTrialBalance},
}

// followGrace is how long a paid order's seats may stay pinned, and a pin outlive its order, before it is a break.
const followGrace = 30 * time.Second

func checkOrders(ctx context.Context, r *reconciler) error {
	totals, err := r.totals()
	if err != nil {
		return err
	}
	r.rows(totals.PaidSeats)
	sold, err := r.q.BreaksOfSoldOrders(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	for _, s := range sold {
		r.broken(seatRow(s.Event, s.Seat), "it is sold to order %s, which is %s or has no line for it", s.OrderID, ledger.OrderStateName(s.State))
	}
	before := r.at.Add(-followGrace)
	paid, err := r.q.BreaksOfPaidOrders(ctx, r.tx, db.BreaksOfPaidOrdersParams{Event: r.event, Before: before})
	if err != nil {
		return err
	}
	for _, p := range paid {
		r.broken("orders "+p.ID.String(), "it is %s, but its seat %d is %s for it", ledger.OrderStateName(p.State), p.Seat, stateName(p.SeatState))
	}
	pins, err := r.q.BreaksOfPins(ctx, r.tx, db.BreaksOfPinsParams{Event: r.event, Before: before})
	for _, p := range pins {
		r.broken(seatRow(p.Event, p.Seat), "it is pinned by order %s, which is %s", p.OrderID.UUID, ledger.OrderStateName(p.State))
	}
	return err
}

func checkTickets(ctx context.Context, r *reconciler) error {
	totals, err := r.totals()
	if err != nil {
		return err
	}
	r.rows(totals.Tickets)
	rows, err := r.q.BreaksOfTickets(ctx, r.tx, r.event)
	for _, t := range rows {
		if t.HasTicket {
			r.broken("orders "+t.OrderID.String(), "seat %d has a live ticket, but the order is not issued or has no such line", t.Seat)
		} else {
			r.broken("orders "+t.OrderID.String(), "seat %d has no live ticket, but the order is issued", t.Seat)
		}
	}
	return err
}

func checkTotals(ctx context.Context, r *reconciler) error {
	totals, err := r.totals()
	if err != nil {
		return err
	}
	r.rows(totals.PaidOrders)
	rows, err := r.q.BreaksOfTotals(ctx, r.tx, r.event)
	for _, o := range rows {
		r.broken("orders "+o.ID.String(), "it is %s with a total of %d; its lines are %d, %d was paid and %d captured", ledger.OrderStateName(o.State), o.Total, o.Lines, o.Paid, o.Captured)
	}
	return err
}

func checkPostings(ctx context.Context, r *reconciler) error {
	totals, err := r.totals()
	if err != nil {
		return err
	}
	r.rows(totals.PaidOrders)
	rows, err := r.q.BreaksOfPostings(ctx, r.tx, r.event)
	for _, o := range rows {
		r.broken("orders "+o.ID.String(), "it is %s with a total of %d; %d was posted as owed and %d as settled, %d was captured; %d was posted as owed back, its refunded lines are %d",
			ledger.OrderStateName(o.State), o.Total, o.Recognised, o.Settled, o.Captured, o.Returned, o.Refunded)
	}
	return err
}

func checkRefunds(ctx context.Context, r *reconciler) error {
	rows, err := r.q.BreaksOfRefunds(ctx, r.tx, r.event)
	for _, x := range rows {
		r.broken("refunds "+x.ID.String(), "it is %s with %d; its lines are %d, its order %s is %s, and a call must be under way for what is not sent", x.State, x.Amount, x.Lines, x.OrderID, ledger.OrderStateName(x.OrderState))
	}
	return err
}

func checkLooseMoney(ctx context.Context, r *reconciler) error {
	rows, err := r.q.BreaksOfLooseMoney(ctx, r.tx)
	for _, p := range rows {
		r.broken("payments "+p.ID.String(), "%d is %s for order %s, pays nothing, and nobody gives it back", p.Amount, p.State, p.OrderID)
	}
	return err
}

func checkSuspense(ctx context.Context, r *reconciler) error {
	rows, err := r.q.BreaksOfSuspense(ctx, r.tx)
	for _, a := range rows {
		r.broken("account "+a.Account, "%d %s are owed, but refunds of %d are on their way", a.Balance, a.Currency, a.Pending)
	}
	return err
}

// checkTrialBalance adds up in Go what the database has summed by account: a transfer row is one debit and one credit, so a difference means
// that a row was changed under the constraints.
func checkTrialBalance(ctx context.Context, r *reconciler) error {
	rows, err := r.q.TrialBalance(ctx, r.tx)
	r.rows(int64(len(rows)))
	sums := map[string]int64{}
	for _, a := range rows {
		sums[a.Currency] += a.Debits - a.Credits
	}
	for currency, sum := range sums {
		if sum != 0 {
			r.broken("accounts in "+currency, "debits and credits differ by %d", sum)
		}
	}
	return err
}
