package order

import (
	"context"

	"ticketrush/ledger"
)

// factNames are the verdicts in words, for metrics.
var factNames = [...]string{
	ledger.FactPaid: "paid", ledger.FactAlready: "already", ledger.FactNotPinned: "not_pinned", ledger.FactNotPaying: "not_paying", ledger.FactOther: "other_payment",
	ledger.FactFailed: "failed", ledger.FactNothing: "nothing", ledger.FactOrphan: "orphan", ledger.FactMismatch: "mismatch",
	ledger.FactRefundFailed: "refund_failed", ledger.FactDisputed: "disputed", ledger.FactDisputeWon: "dispute_won", ledger.FactDisputeLost: "dispute_lost",
	ledger.FactRefundSent: "refund_sent", ledger.FactRefundUnknown: "refund_unknown", ledger.FactLate: "late",
}

// decide commits facts, a group in one transaction. A commit whose answer is lost is not guessed: the same fact, told again, is found.
func (s *Service) decide(ctx context.Context, facts []ledger.PaymentFact) ([]ledger.FactVerdict, error) {
	verdicts, err := s.ledger.PaymentTake(ctx, facts, s.config.Now())
	for _, v := range verdicts {
		s.metrics.decided.WithLabelValues(factNames[v.Code]).Inc()
	}
	return verdicts, err
}
