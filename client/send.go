package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// errSlow ends a try whose first byte did not come in time. The node may be busy and healthy: it is not left out.
var errSlow = errors.New("the node did not answer in time")

// errOvertaken ends a try at a node that is not the one to ask any more: its stock has gone to another, or it has gone itself. It may be frozen and
// would let the request wait for its whole time.
var errOvertaken = errors.New("the node is not the one to ask any more")

// send is one try. The time limit ends when the headers arrive; from then on the body may take as long as it likes (event streams).
func (c *Client) send(k *call, addr string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(k.req.Context())
	out := k.req.Clone(ctx)
	out.URL.Scheme, out.URL.Host = "http", addr
	if scheme, host, ok := strings.Cut(addr, "://"); ok {
		out.URL.Scheme, out.URL.Host = scheme, strings.TrimSuffix(host, "/")
	}
	out.RequestURI = ""
	stripHeaders(out.Header)
	out.Header.Set("X-Stockd-Direct", "1")
	if k.internal {
		out.Header.Set(KeyHeader, c.cfg.InternalKey)
	}
	if k.remake != nil {
		k.body = k.remake()
	}
	out.Body, out.ContentLength, out.TransferEncoding = bodyReader(k.body), int64(len(k.body)), nil
	out.GetBody = func() (io.ReadCloser, error) { return bodyReader(k.body), nil }
	timer := time.AfterFunc(c.wait(k, addr), func() { cancel(errSlow) })
	unwatch := c.watch(k, addr, cancel)
	resp, err := c.transport.RoundTrip(out)
	if inTime, same := timer.Stop(), unwatch(); err == nil && (!inTime || !same) {
		resp.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errSlow) || errors.Is(cause, errOvertaken) {
			err = cause
		}
		cancel(err)
		return nil, err
	}
	resp.Request = k.req
	resp.Body = &body{resp.Body, cancel}
	return resp, nil
}

// watch ends a try that can be repeated once the routes say that another node is to be asked. What the try does is found again by its key. The
// returned function ends the watch and says whether the try was left alone.
func (c *Client) watch(k *call, addr string, cancel context.CancelCauseFunc) (end func() bool) {
	before, changed := c.routes.overtaken(addr, k)
	if !k.repeatable || before { // it was sent here knowing better, as to the last node there is
		return func() bool { return true }
	}
	done := make(chan struct{})
	var ended atomic.Bool
	go func() {
		for overtaken := false; !overtaken; overtaken, changed = c.routes.overtaken(addr, k) {
			select {
			case <-changed:
			case <-done:
				return
			}
		}
		if !ended.Swap(true) {
			cancel(errOvertaken)
		}
	}()
	return func() bool {
		close(done)
		return !ended.Swap(true)
	}
}

// countedOutWait bounds a try at a node that the others have counted out. It may be frozen, and it may be that only the others do not reach it while
// it sells what it owns.
const countedOutWait = 300 * time.Millisecond

// wait is the time to the first byte of the next try.
func (c *Client) wait(k *call, addr string) time.Duration {
	if k.repeatable && !c.routes.lives(addr, k.internal) {
		return min(countedOutWait, max(time.Until(k.deadline), time.Millisecond))
	}
	wait := c.cfg.WriteWait
	if k.req.Method == http.MethodGet || k.req.Method == http.MethodHead {
		wait = c.cfg.ReadWait
		if k.tries > 0 {
			wait *= 2
		}
	}
	if k.patience > 0 {
		wait = k.patience
	}
	return min(wait, max(time.Until(k.deadline), time.Millisecond))
}

// body ends its try's context when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(context.Canceled)
	return err
}

// notSent is whether the request cannot have reached the node.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// problem is an answer of the client's own (RFC 9457).
func problem(req *http.Request, status int, kind, title string) *http.Response {
	text, err := json.Marshal(map[string]any{"type": kind, "title": title, "status": status})
	if err != nil {
		panic(err) // strings and a number
	}
	resp := &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}},
		Body:   bodyReader(text), ContentLength: int64(len(text)),
	}
	if status == http.StatusServiceUnavailable {
		resp.Header.Set("Retry-After", "1")
	}
	return resp
}
