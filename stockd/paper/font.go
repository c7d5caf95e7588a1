package paper

import (
	_ "embed"
	"sync"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/dejavu/dejavusans"
	"github.com/go-fonts/dejavu/dejavusansbold"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// FontLicence is the licence of the font that PDFs carry parts of: DejaVu Sans, which is Bitstream Vera with additions.
//
//go:embed font/LICENSE-DejaVu.txt
var FontLicence string

const fontName = "dejavu"

// loadFonts gives a document the font. Only the letters that are used end up in it.
func loadFonts(pdf *fpdf.Fpdf) {
	pdf.AddUTF8FontFromBytes(fontName, "", dejavusans.TTF)
	pdf.AddUTF8FontFromBytes(fontName, "B", dejavusansbold.TTF)
}

var letters = sync.OnceValues(func() (*sfnt.Font, error) { return sfnt.Parse(dejavusansbold.TTF) })

// needShaping are scripts whose letters the font has in part, and which a library that sets one letter after the other gets wrong.
var needShaping = []*unicode.RangeTable{
	unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Mongolian, unicode.Thai, unicode.Lao, unicode.Tibetan,
	unicode.Mn, unicode.Mc, // marks that are left after composition
}

// settable says whether a PDF can show a text as it should be, and gives its composed form.
func settable(text string) (string, bool) {
	text = norm.NFC.String(text)
	font, err := letters()
	if err != nil {
		return text, false
	}
	var b sfnt.Buffer
	for _, r := range text {
		if r < ' ' || r > 0xffff || unicode.In(r, needShaping...) {
			return text, false
		}
		if i, err := font.GlyphIndex(&b, r); err != nil || i == 0 {
			return text, false
		}
	}
	return text, true
}

// elsewhere stands for a text that the font cannot show.
const elsewhere = "[in letters that this PDF cannot show; see the page to print]"

// plain is a text as a PDF can show it.
func plain(text string) string {
	text, ok := settable(text)
	if !ok {
		return elsewhere
	}
	return text
}
