package host

import (
	"context"
	"errors"
	"time"

	"ticketrush/room"
)

// ready gives the room under the lock; the caller releases it.
func (h *Host) ready() (*room.Room, error) {
	h.mu.Lock()
	// A Store that refuses just now may take it soon: what was asked meanwhile waits for that.
	if h.room == nil || errors.Is(h.failed, ErrNotReady) || errors.Is(h.failed, ErrLost) {
		h.mu.Unlock()
		return nil, ErrNotReady
	}
	return h.room, nil
}

// whenStored waits until everything that was done to the room so far is durable. The caller holds the lock, and does not any more after it.
func (h *Host) whenStored(ctx context.Context) error {
	seq := h.room.Seq()
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

// Sync implements Owner.
func (h *Host) Sync(ctx context.Context, p *room.Report) (*room.Answer, error) {
	rm, err := h.ready()
	if err != nil {
		return nil, err
	}
	if err := rm.Sync(h.now(), p); err != nil {
		h.mu.Unlock()
		return nil, err
	}
	if err := h.whenStored(ctx); err != nil {
		return nil, err
	}
	if rm, err = h.ready(); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	a, err := rm.Answer(h.now(), p)
	if err == nil && p.Have != h.tag {
		a.Document, a.Tag = h.body, h.tag
	}
	return &a, err
}

// Claim implements Owner.
func (h *Host) Claim(ctx context.Context, c room.Claim) (Claimed, error) {
	rm, err := h.ready()
	if err != nil {
		return Claimed{}, err
	}
	s, ok, waits, err := rm.Claim(h.now(), c)
	var moved *room.MovedError
	switch {
	case errors.As(err, &moved):
		return Claimed{Moved: moved.Rank}, h.whenStored(ctx)
	case err == nil && ok:
		return Claimed{Granted: true, Session: s}, h.whenStored(ctx)
	case err != nil, !waits:
		h.mu.Unlock()
		return Claimed{}, err
	}
	answer := make(chan room.Decision, 1)
	h.waiters[c.Tid] = append(h.waiters[c.Tid], answer)
	h.mu.Unlock()
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
func (h *Host) Renew(ctx context.Context, tid room.Tid, renewal uint16, life time.Duration) (room.Session, error) {
	rm, err := h.ready()
	if err != nil {
		return room.Session{}, err
	}
	s, err := rm.Renew(h.now(), tid, renewal, life)
	if err != nil {
		h.mu.Unlock()
		return s, err
	}
	return s, h.whenStored(ctx)
}

// Leave implements Owner.
func (h *Host) Leave(ctx context.Context, tid room.Tid) error {
	rm, err := h.ready()
	if err != nil {
		return err
	}
	_ = rm.Leave(h.now(), tid) // somebody who only waits is not inside
	return h.whenStored(ctx)
}

// Ban implements Owner.
func (h *Host) Ban(ctx context.Context, tid room.Tid, until time.Time) error {
	rm, err := h.ready()
	if err != nil {
		return err
	}
	rm.Ban(h.now(), until, tid)
	return h.whenStored(ctx)
}

// Redeem implements Owner.
func (h *Host) Redeem(ctx context.Context, tid room.Tid, serial uint32, uses int) (uint64, error) {
	rm, err := h.ready()
	if err != nil {
		return 0, err
	}
	rank, err := rm.Redeem(h.now(), tid, serial, uses)
	if err != nil {
		h.mu.Unlock()
		return 0, err
	}
	return rank, h.whenStored(ctx)
}

// IssueCodes implements Owner.
func (h *Host) IssueCodes(ctx context.Context, n uint32, reason string) (uint32, error) {
	rm, err := h.ready()
	if err != nil {
		return 0, err
	}
	first, err := rm.IssueCodes(h.now(), n, reason)
	if err != nil {
		h.mu.Unlock()
		return 0, invalid("%v", err)
	}
	return first, h.whenStored(ctx)
}

var _ Owner = (*Host)(nil)
