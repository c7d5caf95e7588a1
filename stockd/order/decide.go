package order

import (
	"context"

	"ticketrush/ledger"
)

// decidedNames are the verdicts in words, for metrics and for the ledger.
var decidedNames = map[int32]string{
	ledger.DecidedPaid: "paid", ledger.DecidedAlready: "already paid by this payment", ledger.DecidedNotPinned: "a seat is not pinned any more",
	ledger.DecidedNotPaying: "the order does not wait for this attempt", ledger.DecidedOther: "another payment has paid the order",
}

// decision is a request to decide, and where its verdict goes.
type decision struct {
	ledger.Decision
	verdict chan<- verdict
}

type verdict struct {
	code int32
	err  error
}

// decided asks for a decision and waits for its commit. A commit whose answer is lost is not guessed: the provider sends its message again.
func (s *Service) decided(ctx context.Context, d ledger.Decision) (int32, error) {
	answer := make(chan verdict, 1)
	select {
	case s.decisions <- decision{Decision: d, verdict: answer}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case v := <-answer:
		return v.code, v.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// decide commits decisions in groups: whatever has come while the last group was being committed goes into the next.
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
		s.commit(ctx, group)
	}
}

func (s *Service) commit(ctx context.Context, group []decision) {
	decisions := make([]ledger.Decision, len(group))
	for i, d := range group {
		decisions[i] = d.Decision
	}
	codes, err := s.ledger.Decide(ctx, decisions, s.config.Now())
	for i, d := range group {
		v := verdict{err: err}
		if err == nil {
			v.code = codes[i]
			s.metrics.decided.WithLabelValues(decidedNames[v.code]).Inc()
		}
		d.verdict <- v
	}
}
