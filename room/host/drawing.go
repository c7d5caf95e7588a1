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
	waits   string        // for what the draw waits, and why; "": for nothing
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
	select {
	case <-h.entered: // for the draw before, which had its value from a relay meanwhile
	default:
	}
	seal := room.Seal{Root: sealed.Root(), Count: sealed.N(), Beacon: h.opt.Settings.Beacon}
	if room.IsRelay(seal.Beacon) {
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
	lottery, sealed := h.room.Lottery(), h.draw.sealed
	h.mu.Unlock()
	beacon, err := h.beacon(ctx, edition, seal)
	var drawn *draw.Drawn
	if err == nil {
		drawn, err = sealed.Draw(h.opt.Name, edition, *lottery.Secret, beacon)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.nudge()
	if h.draw.busy, h.draw.waits = false, ""; h.draw.edition != edition || h.room.Edition() != edition {
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

const (
	// beaconPause is how long the next attempt at a beacon's value waits.
	beaconPause = time.Second
	// beaconPatience is how long a relay may take; the next one is asked then.
	beaconPatience = 3 * time.Second
	// beaconTold is how often the log says that the draw still waits.
	beaconTold = time.Minute
)

// beacon gives the value that the draw is to use: none, what ops entered, or a round of drand once it is out. It goes on until it has one, or the edition is over:
// the seal has named the source, so nothing may stand in for it, whatever the settings say by now. They are looked at before each attempt all the same: ops may name
// other relays.
func (h *Host) beacon(ctx context.Context, edition uint16, seal room.Seal) (draw.Beacon, error) {
	var told time.Time
	for try := 0; ; try++ {
		h.mu.Lock()
		source, over := h.settled(seal), h.draw.edition != edition || h.room.Edition() != edition
		h.mu.Unlock()
		if source == "" || over {
			return draw.Beacon{}, nil
		}
		select {
		case b := <-h.entered:
			return b, nil
		default:
		}
		b, err := h.ask(ctx, source, seal.Round, try)
		if err == nil {
			return b, nil
		}
		h.mu.Lock()
		h.draw.waits = err.Error()
		h.mu.Unlock()
		if try == 0 || time.Since(told) >= beaconTold {
			h.log.Warn("the draw waits for its beacon, and nobody is let in before it is done", zap.Uint64("round", seal.Round), zap.Int("attempts", try+1), zap.Error(err))
			told = time.Now()
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

// settled gives the beacon that a seal has named. Relays all answer the same, so those of the settings take the place of those that were known then.
func (h *Host) settled(seal room.Seal) string {
	if now := h.opt.Settings.Beacon; room.IsRelay(seal.Beacon) && room.IsRelay(now) {
		return now
	}
	return seal.Beacon
}

// ask asks for the value once; of several relays each is asked in its turn.
func (h *Host) ask(ctx context.Context, source string, round uint64, try int) (draw.Beacon, error) {
	if !room.IsRelay(source) {
		return draw.Beacon{}, fmt.Errorf("ops have to enter the value of %q: the action \"beacon\"", source)
	}
	if out := draw.Quicknet().TimeOf(round); h.now().Before(out) {
		return draw.Beacon{}, fmt.Errorf("round %d of drand comes out at %s", round, out.Format(time.TimeOnly))
	}
	relays := room.Relays(source)
	b, err := fetchBeacon(ctx, relays[try%len(relays)], round)
	if err != nil {
		err = fmt.Errorf("round %d of drand: %w; ops may name other relays, or enter a relay's answer by the action \"beacon\"", round, err)
	}
	return b, err
}

// Waits says for what the draw waits, and why; "" when it waits for nothing.
func (h *Host) Waits() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draw.waits
}

// beaconMax bounds a relay's answer.
const beaconMax = 4 << 10

// fetchBeacon asks a relay of drand for a round.
func fetchBeacon(ctx context.Context, relay string, round uint64) (draw.Beacon, error) {
	ctx, cancel := context.WithTimeout(ctx, beaconPatience)
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
	b, err := draw.ParseDrand(body, round)
	if err != nil {
		return draw.Beacon{}, fmt.Errorf("%s: %w", relay, err)
	}
	return b, nil
}

// enter takes the beacon's value from ops: the source's answer for a relay, else the value as everybody can read it. The caller holds the lock.
func (h *Host) enter(value string) error {
	source, lottery := h.opt.Settings.Beacon, h.room.Lottery()
	if lottery.Sealed != nil {
		source = h.settled(*lottery.Sealed)
	}
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
