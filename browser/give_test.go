//go:build browser

package browser

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"
)

// TestTickets is what people do with tickets after they bought them: give them away and take them, open them on another device, print them, show them at the
// gate, and give them back.
func TestTickets(t *testing.T) {
	demo := startDemo(t, "--nodes", "2", "--rate", "50")
	chromium := startChromium(t)
	ada := newFan(t, chromium, "Ada gives", 0)
	ada.buys(demo, 3)
	t.Run("giving one away", func(t *testing.T) { givesAway(t, demo, chromium, ada.of(t)) })
	t.Run("another device", func(t *testing.T) { elsewhere(t, demo, chromium, ada.of(t)) })
	t.Run("on paper", func(t *testing.T) { paper(t, demo, ada.of(t)) })
	ada.do("come back", chromedp.Navigate(demo.Site+"/tickets"), seen(".ticket img"))
	t.Run("what cannot be given away", func(t *testing.T) { keeps(t, demo, chromium, ada.of(t)) })
	t.Run("giving one back", func(t *testing.T) { givesBack(t, demo, chromium) })
	t.Run("at the gate", func(t *testing.T) { atTheGate(t, demo, chromium) })
}

// of is the same fan in a part of the test.
func (f *fan) of(t *testing.T) *fan {
	before := f.t
	f.t = t
	t.Cleanup(func() { f.t = before })
	return f
}

// ops calls the API as those who run the sale do.
func (p place) ops(t *testing.T, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.Site+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + p.APIKey, "Content-Type": "application/json", "Idempotency-Key": uuid.NewString()} {
		r.Header.Set(name, value)
	}
	answer, err := (&http.Client{Timeout: stepMax}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d %s %v", method, path, answer.StatusCode, text, err)
	}
	return string(text)
}

// buys takes the best seats that there are and pays for them; gives the id of the order.
func (f *fan) buys(demo place, quantity int) string {
	f.t.Helper()
	f.do("come to the shop", chromedp.Navigate(demo.Site+"/buy/"), seen("#best"))
	f.until("see the map", `document.querySelectorAll('#map .section').length > 50`)
	for n := 2; n != quantity; { // the shop begins with two
		step := 1
		if n > quantity {
			step = -1
		}
		f.do("change how many", click(fmt.Sprintf(`[data-step="%d"]`, step)))
		n += step
	}
	f.do("take the best", click("#best .primary"), seen("#held"))
	f.do("pay", write(`[name="name"]`, "Ada Lovelace"), write(`[name="email"]`, "ada@example.org"), click("#pay"), seen("button.pay"), click(`button[value="success"]`))
	f.until("see the tickets", fmt.Sprintf(`[...document.querySelectorAll('.ticket img')].filter((i) => i.naturalWidth > 0).length === %d`, quantity))
	return ask[string](f, `new URLSearchParams(location.search).get('order')`)
}

// offers opens the first ticket's box, makes a link and gives it.
func (f *fan) offers() string {
	f.t.Helper()
	f.do("think about giving one away", click(".give summary"), seen(".give .button"))
	f.checked("about to give a ticket away")
	f.do("make the link", click(".give .button"), seen(".give input"))
	f.until("stand on the link", `document.activeElement?.matches('.give input')`)
	return ask[string](f, `document.querySelector('.give input').value`)
}

func givesAway(t *testing.T, demo place, chromium context.Context, ada *fan) {
	link := ada.offers()
	address, code, ok := strings.Cut(link, "#")
	if !ok || address != demo.Site+"/t/" || len(code) != 23 {
		t.Fatalf("the link is %q", link)
	}
	ada.checked("a ticket that is offered")
	ada.do("look on a phone", chromedp.EmulateViewport(320, 800))
	ada.checked("a ticket that is offered, on a phone")
	ada.do("put the phone away", chromedp.EmulateViewport(1280, 900))
	ada.do("come again", chromedp.Reload(), seen(".give input"))
	if again := ask[string](ada, `document.querySelector('.give input').value`); again != link {
		t.Errorf("after a reload the link is %q, was %q", again, link)
	}
	ada.do("take it back", click(".give .buttons .quiet"))
	ada.until("have it back", `!document.querySelector('.give input') && document.activeElement?.matches('.give summary')`)

	ben := newFan(t, chromium, "Ben takes", 320)
	ben.do("follow a link that was taken back", chromedp.Navigate(link))
	ben.says("#heading", "This offer has ended")
	ben.checked("an offer that was taken back")
	link = ada.offers()
	_, code, _ = strings.Cut(link, "#")
	place := ask[string](ada, `document.querySelector('.give input').closest('.ticket').querySelector('.seat').textContent`)
	given := ask[string](ada, `document.querySelector('.give input').closest('.ticket').dataset.ticket`)

	ben.do("type a wrong code", chromedp.Navigate(demo.Site+"/t/"), seen("#code"), write("#code", "AAAAA-AAAAA-AAAAA-AAAAA"), chromedp.KeyEvent(kb.Enter))
	ben.says("#heading", "We do not know this code")
	ben.checked("a wrong code")
	ask[any](ben, `document.querySelector('#code').select()`)
	ben.do("type it", write("#code", strings.ToLower(strings.ReplaceAll(code, "-", " "))), chromedp.KeyEvent(kb.Enter))
	ben.says(".ticket .seat", place)
	ben.says(".ticket .when", "Harbour Arena")
	if ask[bool](ben, `location.hash !== '' || location.search !== '' || document.querySelector('img[alt^=Code]') !== null`) {
		t.Error("the code is in the address, or the ticket's own code is shown before it was taken")
	}
	ben.checked("what is given")
	ben.do("load the page again", chromedp.Reload())
	ben.says(".ticket .seat", place)
	ben.do("take it", click("#buttons .primary"))
	ben.until("have it", `location.pathname === '/tickets' && location.search.startsWith('?ticket=tkt_') && document.querySelector('.ticket img')?.naturalWidth > 0`)
	ben.checked("a ticket that was taken")

	ada.says("#note", place+": your ticket was taken")
	ada.until("see it gone", fmt.Sprintf(`document.querySelector('[data-ticket=%q] .void')?.textContent.includes('You gave this ticket away')`, given))
	ada.checked("a ticket that is gone")
	cleo := newFan(t, chromium, "Cleo is late", 0)
	cleo.do("follow the same link", chromedp.Navigate(link))
	cleo.says("#heading", "This ticket was taken")
	cleo.checked("an offer that was taken")
	ben.findsWhatHeTook(demo)
	ben.passesItOn(chromium)
}

// findsWhatHeTook by the page's address alone.
func (f *fan) findsWhatHeTook(demo place) {
	f.t.Helper()
	f.do("look for the ticket", chromedp.Navigate(demo.Site+"/tickets"))
	f.until("find it", `location.search.startsWith('?ticket=tkt_') && document.querySelector('.ticket img')?.naturalWidth > 0`)
}

// passesItOn gives a ticket that was taken to one more person, who takes it by the link.
func (f *fan) passesItOn(chromium context.Context) {
	f.t.Helper()
	link := f.offers()
	dora := newFan(f.t, chromium, "Dora", 0)
	dora.do("follow the link", chromedp.Navigate(link), seen(".ticket .seat"))
	dora.checked("what is given, on a large screen")
	dora.do("take it", click("#buttons .primary"))
	dora.until("have it", `location.search.startsWith('?ticket=tkt_') && document.querySelector('.ticket img')?.naturalWidth > 0`)
	f.says("#heading", "You gave it away")
	f.checked("a ticket that was passed on")
}

// keeps: the sale may forbid it, want names, and what is void goes nowhere.
func keeps(t *testing.T, demo place, chromium context.Context, ada *fan) {
	demo.ops(t, "PUT", "/v1/events/arena/ticket-rules", `{"names":"none","transfers":0}`)
	ada.do("come again", chromedp.Reload(), seen(".ticket img"))
	ada.says(".more .hint", "cannot be given to somebody else")
	ada.checked("tickets that cannot be given away")

	// A name for each ticket, and the taker gives their own.
	demo.ops(t, "PUT", "/v1/events/arena/ticket-rules", `{"names":"required","transfers":3}`)
	ada.do("come again", chromedp.Reload(), seen(".holder"))
	ada.checked("tickets that want names")
	link := ada.offers()
	eve := newFan(t, chromium, "Eve is named", 360)
	eve.do("follow the link", chromedp.Navigate(link))
	eve.says("#lead", "needs the name")
	eve.do("take it", click("#buttons .primary"), seen(".holder input"))
	if ask[bool](eve, `document.querySelector('.ticket img') !== null`) {
		t.Error("a ticket without a name has a code")
	}
	eve.checked("a ticket that wants a name")
	before := ask[string](eve, `location.search`)
	eve.do("give the name", write(".holder input", "Eve Adams"), click(".holder .button"))
	eve.until("have a code", `document.querySelector('.ticket img')?.naturalWidth > 0`)
	eve.says(".holder-name", "Eve Adams")
	if ask[string](eve, `location.search`) == before {
		t.Error("the address has the ticket that is void")
	}
	eve.checked("a ticket with a name")
	eve.do("come again", chromedp.Navigate(demo.Site+"/tickets"))
	eve.says(".holder-name", "Eve Adams")

	// A ticket is offered, and refunded before anybody takes it.
	demo.ops(t, "PUT", "/v1/events/arena/ticket-rules", `{"names":"none","transfers":3}`)
	fay := newFan(t, chromium, "Fay", 0)
	order := fay.buys(demo, 1)
	link = fay.offers()
	demo.ops(t, "POST", "/v1/orders/"+order+"/refunds", `{}`)
	gil := newFan(t, chromium, "Gil", 320)
	gil.do("follow the link", chromedp.Navigate(link))
	gil.says("#heading", "This ticket is void")
	gil.checked("a ticket that was refunded meanwhile")
	fay.says(".void", "its money was given back")
	fay.says("#heading", "Refunded")
	fay.checked("an order that was refunded")
}
