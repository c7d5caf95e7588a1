package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// unlessDied runs f and ends it when a child dies meanwhile.
func (d *Demo) unlessDied(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var result error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result = f(ctx)
	}()
	select {
	case <-done:
		return result
	case err := <-d.died:
		cancel()
		<-done
		return err
	}
}

// waitReady waits until every node and the edge answer.
func (d *Demo) waitReady(ctx context.Context) error {
	urls := map[string]string{}
	for i, addr := range d.addresses(d.ports.API) {
		urls[fmt.Sprintf("node %d", i+1)] = "http://" + addr + "/readyz"
	}
	urls["the shop"] = "http://" + local(d.ports.Site) + "/"
	if !d.options.NoEdge {
		urls["Caddy's waiting room"] = d.URL() + "/.wr/v1/" + d.options.Room + "/frontier"
		urls["the shop through Caddy"] = d.URL() + "/"
		urls["the API through Caddy"] = d.URL() + "/v1/openapi.yaml"
	}
	return d.waitFor(ctx, urls)
}

// waitForEvent waits until every node has heard of the event, and the edge gives its counts.
func (d *Demo) waitForEvent(ctx context.Context) error {
	if d.options.Setup == nil {
		return nil
	}
	urls := map[string]string{}
	for i, addr := range d.addresses(d.ports.API) {
		urls[fmt.Sprintf("the event at node %d", i+1)] = "http://" + addr + "/v1/events/" + d.options.Event
		urls[fmt.Sprintf("its counts at node %d", i+1)] = "http://" + addr + "/v1/events/" + d.options.Event + "/availability"
	}
	urls["its counts through Caddy"] = d.URL() + "/v1/events/" + d.options.Event + "/availability"
	return d.waitFor(ctx, urls)
}

// waitFor asks each URL until it answers 200.
func (d *Demo) waitFor(ctx context.Context, urls map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	return d.unlessDied(ctx, func(ctx context.Context) error {
		for what, url := range urls {
			if err := answers(ctx, url); err != nil {
				return fmt.Errorf("%s is not ready: %w", what, err)
			}
		}
		return nil
	})
}

// answers asks until the answer is 200. The error tells the last answer.
func answers(ctx context.Context, url string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no answer")
	for {
		err := ask(ctx, url)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer of %s: %w", ctx.Err(), url, last)
		case <-tick.C:
		}
	}
}

func ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}
