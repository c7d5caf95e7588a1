//go:build browser

package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestRoomPlaceMovesToAnotherDevice: a code that the phone shows gives its place to the laptop, by link and by hand, and the phone says so, then and later.
func TestRoomPlaceMovesToAnotherDevice(t *testing.T) {
	e := startEdge(t, "", fewLeft)
	inside := e.visitor()
	inside.enter()
	chromium := startChromium(t)
	phone, laptop := newFan(t, chromium, "Phone", 320), newFan(t, chromium, "Laptop", 0)
	const noBox = `!document.querySelector('#hand-box')`
	const reference = `document.querySelector('#code').textContent`
	for _, f := range []*fan{phone, laptop} {
		f.do("come", chromedp.Navigate(e.url+"/buy/?from=mail"))
		f.until("have a reference", reference+`.length === 9`)
	}
	place := ask[string](phone, reference)
	if n := phone.loaded("/assets/") + phone.loaded("/buy/"); n == 0 || n > roomBytesMax {
		t.Errorf("the room's page came in %.0f bytes, at most %d", n, roomBytesMax)
	} else {
		t.Logf("the room's page came in %.0f bytes, before anybody moves a place", n)
	}
	phone.do("ask for a code", click("#other"), seen(".hand-code"))
	phone.says("#hand-h", "Your code")
	code := ask[string](phone, `document.querySelector('.hand-code').textContent`)
	link := ask[string](phone, `document.querySelector('#hand-box a').href`)
	if len(code) != 11 || link != e.url+"/buy/?from=mail#place="+code {
		t.Errorf("the code %q, the link %q", code, link)
	}
	phone.checked("a code")

	// By hand: first wrong, then closed by keyboard, which gives the focus back.
	laptop.do("type a code", chromedp.Focus(chromedp.CSS("#have")), chromedp.KeyEvent(kb.Enter), seen("#hand-in"), write("#hand-in", "00000 00000"), chromedp.KeyEvent(kb.Enter))
	laptop.says("#hand-box [role=alert]", "No place waits for this code")
	laptop.checked("a wrong code")
	laptop.do("think again", chromedp.KeyEvent(kb.Escape))
	laptop.until("see it closed", noBox)
	laptop.until("have the focus back", `document.activeElement?.id === 'have'`)
	// By the link: nothing happens before somebody agrees.
	laptop.do("follow the link", chromedp.Navigate(link), seen("#hand-in"))
	laptop.until("see the code, and not in the address", `document.querySelector('#hand-in').value === '`+code+`' && location.hash === ''`)
	if ask[string](laptop, reference) == place {
		t.Error("the place was taken over before anybody agreed")
	}
	laptop.checked("a code from a link")
	laptop.do("take over", click("#hand-box .primary"))
	laptop.until("see it closed", noBox)
	laptop.until("have the phone's place", reference+` === '`+place+`'`)
	laptop.checked("the place on the laptop")

	phone.says("#heading", "This place is on another device now")
	phone.until("see the code gone", noBox)
	phone.checked("a place that was moved")
	phone.do("look again", chromedp.Reload())
	phone.says("#heading", "This place is on another device now")
	if got := ask[string](phone, `fetch('/.wr/v1/demo/offer', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"code":"`+code+`"}'})
		.then((r) => r.json()).then((p) => p.status + ' ' + p.type)`); got != "403 /problems/place-moved" {
		t.Errorf("the phone asks for its code: %s", got)
	}
	phone.quiet("a place that was moved")

	// And back, so that the phone is let in.
	laptop.do("ask for a code", click("#other"), seen(".hand-code"))
	code = ask[string](laptop, `document.querySelector('.hand-code').textContent`)
	phone.do("type it", click("#have"), seen("#hand-in"), write("#hand-in", strings.ToLower(strings.ReplaceAll(code, "-", " "))), click("#hand-box .primary"))
	phone.until("have the place back", reference+` === '`+place+`'`)
	laptop.says("#heading", "This place is on another device now")
	inside.leave()
	phone.until("be let in", `document.title === 'Shop' && location.search === '?from=mail'`)
	phone.quiet("the shop")
	laptop.quiet("a place that was moved")
}

// TestRoomPlaceMovesWithoutJavaScript goes by forms alone.
func TestRoomPlaceMovesWithoutJavaScript(t *testing.T) {
	e := startEdge(t, "", fewLeft)
	inside := e.visitor()
	inside.enter()
	chromium := startChromium(t)
	phone, laptop := newFan(t, chromium, "Phone without scripts", 320), newFan(t, chromium, "Laptop without scripts", 0)
	for _, f := range []*fan{phone, laptop} {
		f.scriptless = true
		f.do("come", withoutJavaScript(), speaks("en"), chromedp.Navigate(e.url+"/buy/"))
		f.says("h1", "You are")
	}
	phone.checked("the line")
	phone.do("ask for a code", click(`form[action$="/offer"] button`), seen("#ahead"))
	phone.says("h1", "Your code")
	phone.checked("a code")
	code := ask[string](phone, `document.querySelector('#ahead').textContent`)
	place := phone.cookie("wr_demo_place")
	for _, typed := range []string{"WRONG", code} {
		laptop.do("type "+typed, click(`noscript details summary`), seen(`input[name=code]`), write(`input[name=code]`, typed), click(`form[action$="/handover"] button`))
		if typed != code {
			laptop.says("#trouble", "No place waits for this code")
			laptop.checked("a wrong code")
		}
	}
	inside.leave()
	laptop.until("be let in", `document.title === 'Shop'`)
	if laptop.cookie("wr_demo_place") == place {
		t.Error("the laptop has the phone's own token")
	}
	laptop.leavesTheRoom(e)
	phone.do("look again", chromedp.Navigate(e.url+"/buy/"))
	phone.until("be told", `document.querySelector('h1').textContent.includes('on another device') || (location.reload(), false)`)
	phone.checked("a place that was moved")
}
