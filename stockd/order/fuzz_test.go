package order_test

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// fuzzTTL is longer than any fuzz run.
const fuzzTTL = 10 * time.Minute

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.ledger.SQL().ExecContext(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) release(o ledger.Order) {
	w.t.Helper()
	a, err := w.node.Do(w.t.Context(), stock.Command{Kind: stock.KindRelease, Event: w.event.Number, Segment: 1, Hold: o.Hold, Request: request(), Order: o.ID})
	if err != nil || a.Code != stock.CodeOK {
		w.t.Fatalf("release: %+v %v", a, err)
	}
}

func FuzzTicketCode(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	good := order.TicketCode{KeyID: 3, Event: uuid.New(), Ticket: uuid.New(), Seat: 1<<24 | 7, Type: 2, ValidFrom: time.Unix(1_800_000_000, 0), ValidUntil: time.Unix(1_900_000_000, 0)}.Sign(key)
	f.Add(good)
	f.Add("")
	f.Add(strings.Repeat("A", len(good)))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := order.ParseTicketCode(text, key.Public().(ed25519.PublicKey))
		if err != nil {
			if !errors.Is(err, order.ErrTicketCode) {
				t.Errorf("%q gives %v", text, err)
			}
			return
		}
		if c.Sign(key) != text {
			t.Errorf("%q is read as %+v, which is another code", text, c)
		}
	})
}

func TestTicketCodeOfAnotherKey(t *testing.T) {
	t.Parallel()
	seed := make([]byte, ed25519.SeedSize)
	code := order.TicketCode{Ticket: uuid.New()}.Sign(ed25519.NewKeyFromSeed(seed))
	seed[0] = 1
	if _, err := order.ParseTicketCode(code, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)); !errors.Is(err, order.ErrTicketCode) {
		t.Errorf("another key gives %v", err)
	}
	for i := range code {
		bent := code[:i] + string(rune('A'+(code[i]+1)%26)) + code[i+1:]
		if bent == code {
			continue
		}
		if _, err := order.ParseTicketCode(bent, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)); err == nil {
			t.Errorf("a code with letter %d changed is valid", i)
		}
	}
}

func FuzzToken(f *testing.F) {
	tokens, err := order.NewTokens(1, make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	id := uuid.MustParse("11111111-2222-8333-8444-555555555555")
	good := tokens.New(order.PurposeHold, id)
	f.Add(good)
	f.Add("sh1.1..")
	f.Fuzz(func(t *testing.T, text string) {
		if err := tokens.Check(order.PurposeHold, text, id); err == nil && text != good {
			t.Errorf("%q is taken", text)
		}
		if tokens.Check(order.PurposeOrder, text, id) == nil {
			t.Errorf("%q opens an order", text)
		}
	})
}

func FuzzSandboxWebhook(f *testing.F) {
	bank, err := order.NewSandbox(nil, []byte("a secret of the sandbox"), "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{}`), "t=1800000000,v1=00")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		if _, err := bank.Verify(body, http.Header{"Sandbox-Signature": {signature}}, time.Unix(1_800_000_000, 0)); err == nil {
			t.Errorf("%q is taken with %q", body, signature)
		}
	})
}

func TestDrawings(t *testing.T) {
	t.Parallel()
	code := order.TicketCode{Ticket: uuid.New()}.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	svg, err := order.SVG(code)
	if err != nil || !strings.HasPrefix(string(svg), "<svg ") {
		t.Errorf("SVG: %v", err)
	}
	png, err := order.PNG(code)
	if err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
		t.Errorf("PNG: %v", err)
	}
	if _, err := order.SVG(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that no QR code can carry is drawn")
	}
}
