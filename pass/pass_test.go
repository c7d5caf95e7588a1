package pass

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

func testKeys(t testing.TB) *Keyring {
	t.Helper()
	text, err := NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sample() Token {
	return Token{
		Type: Pass, Flags: Unbound | NoJS, Room: RoomNumber("demo"), Edition: 3, Renewal: 2, Tid: [16]byte{1, 2, 15: 16}, Rank: 2<<61 | 77,
		Issued: now, Expires: now.Add(10 * time.Minute), BrowserKey: [8]byte{9}, Network: [4]byte{7}, Risk: 5,
	}
}

func mustSign(t testing.TB, k *Keyring, tok Token) string {
	t.Helper()
	text, err := k.Sign(&tok)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	rapid.Check(t, func(rt *rapid.T) {
		in := Token{
			Type: rapid.SampledFrom([]Type{Lobby, Queued, Pass, Challenge}).Draw(rt, "type"), Flags: Flags(rapid.Byte().Draw(rt, "flags")),
			Room: rapid.Uint32().Draw(rt, "room"), Edition: rapid.Uint16().Draw(rt, "edition"), Renewal: rapid.Uint16().Draw(rt, "renewal"),
			Rank: rapid.Uint64().Draw(rt, "rank"), Issued: now, Expires: now.Add(time.Duration(rapid.IntRange(1, 1e9).Draw(rt, "life")) * time.Millisecond),
			Risk: rapid.Byte().Draw(rt, "risk"),
		}
		copy(in.Tid[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "tid"))
		text, err := k.Sign(&in)
		if err != nil || len(text) != TextLen {
			rt.Fatalf("%d characters, %v", len(text), err)
		}
		var out Token
		if err := k.Verify(text, in.Type, in.Room, now, &out); err != nil || out != in {
			rt.Fatalf("%v\n in %+v\nout %+v", err, in, out)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	tok := sample()
	text := mustSign(t, k, tok)
	flipped := []byte(text)
	flipped[60] ^= 1
	otherKey := strings.Replace(text, text[:4], base64.RawURLEncoding.EncodeToString([]byte{1, 'P', 99}), 1)
	for _, c := range []struct {
		name, text string
		want       Type
		room       uint32
		now        time.Time
		err        error
	}{
		{"good", text, Pass, tok.Room, now, nil},
		{"last millisecond", text, Pass, tok.Room, tok.Expires.Add(-time.Millisecond), nil},
		{"at its end", text, Pass, tok.Room, tok.Expires, ErrExpired},
		{"place asked", text, Queued, tok.Room, now, ErrWrongType},
		{"another room", text, Pass, RoomNumber("other"), now, ErrWrongRoom},
		{"flipped", string(flipped), Pass, tok.Room, now, ErrForged},
		{"unknown key", otherKey, Pass, tok.Room, now, ErrUnknownKey},
		{"short", text[:103], Pass, tok.Room, now, ErrMalformed},
		{"long", text + "A", Pass, tok.Room, now, ErrMalformed},
		{"empty", "", Pass, tok.Room, now, ErrMalformed},
		{"line breaks", text[:100] + "\n\n\n\n", Pass, tok.Room, now, ErrMalformed},
		{"standard alphabet", strings.Repeat("+/", 52), Pass, tok.Room, now, ErrMalformed},
	} {
		var out Token
		err := k.Verify(c.text, c.want, c.room, c.now, &out)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if err != nil && out != (Token{}) {
			t.Errorf("%s: a refused token left %+v behind", c.name, out)
		}
	}
	if _, err := k.Sign(&Token{Type: Pass, Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), Issued: now}); !errors.Is(err, ErrRange) {
		t.Errorf("a token of the year 2100: %v", err)
	}
}

// TestSeparation changes the field in the bytes as well as in the question, so that only the separation of keys can refuse.
func TestSeparation(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	base := sample()
	text := mustSign(t, k, base)
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	for name, change := range map[string]func([]byte){
		"type":    func(b []byte) { b[1] = byte(Queued) },
		"room":    func(b []byte) { b[7] ^= 1 },
		"edition": func(b []byte) { b[9] ^= 1 },
	} {
		b := bytes.Clone(raw)
		change(b)
		h, _ := peek(base64.RawURLEncoding.EncodeToString(b))
		var out Token
		if err := k.Verify(base64.RawURLEncoding.EncodeToString(b), h.scope.kind, h.scope.room, now, &out); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
		// Even the tag alone differs for equal bodies.
		one, two := newMac(k, scope{1, Pass, base.Room, base.Edition}), newMac(k, h.scope)
		copy(one.raw[:], raw)
		copy(two.raw[:], raw)
		if bytes.Equal(one.tag(), two.tag()) {
			t.Errorf("%s: the keys of two scopes are equal", name)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	key := func(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	parse := func(format string, args ...any) *Keyring {
		k, err := ParseKeyring(fmt.Appendf(nil, format, args...))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before := parse("current 1 %s\nnext 2 %s\n", key(1), key(2))
	after := parse("previous 1 %s # leaves on Friday\ncurrent 2 %s\n", key(1), key(2))
	gone := parse("current 2 %s", key(2))
	tok := sample()
	oldText, newText := mustSign(t, before, tok), mustSign(t, after, tok)
	var out Token
	for _, c := range []struct {
		name string
		k    *Keyring
		text string
		err  error
	}{
		{"old by old", before, oldText, nil}, {"new by old", before, newText, nil},
		{"old by new", after, oldText, nil}, {"new by new", after, newText, nil},
		{"old when gone", gone, oldText, ErrUnknownKey},
	} {
		if err := c.k.Verify(c.text, Pass, tok.Room, now, &out); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
	if bytes.Equal(after.Derive("a", 32), after.Derive("b", 32)) || bytes.Equal(before.Derive("a", 32), after.Derive("a", 32)) {
		t.Error("derived keys of two uses, or of two roots, are equal")
	}
}

func TestKeysFileRefusals(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for text, want := range map[string]string{
		"":                    "no current key",
		"# only a comment\n":  "no current key",
		"next 1 " + good:      "no current key",
		"current 1":           "line 1",
		"current 0 " + good:   "1 to 255",
		"current 256 " + good: "1 to 255",
		"current 1 c2hvcnQ=":  "32 bytes",
		"current 1 !!":        "32 bytes",
		"old 1 " + good:       "next, current or previous",
		"\ncurrent 1 " + good + "\ncurrent 2 " + good: "line 3: keys 1 and 2 are both current",
		"current 1 " + good + "\nnext 1 " + good:      "twice",
		strings.Repeat("#", keysFileMax+1):            "larger",
	} {
		_, err := ParseKeyring([]byte(text))
		if !errors.Is(err, ErrKeys) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), good) {
			t.Errorf("%.40q: the error shows the key", text)
		}
	}
	path := filepath.Join(t.TempDir(), "room.keys")
	if _, err := LoadKeyring(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	text, _ := NewKeysFile()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(path); err != nil {
		t.Error(err)
	}
}

// TestTableIsBounded signs for more editions than the table holds, and verifies made-up ones, which must not enter it.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	for i := range 2 * scopesMax {
		tok := sample()
		tok.Edition = uint16(i)
		text := mustSign(t, k, tok)
		if err := k.Verify(text, Pass, tok.Room, now, &tok); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(*k.macs.table.Load()); n > scopesMax {
		t.Errorf("%d scopes kept", n)
	}
	before := len(*k.macs.table.Load())
	raw, _ := base64.RawURLEncoding.DecodeString(mustSign(t, k, sample()))
	for i := range 100 {
		raw[8] = 200 + byte(i%50)
		var out Token
		if err := k.Verify(base64.RawURLEncoding.EncodeToString(raw), Pass, sample().Room, now, &out); !errors.Is(err, ErrForged) {
			t.Fatal(err)
		}
	}
	if n := len(*k.macs.table.Load()); n > before+1 {
		t.Errorf("forged tokens grew the table from %d to %d", before, n)
	}
}

func FuzzVerify(f *testing.F) {
	k := testKeys(f)
	tok := sample()
	good := mustSign(f, k, tok)
	f.Add([]byte(good), uint16(0), byte(0))
	f.Add([]byte(good), uint16(103), byte(1))
	f.Add([]byte("AVABAA"), uint16(3), byte(9))
	f.Fuzz(func(t *testing.T, text []byte, at uint16, mask byte) {
		text = bytes.Clone(text)
		if len(text) > 0 {
			text[int(at)%len(text)] ^= mask
		}
		var out Token
		err := k.Verify(string(text), Pass, tok.Room, now, &out)
		if (err == nil) != (string(text) == good) {
			t.Errorf("%q: %v", text, err)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(good)
		raw[int(at)%Size] ^= mask
		err = k.Verify(base64.RawURLEncoding.EncodeToString(raw), Pass, tok.Room, now, &out)
		if (err == nil) != (mask == 0) {
			t.Errorf("byte %d ^ %x: %v", int(at)%Size, mask, err)
		}
	})
}

func FuzzParseKeyring(f *testing.F) {
	f.Add([]byte("current 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseKeyring(text)
		if (k == nil) != (err != nil) {
			t.Fatalf("%v %v", k, err)
		}
		if err == nil {
			mustSign(t, k, sample())
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := testKeys(b)
	tok := sample()
	text := mustSign(b, k, tok)
	var out Token
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Verify(text, Pass, tok.Room, now, &out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := testKeys(b)
	tok := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Sign(&tok); err != nil {
			b.Fatal(err)
		}
	}
}
