package chaos

import (
	"strings"
	"testing"

	"ticketrush/room"
)

// TestStays: what a room that keeps its word says is taken, and each way of breaking it is told.
func TestStays(t *testing.T) {
	t.Parallel()
	in := func(admitted, expires int64, renewal uint16) room.Session {
		return room.Session{Admitted: admitted, Expires: expires, Renewal: renewal}
	}
	a, b, c := room.Tid{1}, room.Tid{2}, room.Tid{3}
	for name, is := range map[string]struct {
		says string // of the error; "": none
		do   func(s *stays) error
	}{
		"in turn": {"", func(s *stays) error {
			_ = s.let(a, in(0, 100, 0))
			_ = s.let(b, in(0, 100, 0))
			return s.let(c, in(110, 200, 0))
		}},
		"before the grace is over": {"3 people", func(s *stays) error {
			_ = s.let(a, in(0, 100, 0))
			_ = s.let(b, in(0, 100, 0))
			return s.let(c, in(109, 200, 0))
		}},
		"after a leave": {"", func(s *stays) error {
			_ = s.let(a, in(0, 100, 0))
			_ = s.let(b, in(0, 100, 0))
			s.leaves(a, 50)
			return s.let(c, in(50, 200, 0))
		}},
		"before a leave": {"3 people", func(s *stays) error {
			_ = s.let(a, in(0, 100, 0))
			_ = s.let(b, in(0, 100, 0))
			s.leaves(a, 50)
			return s.let(c, in(49, 200, 0))
		}},
		"longer by a renewal": {"3 people", func(s *stays) error {
			_ = s.let(a, in(0, 100, 0))
			_ = s.let(b, in(0, 100, 0))
			_ = s.renewed(a, in(0, 150, 1))
			_ = s.renewed(b, in(0, 150, 1))
			return s.let(c, in(120, 200, 0))
		}},
		"told twice":         {"", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.let(a, in(0, 100, 0)) }},
		"let in twice":       {"two passes", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.let(a, in(99, 200, 0)) }},
		"let in again later": {"", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.let(a, in(100, 200, 0)) }},
		"renewed as another": {"is renewed as", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.renewed(a, in(5, 200, 1)) }},
		"renewed to be less": {"is renewed as", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.renewed(a, in(0, 99, 1)) }},
		"forgotten":          {"does not know", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.lost(a, 99) }},
		"ended":              {"", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); return s.lost(a, 100) }},
		"left and forgotten": {"", func(s *stays) error { _ = s.let(a, in(0, 100, 0)); s.leaves(a, 50); return s.lost(a, 60) }},
		"the frontier goes on": {"", func(s *stays) error {
			return s.shown(1, [2]uint64{5, 5}, &room.Answer{Edition: 1, Frontier: [2]uint64{6, 5}})
		}},
		"the frontier goes back": {"went back", func(s *stays) error {
			return s.shown(1, [2]uint64{5, 5}, &room.Answer{Edition: 1, Frontier: [2]uint64{5, 4}})
		}},
		"another edition": {"edition 2", func(s *stays) error { return s.shown(1, [2]uint64{5, 5}, &room.Answer{Edition: 2}) }},
	} {
		s := newStays(2, 10)
		err := is.do(s)
		if err == nil {
			err = s.check()
		}
		if (err == nil) != (is.says == "") || err != nil && !strings.Contains(err.Error(), is.says) {
			t.Errorf("%s: %v, want %q", name, err, is.says)
		}
	}
}
