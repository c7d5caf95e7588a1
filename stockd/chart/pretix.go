package chart

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// stageWords finds the drawing of a stage among the plan's shapes, to look at.
var stageWords = regexp.MustCompile(`(?i)stage|bühne|podium|scene|scène|screen`)

// isPretix is whether a JSON body is a seating plan of pretix and not a chart of our own.
func isPretix(body []byte) bool {
	var probe struct {
		Format *json.RawMessage
		Zones  *json.RawMessage
	}
	return json.Unmarshal(body, &probe) == nil && probe.Format == nil && probe.Zones != nil
}

// FromPretix reads a seating plan of pretix: zones become sections, their rows and seats stay. Positions there are relative to the row,
// the row's to the zone. Aisles are found by gaps, the focal point from a shape named like a stage. Members that are not needed are left out.
func FromPretix(body []byte) (*Chart, []Warning, error) {
	r := &reader{lenient: true}
	value := r.decode(body)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	c := r.pretix(value)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	c.frame(&r.report)
	c.arrange()
	finish(c, &r.report)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	return c, r.warnings, nil
}

func (r *reader) pretix(value any) *Chart {
	var root *at
	plan := r.object(value, root)
	if plan == nil {
		return nil
	}
	g := newGather("Imported plan")
	if name, ok := plan["name"].(string); ok && name != "" {
		g.chart.Name = name
		r.checkName(name, root.member("name"))
	}
	if size, ok := plan["size"].(map[string]any); ok {
		g.chart.Width, g.chart.Height = r.number(size, root.member("size"), "width"), r.number(size, root.member("size"), "height")
	}
	for i, value := range r.list(plan, root, "categories", CategoriesMax) {
		place := root.member("categories").item(i)
		if category := r.object(value, place); category != nil {
			name := r.name(category, place, "name")
			g.category(name)
			if text, ok := category["color"].(string); ok && color.MatchString(text) {
				at := slices.IndexFunc(g.chart.Categories, func(c Category) bool { return c.Name == name })
				g.chart.Categories[at].Color = text
			}
		}
	}
	for i, value := range r.list(plan, root, "zones", SectionsMax) {
		if r.full() {
			break
		}
		r.pretixZone(g, value, i, root.member("zones").item(i))
	}
	return g.chart
}

func (r *reader) pretixZone(g *gather, value any, number int, place *at) {
	zone := r.object(value, place)
	if zone == nil {
		return
	}
	name, _ := zone["name"].(string)
	if name == "" {
		name = "Z" + strconv.Itoa(number+1)
	}
	r.checkName(name, place.member("name"))
	if _, taken := g.sections[name]; taken {
		name = fmt.Sprintf("%s %d", name, number+1)
		r.warn(place, "another zone has the same name; this one is called %q", name)
	}
	origin := r.offset(zone, place)
	for i, value := range r.list(zone, place, "rows", SeatsMax) {
		if r.full() {
			return
		}
		r.pretixRow(g, name, value, i, origin, place.member("rows").item(i))
	}
	for i, value := range r.list(zone, place, "areas", AreasMax) {
		shapeAt := place.member("areas").item(i)
		shape := r.object(value, shapeAt)
		text, _ := shape["text"].(map[string]any)
		if words, ok := text["text"].(string); ok && stageWords.MatchString(words) && (g.chart.Focal == Point{}) {
			at := r.offset(shape, shapeAt)
			g.chart.Focal = Point{origin.X + at.X, origin.Y + at.Y}
		}
	}
}

func (r *reader) pretixRow(g *gather, section string, value any, number int, origin Point, place *at) {
	row := r.object(value, place)
	if row == nil {
		return
	}
	name, _ := row["row_number"].(string)
	if name == "" {
		name = strconv.Itoa(number + 1)
	}
	r.checkName(name, place.member("row_number"))
	offset := r.offset(row, place)
	for i, value := range r.list(row, place, "seats", SeatsMax) {
		seatAt := place.member("seats").item(i)
		seat := r.object(value, seatAt)
		if seat == nil || r.full() {
			return
		}
		at := r.offset(seat, seatAt)
		category := r.name(seat, seatAt, "category")
		g.category(category)
		g.add(section, name, Seat{
			Name: r.name(seat, seatAt, "seat_number"), X: origin.X + offset.X + at.X, Y: origin.Y + offset.Y + at.Y, Category: category,
		})
	}
}

// offset is a member "position", zero when there is none.
func (r *reader) offset(object map[string]any, place *at) Point {
	if _, ok := object["position"]; !ok {
		return Point{}
	}
	return r.point(object, place, "position")
}
