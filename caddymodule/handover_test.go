package caddymodule

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/caddyserver/caddy/v2"

	"ticketrush/pass"
	"ticketrush/room"
	"ticketrush/room/draw"
)

const form = "application/x-www-form-urlencoded"

// offer asks for a code as a page does: with the challenge of the first answer signed.
func (f *fan) offer(b browser) answer {
	f.t.Helper()
	a := f.do("POST", "/.wr/v1/demo/offer", `{"return":"/buy/"}`)
	if challenge, ok := a.json(f.t)["challenge"].(string); ok {
		return f.do("POST", "/.wr/v1/demo/offer", body(f.t, "key", b.text, "challenge", challenge, "signature", b.sign(offerText+challenge)))
	}
	return a
}

func (f *fan) take(code string, b browser) answer {
	f.t.Helper()
	return f.do("POST", "/.wr/v1/demo/handover", body(f.t, "code", code, "key", b.text))
}

// proven claims with a signed challenge.
func (f *fan) proven(b browser) answer {
	f.t.Helper()
	challenge, _ := f.claim().json(f.t)["challenge"].(string)
	return f.claimWith(b.text, challenge, b.sign(challengeText+challenge))
}

func body(t testing.TB, pairs ...string) string {
	t.Helper()
	members := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAPlaceMovesToAnotherDevice takes a bound place from a phone to a laptop and back, over a restart of the lone edge.
func TestAPlaceMovesToAnotherDevice(t *testing.T) {
	e := newEdge(t)
	closed := strings.Replace(shop, "rate 200", "rate 200\n\t\topens "+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), 1)
	e.mustLoad("", closed)
	phone, laptop, own, other := e.fan(), e.fan(), newBrowser(t), newBrowser(t)
	place := phone.joinWith(own).json(t)
	before := laptop.joinWith(other).json(t)
	offered := phone.offer(own)
	out := offered.json(t)
	code, _ := out["code"].(string)
	if picture, _ := out["qr"].(string); !strings.HasPrefix(picture, "data:image/png;base64,") {
		t.Errorf("the link's picture: %q", picture)
	}
	if offered.StatusCode != 200 || len(code) != 11 || out["expires_in_s"] != 300.0 || out["link"] != e.http+"/buy/#place="+code {
		t.Fatalf("offer: %d %s", offered.StatusCode, offered.text)
	}
	look := func() answer { return phone.do("POST", "/.wr/v1/demo/offer", body(t, "code", code)) }
	if a := look(); a.StatusCode != 200 || a.json(t)["code"] != code {
		t.Errorf("whether it still waits: %d %s", a.StatusCode, a.text)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	e.mustLoad("", closed)
	// As somebody types it.
	taken := laptop.take(" "+strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(code, "0", "o"), "1", "l"))+" ", other)
	got := taken.json(t)
	if taken.StatusCode != 200 || got["tid"] != place["tid"] || got["rank"] != place["rank"] || got["class"] != place["class"] || got["bound"] != true {
		t.Fatalf("taken over: %d %s, the place was %v", taken.StatusCode, taken.text, place)
	}
	if got["tid"] == before["tid"] || laptop.get("/.wr/v1/demo/place").json(t)["tid"] != place["tid"] || laptop.joinWith(other).json(t)["tid"] != place["tid"] {
		t.Error("the laptop has not the place that it took")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	e.mustLoad("", closed)
	wants(t, "the phone looks", look(), 403, "place-moved")
	wants(t, "the phone claims", phone.proven(own), 403, "place-moved")
	phone.joinWith(own)
	wants(t, "the phone has joined again", phone.proven(own), 403, "place-moved")
	wants(t, "the phone offers", phone.offer(own), 403, "place-moved")
	forgetful := e.fan()
	if p := forgetful.joinWith(own).json(t); p["tid"] != place["tid"] {
		t.Fatalf("the phone's key gives %v", p)
	}
	wants(t, "the phone without its cookie", forgetful.proven(own), 403, "place-moved")
	wants(t, "somebody else with the same code", e.fan().take(code, newBrowser(t)), 403, "handover-code")
	if again := laptop.take(code, other); again.StatusCode != 200 || again.json(t)["place"] == "" || again.json(t)["tid"] != place["tid"] {
		t.Errorf("the answer was lost, and the laptop asks again: %d %s", again.StatusCode, again.text)
	}

	// And back: the code of the laptop, used by the phone.
	back := laptop.offer(other).json(t)["code"].(string)
	if p := phone.take(back, own).json(t); p["tid"] != place["tid"] || p["rank"] != place["rank"] {
		t.Fatalf("taken back: %v", p)
	}
	wants(t, "the laptop claims", laptop.proven(other), 403, "place-moved")
	e.until("the phone is inside", func() bool { return phone.proven(own).StatusCode == http.StatusCreated })
	wants(t, "somebody inside offers", phone.offer(own), 409, "place-inside")
	wants(t, "the laptop claims the phone's pass", laptop.proven(other), 403, "place-moved")
	third := e.fan()
	b := newBrowser(t)
	third.joinWith(b)
	wants(t, "somebody inside takes over", phone.take(third.offer(b).json(t)["code"].(string), own), 409, "place-inside")
	if text := e.ops("GET", "/metrics", "").text; !strings.Contains(text, `ticketrush_room_handovers_total{result="taken",room="demo"}`) {
		t.Error("the metrics do not count what was taken over")
	}
}

// TestAMovedPlaceOutlivesACrash copies the storage at once after each answer, as a crash of a lone edge would leave it, and reads the room from the copy.
func TestAMovedPlaceOutlivesACrash(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	crashed := func(name string) *room.Room {
		t.Helper()
		_, r, _ := e.crashed(name)
		return r
	}
	phone, own, laptop, other := e.fan(), newBrowser(t), e.fan(), newBrowser(t)
	place := phone.joinWith(own).json(t)
	code := phone.offer(own).json(t)["code"].(string)
	waits := crashed("one")
	if p := laptop.take(code, other).json(t); p["tid"] != place["tid"] {
		t.Fatalf("taken over: %v", p)
	}
	moved := crashed("two")
	var tid room.Tid
	if err := tid.UnmarshalText([]byte(place["tid"].(string))); err != nil {
		t.Fatal(err)
	}
	for handed, want := range []error{room.ErrHandedOver, nil} {
		c := room.Claim{Tid: tid, Rank: 1, Handed: uint16(handed)}
		if _, _, _, err := moved.Claim(time.Now(), c); !errors.Is(err, want) {
			t.Errorf("bearer %d after the crash: %v, want %v", handed, err, want)
		}
	}
	if state, err := snapshotOf(waits); err != nil || len(state.Offers) != 1 || len(state.Handed) != 0 {
		t.Errorf("before the code was used: %+v, %v", state.Offers, err)
	}
}

// snapshotOf stores what a room begins with, and gives its state.
func snapshotOf(r *room.Room) (room.State, error) {
	r.Take(time.Now())
	r.Stored()
	return r.Snapshot()
}

// TestAPlaceIsOfferedByItsBearerAlone tries what somebody can who has a copy of the cookie.
func TestAPlaceIsOfferedByItsBearerAlone(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	ada, own, thief := e.fan(), newBrowser(t), newBrowser(t)
	place := ada.joinWith(own).json(t)["place"].(string)
	bob := e.fan()
	bob.setCookie("wr_demo_place", place)
	wants(t, "no proof", bob.do("POST", "/.wr/v1/demo/offer", "{}"), 401, "proof-required")
	wants(t, "another key", bob.offer(thief), 403, "place-of-another-browser")
	challenge := bob.claim().json(t)["challenge"].(string)
	for what, signature := range map[string]string{"another's signature": thief.sign(offerText + challenge), "that of a claim": own.sign(challengeText + challenge)} {
		wants(t, what, bob.do("POST", "/.wr/v1/demo/offer", body(t, "key", own.text, "challenge", challenge, "signature", signature)), 403, "proof-invalid")
	}
	wants(t, "an offer's signature for a claim", bob.claimWith(own.text, challenge, own.sign(offerText+challenge)), 403, "proof-invalid")
	code := ada.offer(own).json(t)["code"].(string)
	wants(t, "nobody's", e.fan().do("POST", "/.wr/v1/demo/offer", "{}"), 401, "no-place")
	stranger := e.fan()
	stranger.joinWith(thief)
	wants(t, "another's code looked at", stranger.do("POST", "/.wr/v1/demo/offer", body(t, "code", code)), 403, "handover-code")
}

// TestWrongHandoverCodes: each is refused for the same typed reason, and costs nobody their place.
func TestWrongHandoverCodes(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop+"\n\twaiting_room other {\n\t\tprotect /other/*\n\t}\n")
	ada, own := e.fan(), newBrowser(t)
	place := ada.joinWith(own).json(t)
	first := ada.offer(own).json(t)["code"].(string)
	second := ada.offer(own).json(t)["code"].(string)
	bob, b := e.fan(), newBrowser(t)
	mine := bob.joinWith(b).json(t)
	foreign := e.fan()
	foreign.do("POST", "/.wr/v1/other/join", "{}")
	elsewhere := foreign.do("POST", "/.wr/v1/other/offer", "{}").json(t)["code"].(string)
	swapped := second[:9] + string(crockford[(strings.IndexByte(crockford, second[9])+1)%32]) + second[10:]
	for what, code := range map[string]string{
		"none": "", "replaced": first, "of another room": elsewhere, "mistyped": swapped, "short": second[:10], "long": second + "0", "nonsense": "open sesame",
		"an access code": "0000-0000-0000-0000", "no letters": strings.Repeat("ü", 5), "huge": strings.Repeat("0", 3000), "negative": "-----------",
	} {
		wants(t, what, bob.take(code, b), 403, "handover-code")
	}
	wants(t, "a bad key", bob.do("POST", "/.wr/v1/demo/handover", body(t, "code", second, "key", "x")), 400, "invalid")
	wants(t, "no JSON", bob.do("POST", "/.wr/v1/demo/handover", "code"), 400, "invalid")
	wants(t, "of another site", bob.do("POST", "/.wr/v1/demo/handover", body(t, "code", second, "key", b.text), "Sec-Fetch-Site", "cross-site"), 403, "cross-origin")
	if p := bob.get("/.wr/v1/demo/place").json(t); p["tid"] != mine["tid"] {
		t.Errorf("bob's place is gone: %v", p)
	}
	if p := bob.take(second, b).json(t); p["tid"] != place["tid"] {
		t.Errorf("the right one: %v", p)
	}
	carl, c := e.fan(), newBrowser(t)
	carl.joinWith(c)
	old := carl.offer(c).json(t)["code"].(string)
	e.ops("POST", "/waiting_room/rooms/demo/edition", `{"reason":"anew"}`)
	e.until("the edition is known", func() bool { return carl.get("/.wr/v1/demo/place").StatusCode == 401 })
	wants(t, "of the edition before", bob.take(old, b), 403, "handover-code")
}

// TestGuessingIsSlow: more wrong codes than may be are not looked at, and the right one has to wait with them.
func TestGuessingIsSlow(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	ada, own := e.fan(), newBrowser(t)
	ada.joinWith(own)
	code := ada.offer(own).json(t)["code"].(string)
	value, _, err := keepers.LoadOrNew("demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	k := value.(*keeper)
	defer func() { _, _ = keepers.Delete("demo") }()
	bob, b := e.fan(), newBrowser(t)
	busy := false
	for n := uint64(0); n < 10_000 && !busy; n++ { // as somebody guesses who knows the key, so that each guess reaches the owner
		a := bob.take(k.handover(1, n).String(), b)
		busy = a.json(t)["type"] == "/problems/handover-busy"
		if busy && (a.StatusCode != 503 || a.Header.Get("Retry-After") != "5") || !busy && a.StatusCode != 403 {
			t.Fatalf("guess %d: %d %s", n, a.StatusCode, a.text)
		}
	}
	if !busy {
		t.Fatal("nobody slows guesses down")
	}
	e.until("the right code is looked at again", func() bool { return bob.take(code, b).StatusCode == 200 })
}

// TestAPlaceMovesWithoutJavaScript goes by forms alone, and is told by the page.
func TestAPlaceMovesWithoutJavaScript(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", strings.Replace(shop, "max_active 3", "max_active 1", 1))
	in := e.fan()
	in.enter()
	phone, laptop := e.fan(), e.fan()
	post := func(f *fan, path, body string) answer {
		return f.do("POST", "/.wr/v1/demo/"+path, body, "Content-Type", form, "Accept", "text/html")
	}
	if a := phone.navigate("/buy/"); !strings.Contains(a.text, `action="/.wr/v1/demo/offer"`) || !strings.Contains(a.text, `action="/.wr/v1/demo/handover"`) {
		t.Errorf("the page has no forms: %s", a.text)
	}
	place := phone.get("/.wr/v1/demo/place").json(t)
	page := post(phone, "offer", "return=%2Fbuy%2F")
	code := regexp.MustCompile(`id="ahead">([0-9A-Z]{5}-[0-9A-Z]{5})<`).FindStringSubmatch(page.text)
	if code == nil || strings.Contains(page.text, "http-equiv") || page.Header.Get("Cache-Control") != "no-store, private" {
		t.Fatalf("no code in the page: %d %s", page.StatusCode, page.text)
	}
	laptop.navigate("/buy/")
	if a := post(laptop, "handover", "code=nonsense&return=%2Fbuy%2F"); !strings.Contains(a.text, "No place waits for this code.") || strings.Contains(a.text, "http-equiv") {
		t.Errorf("a wrong code: %d %s", a.StatusCode, a.text)
	}
	if a := post(laptop, "handover", "code="+code[1]+"&return=%2Fbuy%2F"); a.StatusCode != 303 || a.Header.Get("Location") != "/buy/" {
		t.Errorf("the code: %d %s", a.StatusCode, a.text)
	}
	if p := laptop.get("/.wr/v1/demo/place").json(t); p["tid"] != place["tid"] || p["rank"] != place["rank"] || p["bound"] != false {
		t.Errorf("the laptop has %v, the phone had %v", p, place)
	}
	if a := post(phone, "offer", "return=%2Fbuy%2F"); !strings.Contains(a.text, "This place is on another device now") || strings.Contains(a.text, "http-equiv") {
		t.Errorf("the phone offers again: %s", a.text)
	}
	// Neither leaving nor claiming on the phone touches the laptop's pass.
	in.do("POST", "/.wr/v1/demo/leave", "{}")
	e.until("the laptop is inside", func() bool { return laptop.navigate("/buy/").StatusCode == 303 })
	if a := phone.navigate("/buy/"); !strings.Contains(a.text, "This place is on another device now") {
		t.Errorf("the phone at its turn: %s", a.text)
	}
	if a := post(phone, "claim", "return=%2Fbuy%2F"); a.StatusCode != 303 || phone.cookie("wr_demo_pass") != "" {
		t.Errorf("the phone claims: %d", a.StatusCode)
	}
	post(phone, "leave", "")
	if a := laptop.do("POST", "/.wr/v1/demo/renew", "{}"); a.StatusCode != 200 {
		t.Errorf("the phone has put the laptop out: %d %s", a.StatusCode, a.text)
	}
}

// TestAPlaceOfTheLobbyMoves is offered in the lobby and taken after the draw: it is the one that was drawn.
func TestAPlaceOfTheLobbyMoves(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", opening(shop, time.Hour))
	phone, own, laptop, other := e.fan(), newBrowser(t), e.fan(), newBrowser(t)
	place := phone.joinWith(own).json(t)
	code, ok := phone.offer(own).json(t)["code"].(string)
	if !ok || place["in_draw"] != true {
		t.Fatalf("in the lobby: %v %q", place, code)
	}
	e.mustLoad("", opening(shop, 6*time.Second))
	e.until("the draw is done", func() bool { return phone.get("/.wr/v1/demo/place").json(t)["rank"] != "0" })
	rank := phone.get("/.wr/v1/demo/place").json(t)["rank"]
	if p := laptop.take(code, other).json(t); p["tid"] != place["tid"] || p["rank"] != rank || p["class"] != 1.0 {
		t.Fatalf("taken over: %v, want rank %v", p, rank)
	}
	receipt, err := draw.ParseReceipt([]byte(laptop.get("/.wr/v1/demo/receipt").text))
	if err != nil || receipt.Verify(draw.Trusted{}) != nil || fmt.Sprint(receipt.Tid) != place["tid"] || strconv.FormatUint(receipt.Rank, 10) != rank {
		t.Errorf("the laptop's receipt: %+v, %v", receipt, err)
	}
	e.until("the laptop is inside", func() bool { return laptop.proven(other).StatusCode == http.StatusCreated })
	wants(t, "the phone", phone.proven(own), 403, "place-moved")
}

// TestAPlaceMovesBetweenEdges: the room's owner is asked, whichever edge it is.
func TestAPlaceMovesBetweenEdges(t *testing.T) {
	p := newPair(t)
	phone, laptop, own, other := p.a.fan(), p.b.fan(), newBrowser(t), newBrowser(t)
	var place map[string]any
	p.a.until("a place", func() bool {
		a := phone.joinWith(own)
		place = a.json(t)
		return a.StatusCode == http.StatusOK
	})
	code := phone.offer(own).json(t)["code"].(string)
	wants(t, "a mistyped one", laptop.take("00000-00000", other), 403, "handover-code")
	if got := laptop.take(code, other).json(t); got["tid"] != place["tid"] || got["rank"] != place["rank"] {
		t.Fatalf("taken over at the other edge: %v, it was %v", got, place)
	}
	wants(t, "used again, here", phone.take(code, newBrowser(t)), 403, "handover-code")
	wants(t, "the phone", phone.proven(own), 403, "place-moved")
	p.b.until("the laptop is inside", func() bool { return laptop.proven(other).StatusCode == http.StatusCreated })
	wants(t, "the phone claims the pass", phone.proven(own), 403, "place-moved")
	wants(t, "the laptop offers", laptop.offer(other), 409, "place-inside")
}

// TestTheLinkIsAPicture reads the picture back, module by module; what is too long for one has the link alone.
func TestTheLinkIsAPicture(t *testing.T) {
	t.Parallel()
	const link = "https://tickets.example.com/buy/?from=mail#place=ABCDE-FGHJK"
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(drawQR(link), "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want, err := qr.Encode(link, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	if picture.Bounds() != want.Bounds() {
		t.Fatalf("a picture of %v for %v modules", picture.Bounds(), want.Bounds())
	}
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			a, _, _, _ := picture.At(x, y).RGBA()
			if b, _, _, _ := want.At(x, y).RGBA(); a != b {
				t.Fatalf("module %d, %d is %d, want %d", x, y, a, b)
			}
		}
	}
	if got := drawQR(strings.Repeat("x", 5000)); got != "" {
		t.Errorf("5,000 letters in a picture: %.50s", got)
	}
}

// TestMistypedCodesAreNoGuess: of those with one wrong letter hardly any reaches the owner.
func TestMistypedCodesAreNoGuess(t *testing.T) {
	t.Parallel()
	k := keeperWithKeys(t, "demo")
	tried, read := 0, 0
	for range 20 {
		code := k.newHandover(1).String()
		for i := range code {
			for _, letter := range crockford {
				if code[i] == '-' || rune(code[i]) == letter {
					continue
				}
				tried++
				if _, err := k.readHandover(1, code[:i]+string(letter)+code[i+1:]); err == nil {
					read++
				}
			}
		}
	}
	if share := float64(read) / float64(tried); share > 2.0/32 {
		t.Errorf("%d of %d mistyped codes are taken for codes, want about 1 in 32", read, tried)
	}
}

// FuzzHandoverCode: no text but what was written is read, and as itself.
func FuzzHandoverCode(f *testing.F) {
	text, err := pass.NewKeysFile()
	if err != nil {
		f.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		f.Fatal(err)
	}
	k, other := newKeeper("fuzz", "edge"), newKeeper("fuzz2", "edge")
	k.keys.Store(keys)
	other.keys.Store(keys)
	f.Add(k.newHandover(1).String(), uint16(1))
	f.Add("00000-00000", uint16(2))
	f.Fuzz(func(t *testing.T, text string, edition uint16) {
		c := k.newHandover(edition)
		if again, err := k.readHandover(edition, c.String()); err != nil || again != c || uint64(c)>>(5*handoverLetters) != 0 {
			t.Fatalf("%v is read as %v, %v", c, again, err)
		}
		if k.digest(edition, c) == k.digest(edition+1, c) || k.digest(edition, c) == other.digest(edition, c) {
			t.Fatal("a code means the same elsewhere")
		}
		c, err := k.readHandover(edition, text)
		if err != nil {
			return
		}
		if again := c.String(); lenient.Replace(again) != lenient.Replace(strings.ToUpper(strings.TrimSpace(text))) {
			t.Fatalf("%q is read as %q", text, again)
		}
	})
}
