package demo

import (
	"context"
	"net"
	"time"
)

// turn waits until no other demo on this machine is between choosing its ports and listening on them. The lock is an abstract socket: it has no
// file, and the kernel takes it back when its holder ends in any way.
func turn(ctx context.Context) (release func(), err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		l, err := new(net.ListenConfig).Listen(ctx, "unix", "@ticketrush-demo-ports")
		if err == nil {
			return func() { _ = l.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
