package stock

const (
	wheelSlots = 8192 // seconds; later deadlines stay in their slot for another round
	pageSlots  = 128
	wheelPages = wheelSlots / pageSlots
)

// wheel holds the timers of the holds: one slot per second, in pages that exist only while they have entries.
// It only finds holds to tidy up; whether a hold has expired is decided by its deadline.
type wheel struct {
	pages  [wheelPages]*wheelPage
	spare  *wheelPage
	cursor int64 // seconds before it are done
	count  int
}

type wheelPage struct {
	head [pageSlots]uint32
	n    int32
}

// Which list a hold is in.
const (
	listNone uint8 = iota
	listWheel
	listOverdue
	listPins
	listLegs
)

// fireAt is the second at the end of which the deadline has surely passed.
func fireAt(deadline int64) int64 { return (deadline + 999) / 1000 }

func slotOf(second int64) (page, slot int) {
	at := int(uint64(second) % wheelSlots)
	return at / pageSlots, at % pageSlots
}

// head is the list that the hold is in.
func (s *Segment) head(h *hold) *uint32 {
	switch h.list {
	case listWheel:
		page, slot := slotOf(h.fire)
		return &s.timers.pages[page].head[slot]
	case listOverdue:
		return &s.overdue
	case listLegs:
		return &s.legs
	default:
		return &s.pins
	}
}

// link appends the hold to the list that h.list names. Lists are rings through the slab; slot numbers start at 1, 0 is none.
func (s *Segment) link(slot uint32, h *hold) {
	head := s.head(h)
	if *head == 0 {
		h.next, h.prev = slot, slot
		*head = slot
		return
	}
	first := s.at(*head)
	last := s.at(first.prev)
	h.next, h.prev = *head, first.prev
	first.prev, last.next = slot, slot
}

// unlink takes the hold out of its list, if it is in one.
func (s *Segment) unlink(slot uint32, h *hold) {
	if h.list == listNone {
		return
	}
	head := s.head(h)
	if h.next == slot {
		*head = 0
	} else {
		s.at(h.prev).next, s.at(h.next).prev = h.next, h.prev
		if *head == slot {
			*head = h.next
		}
	}
	if h.list == listWheel {
		s.timers.drop(h.fire)
	}
	h.list, h.next, h.prev = listNone, 0, 0
}

func (w *wheel) drop(second int64) {
	w.count--
	at, _ := slotOf(second)
	if p := w.pages[at]; p.n > 1 {
		p.n--
	} else {
		p.n = 0
		w.pages[at], w.spare = nil, p
	}
}

// arm sets the hold's timer to a deadline.
func (s *Segment) arm(slot uint32, h *hold, deadline int64) {
	s.unlink(slot, h)
	if s.timers == nil {
		s.timers = new(wheel)
	}
	w := s.timers
	h.fire, h.list = fireAt(deadline), listWheel
	if w.count == 0 || h.fire < w.cursor {
		w.cursor = h.fire
	}
	at, _ := slotOf(h.fire)
	if w.pages[at] == nil {
		if w.spare == nil {
			w.spare = new(wheelPage)
		}
		w.pages[at], w.spare = w.spare, nil
	}
	w.pages[at].n++
	w.count++
	s.link(slot, h)
}

// turn moves timers that have run out to the overdue list, at most budget of them.
func (s *Segment) turn(now int64, budget int) {
	w := s.timers
	if w == nil {
		return
	}
	second := now / 1000
	w.cursor = max(w.cursor, second-wheelSlots)
	for w.count > 0 && w.cursor <= second {
		page, slot := slotOf(w.cursor)
		p := w.pages[page]
		if p == nil {
			w.cursor += int64(pageSlots - slot)
			continue
		}
		if !s.turnSlot(p.head[slot], second, &budget) {
			return
		}
		w.cursor++
	}
}

// turnSlot moves what has run out of one slot; false when the budget is spent. Timers of a later round stay where they are.
func (s *Segment) turnSlot(at uint32, second int64, budget *int) bool {
	if at == 0 {
		return true
	}
	for last := s.at(at).prev; ; {
		h := s.at(at)
		next := h.next
		if h.fire <= second {
			if *budget == 0 {
				return false
			}
			*budget--
			s.unlink(at, h)
			h.list = listOverdue
			s.link(at, h)
		}
		if at == last {
			return true
		}
		at = next
	}
}

// nextDeadline is the first deadline that a timer waits for.
func (s *Segment) nextDeadline() (int64, bool) {
	if s.overdue != 0 {
		return s.at(s.overdue).deadline, true
	}
	if s.timers == nil || s.timers.count == 0 {
		return 0, false
	}
	w := s.timers
	for second := w.cursor; second < w.cursor+wheelSlots; {
		page, slot := slotOf(second)
		p := w.pages[page]
		if p == nil {
			second += int64(pageSlots - slot)
			continue
		}
		if p.head[slot] != 0 {
			return s.at(p.head[slot]).deadline, true
		}
		second++
	}
	return 0, false
}
