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
	ActionSlow    = "slow"    // pays, but tells the shop some seconds later
	ActionDouble  = "double"  // pays, and tells the shop twice
	ActionLost    = "lost"    // pays, and never tells the shop, which has to ask
)

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
	// StylesheetURL is where Stylesheet is served; empty means "/sandbox/paypage.css".
	StylesheetURL string
}

// Open reports whether the payment can still be decided.
func (d Data) Open() bool { return d.State == "" || d.State == "created" || d.State == "pending" }

// Outcome says in words how a settled payment ended.
func (d Data) Outcome() string {
	switch d.State {
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
