package chaos

import (
	"context"
	"sync"
	"time"
)

// pace lets a number of operations per second begin, evenly.
type pace struct {
	mu    sync.Mutex // guards what follows
	every time.Duration
	next  time.Time
}

// paceBehind bounds what is caught up after a time in which nobody asked.
const paceBehind = 50 * time.Millisecond

func (p *pace) set(perSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.every = time.Second / time.Duration(perSecond)
}

// turn waits for the caller's turn.
func (p *pace) turn(ctx context.Context) {
	p.mu.Lock()
	now := time.Now()
	if earliest := now.Add(-paceBehind); p.next.Before(earliest) {
		p.next = earliest
	}
	at := p.next
	p.next = at.Add(p.every)
	p.mu.Unlock()
	if d := at.Sub(now); d > 0 {
		_ = wait(ctx, d) // who is cut off finds out at the next step
	}
}
