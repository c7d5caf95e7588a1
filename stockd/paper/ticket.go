package paper

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

// Ticket is everything that is printed of one ticket. Empty fields are left out.
type Ticket struct {
	// ID is the ticket's public id.
	ID string
	// Event, Venue and When are lines of text; When is written out by the caller, who knows the place's time.
	Event, Venue, When string
	// Seat says where to sit, or which area; Section and Type say more of it.
	Seat, Section, Type string
	// Holder is the name that the ticket is bound to.
	Holder string
	// Note is a line for the people at the gate or the holder, such as that a name is still missing.
	Note string
	// Code is what the gate reads. Empty: the ticket has none to show, and Note says why.
	Code string
}

// Tickets is a document of tickets.
type Tickets struct {
	// Title names the document, such as the event.
	Title string
	// Kind is how codes are drawn.
	Kind Symbology
	// PDFAt is where the same tickets are as PDF; empty leaves the link out.
	PDFAt   string
	Tickets []Ticket
}

// PageCSP is the Content-Security-Policy for the pages of this package: no script, no network, styles that stand in the page.
const PageCSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed style.css
var style string

//go:embed tickets.html
var ticketsSource string

var ticketsPage = template.Must(template.New("tickets").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(style) },
	// What SVG draws is ours; the code is not in it as text.
	"draw": func(kind Symbology, code string) (template.HTML, error) {
		svg, err := SVG(kind, code)
		return template.HTML(svg), err
	},
}).Parse(ticketsSource))

// HTML is the tickets as a page for the screen and for print, one ticket a page; ErrSymbol when a code cannot be drawn.
func (t Tickets) HTML() ([]byte, error) {
	var b bytes.Buffer
	if err := ticketsPage.Execute(&b, t); err != nil {
		return nil, fmt.Errorf("print tickets: %w", err)
	}
	return b.Bytes(), nil
}
