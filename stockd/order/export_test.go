package order

import (
	"context"
	"runtime"
)

// Batcher opens the batcher to tests.
type Batcher[A, R any] struct{ batcher[A, R] }

// Batch makes one.
func Batch[A, R any](most int, run func(context.Context, []A) ([]R, error)) *Batcher[A, R] {
	return &Batcher[A, R]{batcher[A, R]{run: run, max: most}}
}

// Do asks.
func (b *Batcher[A, R]) Do(ctx context.Context, about A) (R, error) { return b.do(ctx, about) }

// Rest waits for what was asked for.
func (b *Batcher[A, R]) Rest() { b.rest() }

// Await waits until a number of questions wait.
func (b *Batcher[A, R]) Await(n int) {
	for {
		b.mu.Lock()
		waiting := len(b.waiting)
		b.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}
