package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ticketrush/pass"
)

// TestAccessCodes issues codes, enters with one before the whole line, and refuses what is no code, is used up, or is revoked.
func TestAccessCodes(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", strings.Replace(shop, "max_active 3", "max_active 1", 1))
	const base = "/waiting_room/rooms/demo"
	e.fan().enter() // the only slot
	line := e.fan()
	line.join()
	issued := e.ops("POST", base+"/codes", `{"count":2,"uses":2,"reason":"friends of the band"}`)
	if issued.StatusCode != 200 {
		t.Fatalf("%d %s", issued.StatusCode, issued.text)
	}
	var codes []string
	for _, c := range issued.json(t)["codes"].([]any) {
		codes = append(codes, c.(string))
	}
	if len(codes) != 2 || len(codes[0]) != 19 || codes[0] == codes[1] {
		t.Fatalf("codes %q", codes)
	}
	join := func(f *fan, code string) answer {
		return f.do("POST", "/.wr/v1/demo/join", fmt.Sprintf(`{"code":%q}`, code), "Content-Type", "application/json")
	}
	guest := e.fan()
	// As somebody types it who reads it from a letter.
	a := join(guest, " "+strings.ToLower(strings.ReplaceAll(codes[0], "0", "o"))+" ")
	if a.StatusCode != 200 || a.json(t)["class"] != 0.0 {
		t.Fatalf("a code: %d %s", a.StatusCode, a.text)
	}
	if again := join(guest, codes[0]); again.json(t)["rank"] != a.json(t)["rank"] {
		t.Errorf("the same code again: %s", again.text)
	}
	e.until("the guest is called", func() bool { return guest.get("/.wr/v1/demo/place").json(t)["state"] == "eligible" })
	if p := line.get("/.wr/v1/demo/place").json(t); p["state"] != "queued" {
		t.Errorf("the line: %v", p)
	}
	// Somebody of the line may still use one: the earlier of two places stands.
	if a := join(line, codes[0]); a.StatusCode != 200 || a.json(t)["class"] != 0.0 {
		t.Errorf("a code for somebody in the line: %d %s", a.StatusCode, a.text)
	}
	refused := func(what, code string) {
		t.Helper()
		f := e.fan()
		a := join(f, code)
		if a.StatusCode != http.StatusForbidden || a.json(t)["type"] != "/problems/access-code" {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.text)
		}
		if code != codes[0] && f.cookie("wr_demo_place") != "" {
			t.Errorf("%s gave a place", what)
		}
	}
	refused("a code that is used up", codes[0])
	refused("nonsense", "open sesame")
	flipped := []byte(codes[1])
	flipped[0] ^= 1
	refused("a forged code", string(flipped))
	if a := e.ops("POST", base+"/revoke_code", fmt.Sprintf(`{"code":%q,"reason":"leaked"}`, codes[1])); a.StatusCode != 200 {
		t.Fatalf("revoke: %d %s", a.StatusCode, a.text)
	}
	refused("a revoked code", codes[1])
	if a := e.ops("POST", base+"/codes", `{"count":0}`); a.StatusCode != 400 {
		t.Errorf("no codes: %d %s", a.StatusCode, a.text)
	}
	if a := e.ops("POST", base+"/revoke_code", `{"code":"x"}`); a.StatusCode != 400 {
		t.Errorf("revoke nonsense: %d %s", a.StatusCode, a.text)
	}
	e.ops("POST", base+"/edition", `{"reason":"anew"}`)
	refused("a code of the edition before", codes[1])
}

// keeperWithKeys is a keeper with fresh keys and nothing else.
func keeperWithKeys(t testing.TB, name string) *keeper {
	t.Helper()
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	k := newKeeper(name, "edge")
	k.keys.Store(keys)
	return k
}

// FuzzCode: no text but what was written verifies.
func FuzzCode(f *testing.F) {
	k := keeperWithKeys(f, "fuzz")
	f.Add(k.writeCode(1, 77, 3), uint16(1))
	f.Fuzz(func(t *testing.T, text string, edition uint16) {
		serial, uses, err := k.readCode(edition, text)
		if err != nil {
			return
		}
		if again := k.writeCode(edition, serial, uint8(uses)); lenient.Replace(again) != lenient.Replace(strings.ToUpper(strings.TrimSpace(text))) {
			t.Fatalf("%q verifies as %q", text, again)
		}
	})
}
