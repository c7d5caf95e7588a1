package room

import "fmt"

// applyLine applies the records about edges, the lobby and the draw.
func (s *State) applyLine(r *Record) error {
	switch r.Kind {
	case KindEdge:
		return s.beginEdge(r)
	case KindEdgeGone:
		s.endEdge(r.Edge)
		delete(s.Edges, r.Edge)
	case KindMark:
		for name, counted := range r.Marks {
			if e := s.Edges[name]; e != nil {
				e.Lines = counted.clone()
			}
		}
	case KindLobby:
		e := s.Edges[r.Edge]
		if e == nil {
			return fmt.Errorf("record %s of the unknown edge %q", r.Kind, r.Edge)
		}
		e.Told += r.Told
		s.Draw.Told += r.Told
	case KindLate:
		if r.Tid != nil {
			s.rerank(*r.Tid, r.Rank)
		}
		s.Draw.Late++
	case KindCodes, KindCodeRevoked, KindRedeem:
		return s.applyCode(r)
	case KindOffer, KindHandover:
		return s.applyHandover(r)
	case KindCommit, KindSeal, KindDraw:
		return s.applyDraw(r)
	default:
		return fmt.Errorf("record of unknown kind %q", r.Kind)
	}
	return nil
}

func (s *State) applyDraw(r *Record) error {
	d := r.Draw
	switch {
	case r.Kind == KindCommit && d != nil && d.Secret != nil && d.Commitment != nil:
		s.Draw.Secret, s.Draw.Commitment = d.Secret, d.Commitment
	case r.Kind == KindSeal && d != nil && d.Sealed != nil:
		s.Draw.Sealed = d.Sealed
	case r.Kind == KindDraw && d != nil && d.Drawn != nil:
		s.Draw.Drawn, s.Draw.Lots = d.Drawn, d.Lots.clone()
	default:
		return fmt.Errorf("record %s without what it is about", r.Kind)
	}
	return nil
}

// beginEdge enters an edge, or a new process of one: what the old one gave out stays counted.
func (s *State) beginEdge(r *Record) error {
	if r.Edge == "" || r.ID == 0 {
		return fmt.Errorf("record %s without edge or number", r.Kind)
	}
	s.endEdge(r.Edge)
	s.Edges[r.Edge] = &EdgeState{ID: r.ID, Incarnation: r.Incarnation, Since: r.Since, Heard: s.At}
	return nil
}

// endEdge counts the lines of an ended process with those of the others that ended.
func (s *State) endEdge(name string) {
	e := s.Edges[name]
	if e == nil {
		return
	}
	for class := range classes {
		s.Gone[class] = merge(&s.Gone[class], &e.Lines[class])
	}
	e.Lines = lines{}
}

// merge gives one line with the ranks of two.
func merge(a, b *Line) Line {
	if a.Total() == 0 || b.Total() == 0 {
		if a.Total() == 0 {
			a = b
		}
		return a.clone()
	}
	var out Line
	low := min(a.Before, b.Before)
	for i, j := 0, 0; i < len(a.Buckets) || j < len(b.Buckets); {
		var last uint64
		if j == len(b.Buckets) || i < len(a.Buckets) && a.Buckets[i].Last <= b.Buckets[j].Last {
			last = a.Buckets[i].Last
			i++
		} else {
			last = b.Buckets[j].Last
			j++
		}
		if sum := a.CountUpTo(last) + b.CountUpTo(last); sum > out.Total() {
			out.push(low, Bucket{last, sum})
			low = last
		}
	}
	return out
}
