package node

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"ticketrush/client"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// internalBodyMax bounds what a node takes from another: counts of thousands of segments fit.
const internalBodyMax = 8 << 20

// InternalHandler answers other nodes and edges. All of it needs the internal key.
func (n *Node) InternalHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /internal/v1/routes", n.serveRoutes)
	mux.HandleFunc("POST /internal/v1/commands", n.serveCommand)
	mux.HandleFunc("GET /internal/v1/holds/{id}", n.serveHold)
	mux.HandleFunc("POST /internal/v1/nudge", n.serveNudge)
	mux.HandleFunc("POST /internal/v1/goodbye", n.serveGoodbye)
	mux.HandleFunc("POST /internal/v1/announce", n.serveAnnounce)
	mux.HandleFunc("POST /internal/v1/counts", n.serveCounts)
	mux.HandleFunc("POST /internal/v1/catalog", n.serveCatalog)
	mux.HandleFunc("GET /internal/v1/boards/{event}", n.serveBoard)
	mux.HandleFunc("GET /internal/v1/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, n.Status()) })
	if n.tenant != nil {
		mux.Handle(n.tenant.Path(), n.tenant)
		mux.Handle(n.tenant.Path()+"/", n.tenant)
	}
	want := []byte(n.cfg.InternalKey)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(client.KeyHeader)), want) != 1 {
			http.Error(w, "the internal key is missing or wrong", http.StatusUnauthorized)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, internalBodyMax)
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		http.Error(w, "read the body: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// wait reads ?wait_ms=, at most most.
func wait(r *http.Request, most time.Duration) time.Duration {
	ms, _ := strconv.Atoi(r.URL.Query().Get("wait_ms"))
	return min(max(time.Duration(ms)*time.Millisecond, 0), most)
}

// poll is the context of a long poll: it ends with its client, or when the node has handed off.
func (n *Node) poll(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(n.polling, cancel)
	return ctx, func() { stop(); cancel() }
}

func (n *Node) serveRoutes(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := n.poll(r)
	defer cancel()
	writeJSON(w, n.table.since(ctx, r.URL.Query().Get("since"), wait(r, 20*time.Second)))
}

// serveCommand runs a command that another node has forwarded. It is never forwarded again.
func (n *Node) serveCommand(w http.ResponseWriter, r *http.Request) {
	var in commandDoc
	if !readJSON(w, r, &in) {
		return
	}
	if in.Part >= stock.Partitions || partOf(&in.Command) != in.Part {
		http.Error(w, "the command is not for that partition", http.StatusBadRequest)
		return
	}
	answer, err := n.here(r.Context(), in.Part, in.Command, max(0, time.Duration(in.WaitedMs)*time.Millisecond))
	out := commandAnswer{Answer: answer}
	var moving *ErrMoving
	switch {
	case err == nil:
	case errors.Is(err, errNotOwner):
		out.Problem, out.RetryMs = owner.ProblemNotOwner, hopPause.Milliseconds()
		n.metrics.misdirected.Inc()
	case errors.As(err, &moving):
		out.Problem, out.RetryMs = owner.ProblemMoving, moving.RetryAfter.Milliseconds()
	case errors.Is(err, ErrLedgerAway):
		out.Problem = owner.ProblemLedgerAway
	case errors.Is(err, ErrOverloaded):
		out.Problem = owner.ProblemOverloaded
	case errors.Is(err, ErrFailed):
		out.Problem = owner.ProblemFailed
	default: // stopped, or the other has gone
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, out)
}

func (n *Node) serveHold(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		http.Error(w, "not an id", http.StatusBadRequest)
		return
	}
	view, ok := n.findHere(id)
	writeJSON(w, holdDoc{Found: ok, Hold: view})
}

func (n *Node) serveNudge(w http.ResponseWriter, r *http.Request) {
	var in nudgeDoc
	if readJSON(w, r, &in) {
		n.give(owner.Nudged{Parts: in.Parts})
	}
}

func (n *Node) serveGoodbye(w http.ResponseWriter, r *http.Request) {
	var in goodbyeDoc
	if readJSON(w, r, &in) && in.Node != n.self.ID {
		n.gossip.Gone(in.Node, in.Started)
	}
}

func (n *Node) serveAnnounce(w http.ResponseWriter, r *http.Request) {
	var in announceDoc
	if readJSON(w, r, &in) && in.Node.ID != "" {
		n.hear(in.Node, in.Parts)
	}
}

func (n *Node) serveCounts(w http.ResponseWriter, r *http.Request) {
	var in countsDoc
	if readJSON(w, r, &in) {
		n.mergeCounts(in.Segments)
	}
}

// serveCatalog takes a change of the catalog over at once.
func (n *Node) serveCatalog(w http.ResponseWriter, r *http.Request) {
	if err := n.refreshCatalog(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

func (n *Node) serveBoard(w http.ResponseWriter, r *http.Request) {
	event, err := strconv.ParseInt(r.PathValue("event"), 10, 32)
	if err != nil {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	b := n.boards.get(stock.EventID(event))
	ctx, cancel := n.poll(r)
	defer cancel()
	writeJSON(w, b.document(ctx, r.URL.Query().Get("since"), wait(r, 10*time.Second)))
}
