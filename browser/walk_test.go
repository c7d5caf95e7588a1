//go:build browser

package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// roomBytesMax is what the waiting room's page may cost over the wire, everything included: a crowd loads it at once.
const roomBytesMax = 30 << 10

// TestWalk is one evening at the box office. One person fits inside: Ada has the place, Ben waits, Cleo waits without JavaScript.
func TestWalk(t *testing.T) {
	demo := startDemo(t, "--nodes", "2", "--max-active", "1", "--rate", "20")
	chromium := startChromium(t)

	ada := newFan(t, chromium, "Ada", 0)
	ada.do("open the site", chromedp.Navigate(demo.Site+"/"))
	ada.says("#state", "Now")
	ada.sane("the landing page")
	ada.do("ask for tickets", click(`a[href="/buy/"]`))
	ada.until("see the map", `document.querySelectorAll('#map .section').length > 50`)
	ada.sane("the shop")

	ben := newFan(t, chromium, "Ben", 320)
	ben.waits(demo)
	cleo := newFan(t, chromium, "Cleo", 0)
	cleo.waitsWithoutJavaScript(demo)

	ada.choosesInTwoSections(demo)
	ada.choosesByKeyboard()
	ada.holds()
	ada.sharesTheHoldWithASecondTab(demo)
	ada.pays()
	ada.findsTheOrderAgain(demo)

	ada.leavesTheShop(demo)
	ben.until("be let in by himself", `location.pathname === '/buy/' && document.querySelectorAll('#map .section').length > 50`)
	ben.sane("the shop at 320 pixels")
	ben.watchesOpsPauseTheSale(demo, chromium)
	readsTheBooks(t, chromium, demo.Site, demo.APIKey)
	ben.leavesTheShop(demo)
	cleo.isLetInWithoutJavaScript()
}

func (f *fan) waits(demo place) {
	f.t.Helper()
	f.do("come to the shop", chromedp.Navigate(demo.Site+"/buy/"))
	f.says("#heading", "You are next")
	f.says("#lead", "as soon as somebody leaves")
	f.says("#wait", "not known yet") // the house is full, and nobody can say when somebody leaves
	f.until("see that the page follows the line", `document.querySelector('#live-text').textContent === 'Live'`)
	f.sane("the room")
	if n := f.loaded("/.wr/") + f.loaded("/buy/"); n == 0 || n > roomBytesMax {
		f.t.Errorf("the room's page came in %.0f bytes, at most %d", n, roomBytesMax)
	}
	policy := header(f.t, demo.Site+"/buy/").Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") {
		f.t.Errorf("the room's policy is %q", policy)
	}
	f.do("think about giving up", click("#leave"), seen("#leave-dialog"))
	f.sane("the question whether to give up")
	f.do("stay", chromedp.KeyEvent(kb.Escape), notSeen("#leave-dialog"))
}

func (f *fan) waitsWithoutJavaScript(demo place) {
	f.t.Helper()
	f.do("come to the shop", withoutJavaScript(), chromedp.Navigate(demo.Site+"/buy/"))
	f.says("h1", "You are")
	f.sane("the room without JavaScript")
	f.do("stop the page from loading itself", click(`noscript a[href*="refresh=0"]`))
	f.until("read that it stopped", `location.search === '?refresh=0' && !document.querySelector('meta[http-equiv=refresh]')`)
	f.do("look again by hand", click("noscript a.primary"))
	f.says("h1", "You are")
	f.sane("the room without JavaScript, standing still")
}

// choosesByKeyboard takes two seats side by side with Enter, an arrow and Space.
func (f *fan) choosesByKeyboard() {
	f.t.Helper()
	f.do("open a section", chromedp.Focus(chromedp.CSS(`[data-section="105"]`)), chromedp.KeyEvent(kb.Enter))
	f.until("stand on a seat", `document.activeElement?.dataset?.seat?.startsWith('105-')`)
	f.do("choose two seats", chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(" "))
	f.says("#picked-hold", "Hold these 2 seats")
	f.do("go to the button", chromedp.Focus(chromedp.CSS("#picked-hold")))
	f.until("see it under nothing", `(() => { const b = document.querySelector('#picked-hold'); const r = b.getBoundingClientRect();
		return b.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)); })()`)
	f.sane("the choice")
}

func (f *fan) holds() {
	f.t.Helper()
	f.do("hold them", click("#picked-hold"), seen("#held"))
	f.until("see the clock", `/^9:5\d$|^10:00$/.test(document.querySelector('#time').textContent)`)
	f.until("see the seats on the map", `document.querySelectorAll('.seat.mine').length === 2`)
	if !ask[bool](f, `document.querySelector('#notice').hidden`) {
		f.t.Errorf("one's own hold is announced: %s", f.picture())
	}
	f.sane("the hold")
}

func (f *fan) sharesTheHoldWithASecondTab(demo place) {
	f.t.Helper()
	tab := f.secondTab("Ada's second tab")
	tab.do("open the shop again", chromedp.Navigate(demo.Site+"/buy/"), seen("#held"))
	tab.do("ask for more time", click("#extend"))
	tab.until("have more time", `document.querySelector('#notice').hidden`)
	tab.do("let the seats go", click("#release"), seen("#best"))
	f.do("see it in the first tab", seen("#best"))
	f.do("take the best that there is", click("#best .primary"), seen("#held"))
	tab.do("see it in the second tab", seen("#held"))
	tab.quiet("the shop in a second tab")
}

// pays meets a bank that declines, then one that tells the shop late.
func (f *fan) pays() {
	f.t.Helper()
	f.do("pay", write(`[name="name"]`, "Ada Lovelace"), write(`[name="email"]`, "ada@example.org"), click("#pay"), seen("button.pay"))
	f.sane("the bank")
	f.do("decline", click(`button[value="decline"]`))
	f.says("#heading", "The bank declined the payment")
	f.says("#lead", "still held until")
	f.sane("a declined payment")
	f.do("try again", click("#buttons button"), seen("button.pay"))
	bank := ask[string](f, `location.href`)
	f.do("pay slowly", click(`button[value="slow"]`))
	f.says("#heading", "Confirming your payment")
	f.until("see two tickets with codes", `[...document.querySelectorAll('.ticket img')].filter((i) => i.naturalWidth > 0).length === 2`)
	f.says(".ticket .when", "Harbour Arena")
	f.says("#receipt", "Total paid")
	f.sane("the tickets")
	f.do("go back to the bank", chromedp.Navigate(bank))
	f.says(".done", "You have paid.")
	f.sane("a settled payment")
	f.do("follow a broken link", chromedp.Navigate(bank+"0"))
	f.says("h1", "There is no such payment")
	f.sane("a payment that is not there")
}

func (f *fan) findsTheOrderAgain(demo place) {
	f.t.Helper()
	f.do("look for the tickets", chromedp.Navigate(demo.Site+"/tickets"))
	f.until("find them without an address", `location.search.startsWith('?order=ord_') && document.querySelectorAll('.ticket').length === 2`)
	f.do("open another one's order", chromedp.Navigate(demo.Site+"/tickets?order=ord_0190f000-0000-7000-8000-000000000000"))
	f.says("#heading", "We cannot show this order here")
	f.sane("an order of somebody else")
}

func (f *fan) leavesTheShop(demo place) {
	f.t.Helper()
	f.do("leave the shop", chromedp.Navigate(demo.Site+"/"))
	status := ask[int](f, `fetch('/.wr/v1/demo/leave', {method: 'POST', headers: {'Content-Type': 'application/json', Accept: 'application/json'}, body: '{}'})
		.then((r) => r.status)`)
	if status/100 != 2 {
		f.t.Fatalf("%s cannot leave: status %d", f.name, status)
	}
}

// watchesOpsPauseTheSale has ops press the button on the admin page, while somebody looks at the map.
func (f *fan) watchesOpsPauseTheSale(demo place, chromium context.Context) {
	f.t.Helper()
	ops := newFan(f.t, chromium, "ops", 0)
	ops.do("open the admin page", chromedp.Navigate(demo.Site+"/admin"), write("#key", "wrong"+kb.Enter))
	ops.says("#sign-error", "This key is not known")
	ops.sane("the admin page's door")
	ops.do("sign in", write("#key", demo.APIKey+kb.Enter), seen("#board"))
	ops.until("see both nodes", `document.querySelectorAll('#nodes tbody tr').length === 2`)
	ops.sane("the admin page")
	ops.do("pause the sale", click(".event .buttons button"), seen("#confirm"), click("#confirm-yes"))
	ops.says(".event .state", "Paused")
	f.says("#notice", "Sales are paused for a moment")
	f.do("try all the same", chromedp.ScrollIntoView(chromedp.CSS("#best .primary")), click("#best .primary"))
	f.until("be refused in words", `document.querySelector('#notice').classList.contains('bad') && document.querySelector('#notice').textContent.includes('Sales are paused')`)
	ops.do("go on", click(".event button.primary"), seen("#confirm"), click("#confirm-yes"))
	ops.says(".event .state", "On sale")
	f.says("#notice", "Sales go on")
	ops.do("look from a phone", chromedp.EmulateViewport(320, 640))
	ops.sane("the admin page at 320 pixels")
	f.quiet("the shop while ops paused it")
}

func (f *fan) isLetInWithoutJavaScript() {
	f.t.Helper()
	// Her page stands still, and somebody who is called before her may not come: so she looks again until it is her turn.
	f.until("have the turn", `(() => {
		if (document.querySelector('form[action$="/claim"] button') || document.querySelector('h1')?.textContent.includes('needs JavaScript')) return true;
		location.reload();
		return false;
	})()`)
	if ask[bool](f, `document.querySelector('form[action$="/claim"] button') !== null`) {
		f.do("enter", click(`form[action$="/claim"] button`))
	}
	f.says("main.plain h1", "Choosing seats needs JavaScript")
	f.until("see nothing that needs scripts", `!document.querySelector('.shop').checkVisibility()`)
	f.sane("the shop without JavaScript")
}
