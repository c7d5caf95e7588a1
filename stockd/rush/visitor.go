package rush

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Problem is a refusal: the problem document of an answer.
type Problem struct {
	Type         string   `json:"type"`
	Title        string   `json:"title"`
	Status       int      `json:"status"`
	Detail       string   `json:"detail"`
	NextPollMs   int64    `json:"next_poll_ms"`
	LargestRun   int      `json:"largest_run"`
	FreeEstimate int      `json:"free_estimate_s"`
	Alternatives []string `json:"alternatives"`
	From         string   `json:"from"`
	retryAfter   time.Duration
}

// Error is the problem in one line.
func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s %s", p.Status, p.kind(), p.Title, p.Detail)
}

// kind is the last part of the type.
func (p *Problem) kind() string { return strings.TrimPrefix(p.Type, "/problems/") }

// is says whether an error is a problem of one of the kinds.
func is(err error, kinds ...string) bool {
	var p *Problem
	if !errors.As(err, &p) {
		return false
	}
	for _, kind := range kinds {
		if p.kind() == kind {
			return true
		}
	}
	return false
}

// visitor is one browser: its own cookies on connections that all share.
type visitor struct {
	base  string
	key   string // API key, for those who come without a pass
	http  *http.Client
	tally *tally
	dice  *rand.Rand
}

func newVisitor(c Config, transport http.RoundTripper, t *tally, dice *rand.Rand) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // never, without options
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{base: c.URL, key: c.APIKey, tally: t, dice: dice, http: &http.Client{Transport: transport, Jar: jar, Timeout: 30 * time.Second, CheckRedirect: stay}}
}

// call is one request of a visitor.
type call struct {
	method, path string
	header       map[string]string
	body, into   any
}

const (
	triesMax  = 12
	answerMax = 16 << 20
)

// do sends a call until it has an answer that is not "not now": 429, 503, 502, 504, a key in flight, a broken connection. Each repetition has the same
// idempotency key, so nothing happens twice. It gives the status, or a *Problem.
func (v *visitor) do(ctx context.Context, c call) (int, http.Header, error) {
	var body []byte
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return 0, nil, err
		}
	}
	key := uuid.NewString() // not from the seed: a second rush would repeat the keys of the first
	for try := 1; ; try++ {
		status, header, err := v.once(ctx, c, body, key)
		wait, again := v.again(status, err, try)
		if !again {
			return status, header, err
		}
		if err := sleep(ctx, wait); err != nil {
			return 0, nil, err
		}
	}
}

// again decides whether a call is repeated, and after how long. What was refused is counted by its type; what no client should ever see
// is counted as an error.
func (v *visitor) again(status int, err error, try int) (time.Duration, bool) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && status == 0 && try >= triesMax {
		return 0, false
	}
	now := time.Now()
	backoff := min(50*time.Millisecond<<min(try, 6), 2*time.Second)
	var p *Problem
	if !errors.As(err, &p) {
		v.tally.refused(now, "connection: "+short(err)) // a deployment may restart; what it promised is checked all the same
		return v.jitter(backoff), try < triesMax
	}
	switch {
	case p.kind() == "queued" || p.kind() == "no-place":
		return 0, false // the room's own answers
	case p.Status == http.StatusServiceUnavailable, p.Status == http.StatusTooManyRequests, p.kind() == "key-in-flight", p.Status == http.StatusTooEarly:
		v.tally.refused(now, p.kind())
		return v.jitter(max(p.retryAfter, 20*time.Millisecond)), try < triesMax
	case p.Status >= 500, p.Status == http.StatusMisdirectedRequest:
		v.tally.failed(now, fmt.Sprintf("%d %s", p.Status, p.kind()))
		return v.jitter(backoff), try < triesMax && p.Status != http.StatusInternalServerError
	}
	v.tally.refused(now, p.kind())
	return 0, false
}

// jitter spreads a wait by a quarter.
func (v *visitor) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + v.dice.Float64()/2))
}

// short is the last part of a chain of errors, without addresses, so that equal failures count together.
func short(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

func (v *visitor) once(ctx context.Context, c call, body []byte, key string) (int, http.Header, error) {
	url := c.path
	if strings.HasPrefix(url, "/") {
		url = v.base + url
	}
	r, err := http.NewRequestWithContext(ctx, c.method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "ticketrush-rush/1")
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.method != http.MethodGet {
		r.Header.Set("Idempotency-Key", key)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	v.tally.requested()
	resp, err := v.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return 0, nil, err
	}
	if resp.StatusCode >= 400 {
		return resp.StatusCode, resp.Header, readProblem(resp, text)
	}
	if c.into != nil && len(text) > 0 && resp.StatusCode < 300 {
		if err := json.Unmarshal(text, c.into); err != nil {
			return resp.StatusCode, resp.Header, &Problem{Type: "unreadable-answer", Status: 500, Title: "the answer of " + c.path + " cannot be read", Detail: err.Error()}
		}
	}
	return resp.StatusCode, resp.Header, nil
}

func readProblem(resp *http.Response, text []byte) *Problem {
	p := &Problem{Type: "none"}
	_ = json.Unmarshal(text, p) // without a document the status stands alone
	p.Status = resp.StatusCode
	p.retryAfter = retryAfter(resp.Header)
	return p
}

// retryAfter is how long the server wants to be left alone.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.Atoi(h.Get("X-Stockd-Retry-After-Ms")); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		return time.Duration(s) * time.Second
	}
	return 0
}

// sleep waits, or gives the reason why the rush is over.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
