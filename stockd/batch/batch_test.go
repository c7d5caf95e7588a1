package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"ticketrush/ledger"
	"ticketrush/stockd/batch"
)

// A service that stops leaves no call behind, though nobody waits for its answer any more.
func TestABatchIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := batch.New(4, func(_ context.Context, batch []int) ([]int, error) {
			<-release
			return batch, nil
		})
		b.Rest() // nothing was asked for
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if _, err := b.Do(ctx, 1); err == nil {
			t.Error("an answer came to somebody who had left")
		}
		rested := make(chan struct{})
		go func() {
			b.Rest()
			close(rested)
		}()
		synctest.Wait()
		select {
		case <-rested:
			t.Error("the call is still under way")
		default:
		}
		close(release)
		<-rested
	})
}

// A call that the ledger refuses does not take those with it that came at the same time; when the ledger is away nothing is tried one by one.
func TestBatchWithOneBadApple(t *testing.T) {
	t.Parallel()
	bad := errors.New("refused")
	for name, c := range map[string]struct {
		failure error
		calls   int // of the batch of five: itself, and each alone
		failed  int
	}{
		"refused": {bad, 6, 1},
		"away":    {fmt.Errorf("%w: gone", ledger.ErrUnavailable), 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			calls, begun, open := 0, make(chan struct{}), make(chan struct{})
			ask := batch.New(5, func(_ context.Context, numbers []int) ([]int, error) {
				if slices.Equal(numbers, []int{-1}) { // keeps the others waiting, so that they are one batch
					close(begun)
					<-open
					return numbers, nil
				}
				mu.Lock()
				calls++
				mu.Unlock()
				if slices.Contains(numbers, 3) {
					return nil, c.failure
				}
				return numbers, nil
			})
			var all sync.WaitGroup
			all.Go(func() { _, _ = ask.Do(t.Context(), -1) })
			<-begun
			failed := 0
			for n := range 5 {
				all.Go(func() {
					got, err := ask.Do(t.Context(), n)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed++
					} else if got != n {
						t.Errorf("asked about %d, answered about %d", n, got)
					}
				})
			}
			ask.Await(5)
			close(open)
			all.Wait()
			if calls != c.calls || failed != c.failed {
				t.Errorf("%d calls, %d failed; want %d and %d", calls, failed, c.calls, c.failed)
			}
		})
	}
}
