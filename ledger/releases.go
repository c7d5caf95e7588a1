package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// releasedChannel is what PartRelease notifies. Only hand-offs do: a NOTIFY takes a lock of the whole server at its commit, and flushes would
// wait for each other there.
const releasedChannel = "ledger_part_released"

const (
	listenAgainFirst = 100 * time.Millisecond
	listenAgainMax   = 2 * time.Second
	listenSilence    = 15 * time.Second // after it the connection is asked whether it still is one
)

// Releases calls heard with the partitions that owners give up, as soon as that is committed, until ctx ends. It is a hint: what is told while
// there is no connection is lost, and heard is called with none when there is one again.
func (l *DB) Releases(ctx context.Context, heard func(parts []int32)) error {
	listener := pq.NewListener(l.dsn, listenAgainFirst, listenAgainMax, nil)
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer func() {
		if stop() {
			_ = listener.Close()
		}
	}()
	if err := listener.Listen(releasedChannel); err != nil { // blocks until there is a connection
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listen to %s: %w", releasedChannel, err)
	}
	heard(nil)
	silence := time.NewTicker(listenSilence)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-silence.C:
			_ = listener.Ping() // a dead connection is closed, and made anew
		case told, open := <-listener.NotificationChannel():
			switch {
			case !open:
				return nil
			case told == nil:
				heard(nil)
			default:
				heard(partsOf(told.Extra))
			}
		}
	}
}

// partsOf reads a list of numbers with commas; what is none is left out, since anybody who may log in may notify.
func partsOf(list string) []int32 {
	var parts []int32
	for field := range strings.SplitSeq(list, ",") {
		if part, err := strconv.ParseInt(field, 10, 32); err == nil && part >= 0 {
			parts = append(parts, int32(part))
		}
	}
	return parts
}
