package paper_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"ticketrush/stockd/paper"
)

// pdfText is what stands on the pages of a document: its streams, in which the text is UTF-16.
func pdfText(t *testing.T, document []byte) string {
	t.Helper()
	var all strings.Builder
	for _, stream := range pdfStream.FindAllSubmatch(document, -1) {
		r, err := zlib.NewReader(bytes.NewReader(stream[1]))
		if err != nil {
			continue // not compressed: not a page
		}
		if text, err := io.ReadAll(r); err == nil {
			all.Write(text)
		}
	}
	return all.String()
}

// inPDF is a text as a page of a PDF has it.
func inPDF(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		b.WriteByte(byte(unit >> 8))
		b.WriteByte(byte(unit))
	}
	return b.String()
}

// A receipt has its lines, what ended, its sums, what went back, and each document with who issued it and what it is for; on paper as on the page.
func TestReceiptHasAllOfIt(t *testing.T) {
	t.Parallel()
	r := paper.Receipt{Order: "ord_1", Event: "Žižkov", When: "Friday", Venue: "Arena", State: "issued", Net: "100.00 EUR", Tax: "7.00 EUR", Total: "107.00 EUR",
		Lines:     []paper.ReceiptLine{{Place: "Balcony", Type: "adult", Face: "90.01 EUR", Fee: "9.02 EUR", Tax: "7.03 EUR", Total: "107.04 EUR", Note: "refunded"}},
		Documents: []paper.Document{{Title: "Invoice", Number: "HOUSE-000007", At: "tomorrow", Issuer: "Harbour\nQuay", Net: "100.05 EUR", Tax: "7.06 EUR", Total: "107.07 EUR"}, {Title: "Credit", Number: "HOUSE-000009", For: "Parterre"}}}
	back := r
	back.Back = "55.08 EUR"
	for name, wanted := range map[string]struct {
		receipt paper.Receipt
		words   []string
	}{
		"paid": {r, []string{"ord_1", "Žižkov", "Friday", "Arena", "Balcony", "adult", "refunded", "90.01", "9.02", "7.03", "107.04", "100.00", "7.00", "107.00", "HOUSE-000007", "tomorrow", "Harbour", "Quay",
			"100.05", "7.06", "107.07", "HOUSE-000009", "Parterre"}},
		"given back": {back, []string{"55.08"}},
	} {
		page, err := wanted.receipt.HTML()
		if err != nil {
			t.Fatal(err)
		}
		document, err := wanted.receipt.PDF(made)
		if err != nil {
			t.Fatal(err)
		}
		text := pdfText(t, document)
		for _, word := range wanted.words {
			if !strings.Contains(string(page), word) {
				t.Errorf("%s: the page lacks %q", name, word)
			}
			if !strings.Contains(text, inPDF(word)) {
				t.Errorf("%s: the PDF lacks %q", name, word)
			}
		}
	}
	if document, err := r.PDF(made); err != nil || strings.Contains(pdfText(t, document), inPDF("back")) {
		t.Errorf("nothing was given back, and the PDF says so: %v", err)
	}
}
