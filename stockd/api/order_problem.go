package api

import "errors"

// orderProblem maps what the order service refused with.
func orderProblem(err error) error {
	var illegal *IllegalTransition
	switch {
	case errors.As(err, &illegal):
		allowed := illegal.Allowed
		if allowed == nil {
			allowed = []string{}
		}
		return refuse(kindIllegal, "The order is "+illegal.From+".").with("from", illegal.From).with("event", illegal.Event).with("allowed", allowed)
	case errors.Is(err, ErrNotFound):
		return refuse(kindNotFound, "There is no such order.").because(err)
	case errors.Is(err, ErrNoProvider):
		return invalid(fault{"/provider", "There is no such payment provider here."})
	case errors.Is(err, ErrSignature):
		return refuse(kindUnauthorized, "The signature does not match.").because(err)
	case errors.Is(err, ErrBadEvent):
		return refuse(kindMalformed, "The event cannot be read.").because(err)
	case errors.Is(err, ErrNoOffer):
		return refuse(kindIllegal, "Nothing is offered, or not any more. Read the order again.").with("from", "none").with("event", "offer").with("allowed", []string{}).because(err)
	case errors.Is(err, ErrNoLine):
		return invalid(fault{"/items", "One of them is not the order's, or not any more."})
	case errors.Is(err, ErrKeyReused):
		return refuse(kindKeyReused, "Use a fresh key for another refund.")
	case errors.Is(err, ErrMismatch):
		return refuse(kindPaymentMismatch, "The payment does not fit the order.").because(err)
	}
	return err
}
