package order_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
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
	f.Add(good[:9] + "\n" + good[9:])
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
	f.Add(good + "\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := tokens.Check(order.PurposeHold, text, id); err == nil && text != good {
			t.Errorf("%q is taken", text)
		}
		if tokens.Check(order.PurposeOrder, text, id) == nil {
			t.Errorf("%q opens an order", text)
		}
	})
}

func TestTokensOfSeveralKeys(t *testing.T) {
	t.Parallel()
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	old, err := order.NewTokens(1, key(1))
	if err != nil {
		t.Fatal(err)
	}
	now, err := order.NewTokens(2, key(2))
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.New()
	text := old.New(order.PurposeOrder, id)
	if err := now.Check(order.PurposeOrder, text, id); !errors.Is(err, order.ErrToken) {
		t.Errorf("a token of an unknown key gives %v", err)
	}
	both, err := now.Accept(1, key(1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Verify(order.PurposeOrder, text); err != nil || got != id {
		t.Errorf("a token of an earlier key gives %v, %v", got, err)
	}
	if err := both.Check(order.PurposeOrder, text, uuid.New()); !errors.Is(err, order.ErrToken) {
		t.Errorf("the token of another order gives %v", err)
	}
	if text := both.New(order.PurposeHold, id); now.Check(order.PurposeHold, text, id) != nil {
		t.Error("a new token is not of the current key")
	}
	if _, err := both.Accept(2, key(3)); err == nil {
		t.Error("two keys with one number are taken")
	}
	if _, err := order.NewTokens(1, key(1)[:31]); err == nil {
		t.Error("a short key is taken")
	}
}

func TestTicketKeys(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	from := time.Unix(1_800_000_000, 0)
	code := order.TicketCode{KeyID: 3, Ticket: uuid.New(), ValidFrom: from, ValidUntil: from.Add(time.Hour)}
	keys := order.TicketKeys{3: key.Public().(ed25519.PublicKey)}
	other := code
	other.KeyID = 4
	for name, c := range map[string]struct {
		text string
		at   time.Duration
		ok   bool
	}{
		"valid":       {code.Sign(key), time.Minute, true},
		"too early":   {code.Sign(key), -time.Minute, false},
		"too late":    {code.Sign(key), 2 * time.Hour, false},
		"unknown key": {other.Sign(key), time.Minute, false},
		"empty":       {"", 0, false},
		"no text":     {"%%%", 0, false},
	} {
		got, err := keys.Verify(c.text, from.Add(c.at))
		if (err == nil) != c.ok || (c.ok && got.Ticket != code.Ticket) || (!c.ok && !errors.Is(err, order.ErrTicketCode)) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzSandboxWebhook(f *testing.F) {
	bank, err := sandbox.New(nil, []byte(sandboxSecret), "")
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
