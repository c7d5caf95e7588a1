//go:build browser

package browser

import (
	"fmt"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// choosesInTwoSections takes a seat in each of two sections, in a tab that does not hear what others take. One is gone: which one is told, and what is like it comes
// with the other.
func (f *fan) choosesInTwoSections(demo place) {
	f.t.Helper()
	const mine, taken = "105-2-3", "205-2-3"
	tab := f.secondTab(f.name + " in two sections")
	deaf := page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.EventSource = class { addEventListener() {} close() {} }`}
	tab.do("open the shop", command(page.AddScriptToEvaluateOnNewDocument, deaf), chromedp.Navigate(demo.Site+"/buy/"))
	tab.until("see the map", `document.querySelectorAll('#map .section').length > 50`)
	for _, seat := range []string{mine, taken} {
		tab.do("open the section of "+seat, chromedp.Focus(chromedp.CSS(fmt.Sprintf(`[data-section=%q]`, seat[:3]))), chromedp.KeyEvent(kb.Enter))
		tab.do("choose "+seat, chromedp.Focus(chromedp.CSS(fmt.Sprintf(`[data-seat=%q]`, seat))), chromedp.KeyEvent(" "))
	}
	tab.says("#picked-note", "In 2 sections")
	tab.until("see both on the map", `document.querySelectorAll('.section .ring.on').length === 2`)
	tab.sane("a choice in two sections")

	status := ask[int](tab, fmt.Sprintf(`fetch('/v1/events/' + document.body.dataset.event + '/holds', {method: 'POST', body: JSON.stringify({items: [{seat: %q}]}),
		headers: {Authorization: 'Bearer ' + %q, 'Idempotency-Key': crypto.randomUUID(), 'Content-Type': 'application/json'}}).then((r) => r.status)`, taken, demo.APIKey))
	if status != 201 {
		f.t.Fatalf("the box office cannot take %s: status %d", taken, status)
	}
	tab.do("hold them", click("#picked-hold"))
	tab.says("#notice", "Somebody was faster for "+taken+".")
	tab.says("#picked-hold", "Hold this seat")
	tab.do("take what is like it", click("#notice .buttons button"), seen("#held"))
	tab.until("have a seat in each section", fmt.Sprintf(`(() => { const held = document.querySelector('#held-items');
		return held.children.length === 2 && held.textContent.includes('Section %s') && held.textContent.includes('Section %s'); })()`, mine[:3], taken[:3]))
	tab.until("see both on the map", `document.querySelectorAll('.section .ring.on').length === 2 && document.querySelectorAll('.section.open').length === 0`)
	tab.sane("a hold in two sections")
	tab.do("let them go", click("#release"), seen("#best"))
	f.do("see it in the first tab", seen("#best"))
}
