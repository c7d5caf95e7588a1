package caddymodule

import (
	"net/http"
	"testing"
	"time"
)

func TestCookieTextIsThatOfNetHTTP(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"", "example.com"} {
		for _, life := range []time.Duration{-time.Second, 0, time.Second / 2, time.Minute, 24 * time.Hour} {
			for _, secure := range []bool{false, true} {
				for _, readable := range []bool{false, true} {
					c := &http.Cookie{
						Name: "__Host-wr_demo_place", Value: "AVAB-_0", Path: "/", Domain: domain, Secure: secure, HttpOnly: !readable,
						SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second),
					}
					if life <= 0 {
						c.MaxAge = -1
					}
					if got := cookieText(c.Name, c.Value, domain, life, secure, readable); got != c.String() {
						t.Errorf("%q, net/http says %q", got, c.String())
					}
				}
			}
		}
	}
}
