package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// kind is a type of problem: its status and its title never change.
type kind struct {
	name   string
	status int
	title  string
}

// The types of problems, in order of status. openapi.yaml lists them too; a test compares.
var (
	kindMalformed       = kind{"malformed", http.StatusBadRequest, "The request cannot be read"}
	kindInvalid         = kind{"invalid", http.StatusUnprocessableEntity, "The request is not valid"}
	kindKeyMissing      = kind{"key-missing", http.StatusBadRequest, "The request needs an Idempotency-Key"}
	kindUnauthorized    = kind{"unauthorized", http.StatusUnauthorized, "Who asks is not known"}
	kindAccountToken    = kind{"account-token", http.StatusUnauthorized, "The account's token is missing or not accepted"}
	kindForbidden       = kind{"forbidden", http.StatusForbidden, "This is not allowed"}
	kindAdmission       = kind{"admission-required", http.StatusForbidden, "A pass of the waiting room is needed"}
	kindNotYours        = kind{"hold-not-yours", http.StatusForbidden, "The token does not belong to this"}
	kindNotFound        = kind{"not-found", http.StatusNotFound, "There is no such thing"}
	kindMethod          = kind{"method-not-allowed", http.StatusMethodNotAllowed, "The method is not possible here"}
	kindNotAcceptable   = kind{"not-acceptable", http.StatusNotAcceptable, "No answer of the wanted type"}
	kindSeatTaken       = kind{"seat-taken", http.StatusConflict, "A seat is no longer free"}
	kindAllHeld         = kind{"all-held", http.StatusConflict, "Everything is held at the moment"}
	kindSoldOut         = kind{"sold-out", http.StatusConflict, "Sold out"}
	kindNotTogether     = kind{"not-together", http.StatusConflict, "No seats together for a party of this size"}
	kindWouldOrphan     = kind{"would-orphan", http.StatusConflict, "The choice would leave a single seat"}
	kindLimitReached    = kind{"limit-reached", http.StatusConflict, "The limit per buyer is reached"}
	kindIllegal         = kind{"illegal-transition", http.StatusConflict, "Not possible in the present state"}
	kindNotOnSale       = kind{"not-on-sale", http.StatusConflict, "The event is not on sale"}
	kindSlugTaken       = kind{"slug-taken", http.StatusConflict, "The slug is another event's"}
	kindPaymentMismatch = kind{"payment-mismatch", http.StatusConflict, "The payment does not fit the order"}
	kindTicketRefused   = kind{"ticket-refused", http.StatusConflict, "The ticket stays as it is"}
	kindNameMissing     = kind{"name-missing", http.StatusConflict, "The ticket needs a name first"}
	kindKeyInFlight     = kind{"key-in-flight", http.StatusConflict, "The first request with this key is still running"}
	kindExpired         = kind{"hold-expired", http.StatusGone, "The hold has expired"}
	kindStaleVersion    = kind{"stale-version", http.StatusPreconditionFailed, "It has changed since"}
	kindTooLarge        = kind{"too-large", http.StatusRequestEntityTooLarge, "The body is too large"}
	kindMediaType       = kind{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body is of a type that is not understood"}
	kindWrongNode       = kind{"wrong-node", http.StatusMisdirectedRequest, "Another node owns it"}
	kindKeyReused       = kind{"key-reused", http.StatusUnprocessableEntity, "The key was used with another payload"}
	kindPrecondition    = kind{"precondition-required", http.StatusPreconditionRequired, "The request needs If-Match"}
	kindRateLimited     = kind{"rate-limited", http.StatusTooManyRequests, "Too many requests"}
	kindInternal        = kind{"internal", http.StatusInternalServerError, "Something went wrong here"}
	kindMoving          = kind{"segment-moving", http.StatusServiceUnavailable, "Its owner is changing"}
	kindLedgerAway      = kind{"ledger-unavailable", http.StatusServiceUnavailable, "The ledger cannot be reached"}
	kindOverloaded      = kind{"overloaded", http.StatusServiceUnavailable, "Too much at once"}
	kindLimitBusy       = kind{"limit-busy", http.StatusServiceUnavailable, "Other holds of the same buyer are being decided"}
)

// kinds is all of them.
var kinds = []kind{
	kindMalformed, kindInvalid, kindKeyMissing, kindUnauthorized, kindAccountToken, kindForbidden, kindAdmission, kindNotYours, kindNotFound, kindMethod,
	kindNotAcceptable, kindSeatTaken, kindAllHeld, kindSoldOut, kindNotTogether, kindWouldOrphan, kindLimitReached, kindIllegal, kindNotOnSale,
	kindSlugTaken, kindPaymentMismatch, kindTicketRefused, kindNameMissing, kindKeyInFlight, kindExpired, kindStaleVersion, kindTooLarge, kindMediaType, kindWrongNode,
	kindKeyReused, kindPrecondition, kindRateLimited, kindInternal, kindMoving, kindLedgerAway, kindOverloaded, kindLimitBusy,
}

// problem is one refusal. It is an error, so that any depth of a handler can return it; cause is for the log and never leaves the node.
type problem struct {
	kind    kind
	detail  string
	members map[string]any
	retry   time.Duration // sent as Retry-After and X-Stockd-Retry-After-Ms
	header  http.Header
	cause   error
}

// fault is one thing that is wrong with a request.
type fault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (p *problem) Error() string {
	text := p.kind.name + ": " + p.detail
	if p.cause != nil {
		text += ": " + p.cause.Error()
	}
	return text
}

func (p *problem) Unwrap() error { return p.cause }

func refuse(k kind, detail string) *problem { return &problem{kind: k, detail: detail} }

// with adds an extension member.
func (p *problem) with(name string, value any) *problem {
	if p.members == nil {
		p.members = map[string]any{}
	}
	p.members[name] = value
	return p
}

func (p *problem) because(err error) *problem {
	p.cause = err
	return p
}

// after tells when to ask again.
func (p *problem) after(d time.Duration) *problem {
	p.retry = d
	return p.with("retry_after_ms", d.Milliseconds())
}

func (p *problem) set(name, value string) *problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// invalid says what is wrong with a body that could be read.
func invalid(faults ...fault) *problem {
	p := refuse(kindInvalid, "")
	if len(faults) > 0 {
		p.detail = faults[0].Detail
	}
	return p.with("errors", faults)
}

func (p *problem) write(w http.ResponseWriter) {
	body := map[string]any{"type": "/problems/" + p.kind.name, "title": p.kind.title, "status": p.kind.status}
	for name, value := range p.members {
		body[name] = value
	}
	if p.detail != "" {
		body["detail"] = p.detail
	}
	text, err := json.Marshal(body)
	if err != nil { // a member that cannot be JSON is a bug; the type is still worth telling
		text = []byte(`{"type":"/problems/` + p.kind.name + `","title":"` + p.kind.title + `","status":` + strconv.Itoa(p.kind.status) + `}`)
	}
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(max(1, int64((p.retry+time.Second-1)/time.Second)), 10))
		h.Set("X-Stockd-Retry-After-Ms", strconv.FormatInt(p.retry.Milliseconds(), 10))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Del("ETag")
	w.WriteHeader(p.kind.status)
	w.Write(text)
}
