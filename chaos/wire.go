package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// wire is a way to the API: through the edge, or straight to the nodes.
type wire struct {
	name  string
	bases []string // tried in turn: where one does not answer, the next
	http  *http.Client
	try   time.Duration // bounds one try
	gaps  *gaps
	book  *book
	pace  *pace                  // nil: as fast as they can
	pass  atomic.Pointer[string] // of the waiting room, where there is one
}

// book counts what clients met.
type book struct {
	mu     sync.Mutex // guards what follows
	met    map[string]int
	errors []string // what a client that obeys the rules should never see
}

func newBook() *book { return &book{met: map[string]int{}} }

func (b *book) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.met[what]++
}

// errorsMax bounds the errors that are kept with their words.
const errorsMax = 50

func (b *book) failed(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.met["errors"]++
	if len(b.errors) < errorsMax {
		b.errors = append(b.errors, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

func (b *book) count(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.met[what]
}

// call is one request and where its answer goes.
type call struct {
	method, path string
	header       map[string]string
	body, into   any
	segment      int // whose gap it counts for; 0: none
}

// answer is what a client ends up with: a status, and the type of the problem when it is one.
type answer struct {
	status  int
	problem string
	detail  string
	tries   int // how often the request was sent
}

func (a answer) ok() bool { return a.status < 300 }

// gone is whether the answer says that what was asked about is not there.
func (a answer) gone() bool {
	return a.status == http.StatusNotFound || a.status == http.StatusGone || a.problem == "hold-not-yours"
}

// patience is after how long a client counts as one that was let down, although it goes on.
const patience = 20 * time.Second

// ask sends a call until there is an answer, as the API's document tells clients to: the same Idempotency-Key each time; after 503, 429 and a key
// in flight, the wait that the answer names; after a broken connection or no answer, another try soon. It ends without an answer only with ctx.
func (w *wire) ask(ctx context.Context, c call) (answer, error) {
	var body []byte
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return answer{}, err
		}
	}
	if w.pace != nil {
		w.pace.turn(ctx)
	}
	begin := time.Now()
	if c.segment != 0 {
		w.gaps.begin(c.segment, begin)
	}
	a, err := w.insist(ctx, c, body)
	now := time.Now()
	w.book.note("answers at the " + w.name)
	if c.segment != 0 {
		w.gaps.end(c.segment, err == nil && a.ok(), now)
	}
	if took := now.Sub(begin); took > patience && ctx.Err() == nil {
		w.book.failed("%s: %s %s took %v", w.name, c.method, c.path, took.Round(time.Millisecond))
	}
	return a, err
}

func (w *wire) insist(ctx context.Context, c call, body []byte) (answer, error) {
	key := uuid.NewString()
	base := rand.IntN(len(w.bases))
	for try := 0; ; try++ {
		a, wait, err := w.once(ctx, w.bases[base], c, body, key)
		a.tries = try + 1
		switch {
		case ctx.Err() != nil:
			return answer{}, context.Cause(ctx)
		case err != nil:
			w.book.note("connection")
			base = (base + 1) % len(w.bases)
			wait = min(10*time.Millisecond<<min(try, 5), 200*time.Millisecond)
		case a.status == http.StatusServiceUnavailable, a.status == http.StatusTooManyRequests, a.problem == "key-in-flight", a.status == http.StatusTooEarly:
			w.book.note(a.problem)
			base = (base + 1) % len(w.bases) // as a balancer in front of the nodes would
		case a.status == http.StatusBadGateway, a.status == http.StatusGatewayTimeout:
			w.book.note(strconv.Itoa(a.status))
			wait = 50 * time.Millisecond
		case a.status >= 500, a.status == http.StatusMisdirectedRequest, a.status == http.StatusUnprocessableEntity, a.status == http.StatusBadRequest:
			w.book.failed("%s: %s %s: %d %s %s", w.name, c.method, c.path, a.status, a.problem, a.detail)
			if a.status < 500 {
				return a, nil
			}
			wait = 100 * time.Millisecond
		default:
			return a, nil
		}
		wait = max(wait, 5*time.Millisecond)
		timer := time.NewTimer(wait + rand.N(wait/4+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer{}, context.Cause(ctx)
		}
	}
}

const answerMax = 16 << 20

// once is one try.
func (w *wire) once(ctx context.Context, base string, c call, body []byte, key string) (a answer, wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.try)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, c.method, base+c.path, bytes.NewReader(body))
	if err != nil {
		return a, 0, err
	}
	r.Header.Set("Accept", "application/json")
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.method != http.MethodGet {
		r.Header.Set("Idempotency-Key", key)
	}
	if pass := w.pass.Load(); pass != nil {
		r.Header.Set("Authorization", "WaitingRoom "+*pass)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	resp, err := w.http.Do(r)
	if err != nil {
		return a, 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return a, 0, err
	}
	a.status = resp.StatusCode
	if a.status >= 400 {
		var p struct{ Type, Title, Detail string }
		_ = json.Unmarshal(text, &p) // without a document the status stands alone
		a.problem, a.detail = strings.TrimPrefix(p.Type, "/problems/"), p.Title+" "+p.Detail
		return a, retryAfter(resp.Header), nil
	}
	if c.into != nil && len(text) > 0 {
		if err := json.Unmarshal(text, c.into); err != nil {
			return a, 0, errors.Join(errors.New("the answer cannot be read"), err)
		}
	}
	return a, 0, nil
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
