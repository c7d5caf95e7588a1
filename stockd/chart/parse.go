package chart

// Parse reads the own format. Its error is an *Error with a JSON pointer for each problem.
func Parse(body []byte) (*Chart, []Warning, error) {
	r := &reader{}
	value := r.decode(body)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	c := r.chart(value)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	finish(c, &r.report)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	return c, r.warnings, nil
}

func (r *reader) chart(value any) *Chart {
	object := r.object(value, nil, "format", "name", "width", "height", "focal", "categories", "sections", "areas")
	if object == nil {
		return nil
	}
	if object["format"] != any(Format) {
		r.problem((*at)(nil).member("format"), "must be %q", Format)
		return nil
	}
	c := &Chart{Format: Format, Name: r.name(object, nil, "name")}
	c.Width, c.Height = r.number(object, nil, "width"), r.number(object, nil, "height")
	c.Focal = r.point(object, nil, "focal")
	var root *at
	for i, value := range r.list(object, nil, "categories", CategoriesMax) {
		place := root.member("categories").item(i)
		if members := r.object(value, place, "name", "color"); members != nil {
			c.Categories = append(c.Categories, Category{r.name(members, place, "name"), r.name(members, place, "color")})
		}
	}
	for i, value := range r.list(object, nil, "sections", SectionsMax) {
		if r.full() {
			return c
		}
		c.Sections = append(c.Sections, r.section(value, root.member("sections").item(i)))
	}
	for i, value := range r.list(object, nil, "areas", AreasMax) {
		c.Areas = append(c.Areas, r.area(value, root.member("areas").item(i)))
	}
	return c
}

func (r *reader) section(value any, place *at) Section {
	members := r.object(value, place, "id", "name", "category", "rows")
	if members == nil {
		return Section{}
	}
	s := Section{ID: r.name(members, place, "id"), Name: r.name(members, place, "name"), Category: r.optionalName(members, place, "category")}
	for i, value := range r.list(members, place, "rows", SeatsMax) {
		if r.full() {
			break
		}
		s.Rows = append(s.Rows, r.row(value, place.member("rows").item(i)))
	}
	return s
}

func (r *reader) row(value any, place *at) Row {
	members := r.object(value, place, "name", "category", "blocks", "seats")
	if members == nil {
		return Row{}
	}
	row := Row{Name: r.name(members, place, "name"), Category: r.optionalName(members, place, "category")}
	row.Seats = r.seats(members, place)
	for i, value := range r.list(members, place, "blocks", SeatsMax) {
		at := place.member("blocks").item(i)
		if block := r.object(value, at, "seats"); block != nil {
			row.Blocks = append(row.Blocks, Block{r.seats(block, at)})
		}
	}
	return row
}

func (r *reader) seats(object map[string]any, place *at) []Seat {
	list := r.list(object, place, "seats", SeatsMax)
	if list == nil {
		return nil
	}
	seats := make([]Seat, 0, len(list))
	for i, value := range list {
		if r.full() {
			break
		}
		at := place.member("seats").item(i)
		members := r.object(value, at, "name", "x", "y", "category", "flags", "companions")
		if members == nil {
			continue
		}
		seats = append(seats, Seat{
			Name: r.name(members, at, "name"), X: r.number(members, at, "x"), Y: r.number(members, at, "y"),
			Category: r.optionalName(members, at, "category"),
			Flags:    r.names(members, at, "flags", 8), Companions: r.names(members, at, "companions", 8),
		})
	}
	return seats
}

func (r *reader) area(value any, place *at) Area {
	members := r.object(value, place, "id", "name", "category", "capacity", "polygon")
	if members == nil {
		return Area{}
	}
	a := Area{ID: r.name(members, place, "id"), Name: r.name(members, place, "name"), Category: r.name(members, place, "category")}
	capacity, ok := members["capacity"].(float64)
	if !ok || capacity != float64(int(capacity)) || capacity < 1 || capacity > CapacityMax {
		r.problem(place.member("capacity"), "must be a whole number from 1 to %d", CapacityMax)
	} else {
		a.Capacity = int(capacity)
	}
	for i, value := range r.list(members, place, "polygon", PolygonMax) {
		at := place.member("polygon").item(i)
		pair, ok := value.([]any)
		if !ok || len(pair) != 2 {
			r.problem(at, "must be a pair of numbers")
			continue
		}
		a.Polygon = append(a.Polygon, [2]float64{r.coordinate(pair[0], at.item(0)), r.coordinate(pair[1], at.item(1))})
	}
	return a
}
