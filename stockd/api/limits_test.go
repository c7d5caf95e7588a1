package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ticketrush/stockd/account"
	"ticketrush/stockd/stock"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// siteSecret is what the organiser's site of the tests signs with.
const siteSecret = "the secret of the organiser's site"

// siteKeys is it as a JWK set.
func siteKeys() string {
	return fmt.Sprintf(`{"keys":[{"kty":"oct","kid":"1","k":%q}]}`, base64.RawURLEncoding.EncodeToString([]byte(siteSecret)))
}

// accountToken is what the site gives to somebody who is logged in.
func accountToken(t testing.TB, name string, now time.Time, life time.Duration) option {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": name, "aud": "ticketrush", "iat": now.Unix(), "exp": now.Add(life).Unix()})
	token.Header["kid"] = "1"
	text, err := token.SignedString([]byte(siteSecret))
	if err != nil {
		t.Fatal(err)
	}
	return header(accountHeader, text)
}

// limited is a world whose event has limits, and which believes the site's tokens.
func limited(t *testing.T, tid, perAccount, document int32) *world {
	t.Helper()
	w := newWorld(t)
	var err error
	if w.server.Accounts, err = account.NewVerifier([]byte(siteKeys()), "", "ticketrush"); err != nil {
		t.Fatal(err)
	}
	ev := *w.node.events[1]
	ev.LimitTid, ev.LimitAccount, ev.LimitDocument = tid, perAccount, document
	w.node.events[1] = &ev
	return w
}

func (w *world) logged(name string) option { return accountToken(w.t, name, w.now, time.Minute) }

const holdsOfDemo = "/v1/events/demo/holds"

func best(n int, buyer string) string {
	if buyer != "" {
		buyer = `"buyer":` + buyer + `,`
	}
	return fmt.Sprintf(`{%s"best_available":{"quantity":%d,"together":"any"}}`, buyer, n)
}

func (r result) wantLimit(t testing.TB, dimension string, limit, used float64) {
	t.Helper()
	r.want(t, 409, "limit-reached")
	if r.body["dimension"] != dimension || r.body["limit"] != limit || r.body["used"] != used {
		t.Fatalf("%s, want %s %v of %v", r.text, dimension, used, limit)
	}
}

// One account counts together under all visitors that it is logged in as, whether its site sends the token or the name, and apart from others.
func TestLimitPerAccount(t *testing.T) {
	t.Parallel()
	w := limited(t, 3, 4, 0)
	w.do("POST", holdsOfDemo, best(3, ""), w.admitted(1), w.logged("u_812")).want(t, 201, "")
	w.do("POST", holdsOfDemo, best(2, ""), w.admitted(2), w.logged("u_812")).wantLimit(t, "account", 4, 3)
	w.do("POST", holdsOfDemo, best(2, `{"account":"u_812"}`), bearerKey(sellKey)).wantLimit(t, "account", 4, 3)
	w.do("POST", holdsOfDemo, best(1, `{"account":"u_812"}`), w.admitted(2), w.logged("u_812")).want(t, 201, "")
	k := key(uuid.NewString())
	r := w.do("POST", holdsOfDemo, best(1, ""), w.admitted(3), w.logged("u_812"), k)
	r.wantLimit(t, "account", 4, 4)
	if r.string("detail") != "Your account has 4 of at most 4. Tickets that are held, being paid and bought count together." {
		t.Errorf("%s", r.text)
	}
	w.do("POST", holdsOfDemo, best(1, ""), w.admitted(3), w.logged("u_813")).want(t, 201, "")
	// The refusal is remembered, also under a renewed token.
	w.now = w.now.Add(30 * time.Second)
	w.do("POST", holdsOfDemo, best(1, ""), w.admitted(3), w.logged("u_812"), k).wantLimit(t, "account", 4, 4)
	w.do("POST", holdsOfDemo, best(1, ""), w.admitted(3), w.logged("u_814"), k).want(t, 422, "key-reused")
	w.do("POST", holdsOfDemo, best(3, ""), w.admitted(1), w.logged("u_815")).wantLimit(t, "tid", 3, 3)
}

// Without an account its limit counts per visitor, the smaller of the two, unless a token is wanted.
func TestLimitPerAccountWithoutOne(t *testing.T) {
	t.Parallel()
	w := limited(t, 6, 2, 0)
	w.do("POST", holdsOfDemo, best(1, ""), w.admitted(1)).want(t, 201, "")
	w.do("POST", holdsOfDemo, best(2, ""), w.admitted(1)).wantLimit(t, "tid", 2, 1)
	w.do("POST", holdsOfDemo, best(2, ""), w.admitted(2)).want(t, 201, "")
	w.do("POST", holdsOfDemo, best(5, ""), bearerKey(sellKey)).want(t, 201, "") // a box office need not name anybody
	w.server.AccountRequired = true
	r := w.do("POST", holdsOfDemo, best(1, ""), w.admitted(3)).want(t, 401, "account-token")
	if r.body["reason"] != "missing" || !strings.Contains(r.string("detail"), accountHeader) || r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s", r.text)
	}
	w.do("POST", holdsOfDemo, best(1, ""), w.admitted(3), w.logged("u_1")).want(t, 201, "")
	w = limited(t, 0, 2, 0)
	ev := *w.node.events[1]
	ev.Room = ""
	w.node.events[1] = &ev
	if r := w.do("POST", holdsOfDemo, best(1, "")).want(t, 401, "account-token"); r.body["reason"] != "missing" {
		t.Errorf("without a room nobody is told apart: %s", r.text)
	}
	w.do("POST", holdsOfDemo, best(2, ""), w.logged("u_1")).want(t, 201, "")
	w.do("POST", holdsOfDemo, best(1, ""), w.logged("u_1")).wantLimit(t, "account", 2, 2)
}

func TestAccountTokenThatIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := limited(t, 6, 4, 0)
	twice := func(o option) option {
		return func(r *http.Request) { o(r); r.Header.Add(accountHeader, "x") }
	}
	for name, c := range map[string]struct {
		token  option
		body   string
		status int
		kind   string
		reason string
	}{
		"expired":        {accountToken(t, "u_1", w.now.Add(-time.Hour), time.Minute), best(1, ""), 401, "account-token", "expired"},
		"no JWT":         {header(accountHeader, "hello"), best(1, ""), 401, "account-token", "malformed"},
		"empty":          {header(accountHeader, ""), best(1, ""), 401, "account-token", "malformed"},
		"twice":          {twice(w.logged("u_1")), best(1, ""), 401, "account-token", "malformed"},
		"another buyer":  {w.logged("u_1"), best(1, `{"account":"u_2"}`), 403, "forbidden", ""},
		"no token":       {without(accountHeader), best(1, `{"account":"u_2"}`), 403, "forbidden", ""},
		"an empty buyer": {w.logged("u_1"), best(1, `{"account":""}`), 422, "invalid", ""},
	} {
		r := w.do("POST", holdsOfDemo, c.body, w.admitted(1), c.token)
		if r.status != c.status || r.body["type"] != "/problems/"+c.kind || c.reason != "" && r.body["reason"] != c.reason {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
	}
	w.server.Accounts = nil
	if r := w.do("POST", holdsOfDemo, best(1, ""), w.admitted(1), w.logged("u_1")).want(t, 401, "account-token"); r.body["reason"] != "not-configured" {
		t.Errorf("%s", r.text)
	}
}

// Documents count per ticket, however they are written.
func TestLimitPerDocument(t *testing.T) {
	t.Parallel()
	w := limited(t, 0, 0, 2)
	h := w.do("POST", holdsOfDemo, best(3, `{"documents":["X-123 4567","p987","x1234567"]}`), w.admitted(1)).want(t, 201, "")
	k := key(uuid.NewString())
	r := w.do("POST", holdsOfDemo, best(2, `{"documents":["q1111","Ｘ１２３４５６７"]}`), w.admitted(2), k)
	r.wantLimit(t, "document", 2, 2)
	if !strings.HasPrefix(r.string("detail"), "One of the documents has 2 of at most 2.") {
		t.Errorf("%s", r.text)
	}
	w.do("POST", holdsOfDemo, best(2, `{"documents":["Q 1111","x1234567"]}`), w.admitted(2), k).wantLimit(t, "document", 2, 2) // the same request
	w.do("POST", holdsOfDemo, best(2, `{"documents":["q1111","P 987"]}`), w.admitted(2)).want(t, 201, "")
	w.do("POST", holdsOfDemo, `{"buyer":{"documents":["p987"]},"items":[{"area":"floor"}]}`, w.admitted(2)).wantLimit(t, "document", 2, 2)
	w.do("DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
	w.do("POST", holdsOfDemo, `{"buyer":{"documents":["x1234567","X1234567"]},"items":[{"area":"floor","quantity":2}]}`, w.admitted(3)).want(t, 201, "")
	for name, body := range map[string]string{
		"none":     best(1, ""),
		"too few":  best(2, `{"documents":["x1234567"]}`),
		"too many": best(1, `{"documents":["x1234567","p987"]}`),
		"no text":  best(1, `{"documents":[" - "]}`),
		"short":    best(1, `{"documents":["a-1-2"]}`),
		"long":     best(1, `{"documents":["`+strings.Repeat("9", documentMax+1)+`"]}`),
		"many":     best(1, `{"documents":[`+strings.Repeat(`"x1234567",`, stock.QuantityMax)+`"x1234567"]}`),
	} {
		r := w.do("POST", holdsOfDemo, body, w.admitted(4))
		if r.status != 422 || !strings.Contains(string(r.text), "/buyer/documents") {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
	}
	w = limited(t, 0, 0, 0) // nobody asks for them: they are taken, and not counted
	w.do("POST", holdsOfDemo, best(1, `{"documents":["x1234567"]}`), w.admitted(1)).want(t, 201, "")
	if len(w.node.used) != 0 {
		t.Errorf("counted: %v", w.node.used)
	}
}

// What the nodes count by says nothing about a person, and differs from event to event and from deployment to deployment.
func TestPseudonyms(t *testing.T) {
	t.Parallel()
	a, b := newServer(Config{Pseudonyms: []byte("one")}), newServer(Config{Pseudonyms: []byte("two")})
	x, y := &Event{ID: uuid.New()}, &Event{ID: uuid.New()}
	seen := map[uuid.UUID]bool{}
	for _, id := range []uuid.UUID{
		a.pseudonym("document", x, "X1234567"), b.pseudonym("document", x, "X1234567"), a.pseudonym("document", y, "X1234567"),
		a.pseudonym("account", x, "X1234567"), a.pseudonym("document", x, "X1234568"), hashed("document", []byte("X1234567")),
	} {
		if seen[id] {
			t.Errorf("%v is there twice", id)
		}
		seen[id] = true
	}
	if !seen[a.pseudonym("document", x, "X1234567")] {
		t.Error("it is not the same for the same person")
	}
}

// What stands in the way may be given up: ask again, and nothing is remembered.
func TestLimitBusy(t *testing.T) {
	t.Parallel()
	w := limited(t, 4, 0, 0)
	h := w.do("POST", holdsOfDemo, best(4, ""), w.admitted(1)).want(t, 201, "")
	w.node.trying = true
	k := key(uuid.NewString())
	r := w.do("POST", holdsOfDemo, best(1, ""), w.admitted(1), k).want(t, 503, "limit-busy")
	if r.header.Get("X-Stockd-Retry-After-Ms") == "" || r.header.Get("Retry-After") == "" {
		t.Errorf("%v", r.header)
	}
	w.do("DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
	w.do("POST", holdsOfDemo, best(1, ""), w.admitted(1), k).want(t, 201, "")
}

// FuzzDocument: a document that is written down once more in its plain form is the same.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{"X-123 4567", "p987", "Ｘ１２３", "ß", "ŉabc", "١٢٣٤", "\xff", "", "\u0345", "ﬁnal", "K1234"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain := normalizedDocument(text)
		if again := normalizedDocument(plain); again != plain || !utf8.ValidString(plain) {
			t.Fatalf("%q is %q, and that is %q", text, plain, again)
		}
	})
}
