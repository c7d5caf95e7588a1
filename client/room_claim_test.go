package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ticketrush/room"
)

// However many people claim at once, so many connections wait and no more; who finds no place in time is told to ask again.
func TestClaimsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	release := make(chan struct{})
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/internal/v1/routes" {
			_, _ = w.Write([]byte(`{"version":"a.1","nodes":[{"node":"n1","api":"` + r.Host + `","internal":"` + r.Host + `"}],"routes":[]}`))
			return
		}
		for n := now.Add(1); ; {
			if seen := most.Load(); n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		defer now.Add(-1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte(`{"granted":true}`))
	}))
	t.Cleanup(node.Close)
	c, err := New(Config{Seeds: []string{node.URL[len("http://"):]}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := c.Room("spring")
	var granted, later atomic.Int64
	claim := func(i int, wait time.Duration) {
		claimed, err := r.Claim(t.Context(), room.Claim{Tid: room.Tid{byte(i), byte(i >> 8)}, Until: time.Now().Add(wait)})
		switch {
		case err != nil:
			t.Error(err)
		case claimed.Granted:
			granted.Add(1)
		default:
			later.Add(1)
		}
	}
	var first, more sync.WaitGroup
	for i := range claimsMax {
		first.Go(func() { claim(i, time.Minute) })
	}
	for now.Load() < claimsMax && !t.Failed() {
		<-time.After(time.Millisecond)
	}
	for i := range claimsMax {
		more.Go(func() { claim(claimsMax+i, 50*time.Millisecond) })
	}
	more.Wait()
	close(release)
	first.Wait()
	if most.Load() > claimsMax || granted.Load() != claimsMax || later.Load() != claimsMax {
		t.Errorf("%d claims at once, %d granted, %d told to ask again", most.Load(), granted.Load(), later.Load())
	}
	full := c.Room("full")
	for range claimsMax {
		full.claims <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := full.Claim(ctx, room.Claim{Until: time.Now().Add(time.Minute)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a claim that was given up: %v", err)
	}
}
