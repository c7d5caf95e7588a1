package finance

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"ticketrush/ledger/money"
)

// SettlementLine is one movement of our balance at a provider. Amounts are minor units of Currency, signed as the provider signs them: what came in
// is positive; Net = Gross − Fee.
type SettlementLine struct {
	No       int // in the file, from 1; the header is 1
	Txn      string
	Category string // charge, refund, dispute, fee, payout, adjustment
	Ref      string // of a charge, refund or dispute the payment, of a payout its own name; else empty
	Payout   string // the payout that it was paid out with; empty where the file does not say
	Gross    int64
	Fee      int64
	Net      int64
	Currency string
	At       time.Time // to the microsecond
}

// Limits of a settlement file.
const (
	SettlementBytesMax = 64 << 20
	SettlementLinesMax = 500_000
	settlementTextMax  = 255 // of an id
)

// LineError says which line of a file is bad, and why.
type LineError struct {
	Line   int
	Column string // its name in the header; empty when it is the line as a whole
	Text   string // what stands there
	Why    string
}

func (e *LineError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Why)
	}
	return fmt.Sprintf("line %d, column %s: %q: %s", e.Line, e.Column, e.Text, e.Why)
}

// ReadSettlement reads a whole settlement file, or refuses all of it: a *LineError names the first line that is bad. There may be a byte order mark, lines
// may end in CRLF, fields be divided by commas, semicolons or tabs, decimals by a point or a comma; rows without anything in them are left out. shape is whose
// columns it has: stripe, or ticketrush for the documented ones.
func ReadSettlement(text []byte) (lines []SettlementLine, shape string, err error) {
	if len(text) > SettlementBytesMax {
		return nil, "", fmt.Errorf("the file has %d bytes, at most %d are read: divide it", len(text), SettlementBytesMax)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		return nil, "", errors.New("the file is not UTF-8: save it again as CSV UTF-8")
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = separator(first)
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	names, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, "", errors.New("the file is empty")
	}
	if err != nil {
		return nil, "", lineError(err)
	}
	h, err := readHeader(names)
	if err != nil {
		return nil, "", err
	}
	p := &settlementParser{header: h, columns: len(names), seen: map[string]int{}}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", lineError(err)
		}
		if strings.TrimSpace(strings.Join(record, "")) == "" {
			continue
		}
		no, _ := r.FieldPos(0)
		if err := p.take(no, record); err != nil {
			return nil, "", err
		}
	}
	if len(p.lines) == 0 {
		return nil, "", errors.New("the file has a header and no lines")
	}
	return p.lines, h.format.name, nil
}

// separator is what divides the fields of a header: what occurs in it most often.
func separator(header []byte) rune {
	best := ','
	for _, c := range []rune{';', '\t'} {
		if bytes.Count(header, []byte(string(c))) > bytes.Count(header, []byte(string(best))) {
			best = c
		}
	}
	return best
}

func lineError(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return &LineError{Line: p.Line, Why: fmt.Sprintf("column %d: %v", p.Column, p.Err)}
	}
	return err
}

// settlementParser collects the lines of one file.
type settlementParser struct {
	header  *header
	columns int
	lines   []SettlementLine
	seen    map[string]int // txn → index in lines
	point   byte           // what divides decimals in this file; 0: not known yet
}

func (p *settlementParser) take(no int, record []string) error {
	if len(record) != p.columns {
		return &LineError{Line: no, Why: fmt.Sprintf("%d fields, the header has %d: is a field with a separator in it not quoted?", len(record), p.columns)}
	}
	l, err := p.line(no, record)
	if err != nil {
		return err
	}
	if i, ok := p.seen[l.Txn]; ok {
		before := p.lines[i]
		before.No = l.No
		if before != l {
			return &LineError{Line: no, Column: p.header.format.columns[fieldTxn], Text: l.Txn, Why: fmt.Sprintf("line %d has it too, and says something else", p.lines[i].No)}
		}
		return nil
	}
	if len(p.lines) == SettlementLinesMax {
		return &LineError{Line: no, Why: fmt.Sprintf("a file may have at most %d lines: divide it", SettlementLinesMax)}
	}
	p.seen[l.Txn] = len(p.lines)
	p.lines = append(p.lines, l)
	return nil
}

func (p *settlementParser) line(no int, record []string) (SettlementLine, error) {
	l := SettlementLine{No: no}
	text := func(f field) string {
		if i := p.header.at[f]; i >= 0 {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	bad := func(f field, why string) (SettlementLine, error) {
		return l, &LineError{Line: no, Column: p.header.format.columns[f], Text: text(f), Why: why}
	}
	for _, f := range []field{fieldTxn, fieldRef, fieldSource, fieldPayout} {
		if t := text(f); len(t) > settlementTextMax || strings.ContainsFunc(t, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return bad(f, fmt.Sprintf("an id has at most %d bytes and no control characters", settlementTextMax))
		}
	}
	if l.Txn = text(fieldTxn); l.Txn == "" {
		return bad(fieldTxn, "every line needs the provider's id of the movement")
	}
	var known bool
	if l.Category, known = p.header.format.category[strings.ToLower(text(fieldCategory))]; !known {
		return bad(fieldCategory, "this category is not known, so nobody can say what to post for it")
	}
	l.Currency = strings.ToUpper(text(fieldCurrency))
	if _, err := money.Exponent(l.Currency); err != nil {
		return bad(fieldCurrency, err.Error())
	}
	if f, err := p.amounts(&l, text); err != nil {
		return bad(f, err.Error())
	}
	var err error
	if l.At, err = p.time(text(fieldAt)); err != nil {
		return bad(fieldAt, err.Error())
	}
	l.Payout = text(fieldPayout)
	switch l.Category {
	case "charge", "refund", "dispute":
		if l.Ref = text(fieldRef); l.Ref == "" {
			l.Ref = text(fieldSource)
		}
	case "payout":
		if l.Ref = text(fieldSource); l.Ref == "" {
			l.Ref = text(fieldRef)
		}
		l.Payout = ""
	}
	if l.Ref == "" && l.Category != "fee" && l.Category != "adjustment" {
		return bad(fieldRef, "a "+l.Category+" needs the id of its payment or payout")
	}
	return l, nil
}

// amounts reads gross, fee and net, and compares them.
func (p *settlementParser) amounts(l *SettlementLine, text func(field) string) (field, error) {
	for _, a := range []struct {
		field field
		to    *int64
	}{{fieldGross, &l.Gross}, {fieldFee, &l.Fee}, {fieldNet, &l.Net}} {
		t := text(a.field)
		if t == "" && a.field == fieldFee {
			continue // nothing was charged for it
		}
		if a.field == fieldNet && p.header.at[fieldNet] < 0 {
			l.Net = l.Gross - l.Fee
			continue
		}
		var err error
		if *a.to, err = p.amount(t, l.Currency); err != nil {
			return a.field, err
		}
		const most = 1 << 60 // so that sums of three cannot overflow
		if *a.to > most || *a.to < -most {
			return a.field, fmt.Errorf("%w: it is too large", money.ErrAmount)
		}
	}
	if l.Gross-l.Fee != l.Net {
		return fieldNet, fmt.Errorf("gross %s less fee %s is %s", money.Format(l.Gross, l.Currency), money.Format(l.Fee, l.Currency), money.Format(l.Gross-l.Fee, l.Currency))
	}
	return 0, nil
}

// amount reads one amount. A file divides decimals by a point or by a comma, always by the same; it has no thousands separators, for with them
// nobody could tell 1,234 KWD from 1234 KWD.
func (p *settlementParser) amount(text, currency string) (int64, error) {
	if i := strings.IndexAny(text, ".,"); i >= 0 {
		if p.point == 0 {
			p.point = text[i]
		}
		if text[i] != p.point || strings.ContainsAny(text[i+1:], ".,") {
			return 0, fmt.Errorf("%w: the decimals of this file are divided by %q, and thousands must not be divided", money.ErrAmount, p.point)
		}
		whole, fraction := text[:i], text[i+1:]
		if exponent, err := money.Exponent(currency); err == nil && exponent == 0 && fraction == "00" {
			return money.Parse(whole, currency) // reports that write two digits whatever the currency
		}
		text = whole + "." + fraction
	}
	return money.Parse(text, currency)
}

func (p *settlementParser) time(text string) (time.Time, error) {
	for _, layout := range p.header.format.at {
		if at, err := time.Parse(layout, text); err == nil {
			if y := at.Year(); y < 2000 || y > 2200 {
				return time.Time{}, errors.New("no time of a settlement")
			}
			return at.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("no time; it is written as %q, in UTC", p.header.format.at[0])
}
