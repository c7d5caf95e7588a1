package paypage

import (
	_ "embed"
	"html/template"
	"io"
)

// CSP is the Content-Security-Policy for the page: no script at all, and its style from Data.StylesheetURL only.
const CSP = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Stylesheet is the page's CSS. Serve it as text/css at the path in Data.StylesheetURL.
//
//go:embed paypage.css
var Stylesheet []byte

//go:embed paypage.html
var source string

//go:embed trouble.html
var troubleSource string

var (
	page    = template.Must(template.New("paypage.html").Parse(source))
	trouble = template.Must(template.New("trouble.html").Parse(troubleSource))
)

// The actions that the page's forms send in the field "action".
const (
	ActionSuccess = "success" // pays
	ActionDecline = "decline" // refuses to pay
	ActionSlow    = "slow"    // pays, and the bank takes some seconds
	ActionLate    = "late"    // pays, and the bank takes until the shop does not wait any more
	ActionDouble  = "double"  // pays, and the bank tells the shop twice
	ActionTwice   = "twice"   // pays, and the bank takes the money a second time
	ActionLost    = "lost"    // pays, and the bank never tells the shop, which has to ask

	ActionAfterAll = "after-all" // pays what was declined before

	ActionDispute       = "dispute"      // wants captured money back, by way of the cardholder's bank
	ActionDisputeWon    = "dispute-won"  // ends that for the shop
	ActionDisputeLost   = "dispute-lost" // ends that for the cardholder
	ActionSendRefunds   = "send-refunds"
	ActionRefuseRefunds = "refuse-refunds"
	ActionFailRefunds   = "fail-refunds" // takes them, and says some seconds later that they failed
)

// Actions are all of them.
var Actions = []string{
	ActionSuccess, ActionDecline, ActionSlow, ActionLate, ActionDouble, ActionTwice, ActionLost, ActionAfterAll,
	ActionDispute, ActionDisputeWon, ActionDisputeLost, ActionSendRefunds, ActionRefuseRefunds, ActionFailRefunds,
}

// Bank reports whether an action is about a payment that was made, so that its visitor stays at the bank.
func Bank(action string) bool {
	switch action {
	case ActionDispute, ActionDisputeWon, ActionDisputeLost, ActionSendRefunds, ActionRefuseRefunds, ActionFailRefunds:
		return true
	}
	return false
}

// Data is what the page shows.
type Data struct {
	// Payment is the provider's id of the payment; the forms are posted to the page's own URL.
	Payment string
	// Order is the shop's id of the order.
	Order string
	// Amount is the formatted amount without the currency, for example "194.50"; Currency is its code, for example "EUR".
	Amount, Currency string
	// ReturnURL is where the visitor goes back to. html/template refuses every scheme but http, https and a local path.
	ReturnURL string
	// State is "" or "created" while the payment is open; anything else is shown as already decided, without buttons.
	State string
	// Refunded is the formatted amount that went back so far; empty: nothing.
	Refunded string
	// Refunds says what becomes of the next refund: "send", "refuse" or "fail".
	Refunds string
	// Dispute is "", "opened", "won" (by the shop) or "lost".
	Dispute string
	// StylesheetURL is where Stylesheet is served; empty means "/sandbox/paypage.css".
	StylesheetURL string
}

// Open reports whether the payment can still be decided.
func (d Data) Open() bool { return d.State == "" || d.State == "created" }

// Disputed says in words how a dispute stands; empty without one.
func (d Data) Disputed() string {
	switch d.Dispute {
	case "opened":
		return "You have disputed this payment: the bank has taken the money from the shop until it is decided."
	case "won":
		return "The bank decided your dispute for the shop, which has the money again."
	case "lost":
		return "The bank decided your dispute for you: the money is yours, and the tickets are void."
	}
	return ""
}

// Taken reports whether the money was taken and has not all gone back, so that it can be disputed.
func (d Data) Taken() bool { return d.State == "captured" }

// Declined reports whether the payment was declined, so that it may succeed after all.
func (d Data) Declined() bool { return d.State == "failed" }

// Outcome says in words how a settled payment ended.
func (d Data) Outcome() string {
	switch d.State {
	case "pending":
		return "You have paid, and the bank takes its time. The shop hears of it when the bank is done."
	case "authorized", "captured":
		return "You have paid. The shop has your tickets, or is about to."
	case "failed":
		return "You have declined this payment. The shop lets you try again while it holds your seats."
	case "voided":
		return "This payment was called off by the shop, and nothing was taken from you."
	case "refunded":
		return "The shop has sent your money back."
	}
	return "This payment is settled already: " + d.State + "."
}

// Render writes the page, a whole document in UTF-8.
func Render(w io.Writer, d Data) error {
	if d.StylesheetURL == "" {
		d.StylesheetURL = "/sandbox/paypage.css"
	}
	return page.Execute(w, d)
}

// Trouble is a page for somebody whose payment cannot be shown or decided: Heading says what is wrong, Text what to do.
type Trouble struct {
	Heading, Text string
	// StylesheetURL is as in Data.
	StylesheetURL string
}

// RenderTrouble writes that page, a whole document in UTF-8.
func RenderTrouble(w io.Writer, t Trouble) error {
	if t.StylesheetURL == "" {
		t.StylesheetURL = "/sandbox/paypage.css"
	}
	return trouble.Execute(w, t)
}
