package paper

import (
	"bytes"
	"fmt"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// Measures of a sheet of A4, in millimetres.
const (
	margin     = 18.0
	sheetWidth = 210.0
	codeSide   = 62.0 // with its border
	textWidth  = sheetWidth - 2*margin - codeSide - 8
)

// newPDF is an empty document. made is what it says of when it was made: the same content gives the same bytes.
func newPDF(title string, made time.Time) *fpdf.Fpdf {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetTitle(title, true)
	pdf.SetCreator("ticketrush", true)
	pdf.SetProducer("ticketrush", true)
	pdf.SetLang("en")
	pdf.SetCreationDate(made.UTC())
	pdf.SetModificationDate(made.UTC())
	pdf.SetCatalogSort(true)
	pdf.SetMargins(margin, margin, margin)
	pdf.SetAutoPageBreak(true, margin)
	loadFonts(pdf)
	return pdf
}

func finished(pdf *fpdf.Fpdf) ([]byte, error) {
	var b bytes.Buffer
	if err := pdf.Output(&b); err != nil {
		return nil, fmt.Errorf("write the PDF: %w", err)
	}
	return b.Bytes(), nil
}

// PDF is the tickets as a document of A4, one ticket a page. made is its date. ErrSymbol when a code cannot be drawn.
func (t Tickets) PDF(made time.Time) ([]byte, error) {
	pdf := newPDF("Tickets: "+t.Title, made)
	if err := t.draw(pdf); err != nil {
		return nil, err
	}
	return finished(pdf)
}

func (t Tickets) draw(pdf *fpdf.Fpdf) error {
	for i := range t.Tickets {
		pdf.AddPage()
		if err := drawTicket(pdf, &t.Tickets[i], t.Kind); err != nil {
			return err
		}
	}
	if len(t.Tickets) == 0 {
		pdf.AddPage()
		pdf.SetFont(fontName, "", 12)
		pdf.MultiCell(0, 6, "There is no ticket to print.", "", "L", false)
	}
	return nil
}

func drawTicket(pdf *fpdf.Fpdf, t *Ticket, kind Symbology) error {
	top := margin + 6.0
	if t.Code != "" {
		if err := drawCode(pdf, kind, t.Code, sheetWidth-margin-codeSide-4, top); err != nil {
			return err
		}
	}
	left := margin + 6
	pdf.SetXY(left, top)
	line := func(bold string, points float64, text string) {
		if text == "" {
			return
		}
		pdf.SetX(left)
		pdf.SetFont(fontName, bold, points)
		pdf.MultiCell(textWidth, points*0.45, plain(text), "", "L", false)
		pdf.Ln(1)
	}
	line("B", 20, t.Event)
	line("", 11, t.When)
	line("", 11, t.Venue)
	pdf.Ln(4)
	line("B", 17, t.Seat)
	line("", 11, t.Section)
	line("", 11, t.Type)
	if t.Holder != "" {
		pdf.Ln(3)
		line("B", 13, t.Holder)
	}
	if t.Note != "" {
		pdf.Ln(3)
		line("B", 11, t.Note)
	}
	pdf.SetY(max(pdf.GetY(), top+codeSide) + 3)
	line("", 8, t.ID)
	pdf.SetDrawColor(150, 150, 150)
	pdf.Rect(margin, margin, sheetWidth-2*margin, pdf.GetY()-margin+3, "D")
	return nil
}

// drawCode draws in black rectangles: sharp at every size, and the same for every printer.
func drawCode(pdf *fpdf.Fpdf, kind Symbology, code string, left, top float64) error {
	s, err := encode(kind, code)
	if err != nil {
		return err
	}
	module := codeSide / float64(s.side+2*quietModules)
	pdf.SetFillColor(0, 0, 0)
	s.runs(func(x, y, length int) {
		// A hair higher than a module, so that no light line shows between rows.
		pdf.Rect(left+module*float64(x+quietModules), top+module*float64(y+quietModules), module*float64(length), module*1.01, "F")
	})
	return nil
}
