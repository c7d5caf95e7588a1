package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"ticketrush/pass"
	"ticketrush/stockd/account"
	"ticketrush/stockd/shed"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is everything that the API stands on.
type Config struct {
	Node   Node
	Orders Orders
	// RoomKeys verify passes. Nil means that no pass can be verified: then holds of events with a room are for API keys only.
	RoomKeys *pass.Keyring
	// Accounts believes the account tokens of the organiser's site. Nil means that no such token can be believed.
	Accounts *account.Verifier
	// AccountRequired says that events with a limit per account want a token, also of visitors with a pass. Without it their limit counts per visitor.
	AccountRequired bool
	// Pseudonyms is the secret that accounts and documents are hashed with before they are counted: 32 bytes, the same on all nodes, and the same
	// for as long as an event is on sale. Needed.
	Pseudonyms []byte
	Log        *slog.Logger // nil: slog.Default
	Registry   *prometheus.Registry
	// Retry makes a call of the outbox due again, by its number; 0: all that were given up. It says how many there were. Nil: there is no outbox.
	Retry func(ctx context.Context, id int64) (int64, error)
	// Sandbox serves /sandbox/, Admin the admin page; nil leaves them out.
	Sandbox, Admin http.Handler
	// Finance is what the finance page reads; nil: there is none, and its calls say so.
	Finance Finance
	// ReadsPerSecond bounds the reads of one visitor, 0 means 20; bursts may be twice that. An address that says no more than itself may
	// stand for many people and gets ten times as much. Negative: no limit.
	ReadsPerSecond float64
	// StreamsMax bounds the availability streams of this node, 0 means 10,000; each costs some 40 kB. Past it, clients are told to poll.
	StreamsMax int
	// Gate decides who is served when more come than can be; nil means one with the defaults of shed.Config.
	Gate *shed.Gate
	// GateBegan is where the gate's clock begins, for who shares the gate; zero means now.
	GateBegan time.Time
	// TrustedProxies are the addresses whose X-Forwarded-For, X-Forwarded-Proto and X-Wr-… are believed; nil means loopback.
	TrustedProxies []netip.Prefix
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// server holds what the handlers share. It is read only once made, apart from what guards itself.
type server struct {
	Config
	began   time.Time     // the gate's clock counts from here
	bodies  chan struct{} // a place in it is a large body that may be read
	reads   *readLimit
	streams chan struct{} // a place in it is a stream that may run
	maps    mapCache
	snaps   snapshots
	sold    soldOut
	metrics *metrics
	proxy   *proxy
	mux     *http.ServeMux
}

// New makes the handler of the API's listener.
func New(cfg Config) http.Handler {
	return newServer(cfg).handler()
}

func newServer(cfg Config) *server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	if cfg.TrustedProxies == nil {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	s := &server{
		Config:  cfg,
		began:   cfg.GateBegan,
		bodies:  make(chan struct{}, largeBodies),
		streams: make(chan struct{}, cmp.Or(cfg.StreamsMax, 10_000)),
		metrics: newMetrics(cfg.Registry),
		proxy:   newProxy(),
	}
	if s.began.IsZero() {
		s.began = time.Now()
	}
	if s.Gate == nil {
		s.Gate, _ = shed.New(shed.Config{}) // the defaults are right
	}
	cfg.Registry.MustRegister(gateMetrics{s})
	if rate := cmp.Or(cfg.ReadsPerSecond, 20); rate > 0 {
		s.reads = newReadLimit(rate, 2*rate)
	}
	return s
}

// route is one operation of the contract.
type route struct {
	method, path string
	serve        func(*server, http.ResponseWriter, *http.Request) error
	gating
}

// routes are the operations that are answered here; those of Sandbox and Admin are mounted beside them.
var routes = []route{
	{http.MethodPost, "/v1/charts", (*server).postChart, operate},
	{http.MethodPost, "/v1/events", (*server).postEvent, operate},
	{http.MethodGet, "/v1/events/{ev}", (*server).getEvent, browse},
	{http.MethodPatch, "/v1/events/{ev}", (*server).patchEvent, operate},
	{http.MethodPost, "/v1/events/{ev}/cancellation", (*server).postCancellation, operate},
	{http.MethodGet, "/v1/events/{ev}/cancellation", (*server).getCancellation, operate},
	{http.MethodPost, "/v1/events/{ev}/postponement", (*server).postPostponement, operate},
	{http.MethodGet, "/v1/events/{ev}/report", (*server).getReport, operate},
	{http.MethodGet, "/v1/events/{ev}/changes", (*server).getChanges, operate},
	{http.MethodGet, "/v1/events/{ev}/map", (*server).getMap, browse},
	{http.MethodGet, "/v1/events/{ev}/availability", (*server).getAvailability, browse},
	{http.MethodGet, "/v1/events/{ev}/availability/stream", (*server).getStream, browse},
	{http.MethodPost, "/v1/events/{ev}/holds", (*server).postHold, hold},
	{http.MethodGet, "/v1/holds/{id}", (*server).getHold, look},
	{http.MethodPatch, "/v1/holds/{id}", (*server).patchHold, buy},
	{http.MethodDelete, "/v1/holds/{id}", (*server).deleteHold, buy},
	{http.MethodPost, "/v1/holds/{id}/order", (*server).postOrder, buy},
	{http.MethodGet, "/v1/orders/{id}", (*server).getOrder, look},
	{http.MethodPost, "/v1/orders/{id}/cancel", (*server).postCancel, buy},
	{http.MethodPost, "/v1/orders/{id}/offer", (*server).postSeatOffer, buy},
	{http.MethodPost, "/v1/orders/{id}/refunds", (*server).postRefund, buy},
	{http.MethodPost, "/v1/orders/{id}/payments", (*server).postPayment, buy},
	{http.MethodGet, "/v1/orders/{id}/tickets", (*server).getTickets, look},
	{http.MethodGet, "/v1/orders/{id}/tickets.html", (*server).getTicketsPage, look},
	{http.MethodGet, "/v1/orders/{id}/tickets.pdf", (*server).getTicketsPDF, look},
	{http.MethodGet, "/v1/orders/{id}/receipt", (*server).getReceipt, look},
	{http.MethodGet, "/v1/orders/{id}/receipt.html", (*server).getReceiptPage, look},
	{http.MethodGet, "/v1/orders/{id}/receipt.pdf", (*server).getReceiptPDF, look},
	{http.MethodPost, "/v1/orders/{id}/links", (*server).postLink, buy},
	{http.MethodPost, "/v1/order-links", (*server).postOpenLink, buy},
	{http.MethodGet, "/v1/tickets/{file}", (*server).getTicketFile, look},
	{http.MethodGet, "/v1/events/{ev}/ticket-rules", (*server).getTicketRules, browse},
	{http.MethodPut, "/v1/events/{ev}/ticket-rules", (*server).putTicketRules, operate},
	{http.MethodPut, "/v1/orders/{id}/tickets/{ticket}/holder", (*server).putHolder, buy},
	{http.MethodPut, "/v1/tickets/{ticket}/holder", (*server).putHolder, buy},
	{http.MethodPost, "/v1/tickets/{ticket}/offers", (*server).postOffer, buy},
	{http.MethodDelete, "/v1/tickets/{ticket}/offers/{offer}", (*server).deleteOffer, buy},
	{http.MethodPost, "/v1/ticket-offers", (*server).postOfferCode, buy},
	{http.MethodPost, "/v1/ticket-transfers", (*server).postTransfer, buy},
	{http.MethodGet, "/v1/events/{ev}/gate-bundle", (*server).getGateBundle, operate},
	{http.MethodGet, "/v1/events/{ev}/revocations", (*server).getRevocations, operate},
	{http.MethodPost, "/v1/events/{ev}/checkins", (*server).postCheckins, buy},
	{http.MethodPost, "/v1/webhooks/{provider}", (*server).postWebhook, buy},
	{http.MethodGet, "/v1/openapi.yaml", (*server).getContract, browse},
	{http.MethodGet, "/healthz", (*server).getHealth, openly},
	{http.MethodGet, "/readyz", (*server).getReady, openly},
	{http.MethodGet, "/metrics", (*server).getMetrics, openly},
	{http.MethodGet, "/admin/status", (*server).getAdminStatus, operate},
	{http.MethodGet, "/admin/finance/overview", (*server).getFinance, operate},
	{http.MethodGet, "/admin/finance/detail", (*server).getFinanceDetail, operate},
	{http.MethodGet, "/admin/finance/exports/{kind}", (*server).getFinanceExport, operate},
	{http.MethodPost, "/admin/outbox/retry", (*server).postOutboxRetry, operate},
}

// handler wires the routes. What no route takes is answered by us too, so that 404 and 405 are problem documents like everything else.
func (s *server) handler() http.Handler {
	s.mux = http.NewServeMux()
	allowed := map[string][]string{}
	for _, rt := range routes {
		s.mux.Handle(rt.method+" "+rt.path, s.wrap(rt))
		allowed[rt.path] = append(allowed[rt.path], rt.method)
	}
	for path, methods := range allowed {
		s.mux.Handle(path, s.wrap(route{path: path, serve: methodNotAllowed(methods), gating: openly}))
	}
	if s.Sandbox != nil {
		s.mux.Handle("/sandbox/", detach(s.Sandbox))
	}
	if s.Admin != nil {
		s.mux.Handle("/admin", s.Admin)
		s.mux.Handle("/admin/", s.Admin)
	}
	s.mux.Handle("/", s.wrap(route{path: "/", serve: (*server).notFound, gating: openly}))
	return s.guard(s.mux)
}
