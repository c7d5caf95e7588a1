package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ticketrush/pass"
	"ticketrush/room"
)

type endpoint func(*Handler, http.ResponseWriter, *http.Request)

// reads and writes are the endpoints by name: those that are asked by GET, and those that change something.
var (
	reads = map[string]endpoint{
		"place": (*Handler).servePlace, "receipt": (*Handler).serveReceipt, "log/draw": (*Handler).serveDraw, "frontier": (*Handler).serveFrontier,
		"frontier/stream": (*Handler).serveStream, "page": (*Handler).servePage, "stock": (*Handler).serveStock,
	}
	writes = map[string]endpoint{
		"join": (*Handler).serveJoin, "claim": (*Handler).serveClaim, "renew": (*Handler).serveRenew, "leave": (*Handler).serveLeave,
		"offer": (*Handler).serveOffer, "handover": (*Handler).serveHandover,
	}
)

// serveEndpoint serves /.wr/v1/{room}/…
func (h *Handler) serveEndpoint(w http.ResponseWriter, r *http.Request, name string) {
	if asset, ok := strings.CutPrefix(name, "assets/"); ok && get(w, r) {
		h.serveAsset(w, r, asset)
		return
	}
	if part, ok := strings.CutPrefix(name, "log/"); ok && part != "draw" {
		if get(w, r) {
			h.serveLog(w, r, part)
		}
		return
	}
	switch {
	case reads[name] != nil:
		if get(w, r) {
			reads[name](h, w, r)
		}
	case writes[name] != nil:
		if h.post(w, r) {
			writes[name](h, w, r)
		}
	case !strings.HasPrefix(name, "assets/"):
		problem{Type: "/problems/not-found", Title: "No such endpoint of the waiting room", Status: http.StatusNotFound}.write(w)
	}
}

func get(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	wrongMethod(w, "GET, HEAD")
	return false
}

func wrongMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	problem{Type: "/problems/method-not-allowed", Title: "Method not allowed", Status: http.StatusMethodNotAllowed, Detail: "Allowed: " + allow}.write(w)
}

// post refuses what must not change anything: other methods, other origins, and requests that may be replays.
func (h *Handler) post(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		wrongMethod(w, "POST")
		return false
	}
	if isEarlyData(r) {
		problem{Type: "/problems/too-early", Title: "Send this again after the TLS handshake", Status: http.StatusTooEarly}.write(w)
		return false
	}
	if err := h.cross.Check(r); err != nil {
		problem{Type: "/problems/cross-origin", Title: "This must come from the site itself", Status: http.StatusForbidden}.write(w)
		return false
	}
	return true
}

// bodyMax bounds what these endpoints read.
const bodyMax = 4 << 10

// input is the body of join, claim, offer and handover: JSON from the page and from apps, a form from the page without JavaScript.
type input struct {
	Nonce     string `json:"nonce"`
	Code      string `json:"code"`      // an access code; for offer and handover a place's
	Key       string `json:"key"`       // the browser's public key
	Challenge string `json:"challenge"` // what a claim was to sign
	Signature string `json:"signature"` // of it
	Anew      bool   `json:"anew"`      // join as if there were no place yet
	Return    string `json:"return"`    // where the link of an offer leads
	device    deviceKey
	back      string
	form      bool
}

var nonceText = regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`)

func (h *Handler) input(w http.ResponseWriter, r *http.Request) (in input, ok bool) {
	refuse := func(status int, detail string) (input, bool) {
		problem{Type: "/problems/invalid", Title: "The request cannot be read", Status: status, Detail: detail}.write(w)
		return in, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body may have %d bytes.", bodyMax))
	}
	if isForm(r.Header.Get("Content-Type")) {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if err := r.ParseForm(); err != nil {
			return refuse(http.StatusBadRequest, "The form is malformed.")
		}
		return input{form: prefersHTML(r), back: r.PostForm.Get("return"), Code: r.PostForm.Get("code")}, true
	}
	if len(body) == 0 || string(body) == "{}" {
		return in, true
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return refuse(http.StatusBadRequest, "The body is not the JSON that is asked for: "+strings.TrimPrefix(err.Error(), "json: ")+".")
	}
	if in.Nonce != "" && !nonceText.MatchString(in.Nonce) {
		return refuse(http.StatusBadRequest, "nonce has 22 to 128 characters of base64url.")
	}
	if in.Key != "" {
		if in.device, err = readDeviceKey(in.Key); err != nil {
			return refuse(http.StatusBadRequest, err.Error()+".")
		}
	}
	return in, true
}

// isForm says whether a content type is that of a form; most are application/json, which needs no parsing.
func isForm(contentType string) bool {
	if contentType == "application/json" {
		return false
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/x-www-form-urlencoded"
}

// placeJSON is what join and place answer.
type placeJSON struct {
	Tid        string        `json:"tid"`
	Rank       string        `json:"rank"`
	Class      room.Class    `json:"class"`
	Place      string        `json:"place,omitempty"`
	InDraw     bool          `json:"in_draw,omitempty"` // the room's owner has stored that this place of the lobby will be drawn
	Bound      bool          `json:"bound"`             // to the key of the browser that joined
	State      room.Standing `json:"state"`
	Position   int64         `json:"position"`
	WaitS      int64         `json:"wait_s"`
	NextPollMs int64         `json:"next_poll_ms"`
}

func (h *Handler) writePlace(w http.ResponseWriter, v visit) {
	view := h.look(v)
	h.describe(w, view)
	writeJSON(w, http.StatusOK, placeJSON{
		Tid: v.tid.String(), Rank: strconv.FormatUint(v.rank, 10), Class: room.RankClass(v.rank), Place: v.place,
		InDraw: v.inDraw(), Bound: v.bound(), State: view.Standing,
		Position: view.Position, WaitS: wholeSeconds(view.Wait), NextPollMs: jitter(view.NextPoll).Milliseconds(),
	})
}

// inDraw says whether the room's owner has stored that this place of the lobby will be drawn. The place itself says so, at every edge.
func (v *visit) inDraw() bool { return v.place != "" && v.rank == 0 && v.flags&pass.InDraw != 0 }

func randomTid() (tid room.Tid) {
	_, _ = rand.Read(tid[:]) // never fails
	return tid
}

// serveJoin gives a place, or the one that the visitor has.
func (h *Handler) serveJoin(w http.ResponseWriter, r *http.Request) {
	in, ok := h.input(w, r)
	if !ok {
		return
	}
	v := h.visit(r)
	if in.Code != "" {
		if _, _, err := h.readCode(in.Code); err != nil {
			h.refusal(w, err) // before a place is given that nobody asked for
			return
		}
	}
	if in.Anew {
		v = visit{}
	}
	if v.place == "" {
		flags := pass.Unbound
		if in.form {
			flags |= pass.NoJS
		}
		var err error
		if v, err = h.join(r.Context(), h.tidOf(&in), flags); err != nil {
			h.refusal(w, err)
			return
		}
	}
	if !v.inDraw() && v.rank == 0 && h.keeper.phase() == room.PhaseLobby {
		// Nobody said in time that the owner has it, here or at another edge. It may be told twice: the draw's list is a set.
		again, err := h.join(r.Context(), v.tid, v.flags)
		if err != nil {
			h.refusal(w, err)
			return
		}
		v.flags = again.flags
		if err := h.signPlace(&v); err != nil {
			h.notReady(w)
			return
		}
	}
	if err := h.bind(&v, &in.device); err != nil {
		h.refusal(w, err)
		return
	}
	if in.Code != "" {
		if err := h.redeem(r.Context(), &v, in.Code); err != nil {
			h.refusal(w, err)
			return
		}
	}
	h.setPlace(w, r, v)
	if in.form {
		w.Header().Set("Cache-Control", "no-store, private")
		http.Redirect(w, r, h.safeReturn(in.back), http.StatusSeeOther)
		return
	}
	h.writePlace(w, v)
}

// lobbyPatience is how long a join in the lobby waits for the owner's word that the visitor is in the draw. Beyond, the page asks again.
const lobbyPatience = 2 * time.Second

// join gives a place and signs it.
func (h *Handler) join(ctx context.Context, tid room.Tid, flags pass.Flags) (v visit, err error) {
	k := h.keeper
	if k.keys.Load() == nil {
		return v, errNotReady
	}
	k.mu.Lock()
	rank, err := k.edge.Join(time.Now(), tid, room.ClassArrival)
	edition, mark, urgent := k.edge.Edition(), k.edge.LobbyMark(), k.edge.Urgent()
	k.mu.Unlock()
	if err != nil {
		return v, err
	}
	metrics.joins.WithLabelValues(h.Room).Inc()
	if rank == 0 {
		ctx, cancel := context.WithTimeout(ctx, lobbyPatience)
		defer cancel()
		if k.whenSynced(ctx, func(e *room.Edge) bool { return e.InDraw(mark) }) {
			flags |= pass.InDraw
		}
	} else if urgent {
		k.nudge() // the frontier may open for this place at once
	}
	v = visit{tid: tid, rank: rank, flags: flags, edition: edition}
	return v, h.signPlace(&v)
}

// signPlace makes the text of a place.
func (h *Handler) signPlace(v *visit) (err error) {
	kind, now := pass.Queued, time.Now()
	if v.rank == 0 {
		kind = pass.Lobby
	}
	v.place, err = h.keeper.keys.Load().Sign(&pass.Token{
		Type: kind, Flags: v.flags, Room: h.keeper.number, Edition: v.edition, Renewal: v.handed, Tid: v.tid, Rank: v.rank, BrowserKey: v.key, Risk: v.risk,
		Issued: now, Expires: now.Add(h.placeLife(now)),
	})
	v.fresh = true
	return err
}

// placeLife reaches to the end of the sale.
func (h *Handler) placeLife(now time.Time) time.Duration {
	life := time.Duration(h.Place)
	h.keeper.mu.RLock()
	ends := h.keeper.edge.Ends()
	h.keeper.mu.RUnlock()
	if !ends.IsZero() {
		life = max(life, ends.Sub(now)+time.Hour)
	}
	return life
}

func (h *Handler) setPlace(w http.ResponseWriter, r *http.Request, v visit) {
	life := h.placeLife(time.Now())
	h.setCookie(w, r, h.names.securePlace, h.names.plainPlace, v.place, life, false)
	public := strconv.Itoa(int(room.RankClass(v.rank))) + "." + strconv.FormatUint(v.rank, 10) + "." + v.tid.String()
	h.setCookie(w, r, h.names.public, h.names.public, public, life, true)
}

func (h *Handler) servePlace(w http.ResponseWriter, r *http.Request) {
	if h.keeper.keys.Load() == nil {
		h.notReady(w)
		return
	}
	v := h.visit(r)
	if v.place == "" && v.pass == "" {
		h.noPlace(w)
		return
	}
	if v.fresh {
		h.setPlace(w, r, v)
	}
	h.writePlace(w, v)
}

func (h *Handler) noPlace(w http.ResponseWriter) {
	if _, ready := h.edition(); !ready {
		h.notReady(w)
		return
	}
	problem{
		Type: "/problems/no-place", Title: "You have no place in this line", Status: http.StatusUnauthorized,
		Detail: "Join first. A place of an earlier edition of the room is void.", Join: h.base + "/join",
	}.write(w)
}

type stockJSON struct {
	Left       *int64       `json:"left"`
	Categories []placesLeft `json:"categories,omitempty"`
	Sections   []placesLeft `json:"sections,omitempty"`
}

// serveStock says what is left of the room's event, as far as the edge knows.
func (h *Handler) serveStock(w http.ResponseWriter, r *http.Request) {
	var out stockJSON
	if h.Event != "" {
		out.Left = h.app.counts.left(h.Event)
		out.Sections, out.Categories = h.app.counts.places(h.Event)
	}
	body, err := json.Marshal(out)
	if err != nil {
		h.notReady(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=1, s-maxage=1")
	sum := sha256.Sum256(body)
	serveBytes(w, r, body, nil, fmt.Sprintf(`W/"%x"`, sum[:8]))
}

// claimWait is how long a claim is kept in the room before the visitor is told to ask again: so long lower ranks can still overtake.
const claimWait = 1500 * time.Millisecond

// claim asks the room for a pass. When it is granted, it is durable. The visit gets another place where the owner gives one.
func (h *Handler) claim(ctx context.Context, v *visit) (s room.Session, granted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, claimWait+ownerPatience)
	defer cancel()
	if v.rank == 0 {
		return s, false, nil
	}
	c, err := h.keeper.ask().Claim(ctx, room.Claim{Tid: v.tid, Rank: v.rank, Until: time.Now().Add(claimWait), Handed: v.handed})
	if err != nil {
		return s, false, err
	}
	if c.Moved != 0 {
		v.rank = c.Moved
		return s, false, h.signPlace(v)
	}
	return c.Session, c.Granted, nil
}
