//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// fewLeft is an availability of less than there are people.
const fewLeft = `{"totals":{"capacity":40,"free":0,"held":38,"sold":2},"segments":[{"section":"Standing","free":0},{"section":"Balcony","free":0}],"categories":[{"category":"Gold","free":0},{"category":"Silver","free":0}]}`

// TestRoomFromTheLobbyToTheShop: one comes with a browser, one with a small and dark one, one without JavaScript. All are drawn, and one after the other
// comes in, each from their own page.
func TestRoomFromTheLobbyToTheShop(t *testing.T) {
	const lobby = 45 * time.Second // for three browsers on a busy machine; the last 5 are the draw's
	opens := time.Now().Add(lobby).UTC()
	e := startEdge(t, "opens "+opens.Format(time.RFC3339), fewLeft)
	chromium := startChromium(t)
	ada, ben, cleo := newFan(t, chromium, "Ada", 0), newFan(t, chromium, "Ben", 320), newFan(t, chromium, "Cleo", 0)
	cleo.scriptless = true

	ada.do("come early", chromedp.Navigate(e.url+"/buy/"))
	ada.says("#wait", "You are in")
	ben.do("come early", inTheDark(), chromedp.Navigate(e.url+"/buy/"))
	ben.says("#wait", "You are in")
	cleo.do("come early", withoutJavaScript(), chromedp.Navigate(e.url+"/buy/"))
	cleo.says("h1", "Join the line")
	cleo.checked("the lobby without JavaScript, before joining")
	cleo.do("join", click(`form[action$="/join"] button`))
	cleo.says("#wait", "You are in")
	cleo.checked("the lobby without JavaScript")
	ada.says("#heading", "The doors open soon")
	ada.checked("the lobby")
	ben.checked("the lobby")
	if n := ada.loaded("/assets/") + ada.loaded("/buy/"); n == 0 || n > roomBytesMax {
		t.Errorf("the room's page came in %.0f bytes, at most %d", n, roomBytesMax)
	} else {
		t.Logf("the room's page came in %.0f bytes", n)
	}
	ada.says("#heading", "being drawn")
	e.ops("pause") // so that nobody is let in before they have looked at their number
	ada.checked("the draw")
	numbers := map[*fan]int{}
	for _, f := range []*fan{ada, ben} {
		f.says("#heading", "The line is paused")
		numbers[f] = f.checksTheirNumber()
	}
	if numbers[ada] == numbers[ben] {
		t.Errorf("two have the number %d", numbers[ada])
	}
	e.ops("resume")
	ada.comesBack()
	ben.comesBack()
	// Whoever is inside leaves, and the next one follows without doing anything; Cleo, whose page was kept still for a look, presses "check now".
	waiting, last := []*fan{ada, ben, cleo}, 0
	for len(waiting) > 0 {
		var in int
		e.until("somebody is in the shop", func() bool {
			if in = slices.IndexFunc(waiting, func(f *fan) bool { return ask[bool](f, `document.title === 'Shop'`) }); in < 0 && slices.Contains(waiting, cleo) {
				cleo.do("check now", chromedp.Reload())
			}
			return in >= 0
		})
		f := waiting[in]
		if told := numbers[f]; told != 0 && told < last { // of Cleo, who has no scripts, it is not known
			t.Errorf("%s was told to be number %d, and came in after number %d", f.name, told, last)
		}
		last = max(last, numbers[f])
		f.sane("the shop")
		f.leavesTheRoom(e)
		waiting = slices.Delete(waiting, in, in+1)
	}
}

// checksTheirNumber presses "check it" with the keyboard, and reads that the proof holds.
func (f *fan) checksTheirNumber() (number int) {
	f.t.Helper()
	f.until("see their number", `/^(1st|2nd|3rd) of 3$/.test(document.querySelector('#drawn').textContent)`)
	f.do("check it", chromedp.Focus(chromedp.CSS("#verify")), chromedp.KeyEvent(kb.Enter))
	f.says("#proof-text", "Checked in this browser")
	f.says("#proof-text", "organiser’s secret")
	f.says("#status", "Checked in this browser")
	f.checked("the line after the draw")
	return ask[int](f, `Number.parseInt(document.querySelector('#drawn').textContent)`)
}

// leavesTheRoom gives the slot back, as the shop's own page does when somebody has paid.
func (f *fan) leavesTheRoom(e *edge) {
	f.t.Helper()
	v := e.visitor()
	v.pass = f.cookie("wr_demo_pass")
	v.leave()
}

// TestRoomPlaceIsNotACookie: a copied cookie shows the place in another browser, and opens nothing there.
func TestRoomPlaceIsNotACookie(t *testing.T) {
	e := startEdge(t, "", fewLeft)
	inside := e.visitor()
	inside.enter()
	chromium := startChromium(t)
	ada := newFan(t, chromium, "Ada", 0)
	ada.do("come", chromedp.Navigate(e.url+"/buy/?from=mail"))
	ada.says("#heading", "You are next")
	ada.until("have a reference", `document.querySelector('#code').textContent.length === 9`)
	code := ask[string](ada, `document.querySelector('#code').textContent`)
	ada.checked("the next in line")

	tab := ada.secondTab("Ada's second tab")
	tab.do("come again", chromedp.Navigate(e.url+"/buy/?from=mail"))
	tab.until("have a reference", `document.querySelector('#code').textContent.length === 9`)
	if again := ask[string](tab, `document.querySelector('#code').textContent`); again != code {
		t.Errorf("the second tab has the place %s, the first %s", again, code)
	}

	mallory := newFan(t, chromium, "Mallory", 0)
	cookie := ada.cookie("wr_demo_place")
	mallory.do("paste Ada's cookie", command(network.SetCookie, network.SetCookieParams{Name: "wr_demo_place", Value: cookie, URL: e.url}),
		chromedp.Navigate(e.url+"/buy/"))
	mallory.says("#heading", "This place belongs to another browser")
	mallory.checked("somebody else's place")
	if got := ask[string](mallory, `fetch('/.wr/v1/demo/claim', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})
		.then((r) => r.json()).then((p) => p.status + ' ' + p.type)`); got != "401 /problems/proof-required" {
		t.Errorf("a claim with the copied cookie: %s", got)
	}
	inside.leave()
	ada.until("be let in", `document.title === 'Shop' && location.search === '?from=mail'`)
	mallory.do("try to walk in", chromedp.Navigate(e.url+"/buy/"))
	mallory.says("#heading", "This place belongs to another browser")
	mallory.do("join as oneself", click("#rejoin"))
	mallory.until("have a place of one's own", fmt.Sprintf(`document.querySelector('#code').textContent.length === 9 && document.querySelector('#code').textContent !== %q`, code))
	mallory.says("#heading", "You are")
	mallory.quiet("the end of the line")
}

// cookie gives the value of a cookie that scripts cannot see.
func (f *fan) cookie(name string) string {
	f.t.Helper()
	found := ""
	f.do("look at the cookies", readCookies(func(c *network.Cookie) {
		if c.Name == name {
			found = c.Value
		}
	}))
	if found == "" {
		f.t.Fatalf("%s has no cookie %s", f.name, name)
	}
	return found
}

// TestRoomStates walks through what ops and the stock do to a waiting page, in several languages, and looks at each.
func TestRoomStates(t *testing.T) {
	e := startEdge(t, "", fewLeft)
	inside := e.visitor()
	inside.enter()
	e.until("the room knows what is left", func() bool {
		inside.try("GET", "/stock/spring/counts", "")
		return inside.try("GET", "/.wr/v1/demo/frontier", "") == http.StatusOK && strings.Contains(string(inside.text), `"left":0`)
	})
	for range 30 {
		e.visitor().join()
	}
	chromium := startChromium(t)
	ada, noor, cleo := newFan(t, chromium, "Ada", 0), newFan(t, chromium, "Noor", 320), newFan(t, chromium, "Cleo", 320)
	cleo.scriptless = true
	ada.do("come", chromedp.Navigate(e.url+"/buy/"))
	ada.says("#heading", "You are in line")
	noor.do("come", speaks("ar-EG"), inTheDark(), chromedp.Navigate(e.url+"/buy/"))
	noor.says("#heading", "أنت في الطابور")
	cleo.do("come", withoutJavaScript(), speaks("de-AT"), chromedp.Navigate(e.url+"/buy/"))
	cleo.says("h1", "Sie stehen in der Schlange")
	ada.until("see what is left", `!document.querySelector('#stock-line').hidden && !document.querySelector('#honest').hidden`)
	ada.do("open the sections", click("#stock-line summary"))
	ada.says("#sections", "Balcony")
	ada.until("see the categories", `document.querySelector('#by-category').checkVisibility() && document.querySelectorAll('#categories li').length === 2`)
	ada.says("#by-category", "By price category")
	ada.says("#categories", "Silver")
	ada.checked("the line")
	noor.checked("the line")
	cleo.checked("the line")
	cleo.do("stop the page from loading itself", click(`noscript a[href*="refresh=0"]`))
	cleo.until("read that it stopped", `location.search === '?refresh=0' && !document.querySelector('meta[http-equiv=refresh]')`)
	cleo.checked("the line, standing still")
	if dir := ask[string](noor, `getComputedStyle(document.querySelector('.ticket')).direction`); dir != "rtl" {
		t.Errorf("Arabic runs %s", dir)
	}
	noor.do("ask for a code", click("#other"), seen(".hand-code"))
	noor.checked("a code")
	noor.do("close it", chromedp.KeyEvent(kb.Escape))
	noor.until("see it closed", `!document.querySelector('#hand-box')`)
	ada.do("ask to be asked", click("#ask"))
	ada.until("see it pressed", `document.querySelector('#ask').getAttribute('aria-pressed') === 'true'`)

	e.ops("pause")
	ada.comesBack()
	noor.comesBack()
	ada.says("#heading", "The line is paused")
	ada.checked("a pause")
	noor.says("#heading", "الطابور متوقف مؤقتًا")
	e.ops("resume")
	ada.comesBack()
	ada.says("#heading", "You are in line")
	ada.do("give up", click("#leave"), seen("#leave-dialog"))
	ada.checked("the question whether to give up")
	ada.do("do it", click(`#leave-dialog button[value="yes"]`))
	ada.says("#heading", "You have left the line")
	ada.checked("after leaving")
	ada.do("join again", click("#rejoin"))
	ada.says("#heading", "You are in line")
	e.ops("end")
	ada.comesBack()
	noor.comesBack()
	ada.says("#heading", "This sale has ended")
	ada.checked("the end")
	noor.says("#heading", "انتهى هذا البيع")
	cleo.do("look again", chromedp.Reload())
	cleo.says("h1", "Dieser Verkauf ist beendet")
	cleo.checked("the end")
}

// TestRoomThatIsSoldOut tells so, and keeps the place.
func TestRoomThatIsSoldOut(t *testing.T) {
	e := startEdge(t, "", `{"totals":{"capacity":40,"free":0,"held":0,"sold":40}}`)
	inside := e.visitor()
	inside.enter()
	e.until("the room knows what is left", func() bool {
		inside.try("GET", "/stock/spring/counts", "")
		return inside.try("GET", "/.wr/v1/demo/frontier", "") == http.StatusOK && strings.Contains(string(inside.text), `"sold_out":true`)
	})
	chromium := startChromium(t)
	ada, cleo := newFan(t, chromium, "Ada", 0), newFan(t, chromium, "Cleo", 0)
	cleo.scriptless = true
	ada.do("come", chromedp.Navigate(e.url+"/buy/"))
	ada.until("have a reference", `document.querySelector('#code').textContent.length === 9`)
	ada.says("#heading", "Sold out for now")
	ada.checked("a sale that is sold out")
	cleo.do("come", withoutJavaScript(), chromedp.Navigate(e.url+"/buy/"))
	cleo.says("h1", "Sold out for now")
	cleo.checked("a sale that is sold out")
}

// comesBack is what a page hears of somebody who looks at its tab again.
func (f *fan) comesBack() {
	f.t.Helper()
	ask[bool](f, `document.dispatchEvent(new Event('visibilitychange'))`)
}

// TestRoomAsksBeforeItLetsIn: whoever wants to be asked is called, by title and alert, and comes in when they press the button, by keyboard alone.
func TestRoomAsksBeforeItLetsIn(t *testing.T) {
	plenty := strings.Replace(fewLeft, `"free":0`, `"free":30`, 1)
	e := startEdge(t, "", plenty)
	inside := e.visitor()
	inside.enter()
	ada := newFan(t, startChromium(t), "Ada", 320)
	ada.do("come", chromedp.Navigate(e.url+"/buy/"))
	ada.says("#heading", "You are next")
	ada.do("ask to be asked", seen("#ask"), chromedp.Focus(chromedp.CSS("#ask")), chromedp.KeyEvent(" "))
	ada.until("see it pressed", `document.querySelector('#ask').getAttribute('aria-pressed') === 'true'`)
	inside.leave()
	ada.says("#heading", "It is your turn")
	ada.says("#lead", "Enter when you are ready")
	ada.says("#alert", "Enter when you are ready")
	ada.until("see the title", `document.title.includes('It is your turn')`)
	ada.checked("the turn")
	if ask[bool](ada, `document.activeElement?.id === 'enter'`) {
		t.Error("the focus was moved")
	}
	ada.do("enter by keyboard", chromedp.Focus(chromedp.CSS("#enter")), chromedp.KeyEvent(kb.Enter))
	ada.until("be in the shop", `document.title === 'Shop'`)
	ada.quiet("the shop")
}
