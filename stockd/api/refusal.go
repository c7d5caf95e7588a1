package api

import (
	"cmp"
	"fmt"
	"time"

	"ticketrush/stockd/stock"
)

// dimensions are the words for what a limit counts by.
var dimensions = map[stock.Dimension]string{stock.DimensionTid: "tid", stock.DimensionAccount: "account", stock.DimensionDocument: "document"}

// limitOwners begin the sentence that says how far a limit is used up.
var limitOwners = map[stock.Dimension]string{stock.DimensionTid: "You have", stock.DimensionAccount: "Your account has", stock.DimensionDocument: "One of the documents has"}

// holdStates are the words for the state of a hold.
var holdStates = map[stock.State]string{stock.Held: "held", stock.Paying: "paying", stock.Sold: "sold"}

// allowedOf is what may be asked of a hold in a state.
var allowedOf = map[stock.State][]string{stock.Held: {"extend", "release", "order"}}

// refusal maps what the engine said no with to a problem. event names what was asked, for illegal-transition.
func refusal(ev *Event, a stock.Answer, event string) *problem {
	switch a.Code {
	case stock.CodeSeatTaken:
		return refuse(kindSeatTaken, "Somebody else was faster. on_conflict: nearest takes seats like them in the same call.").
			with("conflicts", ev.labels(a.Conflicts)).with("alternatives", ev.labels(a.Alternatives))
	case stock.CodeAllHeld:
		return refuse(kindAllHeld, "Nothing of this is free now; some may come back.").with("free_estimate_s", int64((a.FreeEstimate+time.Second-1)/time.Second))
	case stock.CodeSoldOut:
		return refuse(kindSoldOut, "Nothing of this is left.")
	case stock.CodeNotTogether:
		return refuse(kindNotTogether, "A smaller party fits, or together: any.").with("largest_run", a.LargestRun)
	case stock.CodeWouldOrphan:
		suggestions := [][]string{}
		if len(a.Alternatives) > 0 {
			suggestions = append(suggestions, ev.labels(a.Alternatives))
		}
		return refuse(kindWouldOrphan, "Choose seats that leave no single one, or orphans: allow.").with("suggestions", suggestions)
	case stock.CodeLimitReached:
		return limitReached(ev, a)
	case stock.CodeLimitBusy:
		return refuse(kindLimitBusy, "Other holds of the same buyer are being tried and may yet be given up. Repeat the request with the same key.").after(jitter(busyRetry))
	case stock.CodeHoldExpired:
		return refuse(kindExpired, "Its deadline has passed; the seats are free for others.")
	case stock.CodeHoldNotYours:
		return refuse(kindNotYours, "The hold is another order's.")
	case stock.CodeNoHold:
		return refuse(kindExpired, "The hold is over.")
	case stock.CodeIllegal:
		return illegal(a, event)
	case stock.CodeKeyReused:
		return refuse(kindKeyReused, "Use a fresh key for another request.")
	case stock.CodeKeyInFlight, stock.CodeBusy:
		return refuse(kindKeyInFlight, "Repeat the request with the same key.").after(jitter(busyRetry))
	case stock.CodeUnknownSeat:
		return invalid(fault{"/items", "There is no such seat."})
	case stock.CodeInvalid:
		return invalid(fault{"", "The owner of the seats cannot make sense of this."})
	case stock.CodeOK, stock.CodeReplay:
	}
	return refuse(kindInternal, "")
}

func limitReached(ev *Event, a stock.Answer) *problem {
	dimension := cmp.Or(a.Dimension, stock.DimensionTid)
	limit := a.Limit
	if limit == 0 && ev != nil {
		limit = ev.limit(dimension)
	}
	const counted = "Tickets that are held, being paid and bought count together."
	p := refuse(kindLimitReached, counted).with("dimension", dimensions[dimension]).with("limit", limit)
	if a.Used < 0 {
		return p
	}
	p.detail = fmt.Sprintf("%s %d of at most %d. %s", limitOwners[dimension], a.Used, limit, counted)
	return p.with("used", a.Used)
}

func illegal(a stock.Answer, event string) *problem {
	from, allowed := "held", []string{}
	if a.Hold != nil {
		from = holdStates[a.Hold.State]
		allowed = append(allowed, allowedOf[a.Hold.State]...)
		if a.Hold.State == stock.Held && a.Hold.Order != nilID {
			from, allowed = "ordered", []string{"extend"}
		}
	}
	detail := "This hold does not allow it now."
	if from == "ordered" && event == "release" {
		detail = "There is an order; cancel the order."
	}
	return refuse(kindIllegal, detail).with("from", from).with("event", event).with("allowed", allowed)
}
