package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"ticketrush/pass"
	"ticketrush/room"
)

// visit is what a request proves about its sender.
type visit struct {
	tid     room.Tid
	rank    uint64
	flags   pass.Flags
	key     browserKey // to which the place is bound; zero: none
	risk    byte
	handed  uint16        // how often the place was handed over to another device
	moved   bool          // the room's owner has said that another device has the place now
	place   string        // text of a valid place token; empty: none
	pass    string        // text of a living pass; empty: none
	renewal uint16        // of the pass
	edition uint16        // of the room
	cookie  bool          // the place came in a cookie, so the client keeps cookies
	fresh   bool          // the place is not the one that the request brought: its cookie is to be set
	renewed *room.Session // the pass is not the one that the request brought: its cookie is to be set
	line    *cookieLine   // that brought the pass
}

// visit reads the tokens of a request. Only what verifies, and is of the room's edition, counts.
func (h *Handler) visit(r *http.Request) visit {
	v := h.admission(r)
	h.readPlace(r, &v)
	return v
}

// admission reads the pass of a request: what somebody who is inside needs, and no more.
func (h *Handler) admission(r *http.Request) (v visit) {
	keys := h.keeper.keys.Load()
	if keys == nil {
		return v
	}
	now := time.Now()
	if known := h.lines.find(r, keys, now); known != nil && h.admit(r, &v, &known.token, known.pass(), now) {
		if v.line = known; v.renewed != nil { // its pass is another now
			v.line = &cookieLine{keys: keys, token: known.token}
		}
		return v
	}
	var tok pass.Token
	var found [textsMax]string
	for _, text := range h.texts(r, found[:0], h.names.securePass, h.names.plainPass) {
		if keys.Verify(text, pass.Pass, h.keeper.number, now, &tok) == nil && h.admit(r, &v, &tok, text, now) {
			v.line = &cookieLine{keys: keys, token: tok}
			break
		}
	}
	return v
}

// readPlace adds the place of a request to its pass.
func (h *Handler) readPlace(r *http.Request, v *visit) {
	if h.keeper.keys.Load() == nil {
		return
	}
	now := time.Now()
	var tok pass.Token
	var found [textsMax]string
	for i, text := range h.texts(r, found[:0], h.names.securePlace, h.names.plainPlace) {
		if h.hold(v, &tok, text, now) {
			v.cookie = i > 0 || r.Header.Get("Authorization") == ""
			break
		}
	}
}

// hold takes a place that verifies, is of the present edition, and is not somebody else's than the pass.
func (h *Handler) hold(v *visit, tok *pass.Token, text string, now time.Time) bool {
	keys := h.keeper.keys.Load()
	err := keys.Verify(text, pass.Queued, h.keeper.number, now, tok)
	if err != nil {
		err = keys.Verify(text, pass.Lobby, h.keeper.number, now, tok)
	}
	edition, ready := h.edition()
	if err != nil || !ready || tok.Edition != edition || v.pass != "" && v.tid != room.Tid(tok.Tid) {
		return false
	}
	v.tid, v.rank, v.flags, v.key, v.risk, v.place, v.edition = tok.Tid, tok.Rank, tok.Flags, tok.BrowserKey, tok.Risk, text, edition
	v.handed = tok.Renewal
	if lots := h.keeper.lots.Load(); v.rank == 0 && lots != nil {
		v.rank = lots.Rank(v.tid)
		return h.signPlace(v) == nil
	}
	return true
}

func (h *Handler) edition() (uint16, bool) {
	h.keeper.mu.RLock()
	defer h.keeper.mu.RUnlock()
	return h.keeper.edge.Edition(), h.keeper.edge.Ready()
}

// admit says whether a pass that verifies lets its bearer in. Where this edge cannot know, because both it and the room's owner are younger than the pass,
// the owner is asked, and the pass renewed.
func (h *Handler) admit(r *http.Request, v *visit, tok *pass.Token, text string, now time.Time) bool {
	h.keeper.mu.RLock()
	err := h.keeper.edge.Alive(now, tok.Tid, tok.Issued, tok.Expires)
	same := tok.Edition == h.keeper.edge.Edition()
	h.keeper.mu.RUnlock()
	if !same || err != nil && !errors.Is(err, room.ErrUnsure) {
		return false
	}
	in := *v
	in.tid, in.rank, in.flags, in.key, in.risk = tok.Tid, tok.Rank, tok.Flags, tok.BrowserKey, tok.Risk
	in.pass, in.renewal, in.edition = text, tok.Renewal, tok.Edition
	if err != nil && !h.assure(r.Context(), &in) {
		return false
	}
	*v = in
	return true
}

// assure has a pass renewed that only the owner can vouch for.
func (h *Handler) assure(ctx context.Context, v *visit) bool {
	s, err := h.renew(ctx, *v, 0)
	if errors.Is(err, room.ErrStay) {
		return true // it lives, and is as long as it may be
	}
	if err == nil {
		v.pass, err = h.signPass(*v, s)
	}
	if err != nil {
		return false
	}
	v.renewal, v.renewed = s.Renewal, &s
	return true
}

// tokensMax bounds the cookies of one name that are tried: a sibling host may have planted some.
const tokensMax = 2

// textsMax is what a request may bring of one kind: in its Authorization header, and in the cookies of two names.
const textsMax = 1 + 2*tokensMax

// texts appends the texts that may be tokens of one kind, the Authorization header first.
func (h *Handler) texts(r *http.Request, list []string, secureName, plainName string) []string {
	if text, ok := byHeader(r); ok {
		list = append(list, text)
	}
	list = appendCookies(list, r, secureName)
	if !isSecure(r) { // on a connection that is safe only the names that a browser guards are read
		list = appendCookies(list, r, plainName)
	}
	return list
}

// appendCookies appends the values of the first cookies of a name. It is net/http's CookiesNamed for values that need no decoding, without the cost of
// the others.
func appendCookies(list []string, r *http.Request, name string) []string {
	n := 0
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			value, ok := strings.CutPrefix(textproto.TrimString(part), name)
			if !ok || !strings.HasPrefix(value, "=") {
				continue
			}
			list = append(list, value[1:])
			if n++; n == tokensMax {
				return list
			}
		}
	}
	return list
}

// cookieNames of a room. The plain ones are for HTTP on a loopback host only.
type cookieNames struct {
	securePlace, plainPlace, securePass, plainPass, public string
	mark                                                   string // in each name
}

// namesOf gives the names for a room whose cookies are those of one host, or of a domain: "__Host-" would allow no Domain.
func namesOf(name, domain string) cookieNames {
	prefix := "__Host-wr_"
	if domain != "" {
		prefix = "__Secure-wr_"
	}
	mark := "wr_" + name + "_p"
	return cookieNames{prefix + name + "_place", mark + "lace", prefix + name + "_pass", mark + "ass", mark + "ub", mark}
}

// isSecure says whether the client speaks TLS, to us or to a proxy that we trust.
func isSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func isLoopback(host string) bool {
	host = strings.ToLower(hostName(host))
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, secureName, plainName, value string, life time.Duration, readable bool) {
	secure := isSecure(r) || !isLoopback(r.Host)
	name := secureName
	if !secure {
		name = plainName
	}
	w.Header().Add("Set-Cookie", cookieText(name, value, h.CookieDomain, life, secure, readable))
	if !slices.Contains(w.Header().Values("Vary"), "Cookie") {
		w.Header().Add("Vary", "Cookie")
	}
}

// cookieText is http.Cookie's String for values that are known to need no care: our own names, tokens, and a domain that was checked. A life of 0 and less
// takes the cookie away.
func cookieText(name, value, domain string, life time.Duration, secure, readable bool) string {
	b := make([]byte, 0, len(name)+len(value)+len(domain)+80)
	b = append(append(append(append(b, name...), '='), value...), "; Path=/"...)
	if domain != "" {
		b = append(append(b, "; Domain="...), domain...)
	}
	if life <= 0 || life >= time.Second { // what ends within a second is left to its token
		b = append(b, "; Max-Age="...)
		b = strconv.AppendInt(b, max(0, int64(life/time.Second)), 10)
	}
	if !readable {
		b = append(b, "; HttpOnly"...)
	}
	if secure {
		b = append(b, "; Secure"...)
	}
	return string(append(b, "; SameSite=Lax"...))
}

// clearCookie removes a cookie that the request did send; never another: an answer to a request without cookies must not take a fresh one away.
func (h *Handler) clearCookie(w http.ResponseWriter, r *http.Request, secureName, plainName string) {
	if len(r.CookiesNamed(secureName)) > 0 || len(r.CookiesNamed(plainName)) > 0 {
		h.setCookie(w, r, secureName, plainName, "", 0, secureName == h.names.public)
	}
}

// hideCookies takes our tokens from what the site sees, and gives the cookies as they were.
func (h *Handler) hideCookies(r *http.Request) []string {
	before := r.Header["Cookie"]
	if !slices.ContainsFunc(before, func(s string) bool { return strings.Contains(s, h.names.mark) }) {
		return before
	}
	var kept strings.Builder
	for _, line := range before {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			name, _, _ := strings.Cut(part, "=")
			switch name {
			case "", h.names.securePlace, h.names.plainPlace, h.names.securePass, h.names.plainPass:
				continue
			}
			if kept.Len() > 0 {
				kept.WriteString("; ")
			} else {
				kept.Grow(len(line))
			}
			kept.WriteString(part)
		}
	}
	if kept.Len() == 0 {
		delete(r.Header, "Cookie")
	} else {
		r.Header["Cookie"] = []string{kept.String()}
	}
	return before
}

// isNavigation says whether a person's browser asks for a page to look at, by Sec-Fetch-Dest, else by the q-values of Accept.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document" || dest == "iframe" || dest == "frame"
	}
	return prefersHTML(r)
}

// prefersHTML says whether Accept names HTML, and nothing of JSON with a higher weight.
func prefersHTML(r *http.Request) bool {
	html, json := 0.0, 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, params, _ := strings.Cut(part, ";")
		weight := acceptWeight(params)
		switch kind = strings.ToLower(strings.TrimSpace(kind)); {
		case kind == "text/html" || kind == "application/xhtml+xml":
			html = max(html, weight)
		case kind == "application/json" || strings.HasSuffix(kind, "+json"):
			json = max(json, weight)
		}
	}
	return html > 0 && html >= json
}

func acceptWeight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		if q, ok := strings.CutPrefix(strings.TrimSpace(strings.ToLower(p)), "q="); ok {
			return parseWeight(q)
		}
	}
	return 1
}

// parseWeight reads 0, 0.5, 1, 1.000; anything else counts as 0.
func parseWeight(q string) float64 {
	whole, digits, _ := strings.Cut(q, ".")
	if whole == "1" && strings.Trim(digits, "0") == "" {
		return 1
	}
	if whole != "0" || len(digits) > 3 {
		return 0
	}
	weight, unit := 0.0, 0.1
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0
		}
		weight += float64(d-'0') * unit
		unit /= 10
	}
	return weight
}

// isPrefetch says that nobody may be looking: such a request must not use up a pass.
func isPrefetch(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || strings.EqualFold(r.Header.Get("Purpose"), "prefetch")
}

// isEarlyData says that the request may be a replay of TLS early data.
func isEarlyData(r *http.Request) bool {
	return r.Header.Get("Early-Data") == "1" || r.TLS != nil && !r.TLS.HandshakeComplete
}

// localPath gives text back when it is a path of this very site, and "/" else: nobody may make the room a springboard to another host.
func localPath(text string) string {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\") {
		return "/"
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "/"
	}
	return text
}
