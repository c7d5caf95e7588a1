package api

import (
	"net/http"
	"strings"
	"time"
)

// tokenOf is the token of a hold or an order: from its header, or else from the cookie that is named as its id.
func tokenOf(r *http.Request, header, id string) string {
	if text := r.Header.Get(header); text != "" {
		return text
	}
	cookie, err := r.Cookie(cookieName(id))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// cookieName is hold_<uuid>, order_<uuid> or tkt_<uuid>.
func cookieName(id string) string {
	if rest, ok := strings.CutPrefix(id, prefixOrder); ok {
		return "order_" + rest
	}
	return id
}

// setToken gives a browser the token, out of reach for scripts. Lax, because the way back from the bank is a navigation from another site.
func (s *server) setToken(w http.ResponseWriter, r *http.Request, id, token string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(id), Value: token, Path: "/v1/", HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode,
		MaxAge: max(60, int(secondsUntil(until, s.Now()))),
	})
}

// clearToken takes the cookie back; only one that the request has sent.
func (s *server) clearToken(w http.ResponseWriter, r *http.Request, id string) {
	if _, err := r.Cookie(cookieName(id)); err != nil {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName(id), Path: "/v1/", HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode, MaxAge: -1})
}
