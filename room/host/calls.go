package host

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ticketrush/room"
)

// act does something to the room, and gives the number of the batch that holds it, or will.
func (h *Host) act(f func(rm *room.Room) error) (seq uint64, err error) {
	broken := h.under(func() {
		// A Store that refuses just now may take it soon: what was asked meanwhile waits for that.
		if h.room == nil || errors.Is(h.failed, ErrNotReady) || errors.Is(h.failed, ErrLost) {
			err = ErrNotReady
			return
		}
		if err = f(h.room); err == nil {
			seq = h.room.Seq()
		}
	})
	if broken != nil {
		return 0, ErrNotReady
	}
	return seq, err
}

// whenStored waits until everything up to a batch is durable.
func (h *Host) whenStored(ctx context.Context, seq uint64) error {
	h.mu.Lock()
	for h.stored < seq {
		changed := h.changed
		h.mu.Unlock()
		h.nudge()
		select {
		case <-changed:
		case <-ctx.Done():
			return ErrNotReady
		case <-h.done:
			return ErrNotReady
		}
		h.mu.Lock()
	}
	h.mu.Unlock()
	return nil
}

// do does something to the room and waits until it is stored.
func (h *Host) do(ctx context.Context, f func(rm *room.Room) error) error {
	seq, err := h.act(f)
	if err != nil {
		return err
	}
	return h.whenStored(ctx, seq)
}

// settle is do for what is refused because of something that may not be stored yet: a refusal waits for that, too.
func (h *Host) settle(ctx context.Context, f func(rm *room.Room) error) error {
	var refused error
	err := h.do(ctx, func(rm *room.Room) error {
		refused = f(rm)
		return nil
	})
	return cmp.Or(err, refused)
}

// Sync implements Owner.
func (h *Host) Sync(ctx context.Context, p *room.Report) (*room.Answer, error) {
	if err := h.do(ctx, func(rm *room.Room) error { return rm.Sync(h.now(), p) }); err != nil {
		return nil, err
	}
	var a room.Answer
	_, err := h.act(func(rm *room.Room) (err error) {
		if a, err = rm.Answer(h.now(), p); err == nil && p.Have != h.tag {
			a.Document, a.Tag = h.body, h.tag
		}
		return err
	})
	return &a, err
}

// Claim implements Owner.
func (h *Host) Claim(ctx context.Context, c room.Claim) (Claimed, error) {
	var out Claimed
	var answer chan room.Decision // nil: it is decided, but for being stored
	var refused error
	seq, err := h.act(func(rm *room.Room) error {
		s, ok, waits, err := rm.Claim(h.now(), c)
		var moved *room.MovedError
		switch {
		case errors.As(err, &moved):
			out.Moved = moved.Rank
			return nil
		case errors.Is(err, room.ErrHandedOver): // which may not be stored yet
			refused = err
			return nil
		case err == nil && ok:
			out.Granted, out.Session = true, s
		case err == nil && waits:
			answer = make(chan room.Decision, 1)
			h.waiters[c.Tid] = append(h.waiters[c.Tid], answer)
		}
		return err
	})
	switch {
	case err != nil:
		return Claimed{}, err
	case refused != nil:
		return Claimed{}, cmp.Or(h.whenStored(ctx, seq), refused)
	case answer == nil && (out.Granted || out.Moved != 0):
		return out, h.whenStored(ctx, seq)
	case answer == nil:
		return Claimed{}, nil
	}
	select {
	case d := <-answer:
		return Claimed{Granted: d.Granted, Session: d.Session}, nil
	case <-ctx.Done():
		return Claimed{}, ErrNotReady
	case <-h.done:
		return Claimed{}, ErrNotReady
	}
}

// Renew implements Owner.
func (h *Host) Renew(ctx context.Context, tid room.Tid, renewal uint16, life time.Duration) (s room.Session, err error) {
	err = h.do(ctx, func(rm *room.Room) (err error) {
		s, err = rm.Renew(h.now(), tid, renewal, life)
		return err
	})
	return s, err
}

// Leave implements Owner.
func (h *Host) Leave(ctx context.Context, tid room.Tid) error {
	return h.do(ctx, func(rm *room.Room) error {
		_ = rm.Leave(h.now(), tid) // somebody who only waits is not inside
		return nil
	})
}

// Ban implements Owner.
func (h *Host) Ban(ctx context.Context, tid room.Tid, until time.Time) error {
	return h.do(ctx, func(rm *room.Room) error {
		rm.Ban(h.now(), until, tid)
		return nil
	})
}

// Redeem implements Owner.
func (h *Host) Redeem(ctx context.Context, tid room.Tid, serial uint32, uses int) (rank uint64, err error) {
	err = h.do(ctx, func(rm *room.Room) (err error) {
		rank, err = rm.Redeem(h.now(), tid, serial, uses)
		return err
	})
	return rank, err
}

// Offer implements Owner.
func (h *Host) Offer(ctx context.Context, place room.Place, code room.Digest, look bool) (left time.Duration, err error) {
	err = h.settle(ctx, func(rm *room.Room) (err error) {
		left, err = rm.Offer(h.now(), place, code, look)
		return err
	})
	return left, err
}

// Handover implements Owner.
func (h *Host) Handover(ctx context.Context, code, taker room.Digest) (place room.Place, err error) {
	err = h.settle(ctx, func(rm *room.Room) (err error) {
		place, err = rm.Handover(h.now(), code, taker)
		return err
	})
	return place, err
}

// IssueCodes implements Owner.
func (h *Host) IssueCodes(ctx context.Context, n uint32, reason string) (first uint32, err error) {
	err = h.do(ctx, func(rm *room.Room) (err error) {
		if first, err = rm.IssueCodes(h.now(), n, reason); err != nil {
			err = invalid("%v", err)
		}
		return err
	})
	return first, err
}

var _ Owner = (*Host)(nil)
