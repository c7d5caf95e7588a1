package chart

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// csvColumns are the columns of a CSV chart, in any order; flags may be missing. Flags are separated by spaces.
var csvColumns = []string{"section", "row", "seat", "category", "x", "y", "flags"}

// palette colors the categories of charts that bring no colors.
var palette = []string{"#4c6ef5", "#12b886", "#fab005", "#e64980", "#7950f2", "#15aabf", "#fd7e14", "#868e96"}

// FromCSV reads one seat per line, `section,row,seat,category,x,y,flags` with these names in the first line, separated by commas or
// semicolons. Sections, rows and categories come in the order of their first line; a row's seats are put in the order of their places.
// Companion seats beside an accessible one are linked to it. The focal point is not in the file: it is set before the middle of the front.
func FromCSV(body []byte) (*Chart, []Warning, error) {
	r := &report{}
	c := readCSV(body, r)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	c.frame(r)
	c.arrange()
	finish(c, r)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	return c, r.warnings, nil
}

// gather collects seats into sections and rows by name.
type gather struct {
	chart    *Chart
	sections map[string]int
	rows     map[[2]string]int
	known    map[string]bool
}

func newGather(name string) *gather {
	return &gather{chart: &Chart{Format: Format, Name: name}, sections: map[string]int{}, rows: map[[2]string]int{}, known: map[string]bool{}}
}

func (g *gather) category(name string) {
	if !g.known[name] {
		g.known[name] = true
		g.chart.Categories = append(g.chart.Categories, Category{name, palette[len(g.chart.Categories)%len(palette)]})
	}
}

func (g *gather) add(section, row string, seat Seat) {
	i, ok := g.sections[section]
	if !ok {
		i = len(g.chart.Sections)
		g.sections[section] = i
		g.chart.Sections = append(g.chart.Sections, Section{ID: section, Name: section})
	}
	s := &g.chart.Sections[i]
	j, ok := g.rows[[2]string{section, row}]
	if !ok {
		j = len(s.Rows)
		g.rows[[2]string{section, row}] = j
		s.Rows = append(s.Rows, Row{Name: row})
	}
	s.Rows[j].Seats = append(s.Rows[j].Seats, seat)
}

func readCSV(body []byte, r *report) *Chart {
	if len(body) > BodyMax {
		r.problem(nil, "the body has %d bytes, at most %d", len(body), BodyMax)
		return nil
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		r.problem(nil, "the body is not UTF-8")
		return nil
	}
	reader := csv.NewReader(bytes.NewReader(body))
	reader.ReuseRecord = true
	reader.TrimLeadingSpace = true
	head, _, _ := bytes.Cut(body, []byte("\n"))
	if bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		reader.Comma = ';'
	}
	columns, ok := csvHeader(reader, r)
	if !ok {
		return nil
	}
	g := newGather("Imported chart")
	for n := 0; !r.full(); {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.problem(nil, "not CSV: %v", err)
			return nil
		}
		line, _ := reader.FieldPos(0)
		place := (*at)(nil).member("line").item(line)
		if n++; n > SeatsMax {
			r.problem(place, "is seat number %d, at most %d", n, SeatsMax)
			return nil
		}
		csvSeat(g, record, columns, place, r)
	}
	return g.chart
}

// csvHeader finds the columns.
func csvHeader(reader *csv.Reader, r *report) (map[string]int, bool) {
	place := (*at)(nil).member("line").item(1)
	header, err := reader.Read()
	if err != nil {
		r.problem(place, "must be the header %s: %v", strings.Join(csvColumns, ","), err)
		return nil, false
	}
	columns := map[string]int{}
	for i, name := range header {
		columns[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range csvColumns {
		if _, ok := columns[name]; !ok && name != "flags" {
			r.problem(place, "has no column %q; the header is %s", name, strings.Join(csvColumns, ","))
		}
	}
	return columns, r.err() == nil
}

func csvSeat(g *gather, record []string, columns map[string]int, place *at, r *report) {
	field := func(name string) string { return strings.TrimSpace(record[columns[name]]) }
	coordinate := func(name string) float64 {
		number, err := strconv.ParseFloat(field(name), 64)
		if err != nil || !(number >= -coordinateMax && number <= coordinateMax) {
			r.problem(place, "%s must be a number within %g, it is %q", name, coordinateMax, field(name))
		}
		return number
	}
	for _, name := range csvColumns[:4] {
		r.checkName(field(name), place.member(name))
	}
	seat := Seat{Name: field("seat"), X: coordinate("x"), Y: coordinate("y"), Category: field("category")}
	if _, ok := columns["flags"]; ok {
		seat.Flags = strings.Fields(field("flags"))
	}
	g.category(seat.Category)
	g.add(field("section"), field("row"), seat)
}

// Import reads a chart in whichever of the formats it is.
func Import(body []byte) (*Chart, []Warning, error) {
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	if !bytes.HasPrefix(trimmed, []byte("{")) {
		return FromCSV(body)
	}
	if isPretix(trimmed) {
		return FromPretix(body)
	}
	return Parse(body)
}
