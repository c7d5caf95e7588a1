package rush

import (
	"context"
	"errors"
	"time"
)

// errNothing says that there was nothing to be had, after trying for a while.
var errNothing = errors.New("nothing to be had")

const (
	// wishesMax bounds how often one visitor asks for seats.
	wishesMax = 25
	// shortHold is the life that those ask for who will let their hold run out, so that their seats come back while the rush lasts.
	shortHold = 10
)

// getSeats looks at what is left and asks until it has seats, wants fewer where the party does not fit, and gives up at the end.
func (f *fan) getSeats(ctx context.Context) (Hold, error) {
	w, want := f.world, f.party
	if w.event.Limits.Tid > 0 {
		want = min(want, w.event.Limits.Tid)
	}
	named, looks := f.fights && w.config.APIKey == "", false
	for range wishesMax {
		a, err := f.v.availability(ctx, w.config.Event)
		if err != nil {
			return Hold{}, err
		}
		if a.Capacity > 0 && a.Sold == a.Capacity {
			return Hold{}, errNothing
		}
		if a.Free == 0 {
			if err := f.v.rest(ctx, f.v.jitter(1500*time.Millisecond), w.over); err != nil {
				return Hold{}, err
			}
			continue
		}
		wish := f.wish(a, min(want, a.Free), named)
		if looks {
			// Nothing is offered and something is free: places that are kept for those who need them, or single ones here and there. People find them on the map.
			if wish, err = f.fromMap(ctx, wish, want); err != nil {
				return Hold{}, err
			}
		}
		started := time.Now()
		h, err := f.v.hold(ctx, w.config.Event, wish)
		if err == nil {
			now := time.Now()
			w.tally.held(now, now.Sub(started), h)
			return h, nil
		}
		named = false
		var p *Problem
		switch {
		case is(err, "seat-taken", "would-orphan", "stale-version"):
			// somebody was faster: look again
		case is(err, "hold-expired"):
			// the answer took longer than the hold's life: it is a new wish now
		case errors.As(err, &p) && p.kind() == "not-together":
			want = max(1, min(want-1, max(p.LargestRun, 1)))
		case is(err, "all-held", "sold-out"):
			if looks = !looks; want > 1 || looks {
				want = max(1, want-1)
				continue
			}
			if err := f.v.rest(ctx, f.v.jitter(time.Second), w.over); err != nil {
				return Hold{}, err
			}
		default:
			return Hold{}, err
		}
	}
	return Hold{}, errNothing
}

// wish is what the fan asks for in the face of what is left.
func (f *fan) wish(a Availability, want int, named bool) wish {
	w := wish{}
	if f.manner == walksOff || f.manner == dawdles {
		w.TTL = shortHold
	}
	if named {
		if seats := f.world.hotSeats(f.dice, want); len(seats) > 0 {
			for _, s := range seats {
				w.Items = append(w.Items, wishItem{Seat: s})
			}
			if f.dice.IntN(2) == 0 {
				w.OnConflict = "nearest"
			}
			return w
		}
	}
	// The more of what is left is standing, the more people stand.
	at := f.dice.IntN(max(1, a.Free))
	for area, free := range a.AreaFree {
		if at < free {
			w.Items = []wishItem{{Area: area, Quantity: min(want, free)}}
			return w
		}
		at -= free
	}
	w.Best = &wishBest{Quantity: want, Together: "preferred"}
	if f.wheels {
		w.Best.Accessible = 1
	}
	if f.party > 1 && want < f.party {
		w.Best.Together = "any"
	}
	return w
}

// fromMap turns a wish into one for free seats that the fan sees on the map; it stays as it is when there are none.
func (f *fan) fromMap(ctx context.Context, old wish, want int) (wish, error) {
	free, err := f.v.freeSeats(ctx, f.world.config.Event)
	if err != nil {
		return old, err
	}
	seats := f.world.pick(free, want, f.dice)
	if len(seats) == 0 {
		return old, nil
	}
	w := wish{TTL: old.TTL}
	for _, s := range seats {
		w.Items = append(w.Items, wishItem{Seat: s})
	}
	return w, nil
}

// held keeps a hold that was acknowledged.
func (t *tally) held(now time.Time, took time.Duration, h Hold) {
	t.note(now, func(c *counts, r *Row) {
		c.Holds++
		c.HeldSeats += len(h.Items)
		r.Holds++
		t.hold.add(took)
	})
}
