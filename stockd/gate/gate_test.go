package gate_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/gate"
	"ticketrush/stockd/order"
)

var (
	key   = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	event = uuid.MustParse("0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11")
	night = time.Date(2026, 12, 12, 19, 30, 0, 0, time.UTC)
)

const seat = 1<<24 + 6

func bundle() *gate.Bundle {
	return &gate.Bundle{
		Format: gate.Format, Event: event, Slug: "night", Name: "Night", StartsAt: night, ValidFrom: night.Add(-24 * time.Hour), ValidUntil: night.Add(24 * time.Hour),
		AsOf: night, Names: "none", Types: []string{"adult", "child"}, Keys: map[string][]byte{"1": key.Public().(ed25519.PublicKey)},
		Seats: map[string]string{"16777222": "N-12-7"}, Holders: map[uuid.UUID][]byte{}, Revoked: map[uuid.UUID]string{},
	}
}

func ticket() order.TicketCode {
	return order.TicketCode{KeyID: 1, Event: event, Ticket: uuid.New(), Seat: seat, Type: 1, ValidFrom: night.Add(-240 * time.Hour), ValidUntil: night.Add(24 * time.Hour)}
}

func open(t testing.TB, path string) *gate.Log {
	t.Helper()
	l, err := gate.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // some tests close it themselves
	return l
}

func TestJudge(t *testing.T) {
	t.Parallel()
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
	good := ticket()
	text := good.Sign(key)
	with := func(change func(*order.TicketCode)) string {
		c := good
		change(&c)
		return c.Sign(key)
	}
	flipped := []byte(text)
	flipped[40] ^= 1
	for name, c := range map[string]struct {
		code   string
		bundle func(*gate.Bundle)
		now    time.Time
		want   gate.Result
	}{
		"good":                 {code: text, want: gate.OK},
		"with a line's end":    {code: text + "\r\n", want: gate.OK},
		"empty":                {code: "", want: gate.Unreadable},
		"not base64":           {code: "hello world", want: gate.Unreadable},
		"truncated":            {code: text[:len(text)-4], want: gate.Unreadable},
		"two in one line":      {code: text + text, want: gate.Unreadable},
		"changed":              {code: string(flipped), want: gate.Forged},
		"signed by another":    {code: good.Sign(other), want: gate.Forged},
		"old key":              {code: with(func(c *order.TicketCode) { c.KeyID = 9 }), want: gate.UnknownKey},
		"another event":        {code: with(func(c *order.TicketCode) { c.Event = uuid.New() }), want: gate.WrongEvent},
		"revoked":              {code: text, bundle: func(b *gate.Bundle) { b.Revoked[good.Ticket] = "transferred" }, want: gate.Revoked},
		"clock behind":         {code: text, now: night.Add(-400 * time.Hour), want: gate.Clock},
		"the day before":       {code: text, now: night.Add(-25 * time.Hour), want: gate.Early},
		"the day after":        {code: text, now: night.Add(25 * time.Hour), want: gate.Late},
		"postponed":            {code: text, now: night.Add(240 * time.Hour), bundle: func(b *gate.Bundle) { b.ValidFrom, b.ValidUntil = night.Add(216*time.Hour), night.Add(264*time.Hour) }, want: gate.OK},
		"postponed, first day": {code: text, bundle: func(b *gate.Bundle) { b.ValidFrom, b.ValidUntil = night.Add(216*time.Hour), night.Add(264*time.Hour) }, want: gate.Early},
		"without a name":       {code: text, bundle: func(b *gate.Bundle) { b.Names = "required" }, want: gate.NoName},
		"another one's name":   {code: text, bundle: func(b *gate.Bundle) { b.Holders[good.Ticket] = gate.Seal(text, make([]byte, 16), "Eve", nil) }, want: gate.NoName},
	} {
		b := bundle()
		if c.bundle != nil {
			c.bundle(b)
		}
		if c.now.IsZero() {
			c.now = night
		}
		v := b.Judge(c.code, c.now, false)
		if v.Result != c.want || v.Text == "" || v.Colour != c.want.Colour() {
			t.Errorf("%s: %+v, want %s", name, v, c.want)
		}
		if (c.want == gate.Early || c.want == gate.Late) && b.Judge(c.code, c.now, true).Result != gate.OK {
			t.Errorf("%s: a rehearsal asks for the time", name)
		}
	}
	if v := bundle().Judge(text, night, false); v.Seat != "N-12-7" || v.Type != "child" || v.Ticket != good.Ticket {
		t.Errorf("%+v", v)
	}
}

func TestNamesAreForWhoHasTheCode(t *testing.T) {
	t.Parallel()
	b, c := bundle(), ticket()
	b.Names = "required"
	salt, document := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	c.Holder = order.HolderHash(salt, "Ada Lovelace", document)
	text := c.Sign(key)
	b.Holders[c.Ticket] = gate.Seal(text, salt, "Ada Lovelace", document)
	if v := b.Judge(text, night, false); v.Result != gate.OK || v.Holder != "Ada Lovelace" {
		t.Errorf("%+v", v)
	}
	if strings.Contains(string(b.Holders[c.Ticket]), "Ada") {
		t.Error("the name can be read without the code")
	}
	// Erased before the gate took it along: the code has a holder, the list has none.
	delete(b.Holders, c.Ticket)
	if v := b.Judge(text, night, false); v.Result != gate.OK || v.Holder != "" {
		t.Errorf("%+v", v)
	}
}

func TestSecondScanWarns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "scans.log")
	log := open(t, path)
	north, err := gate.NewChecker("north", bundle(), log, false)
	if err != nil {
		t.Fatal(err)
	}
	text := ticket().Sign(key)
	if v, err := north.Check(text, night); err != nil || v.Result != gate.OK {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := gate.OpenLog(path); err == nil {
		t.Error("two processes have one log open")
	}
	// The log is there again after the process ended without a word.
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := gate.NewChecker("south", bundle(), open(t, path), false)
	if err != nil {
		t.Fatal(err)
	}
	v, err := again.Check(text, night.Add(time.Minute))
	if err != nil || v.Result != gate.Again || v.Colour != "amber" || v.First.Gate != "north" || !v.First.At.Equal(night) {
		t.Errorf("%+v %v", v, err)
	}
	if !strings.Contains(v.Text, "north") || !strings.Contains(v.Text, "2026-12-12 19:30:00 UTC") {
		t.Errorf("the warning does not say where and when: %s", v.Text)
	}
	for _, bad := range []string{"", " north", "a\nb", strings.Repeat("x", 65)} {
		if _, err := gate.NewChecker(bad, bundle(), log, false); err == nil {
			t.Errorf("a gate is called %q", bad)
		}
	}
}

func TestTornLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "scans.log")
	log := open(t, path)
	var scans []gate.Scan
	for i := range 3 {
		s := gate.Scan{Ticket: uuid.New(), Gate: "north", At: night.Add(time.Duration(i) * time.Second)}
		scans = append(scans, s)
		if _, _, err := log.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lastLine := strings.LastIndexByte(strings.TrimSuffix(string(whole), "\n"), '\n') + 1
	// Wherever the last line is torn: the two before it are there, and the next one is appended to them.
	for at := lastLine; at < len(whole); at++ {
		torn := filepath.Join(t.TempDir(), "torn.log")
		if err := os.WriteFile(torn, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		if read, err := gate.ReadLog(torn); err != nil || len(read) != 2 {
			t.Fatalf("torn at %d: %d scans, %v", at, len(read), err)
		}
		l := open(t, torn)
		if len(l.Scans()) != 2 || l.Cut() != at-lastLine {
			t.Fatalf("torn at %d: %d scans, cut %d", at, len(l.Scans()), l.Cut())
		}
		if _, _, err := l.Add(scans[2]); err != nil {
			t.Fatal(err)
		}
		if got, err := gate.ReadLog(torn); err != nil || !slices.Equal(got, scans) {
			t.Fatalf("torn at %d: %v %v", at, got, err)
		}
	}
	for name, text := range map[string]string{
		"another file": "hello\n", "changed": strings.Replace(string(whole), "north", "", 1), "a hole": "\n" + string(whole), "more": strings.Replace(string(whole), `"gate"`, `"x":1,"gate"`, 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := gate.OpenLog(path); !errors.Is(err, gate.ErrLog) || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBundleFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gate.json")
	b := bundle()
	b.Revoked[uuid.New()] = "refunded"
	b.Holders[uuid.New()] = []byte{1, 2, 3}
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := gate.Load(path)
	if err != nil || len(got.Revoked) != 1 || len(got.Holders) != 1 || !got.ValidUntil.Equal(b.ValidUntil) {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := gate.Load(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for name, change := range map[string]func(*gate.Bundle){
		"format": func(b *gate.Bundle) { b.Format = "ticketrush-gate/2" }, "event": func(b *gate.Bundle) { b.Event = uuid.Nil },
		"no keys": func(b *gate.Bundle) { b.Keys = nil }, "short key": func(b *gate.Bundle) { b.Keys = map[string][]byte{"1": {1}} },
		"key's number": func(b *gate.Bundle) { b.Keys = map[string][]byte{"400": b.Keys["1"]} }, "times": func(b *gate.Bundle) { b.ValidUntil = b.ValidFrom },
	} {
		b := bundle()
		change(b)
		if err := b.Save(path); err != nil {
			t.Fatal(err)
		}
		if _, err := gate.Load(path); !errors.Is(err, gate.ErrBundle) || !strings.Contains(err.Error(), "fetch it again") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gate.Load(path); !errors.Is(err, gate.ErrBundle) {
		t.Error(err)
	}
}
