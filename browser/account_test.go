//go:build browser

package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTicketGoesToAnAccount is the shop of a site that has accounts: whoever is not signed in is sent to sign in, comes back to the same ticket without its code in
// any address, and takes it with the token of their account. The API here only plays what a node with account keys answers; the shop is stockd site.
func TestTicketGoesToAnAccount(t *testing.T) {
	const code = "KJ4MZTQ8WP2XVHN7RBCD"
	asked := make(chan string, 100) // addresses that the site was asked for
	mux := http.NewServeMux()
	mux.Handle("/", shopOf(t, "--account", "/session/token", "--sign-in", "/login"))
	mux.HandleFunc("GET /session/token", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("session"); err != nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fmt.Fprint(w, "grace.s.token\n")
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
		http.Redirect(w, r, r.URL.Query().Get("return"), http.StatusSeeOther)
	})
	ticket := map[string]any{"id": "tkt_0190f000-0000-7000-8000-000000000000", "seat": "N-1-1", "section": "N", "type": "adult", "code": "x", "state": "valid", "needs_name": false, "event": "evt_1",
		"name_changes_left": 0, "transfers_left": 2, "svg": "/assets/logo.svg"}
	for path, body := range map[string]any{
		"POST /v1/ticket-offers":      map[string]any{"offer": map[string]any{"expires_at": "2027-01-01T00:00:00Z"}, "event": "evt_1", "seat": "N-1-1", "section": "N", "type": "adult", "names": "none", "needs_account": true},
		"GET /v1/events/{ev}":         map[string]any{"name": "A concert", "starts_at": "2027-12-24T19:00:00Z"},
		"GET /v1/events/{ev}/{rules}": map[string]any{"names": "none", "transfers": 3, "changes_until": "2027-12-24T19:00:00Z"},
		"GET /v1/tickets/{ticket}":    ticket,
		"POST /v1/ticket-transfers":   ticket,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/v1/ticket-transfers" && r.Header.Get("X-Account-Token") != "grace.s.token" {
				w.WriteHeader(http.StatusUnauthorized)
				body = map[string]any{"type": "/problems/account-token", "title": "x", "status": 401, "reason": "missing"}
			}
			_ = json.NewEncoder(w).Encode(body) // the browser went away: nothing to do
		})
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String() + r.Referer()
		mux.ServeHTTP(w, r)
	}))
	defer site.Close()

	grace := newFan(t, startChromium(t), "Grace with an account", 320)
	grace.do("follow the link", chromedp.Navigate(site.URL+"/t/#"+code))
	grace.says("#lead", "belong to accounts")
	grace.says(".ticket .seat", "Row 1, seat 1")
	grace.checked("a ticket that wants an account")
	grace.do("sign in", click("#buttons .primary"))
	grace.says("#buttons .primary", "Take the ticket")
	grace.do("take it", click("#buttons .primary"))
	grace.says("#heading", "Your ticket")
	grace.quiet("a ticket of an account")
	for len(asked) > 0 {
		if at := <-asked; strings.Contains(at, code) {
			t.Errorf("the code is in the address %s", at)
		}
	}
}

// shopOf runs stockd site, and passes requests on to it.
func shopOf(t *testing.T, flags ...string) http.Handler {
	t.Helper()
	target, err := url.Parse(place{}.serves(t, append([]string{"site", "--addr", "127.0.0.1:0"}, flags...)...))
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(target)
}
