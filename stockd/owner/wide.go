package owner

import (
	"time"

	"ticketrush/stockd/stock"
)

// Wide tries one hold over several segments: all or none. It is sans-IO, as a Core, and any node may drive one; it is not needed any more once it is
// lost: whoever owns a leg drops a hold whose time to be tried is over, and a repetition of the request begins anew.
//
//	WideBegin ──► leg by leg, in order of segment ──► WideCommit ──► told
//	                 └─ refused, or not known ─► WideDrop ─► legs are freed, told the refusal
//
// Drive it: do what Next says and Step with what came of it, until Next says WideTold.
type Wide struct {
	Hold stock.WideHold
	// Legs are the commands for its legs, in order of segment.
	Legs []stock.Command

	state  wideState
	try    int32
	at     int // the leg that is asked for
	retry  int
	freed  bool // the leg of an earlier try was freed
	view   stock.HoldView
	answer stock.Answer
	away   Problem
}

type wideState int8

const (
	wideBegins wideState = iota
	wideTakes
	wideCommits
	wideDrops
	wideOver
)

// WideTry is how long a hold may be tried before anybody may drop it. By the ledger's clock.
const WideTry = 3 * time.Second

// legRetries is how often a leg is asked for while something else of its hold is under way in its segment.
const (
	legRetries = 4
	legPause   = 10 * time.Millisecond // more each time
)

// WideStep is what has to be done next for a Wide. One of its fields is set.
type WideStep struct {
	Begin bool           // wide_begin, with Hold
	Leg   *stock.Command // run at its owner, after Wait
	// Commit: wide_commit, with Hold, Try and the seats of View, whose times are to be set.
	Commit bool
	Drop   bool // wide_drop, with Try
	Told   bool // Answer or Problem is what may be told; Free are the commands that free what was taken, whose answers nobody needs

	Try     int32
	Wait    time.Duration
	View    *stock.HoldView
	Free    []stock.Command
	Answer  stock.Answer
	Problem Problem
}

// Next is what has to be done now.
func (w *Wide) Next() WideStep {
	switch w.state {
	case wideBegins:
		return WideStep{Begin: true}
	case wideTakes:
		cmd := w.Legs[w.at]
		if w.try > 1 && !w.freed { // an earlier try may have left its leg
			cmd = stock.Command{Kind: stock.KindUnleg, Event: cmd.Event, Segment: cmd.Segment, Hold: cmd.Hold}
		}
		cmd.Try = w.try
		return WideStep{Leg: &cmd, Try: w.try, Wait: legPause * time.Duration(w.retry)}
	case wideCommits:
		return WideStep{Commit: true, Try: w.try, View: &w.view}
	case wideDrops:
		return WideStep{Drop: true, Try: w.try}
	}
	step := WideStep{Told: true, Try: w.try, Answer: w.answer, Problem: w.away}
	if w.answer.Code != stock.CodeOK || w.away != ProblemNone {
		step.Free = w.free()
	}
	return step
}

// free are the commands that free the legs that were asked for. Whether they may be is the ledger's to say.
func (w *Wide) free() []stock.Command {
	var all []stock.Command
	for i := range w.Legs[:min(w.at+1, len(w.Legs))] {
		if w.try > 0 {
			all = append(all, stock.Command{Kind: stock.KindUnleg, Event: w.Legs[i].Event, Segment: w.Legs[i].Segment, Hold: w.Hold.ID})
		}
	}
	return all
}

// Begun takes the answer of wide_begin: the try, or a negative outcome. Known is false when there was none.
func (w *Wide) Begun(code int32, known bool) {
	switch {
	case !known:
		w.fail(ProblemLedgerAway)
	case code > 0:
		w.try, w.state = code, wideTakes
	default:
		w.tell(stock.Outcome(-code))
	}
}

// Took takes the answer of a leg's owner.
func (w *Wide) Took(a stock.Answer, problem Problem) {
	switch {
	case w.try > 1 && !w.freed:
		w.freed = true // whatever it said: the leg is asked for
	case problem != ProblemNone:
		w.away, w.state = problem, wideDrops
	case a.Code == stock.CodeBusy && w.retry < legRetries:
		w.retry++
		w.freed = false
	case (a.Code == stock.CodeOK || a.Code == stock.CodeReplay) && a.Hold != nil && a.Hold.Generation == w.try:
		w.take(&a)
	default:
		w.answer = stock.Answer{Code: stock.CodeBusy}
		if legRefusal(a.Code) {
			w.answer = a
			w.answer.Hold, w.answer.Seq = nil, 0
		}
		w.state = wideDrops
	}
}

// legRefusal is whether what a leg was refused for is what its hold is refused for.
func legRefusal(code stock.Code) bool {
	switch code {
	case stock.CodeSeatTaken, stock.CodeAllHeld, stock.CodeSoldOut, stock.CodeNotTogether, stock.CodeWouldOrphan, stock.CodeUnknownSeat, stock.CodeInvalid:
		return true
	}
	return false
}

func (w *Wide) take(a *stock.Answer) {
	if w.at == 0 {
		w.view = stock.HoldView{ID: w.Hold.ID, Event: w.Hold.Event, Generation: w.try, State: stock.Held}
	}
	w.view.Seats = append(w.view.Seats, a.Hold.Seats...)
	w.answer.Substituted = w.answer.Substituted || a.Substituted
	w.at++
	w.retry, w.freed = 0, false
	if w.at == len(w.Legs) {
		w.state = wideCommits
	}
}

// Committed takes the answer of wide_commit. When there was none the hold may be held: a repetition of the request finds out, and nothing is dropped,
// for wide_drop would do nothing to a hold that is held.
func (w *Wide) Committed(code int32, known bool) {
	switch {
	case !known:
		w.away, w.state = ProblemLedgerAway, wideDrops
	case code == 0:
		w.answer.Code, w.answer.Hold = stock.CodeOK, &w.view
		w.state = wideOver
	default:
		w.answer = stock.Answer{Code: wideCode(stock.Outcome(code))}
		w.state = wideDrops
	}
}

// Dropped says that wide_drop was called, with or without success.
func (w *Wide) Dropped() { w.state = wideOver }

func (w *Wide) tell(outcome stock.Outcome) {
	w.answer, w.state = stock.Answer{Code: wideCode(outcome)}, wideOver
	if dimension, _ := outcome.Limit(); dimension != 0 {
		w.answer = outcome.LimitAnswer(w.Hold.Quotas)
	}
}

func (w *Wide) fail(problem Problem) { w.away, w.state = problem, wideOver }

// wideCode is what an outcome of the calls about a row means to the client.
func wideCode(outcome stock.Outcome) stock.Code {
	switch outcome {
	case stock.OutcomeReplay:
		return stock.CodeReplay
	case stock.OutcomeKeyReused:
		return stock.CodeKeyReused
	case stock.OutcomeHoldGone:
		return stock.CodeHoldExpired
	case stock.OutcomeLimitBusy:
		return stock.CodeLimitBusy
	case 0: // another call is trying it
		return stock.CodeKeyInFlight
	}
	return stock.CodeBusy
}
