package rooms

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/stock"
)

// Headers of the cluster; client.Client consumes them.
const (
	directHeader = "X-Stockd-Direct" // the caller finds the owner itself
	hopHeader    = "X-Stockd-Hop"    // a node has passed it on already
	ownerHeader  = "X-Stockd-Owner"  // on the internal listener: the internal address
	epochHeader  = "X-Stockd-Epoch"
	againHeader  = "X-Stockd-Retry-After-Ms"
)

// againAfter is when to ask again about a room that is on its way.
const againAfter = 20 * time.Millisecond

var roomName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// ServeHTTP answers edges, ops and other nodes; client.RoomsPath says what there is. The node's internal listener has checked the key.
func (r *Rooms) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	rest := strings.Trim(strings.TrimPrefix(req.URL.Path, client.RoomsPath), "/")
	if rest == "" {
		r.serveList(w, req)
		return
	}
	name, verb, _ := strings.Cut(rest, "/")
	serve, limit := route(req.Method, verb)
	switch {
	case !roomName.MatchString(name):
		refuse(w, fmt.Errorf("%w: a room's name has 1 to 32 of a-z, 0-9 and -, and %q has not", client.ErrRoomRequest, name))
		return
	case serve == nil:
		refuse(w, fmt.Errorf("%w: there is no %s %s", client.ErrRoomRequest, req.Method, verb))
		return
	case r.key == nil:
		refuse(w, client.ErrRoomKeys)
		return
	}
	part := client.PartitionOfRoom(name)
	t, served := r.tenancyOf(name, part)
	if !served {
		r.elsewhere(w, req, part)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, limit))
	if err != nil {
		refuse(w, fmt.Errorf("%w: read the body: %w", client.ErrRoomRequest, err))
		return
	}
	serve(r, w, &ask{Request: req, name: name, verb: verb, part: part, body: body, room: t})
}

// ask is a question about a room that this node owns.
type ask struct {
	*http.Request
	name string
	verb string
	part stock.PartitionID
	body []byte
	room *tenancy // nil: it does not run, or there is none
}

// read reads the body into a document.
func (a *ask) read(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("%w: %w", client.ErrRoomRequest, err)
	}
	return nil
}

type serveFunc func(*Rooms, http.ResponseWriter, *ask)

// route is what answers a request, and how large its body may be.
func route(method, verb string) (serveFunc, int64) {
	if method == http.MethodGet && strings.HasPrefix(verb, "log/") {
		return withRoom((*Rooms).serveLog), client.RoomBodyMax
	}
	switch method + " " + verb {
	case "PUT ":
		return (*Rooms).serveEnter, client.RoomBodyMax
	case "GET ":
		return withRoom((*Rooms).serveState), client.RoomBodyMax
	case "POST sync":
		return withRoom((*Rooms).serveSync), client.RoomReportMax
	case "POST claim":
		return withRoom((*Rooms).serveClaim), client.RoomBodyMax
	case "POST renew":
		return withRoom((*Rooms).serveRenew), client.RoomBodyMax
	case "POST leave":
		return withRoom((*Rooms).serveLeave), client.RoomBodyMax
	case "POST ban":
		return withRoom((*Rooms).serveBan), client.RoomBodyMax
	case "POST redeem":
		return withRoom((*Rooms).serveRedeem), client.RoomBodyMax
	case "POST offer":
		return withRoom((*Rooms).serveOffer), client.RoomBodyMax
	case "POST handover":
		return withRoom((*Rooms).serveHandover), client.RoomBodyMax
	case "POST codes":
		return withRoom((*Rooms).serveCodes), client.RoomBodyMax
	case "GET receipt":
		return withRoom((*Rooms).serveReceipt), client.RoomBodyMax
	case "GET draw":
		return withRoom((*Rooms).serveDraw), client.RoomBodyMax
	case "POST change":
		return withRoom((*Rooms).serveChange), client.RoomBodyMax
	}
	return nil, 0
}

// elsewhere answers for a room that this node does not own: who finds owners itself is told where it is, anybody else is passed on, once.
func (r *Rooms) elsewhere(w http.ResponseWriter, req *http.Request, part stock.PartitionID) {
	to, known := r.node.Owner(part)
	switch {
	case !known || to.NodeID == r.node.ID():
		again(w)
	case req.Header.Get(directHeader) == "" && req.Header.Get(hopHeader) == "":
		forward := &httputil.ReverseProxy{
			Transport: r.forward,
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: to.InternalAddr})
				p.Out.Header.Set(hopHeader, "1")
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				r.log.Debug("a room's owner did not answer", "owner", to.NodeID, "error", err)
				again(w)
			},
		}
		forward.ServeHTTP(w, req)
	default:
		w.Header().Set(ownerHeader, to.InternalAddr)
		w.Header().Set(epochHeader, strconv.FormatInt(to.Epoch, 10))
		say(w, http.StatusMisdirectedRequest, client.RoomProblem{Code: "elsewhere", Detail: "another node owns the room's partition"})
	}
}

// again asks to ask again: nothing was done.
func again(w http.ResponseWriter) {
	w.Header().Set(againHeader, strconv.FormatInt(againAfter.Milliseconds(), 10))
	w.Header().Set("Retry-After", "1")
	status, p := client.ProblemOf(errNotReady)
	say(w, status, p)
}

// refuse says why not.
func refuse(w http.ResponseWriter, err error) {
	status, p := client.ProblemOf(err)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		status = http.StatusRequestEntityTooLarge
	}
	say(w, status, p)
}

// say answers with a document; nil: with nothing.
func say(w http.ResponseWriter, status int, v any) {
	text := []byte("{}")
	if v != nil {
		var err error
		if text, err = json.Marshal(v); err != nil {
			status, text = http.StatusInternalServerError, []byte(`{"code":"internal","detail":"the answer cannot be written"}`)
		}
	}
	write(w, status, "application/json", text)
}

func write(w http.ResponseWriter, status int, kind string, text []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the other side has gone: it asks again
}
