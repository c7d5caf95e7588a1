package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// What nodes say to each other.
type (
	commandDoc struct {
		Part     stock.PartitionID `json:"part"`
		Command  stock.Command     `json:"command"`
		WaitedMs int64             `json:"waited_ms,omitempty"` // how long its client has been waiting
	}
	commandAnswer struct {
		Answer  stock.Answer  `json:"answer"`
		Problem owner.Problem `json:"problem,omitempty"`
		RetryMs int64         `json:"retry_ms,omitempty"`
	}
	holdDoc struct {
		Found bool           `json:"found"`
		Hold  stock.HoldView `json:"hold"`
	}
	nudgeDoc struct {
		Parts []stock.PartitionID `json:"parts"`
	}
	goodbyeDoc struct {
		Node    string `json:"node"`
		Started int64  `json:"started"` // of the run that leaves, Unix ms
	}
	announceDoc struct {
		Node  client.Node       `json:"node"`
		Parts []owner.PartEpoch `json:"parts"`
	}
	countsDoc struct {
		Segments []owner.SegmentState `json:"segments"`
	}
)

func (o Owner) node() client.Node {
	return client.Node{ID: o.NodeID, API: o.APIAddr, Internal: o.InternalAddr}
}

// peers calls other nodes' internal listeners.
type peers struct {
	key  string
	http *http.Client
}

const peerBodyMax = 8 << 20

func newPeers(key string) *peers {
	return &peers{key: key, http: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 200 * time.Millisecond, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     time.Minute,
	}}}
}

func (p *peers) close() { p.http.CloseIdleConnections() }

func (p *peers) post(ctx context.Context, to client.Node, path string, in, out any, timeout time.Duration) error {
	return p.call(ctx, to, http.MethodPost, path, in, out, timeout)
}

func (p *peers) call(ctx context.Context, to client.Node, method, path string, in, out any, timeout time.Duration) error {
	if to.Internal == "" {
		return fmt.Errorf("the internal address of node %q is not known", to.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+to.Internal+path, body)
	if err != nil {
		return err
	}
	req.Header.Set(client.KeyHeader, p.key)
	req.Header.Set("X-Stockd-Hop", "1")
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, peerBodyMax))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s at %s: %s", method, path, to.ID, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
