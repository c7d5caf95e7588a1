package fake

import (
	"maps"
	"net/http"
	"net/url"
	"time"
)

// sessionLifeMin is the least that a session may live.
const sessionLifeMin = 30 * time.Minute

func (s *Stripe) newSession(form url.Values) (int, Object) {
	amount := number(form, "line_items[0][price_data][unit_amount]")
	currency := form.Get("line_items[0][price_data][currency]")
	switch {
	case currency == "xxx":
		return refuse("Invalid currency: xxx")
	case amount < 50:
		return refuse("The amount is below the minimum")
	case form.Get("payment_intent_data[capture_method]") != "manual":
		return refuse("This Stripe captures by hand only")
	case form.Get("success_url") == "":
		return refuse("Missing success_url")
	case form.Has("expires_at") && time.Until(time.Unix(number(form, "expires_at"), 0)) < sessionLifeMin:
		return refuse("expires_at must be at least 30 minutes from the making")
	}
	id := s.add("cs", Object{
		"object": "checkout.session", "status": "open", "payment_status": "unpaid", "amount_total": amount, "currency": currency, "payment_intent": nil,
		"metadata": metadata(form, "metadata"), "intent_metadata": metadata(form, "payment_intent_data[metadata]"),
	})
	s.objects[id]["url"] = "https://checkout.stripe.example/c/pay/" + id
	return http.StatusOK, s.objects[id]
}

func (s *Stripe) missing() (int, Object) {
	return http.StatusNotFound, problem("invalid_request_error", "resource_missing", "no such object")
}

func (s *Stripe) session(method string, parts []string) (int, Object) {
	o := s.objects[parts[0]]
	if o == nil {
		return s.missing()
	}
	if method == http.MethodPost {
		if o["status"] != "open" {
			return refuse("Only Checkout Sessions with a status in open can be expired")
		}
		o["status"] = "expired"
	}
	out := maps.Clone(o)
	if id, ok := o["payment_intent"].(string); ok && method == http.MethodGet {
		out["payment_intent"] = s.expanded(id)
	}
	return http.StatusOK, out
}

// expanded is a PaymentIntent with its charge.
func (s *Stripe) expanded(id string) Object {
	out := maps.Clone(s.objects[id])
	back, _ := out["refunded"].(int64)
	out["latest_charge"] = Object{"id": out["latest_charge"], "amount": out["amount"], "amount_refunded": back, "refunded": back > 0 && back == out["amount"]}
	return out
}

func (s *Stripe) intent(r *http.Request, parts []string) (int, Object) {
	o := s.objects[parts[0]]
	if o == nil {
		return s.missing()
	}
	if r.Method == http.MethodGet {
		return http.StatusOK, s.expanded(parts[0])
	}
	switch {
	case parts[1] == "capture" && o["status"] == "requires_capture" && number(r.PostForm, "amount_to_capture") == o["amount"]:
		o["status"], o["amount_capturable"], o["amount_received"] = "succeeded", 0, o["amount"]
	case parts[1] == "cancel" && o["status"] != "succeeded" && o["status"] != "canceled":
		o["status"], o["amount_capturable"] = "canceled", 0
	default:
		code, p := refuse("This PaymentIntent's status is " + o["status"].(string))
		p["error"].(Object)["code"] = "payment_intent_unexpected_state"
		return code, p
	}
	return http.StatusOK, o
}

func (s *Stripe) refunds(intent string) (int, Object) {
	list := []Object{}
	for _, o := range s.objects {
		if o["object"] == "refund" && o["payment_intent"] == intent {
			list = append(list, o)
		}
	}
	return http.StatusOK, Object{"object": "list", "data": list}
}

func (s *Stripe) newRefund(form url.Values) (int, Object) {
	i, amount := s.objects[form.Get("payment_intent")], number(form, "amount")
	if i == nil {
		return s.missing()
	}
	back, _ := i["refunded"].(int64)
	if i["status"] != "succeeded" || amount <= 0 || back+amount > i["amount"].(int64) {
		code, p := refuse("Refund amount is greater than unrefunded amount on charge")
		p["error"].(Object)["code"] = "charge_already_refunded"
		return code, p
	}
	i["refunded"] = back + amount
	id := s.add("re", Object{
		"object": "refund", "status": "succeeded", "payment_intent": form.Get("payment_intent"), "amount": amount, "currency": i["currency"], "metadata": metadata(form, "metadata"),
	})
	return http.StatusOK, s.objects[id]
}

// FailRefund is a bank that sends a refund back.
func (s *Stripe) FailRefund(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.objects[id]
	r["status"] = "failed"
	i := s.objects[r["payment_intent"].(string)]
	i["refunded"] = i["refunded"].(int64) - r["amount"].(int64)
}

// Refunds are the ids of the refunds with a status.
func (s *Stripe) Refunds(status string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, o := range s.objects {
		if o["object"] == "refund" && o["status"] == status {
			ids = append(ids, id)
		}
	}
	return ids
}
