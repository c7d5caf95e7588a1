package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// errSlow ends a try whose first byte did not come in time. The node may be busy and healthy: it is not left out.
var errSlow = errors.New("the node did not answer in time")

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
	out.Body, out.ContentLength, out.TransferEncoding = bodyReader(k.body), int64(len(k.body)), nil
	out.GetBody = func() (io.ReadCloser, error) { return bodyReader(k.body), nil }
	timer := time.AfterFunc(c.wait(k), func() { cancel(errSlow) })
	resp, err := c.transport.RoundTrip(out)
	if !timer.Stop() && err == nil {
		resp.Body.Close()
		err = errSlow
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			err = errSlow
		}
		cancel(err)
		return nil, err
	}
	resp.Request = k.req
	resp.Body = &body{resp.Body, cancel}
	return resp, nil
}

// wait is the time to the first byte of the next try.
func (c *Client) wait(k *call) time.Duration {
	wait := c.cfg.WriteWait
	if k.req.Method == http.MethodGet || k.req.Method == http.MethodHead {
		wait = c.cfg.ReadWait
		if k.tries > 0 {
			wait *= 2
		}
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
