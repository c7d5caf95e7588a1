package chaos

import (
	"context"
	"time"
)

// cutWait bounds how long a cut waits for a flush.
const cutWait = 2 * time.Second

// stepsOf are the numbers of bytes after which a message is cut: each of the first and the last ones, where what is written or not hangs on them.
func stepsOf(edge int) (steps []int) {
	for n := range edge {
		steps = append(steps, n)
	}
	for n := 1; n <= edge; n++ {
		steps = append(steps, -n)
	}
	return steps
}

// cutBytes breaks flushes in the middle: the request after n bytes, so that Postgres never sees all of it; and its answer, so that Postgres has
// committed and the node does not know. The batches are as they come; an answer has some hundred bytes, and each of them is cut behind.
func cutBytes(ctx context.Context, d *deployment) (time.Duration, error) {
	for _, w := range []way{toClient, toServer} {
		for i, n := range stepsOf(cutEdge) {
			p := d.proxies[i%len(d.proxies)]
			timer := time.NewTimer(cutWait)
			select {
			case <-p.cutNext(w, n):
				d.book.note("cut")
			case <-timer.C:
				p.disarm()
				d.book.note("cut that met no flush")
			case <-ctx.Done():
				timer.Stop()
				return 0, context.Cause(ctx)
			}
			timer.Stop()
			if err := wait(ctx, cutRest); err != nil {
				return 0, err
			}
		}
	}
	return 0, wait(ctx, time.Second)
}

// cutRest lets the node connect again and send the batch once more, before the next node's flush is cut: what is measured is one cut, not a chain.
const cutRest = 60 * time.Millisecond

// cutEdge is how many bytes at each end of a message are cut behind one by one.
const cutEdge = 64
