package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"ticketrush/caddymodule/page"
	"ticketrush/pass"
	"ticketrush/room"
)

// keepWaiting answers a request to a protected path that has no living pass.
func (h *Handler) keepWaiting(w http.ResponseWriter, r *http.Request, v visit) {
	navigation := isNavigation(r)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.decided(r, "refused")
		problem{
			Type: "/problems/admission-required", Title: "You need to pass the waiting room first", Status: http.StatusForbidden,
			Detail: "Join the line, wait for your turn, claim a pass, and send the request again with it.", Join: h.base + "/join",
		}.write(w)
		return
	}
	if navigation && v.place == "" && !isPrefetch(r) && !isEarlyData(r) && h.keeper.phase() != room.PhaseLobby {
		// The order of arrival is that of the first request, whatever the page then costs to load. In the lobby nobody is before anybody: there the
		// page joins with its key, or a press of its button does, so that a person who opens it twice is in the draw once.
		if fresh, err := h.join(r.Context(), randomTid(), pass.NoJS|pass.Unbound); err == nil {
			fresh.cookie = false
			v = fresh
		}
	}
	view := h.look(v)
	if navigation && v.cookie && !v.bound() && r.Method == http.MethodGet && !isPrefetch(r) && !isEarlyData(r) &&
		(view.Standing == room.StandingEligible || view.Standing == room.StandingAdmitted) {
		// The second contact of a client that keeps cookies: its turn, so it goes straight on.
		s, granted, err := h.claim(r.Context(), &v)
		v.moved = errors.Is(err, room.ErrHandedOver)
		if granted && h.setPass(w, r, v, s) {
			h.decided(r, "entered")
			w.Header().Set("Cache-Control", "no-store, private")
			http.Redirect(w, r, localPath(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		view = h.look(v)
	}
	h.decided(r, "queued")
	if v.fresh && navigation {
		h.setPlace(w, r, v)
	}
	h.describe(w, view)
	if navigation {
		h.renderPage(w, r, v, view, r.URL.RequestURI())
		return
	}
	h.queuedProblem(w, v, view)
}

// look says how a visitor stands; the zero view, with no standing, is for one without a place.
func (h *Handler) look(v visit) room.View {
	k := h.keeper
	k.mu.RLock()
	defer k.mu.RUnlock()
	now := time.Now()
	if !k.edge.Ready() {
		return room.View{Standing: room.StandingPaused, NextPoll: 3 * time.Second}
	}
	if v.pass != "" {
		return room.View{Standing: room.StandingAdmitted, NextPoll: 3 * time.Second}
	}
	view := k.edge.Look(now, v.rank)
	if v.place == "" && view.Standing != room.StandingEnded && view.Standing != room.StandingPaused && view.Standing != room.StandingAnnounced {
		return room.View{NextPoll: time.Second}
	}
	return view
}

// describe sets the headers that tell a client how it stands.
func (h *Handler) describe(w http.ResponseWriter, view room.View) {
	hd := w.Header()
	state := view.Standing
	if state == "" {
		state = "new"
	}
	hd.Set("Wr-State", string(state))
	if view.Position > 0 {
		hd.Set("Wr-Position", strconv.FormatInt(view.Position, 10))
	}
	hd.Set("Wr-Next-Poll", strconv.FormatInt(view.NextPoll.Milliseconds(), 10))
	setRetryAfter(hd, jitter(view.NextPoll))
}

// jitter spreads a delay by a quarter, so that a crowd does not ask in step.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// wholeSeconds rounds up, since 0 means that a wait is not known.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (h *Handler) queuedProblem(w http.ResponseWriter, v visit, view room.View) {
	p := problem{
		Type: "/problems/queued", Title: "You are in the waiting room", Status: http.StatusTooManyRequests, Join: h.base + "/join",
		Position: view.Position, WaitS: wholeSeconds(view.Wait), NextPollMs: jitter(view.NextPoll).Milliseconds(),
	}
	if v.place != "" {
		p.Rank = strconv.FormatUint(v.rank, 10)
	}
	switch view.Standing {
	case room.StandingPaused:
		p.Type, p.Title, p.Status = "/problems/room-paused", "The waiting room is paused; your place is kept", http.StatusServiceUnavailable
	case room.StandingEnded:
		p.Type, p.Title, p.Status = "/problems/room-ended", "The sale has ended", http.StatusForbidden
	case room.StandingLobby, room.StandingAnnounced:
		p.Title = "The sale has not opened yet"
	case room.StandingEligible, room.StandingAdmitted:
		p.Title = "It is your turn: claim your pass"
	}
	p.write(w)
}

// pages has buffers to write pages into.
var pages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// renderPage answers a navigation with the page, in place. What is unusual about it comes in changes.
func (h *Handler) renderPage(w http.ResponseWriter, r *http.Request, v visit, view room.View, back string, changes ...func(*page.Data)) {
	status := h.Status
	switch view.Standing {
	case room.StandingPaused:
		status = http.StatusServiceUnavailable
	case room.StandingEnded:
		status = http.StatusOK
	}
	refresh := max(5, int(view.NextPoll/time.Second))
	if v.place == "" || v.moved {
		refresh = 0
	}
	var stock *int64
	if h.Event != "" {
		stock = h.app.counts.left(h.Event)
	}
	b := pages.Get().(*bytes.Buffer)
	defer pages.Put(b)
	b.Reset()
	data := page.Data{
		Room: h.Room, RoomTitle: h.Title, Base: h.base, Return: localPath(back), Position: view.Position,
		State: h.pageState(v, view), BeginsS: h.begins(view), InDraw: v.inDraw(), Bound: v.bound(),
		Drawn:       v.place != "" && v.rank != 0 && room.RankClass(v.rank) == room.ClassLobby,
		WaitSeconds: wholeSeconds(view.Wait), NextPollMs: firstPoll(v, view), Lang: page.PickLocale(r.Header.Get("Accept-Language")),
		NoJSRefreshSeconds: refresh, StockLeft: stock,
	}
	for _, change := range changes {
		change(&data)
	}
	if err := h.page.Render(b, data); err != nil {
		h.log.Error("render the waiting-room page", zap.Error(err))
		h.notReady(w)
		return
	}
	hd := w.Header()
	hd.Add("Vary", "Accept, Sec-Fetch-Dest, Accept-Language")
	setHeaders(hd,
		"Content-Type", "text/html; charset=utf-8",
		"Content-Security-Policy", page.CSP,
		"Cache-Control", "no-store, private",
		"X-Robots-Tag", "noindex",
		"X-Content-Type-Options", "nosniff",
		"Referrer-Policy", "same-origin",
		"Content-Length", strconv.Itoa(b.Len()),
	)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

// pageState gives the state that the page shows.
func (h *Handler) pageState(v visit, view room.View) string {
	switch phase := h.keeper.phase(); {
	case v.moved:
		return "moved"
	case v.place == "" && phase == room.PhaseLobby:
		return "lobby-new"
	case view.Standing == room.StandingLobby && phase == room.PhaseDrawing:
		return "drawing"
	case view.Standing == room.StandingQueued && view.Position == 1 && view.Wait == 0:
		return "next" // in a full house
	}
	return string(view.Standing)
}

// begins gives the seconds until what somebody waits for who has no number yet.
func (h *Handler) begins(view room.View) int64 {
	h.keeper.mu.RLock()
	defer h.keeper.mu.RUnlock()
	d := h.keeper.edge.Document()
	if d == nil {
		return 0
	}
	at := d.OpensAt
	if view.Standing == room.StandingAnnounced {
		at = d.LobbyAt
	}
	if at.IsZero() {
		return 0
	}
	return max(0, wholeSeconds(time.Duration(at.UnixMilli()-h.keeper.edge.Time(time.Now()))*time.Millisecond))
}

// firstPoll lets somebody whose turn may be now ask at once.
func firstPoll(v visit, view room.View) int64 {
	if v.place == "" || view.Position <= 1 {
		return 0
	}
	return jitter(view.NextPoll).Milliseconds()
}

// servePage is the page by itself; `return` is the path that leads on.
func (h *Handler) servePage(w http.ResponseWriter, r *http.Request) {
	v := h.visit(r)
	view := h.look(v)
	back := r.URL.Query().Get("return")
	if back == "" {
		back = h.Return
	}
	h.describe(w, view)
	h.renderPage(w, r, v, view, h.safeReturn(back))
}

// safeReturn gives a path of this site that the room protects, else the configured one.
func (h *Handler) safeReturn(back string) string {
	if back == "" || localPath(back) != back {
		return h.Return
	}
	return back
}

func (h *Handler) serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	body, gz, contentType, etag, ok := h.page.Asset(name)
	if !ok {
		problem{Type: "/problems/not-found", Title: "No such file", Status: http.StatusNotFound}.write(w)
		return
	}
	hd := w.Header()
	hd.Set("Content-Type", contentType)
	hd.Set("Content-Security-Policy", page.CSP)
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Cache-Control", "public, max-age=300")
	if r.URL.Query().Has("v") {
		hd.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	serveBytes(w, r, body, gz, etag)
}

// refusal turns a room's error into the problem that a client gets.
func (h *Handler) refusal(w http.ResponseWriter, err error) {
	if p, _, ok := handoverRefusal(err); ok {
		p.write(w)
		return
	}
	p := problem{Type: "/problems/admission-required", Title: "You have no living pass", Status: http.StatusUnauthorized, Join: h.base + "/join"}
	switch {
	case errors.Is(err, errNotReady), errors.Is(err, room.ErrAway), errors.Is(err, context.DeadlineExceeded), isUnfit(err):
		h.notReady(w)
		return
	case errors.Is(err, room.ErrClosed):
		p = problem{Type: "/problems/room-ended", Title: "The room gives no places now", Status: http.StatusForbidden,
			Detail: "The sale has ended, or its lobby is not open yet."}
	case errors.Is(err, errCode), errors.Is(err, room.ErrCodeUnknown), errors.Is(err, room.ErrCodeRevoked), errors.Is(err, room.ErrCodeUsed):
		p = problem{Type: "/problems/access-code", Title: "This access code opens no place", Status: http.StatusForbidden,
			Detail: err.Error() + ". Without a code you can join the line as everybody does."}
	case errors.Is(err, errOtherBrowser):
		p = otherBrowser(h.base)
	case errors.Is(err, room.ErrFlooded):
		p = problem{Type: "/problems/too-many-joins", Title: "Too many people join at once", Status: http.StatusServiceUnavailable,
			Detail: "Ask again in a moment.", NextPollMs: 2000}
	case errors.Is(err, room.ErrBanned):
		p = problem{Type: "/problems/admission-revoked", Title: "The site ended your admission", Status: http.StatusForbidden,
			Detail: "Ask the organiser, and name your reference: the first eight digits of your place's id."}
	case errors.Is(err, room.ErrOldPass):
		p.Title = "This pass was renewed elsewhere: claim again"
	case errors.Is(err, room.ErrStay):
		p = problem{Type: "/problems/longest-stay", Title: "The longest stay is reached", Status: http.StatusConflict,
			Detail: "The pass is good until its end. After that, claim again."}
	case err != nil:
		p.Detail = fmt.Sprint(err)
	}
	p.write(w)
}
