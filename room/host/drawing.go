package host

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
	"ticketrush/room/draw"
)

// drawing does the work of a draw beside the room: it keeps the list, seals it, gets the beacon's value, and ranks. Its members are under the host's
// lock, but for what the one worker has in hand.
type drawing struct {
	edition uint16
	list    draw.List
	sealed  *draw.Sealed
	drawn   *draw.Drawn
	log     *draw.LogHead // of the room's log when the draw was stored, or when this host began
	busy    bool          // a worker has the list, or waits for the beacon
}

// newSecret is what a room commits to.
func newSecret() (draw.Secret, error) { return draw.NewSecret(rand.Reader) }

// loadDraw reads the lobby's list, and does again what was done with it.
func (h *Host) loadDraw(ctx context.Context, r *room.Room) error {
	d, lottery := &h.draw, r.Lottery()
	d.edition = r.Edition()
	err := h.opt.Store.LoadLobby(ctx, d.edition, func(tids room.Tids) error { return d.add(tids) })
	if err != nil {
		return fmt.Errorf("read the lobby's list: %w", err)
	}
	if lottery.Sealed == nil {
		return nil
	}
	d.sealed = draw.Seal(&d.list)
	if d.sealed.Root() != lottery.Sealed.Root {
		return fmt.Errorf("the lobby's list of %d has the root %v, the one that was sealed has %v", d.sealed.N(), d.sealed.Root(), lottery.Sealed.Root)
	}
	if lottery.Drawn == nil {
		return nil
	}
	if d.drawn, err = d.sealed.Draw(h.opt.Name, d.edition, lottery.Drawn.Secret, lottery.Drawn.Beacon); err != nil {
		return fmt.Errorf("do the draw again: %w", err)
	}
	r.Member = d.member
	return nil
}

func (d *drawing) add(tids room.Tids) error {
	for i := range tids {
		if err := d.list.Append(tids[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *drawing) member(tid room.Tid) bool { return d.drawn.Has(tid) }

// took keeps the tids of a batch that is stored. The caller holds the lock.
func (h *Host) took(edition uint16, b *room.Batch) {
	d := &h.draw
	if edition != d.edition {
		h.draw = drawing{edition: edition}
		h.room.Member = nil
	}
	if d.sealed == nil && !d.busy {
		if err := d.add(b.Lobby); err != nil {
			h.log.Error("the lobby takes no more", zap.Error(err))
		}
	}
}

// stepDraw begins what is due. The caller holds the lock.
func (h *Host) stepDraw(ctx context.Context, now time.Time) {
	d := &h.draw
	if !h.room.Committed() {
		if secret, err := newSecret(); err == nil {
			h.room.Commit(secret)
		}
	}
	if d.busy || d.edition != h.room.Edition() {
		return
	}
	if h.room.BeginSeal(now) {
		d.busy = true
		h.worker(func() { h.seal(d.edition) })
		return
	}
	if seal, ok := h.room.WantsDraw(); ok && d.sealed != nil {
		d.busy = true
		h.worker(func() { h.drawLots(ctx, d.edition, seal) })
	}
}

// roundMargin keeps the beacon's round in the future until the seal is stored and published.
const roundMargin = time.Second

func (h *Host) seal(edition uint16) {
	sealed := draw.Seal(&h.draw.list) // this worker has it: see took
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.nudge()
	if h.draw.busy = false; h.draw.edition != edition || h.room.Edition() != edition {
		return
	}
	h.draw.sealed = sealed
	seal := room.Seal{Root: sealed.Root(), Count: sealed.N()}
	if room.IsRelay(h.opt.Settings.Beacon) {
		seal.Round = draw.Quicknet().RoundAfter(h.now().Add(roundMargin))
	}
	if err := h.room.Seal(seal); err != nil {
		h.log.Error("seal the lobby's list", zap.Error(err))
		return
	}
	h.log.Info("the lobby's list is sealed", zap.Int64("places", seal.Count), zap.Stringer("root", seal.Root), zap.Uint64("round", seal.Round))
}

// drawLots gets the beacon's value, and draws.
func (h *Host) drawLots(ctx context.Context, edition uint16, seal room.Seal) {
	h.mu.Lock()
	source, lottery, sealed := h.opt.Settings.Beacon, h.room.Lottery(), h.draw.sealed
	h.mu.Unlock()
	beacon, err := h.beacon(ctx, source, seal.Round)
	var drawn *draw.Drawn
	if err == nil {
		drawn, err = sealed.Draw(h.opt.Name, edition, *lottery.Secret, beacon)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.nudge()
	if h.draw.busy = false; h.draw.edition != edition || h.room.Edition() != edition {
		return
	}
	if err == nil {
		err = h.room.Draw(room.Drawn{Seed: drawn.Seed(), Secret: *lottery.Secret, Beacon: beacon}, drawn.Histogram(room.LotsMax))
	}
	if err != nil {
		if ctx.Err() == nil {
			h.log.Error("the draw waits", zap.Error(err))
		}
		return
	}
	h.draw.drawn = drawn
	h.room.Member = h.draw.member
	h.log.Info("the draw is done", zap.Int64("places", seal.Count), zap.String("mode", string(beacon.Mode())))
}

// beaconPause is how long the next attempt at a beacon's value waits.
const beaconPause = time.Second

// beacon gives the value that the draw is to use: none, what ops entered, or a round of drand once it is out.
func (h *Host) beacon(ctx context.Context, source string, round uint64) (draw.Beacon, error) {
	if source == "" {
		return draw.Beacon{}, nil
	}
	told := false
	for {
		select {
		case b := <-h.entered:
			return b, nil
		default:
		}
		var err error
		if room.IsRelay(source) {
			var b draw.Beacon
			if b, err = fetchBeacon(ctx, source, round); err == nil {
				return b, nil
			}
		} else {
			err = fmt.Errorf("ops have to enter the value of %q: the action \"beacon\"", source)
		}
		if !told {
			h.log.Warn("the draw waits for its beacon", zap.Uint64("round", round), zap.Error(err))
			told = true
		}
		select {
		case b := <-h.entered:
			return b, nil
		case <-time.After(beaconPause):
		case <-ctx.Done():
			return draw.Beacon{}, ctx.Err()
		}
	}
}

// beaconMax bounds a relay's answer.
const beaconMax = 4 << 10

// fetchBeacon asks a relay of drand for a round.
func fetchBeacon(ctx context.Context, relay string, round uint64) (draw.Beacon, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(relay, "/")+draw.Quicknet().Path(round), nil)
	if err != nil {
		return draw.Beacon{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return draw.Beacon{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, beaconMax))
	if err != nil {
		return draw.Beacon{}, err
	}
	if res.StatusCode != http.StatusOK {
		return draw.Beacon{}, fmt.Errorf("%s answers %s", relay, res.Status)
	}
	return draw.ParseDrand(body, round)
}

// enter takes the beacon's value from ops: the source's answer for a relay, else the value as everybody can read it. The caller holds the lock.
func (h *Host) enter(value string) error {
	source, lottery := h.opt.Settings.Beacon, h.room.Lottery()
	switch {
	case source == "":
		return invalid("this room's draw uses no beacon")
	case lottery.Sealed == nil:
		return invalid("the list is not sealed yet: a value that is known before proves nothing")
	case lottery.Drawn != nil:
		return invalid("the draw is done")
	case value == "":
		return invalid(`give "beacon", the value of %s`, source)
	}
	b := draw.Beacon{Source: source, Value: value}
	if room.IsRelay(source) {
		var err error
		if b, err = draw.ParseDrand([]byte(value), lottery.Sealed.Round); err != nil {
			return invalid("%v", err)
		}
	}
	select {
	case h.entered <- b:
		return nil
	default:
		return invalid("a value was entered already")
	}
}

// published gives the draw once it is stored, and a state of the log that has it.
func (h *Host) published() (drawn *draw.Drawn, log *draw.LogHead, err error) {
	_, err = h.act(func(rm *room.Room) error {
		if drawn = h.draw.drawn; rm.Drawn() == nil || drawn == nil {
			return ErrNoDraw
		}
		log = h.draw.log
		return nil
	})
	return drawn, log, err
}

// Receipt implements Owner.
func (h *Host) Receipt(_ context.Context, tid room.Tid) (*draw.Receipt, error) {
	drawn, _, err := h.published()
	if err != nil {
		return nil, err
	}
	receipt, ok := drawn.Receipt(tid)
	if !ok {
		return nil, ErrNoDraw
	}
	return receipt, nil
}

// Drawn implements Owner.
func (h *Host) Drawn(_ context.Context, w io.Writer) error {
	drawn, log, err := h.published()
	if err != nil {
		return err
	}
	return drawn.WriteFile(w, log)
}
