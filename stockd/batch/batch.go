// Package batch asks in groups: what is asked for at the same time is done in one call.
package batch

import (
	"context"
	"errors"
	"sync"
	"time"

	"ticketrush/ledger"
)

// Batcher does in one call what is asked for at the same time: whatever has come while the last call was under way goes into the next. There is no
// timer: alone, a question is asked at once. It has at most one goroutine, which ends when nothing is asked for; Rest waits for that.
type Batcher[A, R any] struct {
	run func(ctx context.Context, batch []A) ([]R, error)
	max int

	mu      sync.Mutex // guards what follows
	waiting []question[A, R]
	busy    bool
	idle    chan struct{} // closed when the goroutine that is busy ends
}

type question[A, R any] struct {
	about  A
	answer chan<- answered[R] // has room for one
}

type answered[R any] struct {
	result R
	err    error
}

// New makes one. run does a batch, of at most so many, and answers each in its place; an error is about the batch.
func New[A, R any](most int, run func(ctx context.Context, batch []A) ([]R, error)) *Batcher[A, R] {
	return &Batcher[A, R]{run: run, max: most}
}

// timeout bounds one call. It does not end with those who asked: others may wait for the same batch.
const timeout = 10 * time.Second

// Do asks and waits for the answer. A context that ends ends the waiting, not the work.
func (b *Batcher[A, R]) Do(ctx context.Context, about A) (result R, err error) {
	answer := make(chan answered[R], 1)
	b.mu.Lock()
	b.waiting = append(b.waiting, question[A, R]{about: about, answer: answer})
	if !b.busy {
		b.busy, b.idle = true, make(chan struct{})
		go b.work()
	}
	b.mu.Unlock()
	select {
	case a := <-answer:
		return a.result, a.err
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

func (b *Batcher[A, R]) work() {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), b.max)
		batch := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		if n == 0 {
			b.busy = false
			close(b.idle)
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		b.answer(batch)
	}
}

// Rest waits until what was asked for is answered, so that no call to the ledger outlives its service.
func (b *Batcher[A, R]) Rest() {
	b.mu.Lock()
	busy, idle := b.busy, b.idle
	b.mu.Unlock()
	if busy {
		<-idle
	}
}

// answer does a batch. When that fails each is tried by itself, so that one that the ledger refuses does not take others with it; not when the
// ledger is away: then all would wait for each.
func (b *Batcher[A, R]) answer(batch []question[A, R]) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	about := make([]A, len(batch))
	for i, q := range batch {
		about[i] = q.about
	}
	results, err := b.run(ctx, about)
	if err != nil && len(batch) > 1 && !errors.Is(err, ledger.ErrUnavailable) && ctx.Err() == nil {
		for i := range batch {
			b.answer(batch[i : i+1])
		}
		return
	}
	for i, q := range batch {
		a := answered[R]{err: err}
		if err == nil {
			a.result = results[i]
		}
		q.answer <- a
	}
}
