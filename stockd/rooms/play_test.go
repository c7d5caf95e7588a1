package rooms_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"ticketrush/client"
	"ticketrush/room"
)

// playEdges is the process of the edges; it ends with its standard input.
func playEdges(seed string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	joins := 0
	_, _ = fmt.Sscan(os.Getenv(joinsEnv), &joins)
	var all sync.WaitGroup
	for i := range edges {
		all.Go(func() {
			play := func() error { return playEdge(ctx, seed, i, float64(joins)/edges) }
			if joins < 0 {
				play = func() error { return playBare(ctx, seed) }
			}
			if err := play(); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "edge %d: %v\n", i, err)
			}
		})
	}
	all.Wait()
}

// playEdge is one edge, with a client of its own, to which some people come per second.
func playEdge(ctx context.Context, seed string, no int, joins float64) error {
	c, err := client.New(client.Config{Seeds: []string{seed}, InternalKey: internalKey})
	if err != nil {
		return err
	}
	defer c.Close()
	r := c.Room("rush")
	now := time.Now()
	e := room.NewEdge(fmt.Sprintf("edge-%d-%v", no, joins), uint64(now.UnixNano()), now)
	came := 0
	for began := time.Now(); ; {
		sent := time.Now()
		report := e.Report(sent)
		answer, err := r.Sync(ctx, &report)
		if err != nil {
			return err
		}
		e.Took(sent, time.Now(), &report, answer)
		for ; float64(came) < joins*time.Since(began).Seconds(); came++ {
			if _, err := e.Join(time.Now(), visitor(no<<32+came), room.ClassArrival); err != nil {
				return err
			}
		}
		select {
		case <-time.After(e.NextSync(time.Now())):
		case <-ctx.Done():
			return nil
		}
	}
}

// playBare is an edge that says and hears nothing of sense.
func playBare(ctx context.Context, url string) error {
	transport := &http.Transport{}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(make([]byte, 200)))
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		select {
		case <-time.After(time.Until(time.Now().Truncate(room.SyncEvery).Add(room.SyncEvery))):
		case <-ctx.Done():
			return nil
		}
	}
}
