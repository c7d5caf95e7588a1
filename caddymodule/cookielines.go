package caddymodule

import (
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ticketrush/pass"
	"ticketrush/room"
)

// A browser inside sends the same cookies with each of its requests. What they prove, and what the site is told of it, is worked out once for a line of
// cookies, and kept in a table of fixed size, where a newer line takes the place of an older one.
//
// What is kept spares the check of the signature and nothing else: whether the pass has ended, is revoked or of an old edition is asked again each time,
// and a line counts only for the keys that verified it.

const (
	linesMax = 8192
	// lineMax bounds the cookies of a line that is kept, in bytes: most of it is the visitor's to choose. So the table has 20 MiB at most.
	lineMax = 1024
)

// cookieLine is what the cookies of somebody inside prove. It is not changed once it is finished.
type cookieLine struct {
	keys  *pass.Keyring // which verified it
	token pass.Token    // the pass

	// What finish adds.
	cookies    string // as they were sent; empty: not to be kept
	secure     bool   // sent by TLS, where fewer names count
	tid, class any    // for the request's variables
	headers    [6]string
}

// The headers of a line: the site's, and the cookies that are left for it.
var lineHeaders = [...]string{"X-Wr-Room", "X-Wr-Tid", "X-Wr-Class", "X-Wr-Risk", "X-Wr-Pass", "Cookie"}

func (l *cookieLine) pass() string { return l.headers[4] }

// finish works out what follows from a pass that was let in, and hides its cookies from the site.
func (l *cookieLine) finish(h *Handler, r *http.Request, v *visit) {
	tid, class := v.tid.String(), int(room.RankClass(v.rank))
	if sent := r.Header["Cookie"]; isLine(r, sent) && v.renewed == nil {
		l.cookies, l.secure = sent[0], isSecure(r)
	}
	h.hideCookies(r)
	l.tid, l.class = tid, class
	l.headers = [...]string{h.Room, tid, strconv.Itoa(class), strconv.Itoa(int(v.risk)), v.pass, strings.Join(r.Header["Cookie"], "; ")}
}

// tell tells the site who it is, by headers and variables. The headers' values are this request's own, since a handler may change them in place.
func (l *cookieLine) tell(h *Handler, r *http.Request, vars map[string]any) {
	values := l.headers
	for i, name := range lineHeaders {
		r.Header[name] = values[i : i+1 : i+1]
	}
	if values[5] == "" {
		delete(r.Header, "Cookie")
	}
	vars["waiting_room.state"] = "admitted"
	vars["waiting_room.tid"], vars["waiting_room.class"] = l.tid, l.class
	vars[h.admittedVar] = true
}

// cookieLines is safe for concurrent use. A nil one remembers nothing.
type cookieLines struct {
	seed  maphash.Seed
	slots [linesMax]atomic.Pointer[cookieLine]
}

func newCookieLines() *cookieLines { return &cookieLines{seed: maphash.MakeSeed()} }

func (l *cookieLines) slot(cookies string) *atomic.Pointer[cookieLine] {
	return &l.slots[maphash.String(l.seed, cookies)%linesMax]
}

// find gives what is known of the cookies of a request, where its pass has not ended by itself; nil: nothing.
func (l *cookieLines) find(r *http.Request, keys *pass.Keyring, now time.Time) *cookieLine {
	sent := r.Header["Cookie"]
	if l == nil || !isLine(r, sent) {
		return nil
	}
	known := l.slot(sent[0]).Load()
	if known == nil || known.cookies != sent[0] || known.keys != keys || known.secure != isSecure(r) || !now.Before(known.token.Expires) {
		return nil
	}
	return known
}

func (l *cookieLines) keep(known *cookieLine) {
	if l != nil && known.cookies != "" {
		l.slot(known.cookies).Store(known)
	}
}

// isLine says whether all that a request may prove is in one header of cookies, of a size that is kept.
func isLine(r *http.Request, sent []string) bool {
	if len(sent) != 1 || len(sent[0]) > lineMax {
		return false
	}
	_, other := byHeader(r)
	return !other
}

// byHeader gives the token that a request brings in its Authorization header.
func byHeader(r *http.Request) (text string, ok bool) {
	if all := r.Header["Authorization"]; len(all) > 0 {
		return strings.CutPrefix(all[0], "WaitingRoom ")
	}
	return "", false
}
