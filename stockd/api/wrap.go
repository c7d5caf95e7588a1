package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are labelled by what is in our own table of routes only.
type metrics struct {
	seconds  *prometheus.HistogramVec
	waited   *prometheus.HistogramVec
	problems *prometheus.CounterVec
	streams  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stockd_api_seconds", Help: "Time to answer by route and status, streams left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route", "status"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stockd_shed_wait_seconds", Help: "Time that requests waited for a place before work on them began, by class.",
			Buckets: []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"class"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stockd_api_problems_total", Help: "Refusals by type of problem."}, []string{"type"}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "stockd_api_streams", Help: "Availability streams that are open."}),
	}
	reg.MustRegister(m.seconds, m.waited, m.problems, m.streams)
	return m
}

// recorder remembers the status, and whether anything was sent.
type recorder struct {
	http.ResponseWriter
	status int
	begun  func()        // called when the answer begins; nil: nothing is
	within time.Duration // how long each write may take; 0: the writer below knows
}

func (r *recorder) WriteHeader(status int) {
	r.begin(status)
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.begin(http.StatusOK)
	return r.ResponseWriter.Write(b)
}

// begin comes before everything that is written.
func (r *recorder) begin(status int) {
	if r.status == 0 {
		r.status = status
		if r.begun != nil {
			r.begun()
		}
	}
	if r.within > 0 {
		// Not every writer has deadlines (tests).
		_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Now().Add(r.within))
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// wrap makes a handler of a route: limit of reads, the gate, errors to problems, metrics.
func (s *server) wrap(rt route) http.Handler {
	name := strings.TrimSpace(rt.method + " " + rt.path)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		start := s.Now()
		err := s.admitRead(rt, r)
		if err == nil {
			err = s.let(rt, rec, r)
		}
		if err != nil {
			s.refused(rec, r, err)
		}
		if !strings.HasSuffix(rt.path, "/stream") {
			s.metrics.seconds.WithLabelValues(name, strconv.Itoa(rec.status)).Observe(s.Now().Sub(start).Seconds())
		}
	})
}

func (s *server) admitRead(rt route, r *http.Request) error {
	if !rt.read || s.reads == nil {
		return nil
	}
	client, weight := s.reader(r)
	wait, ok := s.reads.take(client, weight, s.Now())
	if ok {
		return nil
	}
	return refuse(kindRateLimited, "Read less often, or follow the stream of availability.").after(wait)
}

// refused turns an error into a problem document. When the answer has begun there is nothing left to say: the connection is cut, so that
// nobody takes a part for the whole.
func (s *server) refused(w *recorder, r *http.Request, err error) {
	p := asProblem(err)
	if p.kind == kindInternal {
		id := "urn:uuid:" + uuid.NewString()
		p = p.with("instance", id)
		s.Log.Error("request failed", "instance", id, "method", r.Method, "path", r.URL.Path, "error", err)
	} else if p.cause != nil {
		s.Log.Debug("request refused", "type", p.kind.name, "path", r.URL.Path, "error", err)
	}
	s.metrics.problems.WithLabelValues(p.kind.name).Inc()
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	p.write(w)
}

// asProblem finds the problem in an error. An unknown error is ours, and its text stays here.
func asProblem(err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, ErrMoving):
		return refuse(kindMoving, "Repeat the request with the same key.").after(movingRetry).because(err)
	case errors.Is(err, ErrLedgerAway):
		return refuse(kindLedgerAway, "Nothing was promised and nothing is lost. Repeat the request with the same key.").after(jitter(awayRetry)).because(err)
	case errors.Is(err, ErrOverloaded), errors.Is(err, context.DeadlineExceeded):
		return refuse(kindOverloaded, "Repeat the request with the same key.").after(jitter(overloadRetry)).because(err)
	case errors.Is(err, context.Canceled):
		return refuse(kindOverloaded, "The request was given up.").after(movingRetry).because(err)
	}
	return refuse(kindInternal, "Tell the instance to those who run this.").because(err)
}

// When to ask again.
const (
	movingRetry   = 20 * time.Millisecond
	busyRetry     = 50 * time.Millisecond
	overloadRetry = 500 * time.Millisecond
	awayRetry     = 200 * time.Millisecond // the request has waited in the owner's queue already; when the ledger is back it should be asked at once
	streamRetry   = 2 * time.Second
)

// guard is around everything: a panic is answered and logged with an id, whatever answers gets the headers that all answers have, and neither a
// body that drips in nor a reader who does not read keeps a connection busy for longer than it may.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		rec := &recorder{ResponseWriter: w, within: answerWriteMax}
		if strings.HasSuffix(r.URL.Path, "/stream") {
			rec.within = streamWriteMax
		}
		if r.ContentLength != 0 {
			readWithin(w, bodyWithin)
		}
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if abort, ok := reason.(error); ok && errors.Is(abort, http.ErrAbortHandler) {
				panic(reason)
			}
			id := "urn:uuid:" + uuid.NewString()
			s.Log.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("instance", id), slog.String("method", r.Method),
				slog.String("path", r.URL.Path), slog.Any("reason", reason), slog.String("stack", string(debug.Stack())))
			s.metrics.problems.WithLabelValues(kindInternal.name).Inc()
			if rec.status != 0 {
				panic(http.ErrAbortHandler)
			}
			refuse(kindInternal, "Tell the instance to those who run this.").with("instance", id).write(rec)
		}()
		next.ServeHTTP(rec, r)
	})
}

func methodNotAllowed(methods []string) func(*server, http.ResponseWriter, *http.Request) error {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(slices.Clone(methods), http.MethodHead)
	}
	slices.Sort(methods)
	list := strings.Join(methods, ", ")
	return func(*server, http.ResponseWriter, *http.Request) error {
		return refuse(kindMethod, "Possible here: "+list+".").set("Allow", list)
	}
}

func (s *server) notFound(http.ResponseWriter, *http.Request) error {
	return refuse(kindNotFound, "The paths of the API are in /v1/openapi.yaml.")
}
