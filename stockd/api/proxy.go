package api

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// proxy hands reads on to the node that merges an event's availability.
type proxy struct {
	transport *http.Transport
}

func newProxy() *proxy {
	return &proxy{transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 100 * time.Millisecond}).DialContext,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: 2 * time.Second,
	}}
}

// atEventNode answers a read where the event's changes come together. When that node cannot be reached, what is known here has to do.
func (s *server) atEventNode(w http.ResponseWriter, r *http.Request, ev *Event, here func() error) error {
	owner, self, known := s.Node.EventNode(ev.Number)
	if self || !known || r.Header.Get("X-Stockd-Hop") != "" {
		return here()
	}
	failed := false
	reverse := &httputil.ReverseProxy{
		Transport:     s.proxy.transport,
		FlushInterval: -1, // streams
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: owner.APIAddr})
			p.Out.Host = p.In.Host
			p.Out.Header.Set("X-Stockd-Hop", "1")
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			failed = true
			s.Log.Debug("event node did not answer", "addr", owner.APIAddr, "error", err)
		},
	}
	reverse.ServeHTTP(w, r)
	if failed && r.Context().Err() == nil {
		return here()
	}
	return nil
}
