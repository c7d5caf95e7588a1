package api

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"ticketrush/stockd/stock"
)

// holdBody is the body of POST holds.
type holdBody struct {
	Buyer      *buyerBody `json:"buyer,omitempty"`
	Items      []itemBody `json:"items,omitempty"`
	Best       *bestBody  `json:"best_available,omitempty"`
	OnConflict string     `json:"on_conflict,omitempty"`
	TTL        *int64     `json:"ttl_s,omitempty"`
}

type buyerBody struct {
	Account   *string  `json:"account,omitempty"`
	Documents []string `json:"documents,omitempty"`
}

type itemBody struct {
	Seat     *string `json:"seat,omitempty"`
	Area     *string `json:"area,omitempty"`
	Quantity *int32  `json:"quantity,omitempty"`
	Type     *string `json:"type,omitempty"`
}

type bestBody struct {
	Quantity   *int32   `json:"quantity"`
	Categories []string `json:"categories,omitempty"`
	Types      []string `json:"types,omitempty"`
	Sections   []string `json:"sections,omitempty"`
	Together   string   `json:"together,omitempty"`
	Orphans    string   `json:"orphans,omitempty"`
	Accessible *int32   `json:"accessible,omitempty"`
}

// wish is what a hold is wanted to be, in the engine's terms.
type wish struct {
	ask stock.Ask
	// segments that may serve it: the one of the named seats, those of the area; nil: those that the node thinks best.
	segments []stock.SegmentNo
	// parts are what is wanted of each of several segments, in order of segment, all or none; then ask and segments say nothing of them.
	parts []part
	// sections narrow a best-available wish; nil: all.
	sections []string
	ttl      time.Duration
}

// faults collects what is wrong.
type faults []fault

func (f *faults) add(pointer, format string, args ...any) {
	if len(*f) < faultsMax {
		*f = append(*f, fault{pointer, fmt.Sprintf(format, args...)})
	}
}

var (
	togetherWords = map[string]stock.Together{"": stock.TogetherPreferred, "preferred": stock.TogetherPreferred, "required": stock.TogetherRequired, "any": stock.TogetherAny}
	orphanWords   = map[string]stock.Orphans{"": stock.OrphansAvoid, "avoid": stock.OrphansAvoid, "never": stock.OrphansNever, "allow": stock.OrphansAllow}
)

// resolve turns the body into a wish, or says everything that is wrong with it.
func (b *holdBody) resolve(ev *Event, seats map[string]stock.SeatID) (wish, error) {
	var f faults
	w := wish{ttl: ev.HoldTTL}
	if b.TTL != nil {
		if *b.TTL < 1 || *b.TTL > 86400 {
			f.add("/ttl_s", "1 to 86400 seconds are possible.")
		} else {
			w.ttl = min(ev.HoldTTL, time.Duration(*b.TTL)*time.Second)
		}
	}
	if b.OnConflict != "" && b.OnConflict != "fail" && b.OnConflict != "nearest" {
		f.add("/on_conflict", "fail or nearest.")
	}
	w.ask.Nearest = b.OnConflict == "nearest"
	switch {
	case (b.Items == nil) == (b.Best == nil):
		f.add("", "Send either items or best_available.")
	case b.Best != nil:
		b.Best.resolve(ev, &w, &f)
	case len(b.Items) == 0 || len(b.Items) > stock.QuantityMax:
		f.add("/items", "1 to %d items are possible.", stock.QuantityMax)
	default:
		resolveItems(b.Items, ev, seats, &w, &f)
	}
	if len(f) > 0 {
		return wish{}, invalid(f...)
	}
	return w, nil
}

// resolveItems finds the seats or the area.
func resolveItems(items []itemBody, ev *Event, seats map[string]stock.SeatID, w *wish, f *faults) {
	var p parts
	units := int32(0)
	for i := range items {
		it, at := &items[i], "/items/"+strconv.Itoa(i)
		typ, ok := ev.typeIndex(value(it.Type))
		if !ok {
			f.add(at+"/type", "There is no ticket type %q; there are %q.", value(it.Type), ev.Types)
		}
		switch {
		case (it.Seat == nil) == (it.Area == nil):
			f.add(at, "Send either seat or area.")
		case it.Seat != nil:
			resolveSeat(it, at, typ, ev, seats, &p, f)
		default:
			resolveUnits(it, at, typ, ev, &p, &units, f)
		}
	}
	if p.total > stock.QuantityMax {
		f.add("/items", "At most %d seats and places are possible in one hold.", stock.QuantityMax)
	}
	if len(*f) == 0 {
		w.divide(p.list)
	}
}

func resolveSeat(it *itemBody, at string, typ int16, ev *Event, seats map[string]stock.SeatID, all *parts, f *faults) {
	if it.Quantity != nil {
		f.add(at+"/quantity", "A seat is for one.")
	}
	id, ok := seats[*it.Seat]
	if !ok {
		f.add(at+"/seat", "There is no seat %q.", *it.Seat)
		return
	}
	p := all.add(id.Segment(), 1)
	if slices.ContainsFunc(p.ask.Seats, func(s stock.SeatAsk) bool { return s.Seat == id }) {
		f.add(at+"/seat", "The seat is there twice.")
	}
	if _, sold := ev.tier(ev.category(id), typ); !sold {
		f.add(at, "Category %s is not sold for the type %q.", nameAt(ev.Categories, ev.category(id)), nameAt(ev.Types, typ))
	}
	p.ask.Seats = append(p.ask.Seats, stock.SeatAsk{Seat: id, Type: typ})
}

// resolveUnits adds places of an area to what is wanted of it.
func resolveUnits(it *itemBody, at string, typ int16, ev *Event, all *parts, units *int32, f *faults) {
	segments := ev.areaSegments(*it.Area)
	if len(segments) == 0 {
		f.add(at+"/area", "There is no area %q.", *it.Area)
		return
	}
	quantity := int32(1)
	if it.Quantity != nil {
		quantity = *it.Quantity
	}
	if quantity < 1 || quantity > stock.QuantityMax-*units {
		f.add(at+"/quantity", "1 to %d in one hold.", stock.QuantityMax)
		return
	}
	*units += quantity
	category := ev.segment(segments[0]).Category
	if _, sold := ev.tier(category, typ); !sold {
		f.add(at, "Category %s is not sold for the type %q.", nameAt(ev.Categories, category), nameAt(ev.Types, typ))
	}
	p := all.add(segments[0], quantity)
	p.ask.Quantity += quantity
	p.ask.Types = append(p.ask.Types, slices.Repeat([]int16{typ}, int(quantity))...)
}

// resolve fills in a best-available wish.
func (b *bestBody) resolve(ev *Event, w *wish, f *faults) {
	const at = "/best_available"
	quantity := int32(0)
	if b.Quantity != nil {
		quantity = *b.Quantity
	}
	if quantity < 1 || quantity > stock.QuantityMax {
		f.add(at+"/quantity", "1 to %d are possible.", stock.QuantityMax)
	}
	var ok bool
	if w.ask.Together, ok = togetherWords[b.Together]; !ok {
		f.add(at+"/together", "required, preferred or any.")
	}
	if w.ask.Orphans, ok = orphanWords[b.Orphans]; !ok {
		f.add(at+"/orphans", "avoid, never or allow.")
	}
	if b.Accessible != nil {
		w.ask.Accessible = *b.Accessible
		if *b.Accessible < 0 || *b.Accessible > quantity {
			f.add(at+"/accessible", "0 to quantity.")
		}
	}
	w.ask.Quantity = quantity
	for i, name := range b.Sections {
		if !slices.ContainsFunc(ev.Segments, func(s Segment) bool { return s.Section == name && !s.Area }) {
			f.add(at+"/sections/"+strconv.Itoa(i), "There is no section %q with seats.", name)
		}
	}
	w.sections = b.Sections
	b.resolveTypes(ev, quantity, w, f)
	w.ask.Categories = b.categories(ev, w.ask.Types, f)
}

func (b *bestBody) resolveTypes(ev *Event, quantity int32, w *wish, f *faults) {
	for i, name := range b.Types {
		typ, ok := ev.typeIndex(name)
		if !ok || name == "" {
			f.add("/best_available/types/"+strconv.Itoa(i), "There is no ticket type %q; there are %q.", name, ev.Types)
		}
		w.ask.Types = append(w.ask.Types, typ)
	}
	switch n := len(b.Types); {
	case n == 1 && quantity > 0 && quantity <= stock.QuantityMax:
		w.ask.Types = slices.Repeat(w.ask.Types, int(quantity))
	case n > 1 && n != int(quantity):
		f.add("/best_available/types", "Send one type for each of %d tickets, or one for all.", quantity)
	}
}

// categories is the mask of the wanted categories that have a price for all wanted types. So nothing is ever held that cannot be sold.
func (b *bestBody) categories(ev *Event, types []int16, f *faults) uint64 {
	wanted := uint64(math.MaxUint64)
	if len(b.Categories) > 0 {
		wanted = 0
	}
	for i, name := range b.Categories {
		at := slices.Index(ev.Categories, name)
		if at < 0 {
			f.add("/best_available/categories/"+strconv.Itoa(i), "There is no category %q; there are %q.", name, ev.Categories)
			continue
		}
		wanted |= 1 << at
	}
	if len(types) == 0 {
		types = []int16{0}
	}
	mask := uint64(0)
	for i := range ev.Categories {
		sold := !slices.ContainsFunc(types, func(t int16) bool { _, ok := ev.tier(int16(i), t); return !ok })
		if sold {
			mask |= 1 << i
		}
	}
	if mask &= wanted; mask == 0 && len(*f) == 0 {
		f.add("/best_available", "No category has a price for these types.")
	}
	return mask
}

// areaSegments are the segments of an area.
func (ev *Event) areaSegments(area string) []stock.SegmentNo {
	var numbers []stock.SegmentNo
	for _, s := range ev.Segments {
		if s.Area && s.Section == area {
			numbers = append(numbers, s.No)
		}
	}
	return numbers
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
