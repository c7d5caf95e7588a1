package order_test

import (
	"context"
	"testing"
	"testing/synctest"

	"ticketrush/stockd/order"
)

// A service that stops leaves no call behind, though nobody waits for its answer any more.
func TestABatchIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := order.Batch(4, func(_ context.Context, batch []int) ([]int, error) {
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
