package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"ticketrush/room/host"
)

// roomAnswerMax bounds an answer, bytes.
const roomAnswerMax = 8 << 20

// question is what is asked about a room.
type question struct {
	method, path string
	in           any                // nil: no body
	anew         func() any         // in its place, made for each try; nil: in stays
	out          any                // nil: nothing
	read         func([]byte) error // in its place, for what is no JSON
	to           io.Writer          // in its place, for what is long
	within       time.Duration
	patience     time.Duration // for one try; 0: the client's
	once         bool          // it does something else each time
}

// ask asks the room's owner, wherever it is.
func (r *Room) ask(ctx context.Context, q question) error {
	if q.within <= 0 {
		q.within = r.client.cfg.Budget
	}
	bounded, cancel := context.WithTimeout(ctx, q.within)
	defer cancel()
	req, err := http.NewRequestWithContext(bounded, q.method, "http://stockd"+RoomsPath+"/"+url.PathEscape(r.name)+q.path, nil)
	if err != nil {
		return err
	}
	k := &call{req: req, part: r.part, hasPart: true, repeatable: !q.once, internal: true, patience: q.patience, deadline: time.Now().Add(q.within)}
	if q.anew != nil {
		q.in = q.anew()
		k.remake = func() []byte {
			text, _ := json.Marshal(q.anew()) // as the first one, which went well
			return text
		}
	}
	if q.in != nil {
		req.Header.Set("Content-Type", "application/json")
		if k.body, err = json.Marshal(q.in); err != nil {
			return err
		}
	}
	resp, err := r.client.carry(k)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return host.ErrNotReady
	}
	defer resp.Body.Close()
	if err := answerOf(resp, q); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("room %s: %w", r.name, err)
	}
	return nil
}

// answerOf reads an answer, or the refusal that stands in its place.
func answerOf(resp *http.Response, q question) error {
	if q.to != nil && resp.StatusCode == http.StatusOK {
		_, err := io.Copy(q.to, resp.Body)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, roomAnswerMax))
	if err != nil {
		return host.ErrNotReady // it broke off
	}
	if resp.StatusCode >= 300 {
		var p RoomProblem
		if json.Unmarshal(text, &p) == nil && p.Code != "" {
			return p.Err()
		}
		if resp.StatusCode == http.StatusServiceUnavailable {
			return host.ErrNotReady
		}
		return fmt.Errorf("%w: %s: %.200s", ErrRoomRequest, resp.Status, bytes.TrimSpace(text))
	}
	if q.read == nil {
		q.read = func(text []byte) error {
			if q.out == nil {
				return nil
			}
			return json.Unmarshal(text, q.out)
		}
	}
	if err := q.read(text); err != nil {
		return fmt.Errorf("%w: its answer is malformed: %w", ErrRoomRequest, err)
	}
	return nil
}
