package paper_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/aztec"
	"github.com/makiuchi-d/gozxing/qrcode"

	"ticketrush/stockd/paper"
)

// A code as long as a ticket's is.
var code = strings.Repeat("AQHyz9-_", 21)

var kinds = []paper.Symbology{paper.QR, paper.Aztec}

// scan reads a picture as a gate does.
func scan(t *testing.T, kind paper.Symbology, picture image.Image) string {
	t.Helper()
	reader := qrcode.NewQRCodeReader()
	if kind == paper.Aztec {
		reader = aztec.NewAztecReader()
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	found, err := reader.Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("the %s code cannot be read: %v", kind, err)
	}
	return found.GetText()
}

// canvas is a white picture that rectangles are put on.
type canvas struct {
	*image.Gray
	scale float64
}

func newCanvas(width, height, scale float64) canvas {
	c := canvas{image.NewGray(image.Rect(0, 0, int(width*scale), int(height*scale))), scale}
	for i := range c.Pix {
		c.Pix[i] = 255
	}
	return c
}

func (c canvas) fill(x, y, width, height float64) {
	at := func(v float64) int { return int(math.Round(v * c.scale)) }
	for row := at(y); row < at(y+height); row++ {
		for column := at(x); column < at(x+width); column++ {
			c.SetGray(column, row, color.Gray{})
		}
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var (
	svgBox = regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
	svgRun = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-\d+z`)
)

// drawnSVG is the first SVG of a text as a picture.
func drawnSVG(t *testing.T, text string) image.Image {
	t.Helper()
	box := svgBox.FindStringSubmatch(text)
	if box == nil {
		t.Fatalf("no SVG in %.200s", text)
	}
	c := newCanvas(number(t, box[1]), number(t, box[2]), 5)
	for _, run := range svgRun.FindAllStringSubmatch(text, -1) {
		c.fill(number(t, run[1]), number(t, run[2]), number(t, run[3]), 1)
	}
	return c
}

func TestPicturesCanBeRead(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		svg, err := paper.SVG(kind, code)
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, kind, drawnSVG(t, string(svg))); got != code {
			t.Errorf("the SVG of %s says %q", kind, got)
		}
		drawn, err := paper.PNG(kind, code)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(drawn))
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, kind, picture); got != code {
			t.Errorf("the PNG of %s says %q", kind, got)
		}
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func() error{
		"too long": func() error { _, err := paper.SVG(paper.QR, strings.Repeat("x", 5000)); return err },
		"empty":    func() error { _, err := paper.PNG(paper.Aztec, ""); return err },
		"no kind":  func() error { _, err := paper.SVG("morse", code); return err },
		"PDF": func() error {
			_, err := paper.Tickets{Kind: paper.QR, Tickets: []paper.Ticket{{Code: strings.Repeat("x", 5000)}}}.PDF(made)
			return err
		},
		"page": func() error {
			_, err := paper.Tickets{Kind: "morse", Tickets: []paper.Ticket{{Code: code}}}.HTML()
			return err
		},
	} {
		if err := try(); !errors.Is(err, paper.ErrSymbol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var made = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func twoTickets(kind paper.Symbology) paper.Tickets {
	return paper.Tickets{Title: "Žižkov & Ἀθῆναι", Kind: kind, PDFAt: "/v1/orders/ord_1/tickets.pdf", Tickets: []paper.Ticket{
		{ID: "tkt_1", Event: "Žižkov & Ἀθῆναι <live>", Venue: "Grand Hall", When: "Saturday, 12 December 2026, 19:30 CET", Seat: "Row 12, seat 7", Section: "North", Type: "adult", Holder: "Łukasz Đorđević", Code: code},
		{ID: "tkt_2", Event: "Žižkov & Ἀθῆναι <live>", Seat: "Row 12, seat 8", Holder: "山田太郎", Note: "Give a name first.", Code: code[8:]},
	}}
}

func TestPageCanBeRead(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		page, err := twoTickets(kind).HTML()
		if err != nil {
			t.Fatal(err)
		}
		text := string(page)
		for _, want := range []string{"<html lang=\"en\">", "Žižkov &amp; Ἀθῆναι &lt;live&gt;", "Łukasz Đorđević", "山田太郎", "@media print", "Give a name first.", `href="/v1/orders/ord_1/tickets.pdf"`, `aria-label="Ticket for Row 12, seat 7"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if strings.Contains(text, "<script") || strings.Contains(text, "ZgotmplZ") {
			t.Error("the page has a script, or a value that the template refused")
		}
		codes := strings.Split(text, "<svg ")[1:]
		if len(codes) != 2 {
			t.Fatalf("%d codes", len(codes))
		}
		for i, want := range []string{code, code[8:]} {
			if got := scan(t, kind, drawnSVG(t, codes[i])); got != want {
				t.Errorf("code %d of the page says %q", i+1, got)
			}
		}
	}
	page, err := paper.Tickets{Title: "none", Kind: paper.QR}.HTML()
	if err != nil || !strings.Contains(string(page), "There is no ticket to print.") {
		t.Errorf("%v %s", err, page)
	}
}

var (
	pdfStream = regexp.MustCompile(`(?s)stream\r?\n(.*?)\r?\nendstream`)
	pdfRect   = regexp.MustCompile(`(?m)^([\d.]+) ([\d.]+) ([\d.]+) -([\d.]+) re f$`)
)

// aimed is the part with something on it, and a border: a reader of Aztec looks in the middle.
func (c canvas) aimed() image.Image {
	box := image.Rectangle{}
	for y := range c.Rect.Dy() {
		for x := range c.Rect.Dx() {
			if c.GrayAt(x, y).Y == 0 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return c.SubImage(box.Inset(-30))
}

// drawnPDF is the black rectangles of each page of a document, as pictures of 4 pixels a point.
func drawnPDF(t *testing.T, document []byte) (pages []image.Image) {
	t.Helper()
	for _, stream := range pdfStream.FindAllSubmatch(document, -1) {
		r, err := zlib.NewReader(bytes.NewReader(stream[1]))
		if err != nil {
			continue // not compressed: not a page
		}
		text, err := io.ReadAll(r)
		if err != nil {
			continue
		}
		found := pdfRect.FindAllSubmatch(text, -1)
		if len(found) == 0 {
			continue
		}
		c := newCanvas(596, 842, 4)
		for _, m := range found {
			c.fill(number(t, string(m[1])), 842-number(t, string(m[2])), number(t, string(m[3])), number(t, string(m[4])))
		}
		pages = append(pages, c.aimed())
	}
	return pages
}

func TestPDFCanBeRead(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		document, err := twoTickets(kind).PDF(made)
		if err != nil {
			t.Fatal(err)
		}
		pages := drawnPDF(t, document)
		if len(pages) != 2 {
			t.Fatalf("%d pages with a code", len(pages))
		}
		for i, want := range []string{code, code[8:]} {
			if got := scan(t, kind, pages[i]); got != want {
				t.Errorf("page %d says %q", i+1, got)
			}
		}
		if again, err := twoTickets(kind).PDF(made); err != nil || !bytes.Equal(document, again) {
			t.Errorf("the same tickets give another PDF: %v", err)
		}
		if !bytes.Contains(document, []byte("DejaVuSans")) && !bytes.Contains(document, []byte("utf8dejavu")) {
			t.Error("the PDF does not carry its font")
		}
	}
	if len(paper.FontLicence) < 1000 || !strings.Contains(paper.FontLicence, "Bitstream") {
		t.Error("the font's licence is not there")
	}
}
