// Package paper draws what people hold in their hands: a ticket's code as QR or Aztec (SVG, PNG), and tickets and receipts as a page to print (HTML
// without scripts) and as PDF.
//
// It is handed everything that it shows and reads nothing by itself: no ledger, no clock, no network. All text is UTF-8. The PDF carries the part that
// it uses of DejaVu Sans (Latin, Greek, Cyrillic, Armenian, Georgian and more; its licence is printed by `stockd version --licences`). What that font
// cannot set, because it lacks the letters or they need shaping (Arabic, Indic scripts, Chinese, Japanese, Korean), is replaced by a line
// that says where to read it: the page, which browsers set in any script.
package paper
