//go:build browser

package browser

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// readsTheBooks has somebody of finance look at the day, on a large screen and on a phone.
func readsTheBooks(t *testing.T, chromium context.Context, site, key string) {
	t.Helper()
	desk := newFan(t, chromium, "finance", 0)
	desk.do("open the finance page", chromedp.Navigate(site+"/admin/finance"), write("#key", key+kb.Enter), seen("#tables table"))
	desk.until("days, trial balance, invoices and sales are there", `document.querySelectorAll('#tables section').length === 8 && document.querySelectorAll('#charts svg').length > 0`)
	desk.sane("the finance page")
	desk.shot("books")
	desk.do("take a phone", chromedp.EmulateViewport(320, 800))
	desk.until("the charts fit the phone", `[...document.querySelectorAll('#charts svg')].every((s) => s.getBoundingClientRect().right <= innerWidth)`)
	desk.sane("the finance page at 320 pixels")
	desk.shot("books-phone")
	desk.do("put the phone away", chromedp.EmulateViewport(1280, 900))
	if ask[bool](desk, `document.querySelector('.lead') !== null`) {
		desk.do("look into a break", click(".lead"), seen("#detail-tables table"))
		desk.sane("what finance sees of an order")
		desk.shot("order")
		desk.do("close it", click(".detail-top .quiet"), notSeen("#detail"))
	}
	desk.quiet("the finance page")
}
