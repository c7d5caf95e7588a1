package batch

import "runtime"

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
