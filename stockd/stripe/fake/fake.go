package fake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Key and Secret are what the fake accepts and signs with.
const (
	Key    = "sk_test_fake0000000000000000"
	Secret = "whsec_fake0000000000000000"
)

// Object is one of Stripe's objects as it is sent.
type Object = map[string]any

// Fault is an answer instead of the right one.
type Fault struct {
	Status int // of HTTP; 0 cuts the connection
	Type   string
	Code   string
	Header map[string]string
	After  bool              // the request is carried out first: only its answer is lost
	Pass   bool              // no fault: this request is answered as it should be
	Then   map[string]Object // changes of objects, by id, once the request was answered
}

// Stripe is the fake; serve it by HTTP. The zero value is ready.
type Stripe struct {
	mu      sync.Mutex
	next    int
	objects map[string]Object // by id
	kept    map[string]kept   // by Idempotency-Key
	faults  []Fault
	calls   []string
}

type kept struct {
	params string
	status int
	body   []byte
}

// FailNext gives the next requests these answers, one each.
func (s *Stripe) FailNext(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Calls are the requests so far: "POST /v1/refunds key".
func (s *Stripe) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.calls...)
}

// Get is a copy of an object; nil when there is none.
func (s *Stripe) Get(id string) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects[id])
}

// Count counts the objects of a kind: checkout.session, payment_intent, refund.
func (s *Stripe) Count(kind string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if o["object"] == kind {
			n++
		}
	}
	return n
}

// Set changes an object, as Stripe or a bank would.
func (s *Stripe) Set(id string, change Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.objects[id], change)
}

// Pay is a buyer who pays at a session: its PaymentIntent is authorised. It gives the PaymentIntent's id.
func (s *Stripe) Pay(session string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[session]
	id := s.add("pi", Object{
		"object": "payment_intent", "status": "requires_capture", "amount": o["amount_total"], "amount_capturable": o["amount_total"], "amount_received": 0,
		"currency": o["currency"], "metadata": o["intent_metadata"], "latest_charge": "ch_" + session,
	})
	o["payment_intent"], o["status"] = id, "complete"
	return id
}

// Event is a signed webhook about an object: its body and the value of Stripe-Signature.
func (s *Stripe) Event(kind string, object Object, now time.Time) (body []byte, signature string) {
	s.mu.Lock()
	s.next++
	n := s.next
	s.mu.Unlock()
	body, err := json.Marshal(Object{"id": fmt.Sprintf("evt_%d", n), "object": "event", "type": kind, "created": now.Unix(), "api_version": "2024-06-20", "data": Object{"object": object}})
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return body, Sign(Secret, body, now)
}

// Sign is the value of Stripe-Signature over a body.
func Sign(secret string, body []byte, now time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", now.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%x,v0=%s", now.Unix(), mac.Sum(nil), strings.Repeat("0", 64))
}

func (s *Stripe) add(prefix string, o Object) string {
	s.next++
	id := fmt.Sprintf("%s_%d", prefix, s.next)
	o["id"] = id
	if s.objects == nil {
		s.objects, s.kept = map[string]Object{}, map[string]kept{}
	}
	s.objects[id] = o
	return id
}

// ServeHTTP answers a request.
func (s *Stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm() // what cannot be read is not there, and refused below
	key := r.Header.Get("Idempotency-Key")
	s.calls = append(s.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+key))
	var fault *Fault
	if len(s.faults) > 0 {
		fault, s.faults = &s.faults[0], s.faults[1:]
	}
	if r.Header.Get("Authorization") != "Bearer "+Key {
		answer(w, http.StatusUnauthorized, problem("invalid_request_error", "", "no such key"))
		return
	}
	if fault != nil {
		then := fault.Then
		defer func() {
			for id, change := range then {
				maps.Copy(s.objects[id], change)
			}
		}()
		if fault.Pass {
			fault = nil
		}
	}
	if fault != nil && !fault.After {
		fault.send(w)
		return
	}
	if old, ok := s.kept[key]; ok && r.Method == http.MethodPost {
		if old.params != r.URL.Path+"?"+r.PostForm.Encode() {
			answer(w, http.StatusBadRequest, problem("idempotency_error", "", "the key was used with other parameters"))
			return
		}
		w.Header().Set("Idempotent-Replayed", "true")
		w.WriteHeader(old.status)
		_, _ = w.Write(old.body)
		return
	}
	status, o := s.do(r)
	if fault != nil && fault.Status >= http.StatusInternalServerError {
		status, o = fault.Status, problem("api_error", "", "something went wrong on our end")
	}
	body, _ := json.Marshal(o)
	if r.Method == http.MethodPost && (status == http.StatusOK || status >= http.StatusInternalServerError) {
		if s.kept == nil {
			s.kept = map[string]kept{}
		}
		s.kept[key] = kept{params: r.URL.Path + "?" + r.PostForm.Encode(), status: status, body: body}
	}
	if fault != nil {
		fault.send(w)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (f *Fault) send(w http.ResponseWriter) {
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	answer(w, f.Status, problem(f.Type, f.Code, "as it was told to"))
}

func answer(w http.ResponseWriter, status int, o Object) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(o) // the client is gone
}

func problem(kind, code, text string) Object {
	return Object{"error": Object{"type": kind, "code": code, "message": text}}
}

func refuse(text string) (int, Object) {
	return http.StatusBadRequest, problem("invalid_request_error", "", text)
}

// do carries a request out.
func (s *Stripe) do(r *http.Request) (int, Object) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch parts[0] {
	case "checkout":
		if len(parts) == 2 {
			return s.newSession(r.PostForm)
		}
		return s.session(r.Method, parts[2:])
	case "payment_intents":
		return s.intent(r, parts[1:])
	case "refunds":
		if r.Method == http.MethodGet {
			return s.refunds(r.Form.Get("payment_intent"))
		}
		return s.newRefund(r.PostForm)
	}
	return http.StatusNotFound, problem("invalid_request_error", "", "no such path")
}

func metadata(form url.Values, prefix string) Object {
	m := Object{}
	for name := range form {
		if rest, ok := strings.CutPrefix(name, prefix+"["); ok {
			m[strings.TrimSuffix(rest, "]")] = form.Get(name)
		}
	}
	return m
}

func number(form url.Values, name string) int64 {
	n, err := strconv.ParseInt(form.Get(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
