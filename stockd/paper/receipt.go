package paper

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// Receipt is what an order cost, with its documents. All amounts are written out by the caller.
type Receipt struct {
	Order, Event, When, Venue, State string
	Lines                            []ReceiptLine
	Net, Tax, Total, Back            string // Back: what was given back; empty: nothing
	Documents                        []Document
	PDFAt                            string // where the same is as PDF
}

// ReceiptLine is one place.
type ReceiptLine struct {
	Place, Type, Face, Fee, Tax, Total string
	Note                               string // such as that its money was given back
}

// Document is an invoice or a credit note.
type Document struct {
	Title, Number, At   string
	Issuer              string // lines
	For                 string // places that a credit note is for
	Net, Tax, Total, ID string
}

//go:embed receipt.html
var receiptSource string

var receiptPage = template.Must(template.New("receipt").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(style) }}).Parse(receiptSource))

// HTML is the receipt as a page for the screen and for print.
func (r *Receipt) HTML() ([]byte, error) {
	var b bytes.Buffer
	if err := receiptPage.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("print the receipt: %w", err)
	}
	return b.Bytes(), nil
}

// PDF is the receipt as a document of A4. made is its date.
func (r *Receipt) PDF(made time.Time) ([]byte, error) {
	pdf := newPDF("Receipt "+r.Order, made)
	pdf.AddPage()
	line := func(bold string, points float64, text string) {
		if text == "" {
			return
		}
		pdf.SetFont(fontName, bold, points)
		pdf.MultiCell(0, points*0.5, plain(text), "", "L", false)
	}
	line("B", 18, "Receipt")
	line("", 9, r.Order)
	pdf.Ln(3)
	line("B", 12, r.Event)
	line("", 10, r.When)
	line("", 10, r.Venue)
	pdf.Ln(4)
	table(pdf, "B", "Place", "Price", "Fee", "Tax", "Total")
	rule(pdf)
	for _, l := range r.Lines {
		place := l.Place
		if l.Type != "" {
			place += ", " + l.Type
		}
		if l.Note != "" {
			place += " (" + l.Note + ")"
		}
		table(pdf, "", place, l.Face, l.Fee, l.Tax, l.Total)
	}
	rule(pdf)
	table(pdf, "", "Without tax", "", "", "", r.Net)
	table(pdf, "", "Tax", "", "", "", r.Tax)
	table(pdf, "B", "Total", "", "", "", r.Total)
	if r.Back != "" {
		table(pdf, "B", "Given back", "", "", "", r.Back)
	}
	for _, d := range r.Documents {
		pdf.Ln(6)
		line("B", 12, d.Title+" "+d.Number)
		line("", 10, d.At)
		for text := range bytes.Lines([]byte(d.Issuer)) {
			line("", 9, string(bytes.TrimSpace(text)))
		}
		line("", 9, d.For)
		line("", 10, "Without tax "+d.Net+", tax "+d.Tax+", total "+d.Total)
	}
	return finished(pdf)
}

// rule is a thin line over the whole width, between the parts of a table.
func rule(pdf *fpdf.Fpdf) {
	y := pdf.GetY() + 1
	pdf.SetDrawColor(160, 160, 160)
	pdf.Line(margin, y, sheetWidth-margin, y)
	pdf.SetY(y + 1)
}

// table is a row of a place and four amounts.
func table(pdf *fpdf.Fpdf, bold, first string, amounts ...string) {
	pdf.SetFont(fontName, bold, 9)
	const amount = 23.0
	width := sheetWidth - 2*margin - amount*float64(len(amounts))
	x, y := pdf.GetXY()
	pdf.MultiCell(width, 5, plain(first), "", "L", false)
	below := max(pdf.GetY(), y+5)
	if below < y { // a new page began
		y = margin
	}
	for i, text := range amounts {
		pdf.SetXY(x+width+amount*float64(i), y)
		pdf.CellFormat(amount, 5, text, "", 0, "R", false, 0, "")
	}
	pdf.SetXY(x, below)
}
