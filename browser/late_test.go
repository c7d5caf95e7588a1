//go:build browser

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestLatePayment is what somebody sees who paid when their seats were gone: others are kept for them, and they take those or have their money back.
func TestLatePayment(t *testing.T) {
	demo := startDemo(t, "--nodes", "2", "--rate", "50")
	chromium := startChromium(t)
	ben := newFan(t, chromium, "Ben buys", 0)
	ben.comes(demo)
	t.Run("takes the other seats", func(t *testing.T) { takesOthers(t, demo, chromium, ben.of(t)) })
	t.Run("wants the money back", func(t *testing.T) { wantsMoneyBack(t, demo, chromium, ben.of(t)) })
}

func (f *fan) comes(demo place) {
	f.t.Helper()
	f.do("come to the shop", chromedp.Navigate(demo.Site+"/buy/"), seen("#best"))
}

// orders holds some seats for a time and begins to pay for them, by the shop's own modules; gives the order's id and leads to the bank.
func (f *fan) orders(seconds int, seats ...string) string {
	f.t.Helper()
	var items []map[string]string
	for _, seat := range seats {
		items = append(items, map[string]string{"seat": seat})
	}
	wish, _ := json.Marshal(map[string]any{"items": items, "ttl_s": seconds})
	order := ask[string](f, fmt.Sprintf(`(async () => {
		const [{post, keepToken, newKey}, {openOrder, pay}] = await Promise.all([import('/assets/api.js'), import('/assets/checkout.js')]);
		const {body: hold} = await post('/v1/events/' + document.body.dataset.event + '/holds', %s, {key: newKey()});
		keepToken(hold);
		const order = await openOrder(hold, {name: 'Ada Lovelace', email: 'ada@example.org'});
		const {pay_url} = await pay(order.id);
		setTimeout(() => location.assign(pay_url));
		return order.id;
	})()`, wish))
	f.do("come to the bank", seen("button.pay"))
	return order
}

// loses lets an order end whose payment was declined, has somebody else buy its seats, and pays after all.
func (f *fan) loses(ben *fan, demo place, ends func(), seats ...string) {
	f.t.Helper()
	bank := ask[string](f, `location.href`)
	f.do("decline", click(`button[value="decline"]`))
	f.says("#heading", "The bank declined the payment")
	ends()
	ben.comes(demo)
	ben.orders(600, seats...)
	ben.do("pay", click(`button[value="success"]`))
	ben.says("#heading", "Enjoy the show")
	f.do("go back to the bank", chromedp.Navigate(bank))
	f.do("pay after all", click(`button[value="after-all"]`), seen("table.offer"))
}

func takesOthers(t *testing.T, demo place, chromium context.Context, ben *fan) {
	had := []string{"105-4-3", "105-4-4"}
	ada := newFan(t, chromium, "Ada pays late", 0)
	ada.comes(demo)
	order := ada.orders(10, had...)
	other := ada.secondTab("Ada's other device")
	ada.loses(ben, demo, func() {
		ada.says("#heading", "The time was up")
		other.do("look on a phone, in the dark", chromedp.EmulateViewport(320, 800), inTheDark(), chromedp.Navigate(demo.Site+"/tickets?order="+order))
		other.says("#heading", "The time was up")
	}, had...)
	ada.says("#heading", "Your seats are gone. Take these instead?")
	ada.says("#lead", "at the price that you paid, until ")
	ada.says("table.offer tbody tr:first-child td:first-child", "Row 4, seat 3")
	if n := ask[int](ada, `document.querySelectorAll('table.offer td:last-child .place').length`); n != len(had) {
		t.Errorf("%d seats are offered for %d", n, len(had))
	}
	offered := ask[[]string](ada, `[...document.querySelectorAll('table.offer td:last-child')].map((e) => e.querySelector('.place').textContent)`)
	ada.checked("other seats")

	other.do("see it by itself", seen("table.offer"))
	other.checked("other seats on a phone")

	ada.do("take them", click("#buttons .primary"))
	ada.until("stand on what came of it", `document.activeElement?.id === 'heading'`)
	ada.says("#heading", "Enjoy the show")
	ada.says("#note", "You took the seats that we kept for you.")
	if shown := ask[[]string](ada, `[...document.querySelectorAll('.ticket .seat')].map((e) => e.textContent)`); !slices.Equal(slices.Sorted(slices.Values(shown)), slices.Sorted(slices.Values(offered))) {
		t.Errorf("offered were %v, the tickets are for %v", offered, shown)
	}
	ada.until("see no offer any more", `!document.querySelector('table.offer')?.checkVisibility()`)
	ada.checked("tickets for other seats")
	other.says("#heading", "Enjoy the show")
	other.says("#note", "were taken on another device")
	other.checked("taken on another device")
}

// ahead has a page believe, as soon as it is told to, that the time of an offer is over. It lasts a quarter of an hour.
const ahead = `{
	const {fetch, Date: {now}} = window;
	Date.now = () => now() + (window.ahead ? 3_600_000 : 0);
	window.fetch = async (...call) => {
		const answer = await fetch(...call);
		if (!window.ahead || !answer.ok || !/^\/v1\/orders\/[^/]+$/.test(call[0])) return answer;
		const order = await answer.json();
		if (order.offer) order.offer.until_in_s = 0;
		return Response.json(order);
	};
}`

func wantsMoneyBack(t *testing.T, demo place, chromium context.Context, ben *fan) {
	const had = "205-4-3"
	cleo := newFan(t, chromium, "Cleo pays late", 320)
	cleo.comes(demo)
	order := cleo.orders(600, had)
	cleo.loses(ben, demo, func() {
		cleo.do("let the seat go", click("#buttons .quiet"))
		cleo.says("#heading", "Order cancelled")
	}, had)
	cleo.says("#heading", "Your seat is gone. Take this one instead?")
	cleo.checked("another seat")

	cleo.do("look for the order", chromedp.Navigate(demo.Site+"/tickets"))
	cleo.until("find it without an address", `location.search.startsWith('?order=ord_') && document.querySelector('table.offer')?.checkVisibility()`)

	at := demo.Site + "/tickets?order=" + order
	other := cleo.secondTab("Cleo's other device")
	other.do("look at the order", chromedp.Navigate(at), seen("table.offer"))
	slow := cleo.secondTab("Cleo's slow device")
	slow.do("look at the order", command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: ahead}), chromedp.Navigate(at), seen("table.offer"))
	ask[any](slow, `void (window.ahead = true)`)
	slow.says("#heading", "The time is over")
	slow.checked("the time is over")
	if ask[bool](slow, `document.querySelector('#buttons').children.length > 0`) {
		t.Error("an offer that is over can be answered")
	}

	cleo.do("want the money back", click("#buttons .quiet"))
	cleo.until("stand on what came of it", `document.activeElement?.id === 'heading'`)
	cleo.says("#note", "You asked for your money back.")
	cleo.says("#heading", "Refunded")
	cleo.checked("the money is back")
	other.says("#heading", "Refunded")
	other.says("#note", "The money was asked back on another device.")
	other.checked("answered on another device")
	slow.says("#note", "The time to take other seats is over.")
	slow.checked("not answered in time")
}
