package paypage

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func render(t *testing.T, d Data) string {
	t.Helper()
	var b strings.Builder
	if err := Render(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOpenPaymentHasEveryAction(t *testing.T) {
	t.Parallel()
	html := render(t, Data{Payment: "pay_1", Order: "ord_1", Amount: "194.50", Currency: "EUR", ReturnURL: "/tickets?order=ord_1"})
	for _, action := range []string{ActionSuccess, ActionDecline, ActionSlow, ActionLate, ActionDouble, ActionTwice, ActionLost} {
		if !strings.Contains(html, `name="action" value="`+action+`"`) {
			t.Errorf("no button for %s", action)
		}
	}
	for _, want := range []string{"194.50", "EUR", "ord_1", "pay_1", `href="/tickets?order=ord_1"`, `href="/sandbox/paypage.css"`} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

func TestSettledPaymentCannotBePaidAgain(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		"pending": "the bank takes its time", "authorized": "You have paid.", "captured": "You have paid.", "failed": "You have declined", "voided": "nothing was taken",
		"refunded": "sent your money back", "odd": "already: odd.",
	} {
		html := render(t, Data{Payment: "pay_1", State: state, ReturnURL: "/tickets"})
		if strings.Contains(html, `value="success"`) || strings.Contains(html, `value="decline"`) || !strings.Contains(html, want) {
			t.Errorf("a payment that is %s can be decided again, or does not say how it ended", state)
		}
	}
}

// What the cardholder's bank may do is offered where it can be done, and only there.
func TestWhatTheBankMayDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data   Data
		offers []string
		says   string
	}{
		"taken":    {Data{State: "captured", Refunds: "send"}, []string{ActionDispute, ActionRefuseRefunds, ActionFailRefunds}, "You have paid."},
		"disputed": {Data{State: "captured", Refunds: "send", Dispute: "opened"}, []string{ActionDisputeLost, ActionDisputeWon, ActionRefuseRefunds, ActionFailRefunds}, "until it is decided"},
		"won":      {Data{State: "captured", Refunds: "refuse", Dispute: "won"}, []string{ActionSendRefunds, ActionFailRefunds}, "for the shop"},
		"lost":     {Data{State: "captured", Refunds: "fail", Dispute: "lost"}, []string{ActionSendRefunds, ActionRefuseRefunds}, "tickets are void"},
		"in part":  {Data{State: "captured", Refunds: "send", Refunded: "12.00", Currency: "EUR"}, []string{ActionDispute, ActionRefuseRefunds, ActionFailRefunds}, "12.00 EUR of it went back"},
		"declined": {Data{State: "failed", Refunds: "send"}, []string{ActionAfterAll}, "You have declined"},
		"called":   {Data{State: "voided", Refunds: "send"}, nil, "nothing was taken"},
	} {
		html := render(t, c.data)
		var offered []string
		for _, m := range regexp.MustCompile(`name="action" value="([a-z-]+)"`).FindAllStringSubmatch(html, -1) {
			offered = append(offered, m[1])
		}
		if !slices.Equal(offered, c.offers) || !strings.Contains(html, c.says) {
			t.Errorf("%s: offers %v, want %v; and says %q: %v", name, offered, c.offers, c.says, strings.Contains(html, c.says))
		}
	}
}

func TestHostileDataStaysText(t *testing.T) {
	t.Parallel()
	html := render(t, Data{Payment: `"><script>x`, Order: `<b>`, Amount: `<i>`, ReturnURL: "javascript:alert(1)", State: `<u>`})
	if found := regexp.MustCompile(`<script|<b>|<i>|<u>|javascript:`).FindString(html); found != "" {
		t.Errorf("%q came through", found)
	}
}

func TestWorksUnderCSP(t *testing.T) {
	t.Parallel()
	html := render(t, Data{Payment: "pay_1"})
	if found := regexp.MustCompile(`<script|<style|\sstyle=|\son[a-z]+=`).FindString(html); found != "" {
		t.Errorf("the page holds %q, which the policy blocks", found)
	}
}

func TestTroubleSaysWhatToDoAndStaysText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := RenderTrouble(&b, Trouble{Heading: "There is no such payment", Text: "<b>Start again.</b>"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<h1 class="words">There is no such payment</h1>`, "&lt;b&gt;Start again.", `href="/sandbox/paypage.css"`, `href="/"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}
