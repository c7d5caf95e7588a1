package stock

import (
	"strings"
	"testing"
)

// hall makes a segment of a drawing, one line per row, the focal point before the middle of the first: '.' a free seat of category 0,
// 'b' of category 1, 'w' an accessible one, 'c' a companion seat (of the accessible one before it), 'x' a taken one, 'X' one of category 1,
// ' ' an aisle.
func hall(t *testing.T, rows ...string) *Segment {
	t.Helper()
	var specs []SeatSpec
	var taken []SeatAsk
	block := int32(0)
	for y, row := range rows {
		for x, mark := range row {
			if mark == ' ' {
				continue
			}
			if x == 0 || row[x-1] == ' ' {
				block++
			}
			dx, dy := float32(x)-float32(len(rows[0])-1)/2, float32(y+1)
			spec := SeatSpec{Row: int32(y), Block: block, X: float32(x), Y: float32(y), Distance: dx*dx + dy*dy*1.01}
			switch mark {
			case 'b', 'X':
				spec.Category = 1
			case 'w':
				spec.Flags = SeatAccessible
			case 'c':
				spec.Flags = SeatCompanion
				specs[len(specs)-1].Companions = []int32{int32(len(specs))}
			}
			if mark == 'x' || mark == 'X' {
				taken = append(taken, SeatAsk{Seat: NewSeatID(testSegment, int32(len(specs)))})
			}
			specs = append(specs, spec)
		}
	}
	layout, err := NewLayout(specs)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSegment(layout, testEvent, testSegment)
	for i, seat := range taken {
		answer := do(t, s, Command{Kind: KindHold, Hold: testID('x', i), Ask: Ask{Seats: []SeatAsk{seat}}})
		if answer.Code != CodeOK {
			t.Fatalf("seat %v: %+v", seat, answer)
		}
	}
	return s
}

// do applies a command and settles it as applied.
func do(t *testing.T, s *Segment, cmd Command) Answer {
	t.Helper()
	cmd.Event, cmd.Segment, cmd.TTL, cmd.MaxTTL = testEvent, testSegment, testTTL, testMaxTTL
	effect := s.Apply(cmd, 1000)
	if effect.Op == nil {
		return effect.Answer
	}
	answer := s.Settle(effect.Op, OutcomeApplied, 1000)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return answer
}

// drawn is the drawing with the hold's seats as 'O'.
func drawn(rows []string, hold *HoldView) []string {
	mine := map[int32]bool{}
	if hold != nil {
		for _, seat := range hold.Seats {
			mine[seat.Seat.Index()] = true
		}
	}
	out, index := []string{}, int32(0)
	for _, row := range rows {
		line := []byte(row)
		for i := range line {
			if line[i] == ' ' {
				continue
			}
			if mine[index] {
				line[i] = 'O'
			}
			index++
		}
		out = append(out, string(line))
	}
	return out
}

func TestLadder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows []string
		ask  Ask
		code Code
		rung int8
		want []string
	}{
		"in the middle":                   {[]string{"......."}, Ask{Quantity: 3}, CodeOK, 1, []string{"..OOO.."}},
		"rather further than a single":    {[]string{"x...xx....xx"}, Ask{Quantity: 2}, CodeOK, 1, []string{"x...xxOO..xx"}},
		"never a single":                  {[]string{"x...x"}, Ask{Quantity: 2, Orphans: OrphansNever}, CodeWouldOrphan, 0, nil},
		"a single rather than no sale":    {[]string{"x...x"}, Ask{Quantity: 2}, CodeOK, 2, []string{"x.OOx"}},
		"singles do not matter":           {[]string{"x...x......"}, Ask{Quantity: 2, Orphans: OrphansAllow}, CodeOK, 1, []string{"x...xOO...."}},
		"not over an aisle":               {[]string{".. .."}, Ask{Quantity: 3}, CodeNotTogether, 0, nil},
		"two rows":                        {[]string{"..xx..", "..xx.."}, Ask{Quantity: 4}, CodeOK, 3, []string{"..xxOO", "..xxOO"}},
		"two rows, three before two":      {[]string{"...x..", "...x.."}, Ask{Quantity: 5}, CodeOK, 3, []string{"OOOx..", "OO.x.."}},
		"near":                            {[]string{"..xx..", "xxxxxx"}, Ask{Quantity: 4}, CodeOK, 4, []string{"OOxxOO", "xxxxxx"}},
		"nobody alone":                    {[]string{"..xx.x", "xxxx.x"}, Ask{Quantity: 4}, CodeNotTogether, 0, nil},
		"scattered when asked":            {[]string{"..xx.x", "xxxx.x"}, Ask{Quantity: 4, Together: TogetherAny}, CodeOK, 5, []string{"OOxxOx", "xxxxOx"}},
		"together or not at all":          {[]string{"..xx..", "..xx.."}, Ask{Quantity: 4, Together: TogetherRequired}, CodeNotTogether, 0, nil},
		"a category":                      {[]string{"......", "..bbbb"}, Ask{Quantity: 2, Categories: 2}, CodeOK, 1, []string{"......", "..OObb"}},
		"not a wheelchair place":          {[]string{"xxwcx."}, Ask{Quantity: 1}, CodeOK, 1, []string{"xxwcxO"}},
		"a companion seat last":           {[]string{"xxwcxx"}, Ask{Quantity: 1, Together: TogetherAny}, CodeOK, 1, []string{"xxwOxx"}},
		"no companion seat before":        {[]string{"xxwcxx"}, Ask{Quantity: 1}, CodeAllHeld, 0, nil},
		"no wheelchair place unasked":     {[]string{"xxwxxx"}, Ask{Quantity: 1}, CodeAllHeld, 0, nil},
		"with companion":                  {[]string{"..wc.", "....."}, Ask{Quantity: 2, Accessible: 1}, CodeOK, 1, []string{"..OO.", "....."}},
		"with more than the companion":    {[]string{"..wc.."}, Ask{Quantity: 3, Accessible: 1}, CodeOK, 2, []string{".OOO.."}},
		"two wheelchairs":                 {[]string{"wc..wc"}, Ask{Quantity: 4, Accessible: 2}, CodeOK, 4, []string{"OO..OO"}},
		"too many wheelchairs":            {[]string{"wc....", "......"}, Ask{Quantity: 2, Accessible: 2}, CodeAllHeld, 0, nil},
		"a wheelchair and nobody near":    {[]string{"wxxxxx"}, Ask{Quantity: 2, Accessible: 1}, CodeAllHeld, 0, nil},
		"all held":                        {[]string{"xx."}, Ask{Quantity: 2}, CodeAllHeld, 0, nil},
		"nonsense: nobody":                {[]string{"..."}, Ask{}, CodeInvalid, 0, nil},
		"nonsense: a crowd":               {[]string{"..."}, Ask{Quantity: QuantityMax + 1}, CodeInvalid, 0, nil},
		"nonsense: types":                 {[]string{"..."}, Ask{Quantity: 2, Types: []int16{1}}, CodeInvalid, 0, nil},
		"nonsense: all but one in wheels": {[]string{"..."}, Ask{Quantity: 1, Accessible: 2}, CodeInvalid, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hall(t, c.rows...)
			answer := do(t, s, Command{Kind: KindHold, Hold: testID('h', 1), Ask: c.ask})
			if answer.Code != c.code || answer.Rung != c.rung {
				t.Errorf("code %d rung %d, want %d %d", answer.Code, answer.Rung, c.code, c.rung)
			}
			got := drawn(c.rows, answer.Hold)
			if c.want != nil && strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestNamedSeats(t *testing.T) {
	t.Parallel()
	seats := func(indexes ...int32) []SeatAsk {
		var asks []SeatAsk
		for i, index := range indexes {
			asks = append(asks, SeatAsk{NewSeatID(testSegment, index), int16(i)})
		}
		return asks
	}
	for name, c := range map[string]struct {
		rows         []string
		ask          Ask
		code         Code
		substituted  bool
		alternatives int
		want         []string
	}{
		"free":                       {[]string{"...."}, Ask{Seats: seats(2, 1)}, CodeOK, false, 0, []string{".OO."}},
		"a wheelchair place by name": {[]string{"..w."}, Ask{Seats: seats(2)}, CodeOK, false, 0, []string{"..O."}},
		"gone":                       {[]string{".x.."}, Ask{Seats: seats(1, 2)}, CodeSeatTaken, false, 2, nil},
		"gone, beside":               {[]string{".x..", "...."}, Ask{Seats: seats(1, 2), Nearest: true}, CodeOK, true, 0, []string{".xOO", "...."}},
		"gone, in the next row":      {[]string{"xxxx", "...."}, Ask{Seats: seats(0, 1), Nearest: true}, CodeOK, true, 0, []string{"xxxx", "..OO"}},
		"gone, not another category": {[]string{"x...", "bbbb"}, Ask{Seats: seats(4), Nearest: true}, CodeOK, false, 0, []string{"x...", "Obbb"}},
		"all of the category gone":   {[]string{"xxxx", "bbbb"}, Ask{Seats: seats(0), Nearest: true}, CodeSeatTaken, false, 0, nil},
		"two categories, one gone":   {[]string{"..xX", "bbbb"}, Ask{Seats: seats(3, 1), Nearest: true}, CodeOK, true, 0, []string{".OxX", "Obbb"}},
		"wheelchair place gone":      {[]string{"x..w"}, Ask{Seats: seats(3), Nearest: true}, CodeOK, false, 0, []string{"x..O"}},
		"leaves a single":            {[]string{"...."}, Ask{Seats: seats(1, 2), Orphans: OrphansNever}, CodeWouldOrphan, false, 2, nil},
		"leaves a single, allowed":   {[]string{"...."}, Ask{Seats: seats(1, 2)}, CodeOK, false, 0, []string{".OO."}},
		"unknown":                    {[]string{"...."}, Ask{Seats: seats(4)}, CodeUnknownSeat, false, 0, nil},
		"twice":                      {[]string{"...."}, Ask{Seats: seats(1, 1)}, CodeInvalid, false, 0, nil},
		"of another segment":         {[]string{"...."}, Ask{Seats: []SeatAsk{{Seat: NewSeatID(testSegment+1, 0)}}}, CodeUnknownSeat, false, 0, nil},
		"named and a number as well": {[]string{"...."}, Ask{Seats: seats(1), Quantity: 1}, CodeInvalid, false, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hall(t, c.rows...)
			answer := do(t, s, Command{Kind: KindHold, Hold: testID('h', 1), Ask: c.ask})
			if answer.Code != c.code || answer.Substituted != c.substituted || len(answer.Alternatives) != c.alternatives {
				t.Errorf("answer %+v", answer)
			}
			got := drawn(c.rows, answer.Hold)
			if c.want != nil && strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if c.code == CodeOK && c.ask.Seats[0].Seat == NewSeatID(testSegment, 2) && answer.Hold.Seats[0].Type != 1 && len(c.ask.Seats) > 1 {
				t.Errorf("ticket types did not stay with their seats: %+v", answer.Hold.Seats)
			}
		})
	}
}
