package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ticketrush/stockd/stock"
)

// call is one request on its way.
type call struct {
	req        *http.Request
	body       []byte
	part       stock.PartitionID
	hasPart    bool
	repeatable bool
	internal   bool          // to the internal listeners, with the key
	patience   time.Duration // for the first byte of a try; 0: the configured one
	remake     func() []byte // makes the body anew for each try; nil: it stays
	hint       string
	deadline   time.Time
	tries      int
}

// RoundTrip carries a request to its owner. See the package comment for what it consumes and what it returns.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	k := &call{req: req, deadline: time.Now().Add(c.cfg.Budget)}
	var err error
	if k.body, err = readBody(req); errors.Is(err, errBodyTooLarge) {
		return problem(req, http.StatusRequestEntityTooLarge, "/problems/invalid", "The request body is larger than 64 KiB."), nil
	} else if err != nil {
		return nil, err
	}
	k.part, k.hasPart = PartitionOf(req)
	k.repeatable = req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions || req.Header.Get("Idempotency-Key") != ""
	return c.carry(k)
}

// carry tries until there is an answer, or the time is up.
func (c *Client) carry(k *call) (*http.Response, error) {
	req := k.req
	if len(c.routes.Nodes()) == 0 {
		c.learn(req.Context())
	}
	for ; k.tries < c.cfg.Tries && time.Now().Before(k.deadline); k.tries++ {
		addr, ok := c.pick(k, time.Now())
		if !ok {
			if c.learn(req.Context()); !k.pause(100 * time.Millisecond) {
				break
			}
			continue
		}
		resp, again, err := c.try(k, addr)
		if resp != nil || err != nil {
			return resp, err
		}
		if !again {
			break
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, context.Cause(req.Context())
	}
	return problem(req, http.StatusServiceUnavailable, "/problems/segment-moving", "The box office for this cannot be reached just now. Nothing is lost: try again in a moment."), nil
}

// try sends the request once. It returns an answer for the caller, or whether to try again.
func (c *Client) try(k *call, addr string) (resp *http.Response, again bool, err error) {
	k.hint = ""
	resp, err = c.send(k, addr)
	if ctx := k.req.Context(); err != nil && ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	if err != nil {
		// A node that is only slow, or was left for another, may be healthy: it is not left out, unless the others have counted it out.
		if !errors.Is(err, errSlow) && !errors.Is(err, errOvertaken) || errors.Is(err, errSlow) && !c.routes.lives(addr, k.internal) {
			c.nodes.failed(addr, time.Now())
		}
		again = (k.repeatable || notSent(err)) && k.pause(time.Duration(k.tries)*5*time.Millisecond)
		return nil, again, nil
	}
	c.nodes.worked(addr)
	switch retry := resp.Header.Get("X-Stockd-Retry-After-Ms"); {
	case resp.StatusCode == http.StatusMisdirectedRequest:
		discard(resp)
		return nil, c.follow421(k, addr, resp), nil
	case resp.StatusCode == http.StatusServiceUnavailable && retry != "" && (k.repeatable || k.internal):
		ms, _ := strconv.Atoi(retry)
		wait := time.Duration(min(max(ms, 1), 1000)) * time.Millisecond
		wait += rand.N(wait/2 + 1) // those who wait for the same partition come back apart
		if time.Now().Add(wait).Before(k.deadline) && k.tries+1 < c.cfg.Tries {
			discard(resp)
			return nil, k.pause(wait), nil
		}
	}
	stripHeaders(resp.Header)
	return resp, false, nil
}

// follow421 notes what a wrong node said.
func (c *Client) follow421(k *call, addr string, resp *http.Response) (again bool) {
	owner := resp.Header.Get("X-Stockd-Owner")
	epoch, _ := strconv.ParseInt(resp.Header.Get("X-Stockd-Epoch"), 10, 64)
	if k.hasPart && c.routes.hint(k.part, owner, epoch, k.internal) {
		c.nodes.worked(owner) // a restarted node has claimed its own again: it is left out no more
	}
	if owner == "" || owner == addr {
		return k.pause(20 * time.Millisecond)
	}
	k.hint = owner
	return k.pause(time.Duration(max(k.tries-1, 0)) * 10 * time.Millisecond) // two nodes that name each other
}

// pause waits, unless the request has ended or has no time left.
func (k *call) pause(d time.Duration) bool {
	if d <= 0 {
		return k.req.Context().Err() == nil
	}
	timer := time.NewTimer(min(d, max(time.Until(k.deadline), 0)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-k.req.Context().Done():
		return false
	}
}

var errBodyTooLarge = errors.New("the body is too large")

func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer req.Body.Close()
	if req.ContentLength > BodyMax {
		return nil, errBodyTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, BodyMax+1))
	if err != nil {
		return nil, err
	}
	if len(body) > BodyMax {
		return nil, errBodyTooLarge
	}
	return body, nil
}

var hopHeaders = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// stripHeaders removes what is between two neighbours only: hop-by-hop headers, and those of the cluster.
func stripHeaders(h http.Header) {
	for _, line := range h.Values("Connection") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopHeaders {
		h.Del(name)
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Stockd-") {
			delete(h, name)
		}
	}
}

func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4096) // so that the connection can be used again
	resp.Body.Close()
}

func bodyReader(b []byte) io.ReadCloser {
	if b == nil {
		return http.NoBody
	}
	return io.NopCloser(bytes.NewReader(b))
}
