//go:build browser

package browser

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// elsewhere opens an order on another device by its link, once whole and once cut off.
func elsewhere(t *testing.T, demo place, chromium context.Context, ada *fan) {
	ada.do("ask for a link", chromedp.Navigate(demo.Site+"/tickets"), seen(".ticket img"), click("#buttons button:nth-child(4)"), seen("#order-link"))
	link := ask[string](ada, `document.querySelector('#order-link').value`)
	if address, secret, _ := strings.Cut(link, "#"); address != demo.Site+"/o/" || len(secret) < 40 {
		t.Fatalf("the link is %q", link)
	}
	ada.checked("a link for another device")
	tickets := ask[int](ada, `document.querySelectorAll('.ticket').length`)
	laptop := newFan(t, chromium, "Another device", 320)
	for what, wrong := range map[string]string{"half of the link": link[:len(link)-9], "no link at all": demo.Site + "/o/"} {
		laptop.do("follow "+what, chromedp.Navigate("about:blank"), chromedp.Navigate(wrong))
		laptop.says("#heading", "This is not the whole link")
		laptop.checked(what)
	}
	laptop.do("follow the link", chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	laptop.until("see the same order", fmt.Sprintf(`location.pathname === '/tickets' && location.hash === '' && document.querySelectorAll('.ticket').length === %d`, tickets))
	laptop.checked("the order on another device")
	laptop.do("come again", chromedp.Navigate(demo.Site+"/tickets"))
	laptop.until("find it", fmt.Sprintf(`document.querySelectorAll('.ticket').length === %d`, tickets))
}

// paper looks at all that can be printed: tickets, one ticket, and the receipt with its invoice.
func paper(t *testing.T, demo place, ada *fan) {
	issuer := filepath.Join(t.TempDir(), "issuer")
	if err := os.WriteFile(issuer, []byte("Harbour Arena Ltd\nQuay 1, 20457 Hamburg\nVAT DE123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	demo.stockd(t, "invoice", "issuer", "house", "--file", issuer)
	order := ask[string](ada, `new URLSearchParams(location.search).get('order')`)
	ticket := ask[string](ada, `document.querySelector('.ticket:not(.gone)').dataset.ticket`)
	printed := []struct{ name, at, says string }{
		{"tickets", "/v1/orders/" + order + "/tickets", "Northern Lights"},
		{"ticket", "/v1/tickets/" + ticket, "Place"},
		{"receipt", "/v1/orders/" + order + "/receipt", "Harbour Arena Ltd"},
	}
	for _, p := range printed {
		ada.do("look at the "+p.name, chromedp.Navigate(demo.Site+p.at+".html?tz=Europe/Berlin"))
		ada.says("main", p.says)
		ada.checked("the printed " + p.name)
		ada.do("look on a phone", chromedp.EmulateViewport(320, 800))
		ada.checked("the printed " + p.name + " on a phone")
		ada.do("put the phone away", chromedp.EmulateViewport(1280, 900))
	}
	ada.says("section h2", "Invoice HOUSE-")
	ada.says("tfoot", "Total")
	ada.do("go back to the shop", chromedp.Navigate(demo.Site+"/tickets?order="+order), seen(".ticket img")) // the policy of what is printed lets it fetch nothing
	for _, p := range printed {
		pdf := ada.fetched(p.at + ".pdf?tz=Europe/Berlin")
		if !bytes.HasPrefix(pdf, []byte("%PDF-")) {
			t.Errorf("the %s as PDF begins with %q", p.name, pdf[:min(len(pdf), 20)])
		}
		if dir := os.Getenv("SHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, p.name+".pdf"), pdf, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// fetched is what an address answers to the page that the fan sees.
func (f *fan) fetched(path string) []byte {
	f.t.Helper()
	text := ask[string](f, fmt.Sprintf(`fetch(%q).then((r) => r.ok ? r.blob() : Promise.reject(new Error(r.status))).then((b) => new Promise((done) => {
		const reader = new FileReader();
		reader.onload = () => done(reader.result.split(',')[1]);
		reader.readAsDataURL(b);
	}))`, path))
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// givesBack returns one of two tickets for its money, as long as the event takes them back.
func givesBack(t *testing.T, demo place, chromium context.Context) {
	hal := newFan(t, chromium, "Hal gives back", 0)
	order := hal.buys(demo, 2)
	if ask[bool](hal, `document.querySelector('.return') !== null`) {
		t.Error("tickets can be given back before the event says so")
	}
	demo.takesBack(t)
	// The node that is asked may learn of it a moment later.
	hal.until("see that tickets are taken back", `document.querySelector('.return summary') !== null || (performance.now() > 2000 && location.reload(), false)`)
	hal.do("think about it", click(".return summary"), seen(".return .button"))
	hal.checked("about to give a ticket back")
	price := ask[string](hal, `document.querySelector('.return .button').textContent.match(/[\d.]+/)[0]`)
	hal.do("give it back, by keyboard", chromedp.Focus(chromedp.CSS(".return .button")), chromedp.KeyEvent(kb.Enter))
	hal.until("see one void and one good", `document.querySelectorAll('.ticket.gone').length === 1 && document.querySelectorAll('.ticket img').length === 1`)
	hal.says(".gone .void", "its money was given back")
	hal.says("#receipt", "Given back")
	hal.says("#receipt", price)
	hal.says("#heading", "Enjoy the show")
	hal.checked("one of two tickets given back")
	hal.do("look on a phone", chromedp.EmulateViewport(320, 800))
	hal.checked("one of two tickets given back, on a phone")
	hal.do("look at the receipt", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(demo.Site+"/v1/orders/"+order+"/receipt.html"))
	hal.says("main", "Credit note HOUSE-")
	hal.says("tfoot", "Given back")
	hal.checked("a receipt with a credit note")
}
