package order

import (
	"context"

	"ticketrush/ledger"
)

// factNames are the verdicts in words, for metrics.
var factNames = [...]string{
	ledger.FactPaid: "paid", ledger.FactAlready: "already", ledger.FactNotPinned: "not_pinned", ledger.FactNotPaying: "not_paying", ledger.FactOther: "other_payment",
	ledger.FactFailed: "failed", ledger.FactNothing: "nothing", ledger.FactOrphan: "orphan", ledger.FactMismatch: "mismatch",
}

// decision is a fact to be committed, and where its verdict goes.
type decision struct {
	fact    ledger.PaymentFact
	verdict chan<- verdict
}

type verdict struct {
	ledger.FactVerdict
	err error
}

// commit asks for a fact's verdict and waits for its commit. A commit whose answer is lost is not guessed: the same fact, told again, is found.
func (s *Service) commit(ctx context.Context, fact ledger.PaymentFact) (ledger.FactVerdict, error) {
	answer := make(chan verdict, 1)
	select {
	case s.decisions <- decision{fact: fact, verdict: answer}:
	case <-ctx.Done():
		return ledger.FactVerdict{}, ctx.Err()
	}
	select {
	case v := <-answer:
		return v.FactVerdict, v.err
	case <-ctx.Done():
		return ledger.FactVerdict{}, ctx.Err()
	}
}

// decide commits facts in groups: whatever has come while the last group was being committed goes into the next.
func (s *Service) decide(ctx context.Context) {
	for {
		var group []decision
		select {
		case d := <-s.decisions:
			group = append(group, d)
		case <-ctx.Done():
			return
		}
		for len(group) < decideMax {
			select {
			case d := <-s.decisions:
				group = append(group, d)
				continue
			default:
			}
			break
		}
		s.commitGroup(ctx, group)
	}
}

// commitGroup commits a group in one transaction. When that fails each fact is tried by itself, so that one that the ledger refuses does not
// take others with it.
func (s *Service) commitGroup(ctx context.Context, group []decision) {
	facts := make([]ledger.PaymentFact, len(group))
	for i, d := range group {
		facts[i] = d.fact
	}
	verdicts, err := s.ledger.PaymentTake(ctx, facts, s.config.Now())
	if err != nil && len(group) > 1 {
		for _, d := range group {
			s.commitGroup(ctx, []decision{d})
		}
		return
	}
	for i, d := range group {
		v := verdict{err: err}
		if err == nil {
			v.FactVerdict = verdicts[i]
			s.metrics.decided.WithLabelValues(factNames[v.Code]).Inc()
		}
		d.verdict <- v
	}
}
