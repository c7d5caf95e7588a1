package caddymodule

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
)

// The host asks what is left while it has its lock, and the admin API asks for the host's document while it has the owner's: neither may wait for
// the other. A room stood still for ever when both came at once.
func TestTheSupplyIsToldWithoutTheOwnersLock(t *testing.T) {
	t.Parallel()
	l := &local{}
	l.configure(keeping{supply: func() *room.Supply { return &room.Supply{Left: 7} }}, zap.NewNop())
	l.mu.Lock()
	defer l.mu.Unlock()
	told := make(chan *room.Supply, 1)
	go func() { told <- l.supply() }()
	select {
	case s := <-told:
		if s == nil || s.Left != 7 {
			t.Errorf("told %+v", s)
		}
	case <-time.After(10 * time.Second):
		t.Error("the host waits for who waits for the host")
	}
}
