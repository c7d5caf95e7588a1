package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	triesMax  = 3
	answerMax = 1 << 20
	// pauseMax is the longest that one operation waits for Stripe to take more; who is told to wait for longer comes again later.
	pauseMax = 2 * time.Second
)

// Error is what Stripe answered instead of what was asked for.
type Error struct {
	Status    int    // of HTTP
	Type      string // invalid_request_error, card_error, idempotency_error, api_error …
	Code      string // resource_missing, charge_already_refunded …
	Message   string
	RequestID string
	Replayed  bool // it is the answer that was kept for the Idempotency-Key

	after time.Duration
}

func (e *Error) Error() string {
	text := fmt.Sprintf("stripe answered %d", e.Status)
	for _, part := range []string{e.Type, e.Code, e.Message} {
		if part != "" {
			text += ", " + part
		}
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// RetryAfter is how long Stripe wants to be left alone; 0: it did not say.
func (e *Error) RetryAfter() time.Duration { return e.after }

// refused says that the request is wrong as it is: the same one is never taken. A key that is not accepted, or an object that is not there, is a mistake of the
// configuration, and nothing that should end an order.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusBadRequest || e.Status == http.StatusPaymentRequired) && e.Type != "idempotency_error"
}

// again says that the same request may be taken in a moment.
func (e *Error) again() bool {
	switch {
	case e.Replayed:
		return false
	case e.Status == http.StatusTooManyRequests, e.Status >= http.StatusInternalServerError:
		return true
	case e.Status == http.StatusConflict:
		return true // another request with this key, or at this object, is under way
	}
	return false
}

// get reads an object into out.
func (p *Provider) get(ctx context.Context, path string, query url.Values, out any) error {
	return p.call(ctx, http.MethodGet, path+"?"+query.Encode(), "", "", out)
}

// post changes something. key makes a repetition the same request.
func (p *Provider) post(ctx context.Context, path, key string, form url.Values, out any) error {
	return p.call(ctx, http.MethodPost, path, form.Encode(), key, out)
}

// call makes a request, and again, with the same key, where that helps: no answer, a limit, an error of Stripe's.
func (p *Provider) call(ctx context.Context, method, path, form, key string, out any) error {
	for try := 0; ; try++ {
		err := p.once(ctx, method, path, form, key, out)
		if err == nil || try == triesMax-1 || ctx.Err() != nil {
			return err
		}
		pause := p.config.Pause << try
		pause += rand.N(pause)
		var e *Error
		if errors.As(err, &e) {
			if !e.again() || e.after > pauseMax {
				return err
			}
			pause = max(pause, e.after)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func (p *Provider) once(ctx context.Context, method, path, form, key string, out any) error {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.config.URL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.config.Key)
	req.Header.Set("Stripe-Version", apiVersion)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask Stripe: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return fmt.Errorf("read Stripe's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return failure(resp, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read Stripe's answer: %w", err)
	}
	return nil
}

func failure(resp *http.Response, answer []byte) error {
	var said struct {
		Error struct {
			Type    string `json:"type"`
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // what is no error of Stripe's, such as a proxy's page, still has its status
	e := &Error{
		Status: resp.StatusCode, Type: said.Error.Type, Code: said.Error.Code, Message: said.Error.Message,
		RequestID: resp.Header.Get("Request-Id"), Replayed: resp.Header.Get("Idempotent-Replayed") == "true",
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = time.Duration(min(seconds, 24*60*60)) * time.Second
	}
	return e
}
