package crowd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ticketrush/room"
	"ticketrush/room/draw"
)

// owner is the process that owns the room, its driver (as room/host is one), and the store that outlives it.
type owner struct {
	w    *World
	up   bool
	runs int
	room *room.Room
	body []byte
	tag  string
	told time.Time

	flying  *room.Batch // on its way to the store
	due     bool        // a tick came meanwhile
	stored  uint64
	replies []reply
	claims  map[room.Tid][]func(room.Session, bool, error)

	list   draw.List
	sealed *draw.Sealed
	drawn  *draw.Drawn

	// What the store has.
	snapshot []byte
	batches  []room.Batch
	tids     room.Tids
}

// reply waits for its batch to be stored.
type reply struct {
	seq uint64
	do  func()
}

const (
	storeFast, storeSlow = 2, 60 // ms of a commit
	compactAfter         = 1500  // batches
	codesAtOnce          = 10_000
	killPatience         = 1000 // ms
)

// start begins to own the room.
func (o *owner) start() {
	now := o.w.now.time()
	o.up, o.flying, o.replies, o.stored = true, nil, nil, 0
	o.claims = map[room.Tid][]func(room.Session, bool, error){}
	o.body, o.tag, o.told = nil, "", time.Time{}
	o.runs++
	var err error
	if o.snapshot == nil {
		if o.room, err = room.New(o.w.set, now); err == nil {
			var secret draw.Secret
			for i := range secret {
				secret[i] = byte(o.w.rng.Uint32())
			}
			o.room.Commit(secret)
			for n := o.w.codes; n > 0 && err == nil; n -= min(n, codesAtOnce) {
				_, err = o.room.IssueCodes(now, min(n, codesAtOnce), "simulated")
			}
		}
	} else {
		err = o.restore(now)
	}
	if err != nil {
		o.w.check.fail("the owner does not start: %v", err)
		o.up = false
		return
	}
	if b, ok := o.room.Take(now); ok {
		o.keep(&b)
		o.room.Stored()
	}
	o.stored = o.room.Seq()
	if o.snapshot == nil {
		o.compact()
	}
	o.tick(o.runs)
}

// restore is what a new owner does with what the store has.
func (o *owner) restore(now time.Time) error {
	var state room.State
	if err := json.Unmarshal(o.snapshot, &state); err != nil {
		return err
	}
	r, err := room.Restore(o.w.set, state, o.batches, now)
	if err != nil {
		return err
	}
	o.room, o.list, o.sealed, o.drawn = r, draw.List{}, nil, nil
	for _, tid := range o.tids {
		if err := o.list.Append(draw.Tid(tid)); err != nil {
			return err
		}
	}
	l := r.Lottery()
	if l.Sealed == nil {
		return nil
	}
	if o.sealed = draw.Seal(&o.list); o.sealed.Root() != l.Sealed.Root {
		return fmt.Errorf("the list of the lobby has another root than the one that was sealed")
	}
	if l.Drawn == nil {
		return nil
	}
	if o.drawn, err = o.sealed.Draw(roomName, r.Edition(), l.Drawn.Secret, l.Drawn.Beacon); err == nil {
		r.Member = o.member
	}
	return err
}

func (o *owner) member(tid room.Tid) bool { return o.drawn.Has(draw.Tid(tid)) }

// kill ends the process when it hurts most: while the store has a pass in hand. Where there is none for a while, at any time.
func (o *owner) kill(down moment) { o.killBy(o.w.now+killPatience, down) }

func (o *owner) killBy(last, down moment) {
	if !o.up {
		return
	}
	grants := o.flying != nil && slices.ContainsFunc(o.flying.Records, func(r room.Record) bool { return r.Kind == room.KindGrant })
	if !grants && o.w.now < last {
		o.w.after(1, func() { o.killBy(last, down) })
		return
	}
	o.up = false
	o.w.check.faults["owner killed"]++
	if o.flying != nil && o.w.rng.IntN(2) == 0 {
		o.keep(o.flying) // it was stored, and nobody hears of it
		o.w.check.faults["… and its last batch was stored"]++
	}
	if o.w.cfg.Wrong == ForgetsGrants {
		o.batches = o.batches[:max(0, len(o.batches)-200)]
	}
	o.w.after(down, o.start)
}

// tick lets the driver take a turn, as soon as it has its hands free.
func (o *owner) tick(run int) {
	if !o.up || o.runs != run {
		return
	}
	o.w.after(ms(room.TickEvery), func() { o.tick(run) })
	if o.due = o.flying != nil; !o.due {
		o.turn()
	}
}

// turn is one of the driver: decide, store, and only then say so.
func (o *owner) turn() {
	o.due = false
	o.room.Supply(&room.Supply{Left: int64(o.w.left), SoldOut: o.w.left == 0})
	decided := o.room.Tick(o.w.now.time())
	slices.SortFunc(decided, func(a, b room.Decision) int { return bytes.Compare(a.Tid[:], b.Tid[:]) }) // for the course of the run only
	o.w.check.ticked(o, decided)
	o.draw()
	o.store(decided)
}

// store takes what has changed and gives it to the store.
func (o *owner) store(decided []room.Decision) {
	b, ok := o.room.Take(o.w.now.time())
	if !ok {
		o.answer(decided)
		return
	}
	o.flying = &b
	if o.w.cfg.Wrong == AnswersTooEarly {
		o.stored = b.Seq
		o.room.Stored()
		o.answer(decided)
	}
	run, took := o.runs, moment(storeFast)+o.w.between(0, 6)
	if o.w.rng.IntN(100) == 0 {
		took += storeSlow
	}
	o.w.after(took, func() {
		if !o.up || o.runs != run {
			return
		}
		o.keep(&b)
		o.flying = nil
		for _, tid := range b.Lobby {
			if err := o.list.Append(draw.Tid(tid)); err != nil {
				o.w.check.fail("the list of the lobby: %v", err)
			}
		}
		if o.w.cfg.Wrong != AnswersTooEarly {
			o.stored = b.Seq
			o.room.Stored()
			o.answer(decided)
		}
		if len(o.batches) > compactAfter && !o.room.Dirty() {
			o.compact()
		}
		switch {
		case o.due:
			o.turn()
		case len(o.replies) > 0:
			o.store(nil) // somebody waits
		}
	})
}

// keep is the store: what it has, a crash does not take.
func (o *owner) keep(b *room.Batch) {
	o.tids = append(o.tids, b.Lobby...)
	o.batches = append(o.batches, *b)
}

func (o *owner) compact() {
	state, err := o.room.Snapshot()
	if err == nil {
		o.snapshot, err = json.Marshal(state)
	}
	if err != nil {
		o.w.check.fail("the snapshot: %v", err)
	}
	o.batches = nil
}

// answer gives what is stored.
func (o *owner) answer(decided []room.Decision) {
	n := 0
	for n < len(o.replies) && o.replies[n].seq <= o.stored {
		n++
	}
	ready := o.replies[:n:n]
	o.replies = o.replies[n:]
	for _, r := range ready {
		r.do()
	}
	for _, d := range decided {
		waiting := o.claims[d.Tid]
		delete(o.claims, d.Tid)
		for _, to := range waiting {
			to(d.Session, d.Granted, nil)
		}
	}
}

// call does something at the room, and answers when it is stored.
func (o *owner) call(do func(*room.Room) error, then func(error)) {
	if err := do(o.room); err != nil {
		then(err)
		return
	}
	seq := o.room.Seq()
	if seq <= o.stored {
		then(nil)
		return
	}
	o.replies = append(o.replies, reply{seq, func() { then(nil) }})
	if o.flying == nil {
		o.store(nil)
	}
}

func (o *owner) claim(c room.Claim, then func(room.Session, bool, error)) {
	s, ok, waits, err := o.room.Claim(o.w.now.time(), c)
	if waits {
		o.claims[c.Tid] = append(o.claims[c.Tid], then)
		return
	}
	o.call(func(*room.Room) error { return nil }, func(error) { then(s, ok, err) })
}

// sync takes an edge's report; the answer is ready to be sent.
func (o *owner) sync(p *room.Report, then func([]byte)) {
	o.call(func(r *room.Room) error { return r.Sync(o.w.now.time(), p) }, func(err error) {
		if err != nil {
			o.w.check.faults["sync refused: "+err.Error()]++
			return
		}
		a, err := o.room.Answer(o.w.now.time(), p)
		if err != nil {
			return
		}
		o.show()
		if p.Have != o.tag {
			a.Document, a.Tag = o.body, o.tag
		}
		o.w.check.answered(&a)
		text, err := json.Marshal(a)
		if err != nil {
			panic(err)
		}
		then(text)
	})
}

// show makes the public document, four times a second at most.
func (o *owner) show() {
	now := o.w.now.time()
	if now.Sub(o.told) < room.SyncEvery {
		return
	}
	d := o.room.Document(now)
	d.Room = roomName
	body, tag, err := d.Encode(o.w.key)
	if err != nil {
		o.w.check.fail("the document: %v", err)
		return
	}
	o.body, o.tag, o.told = body, tag, now
}

// draw seals the list and draws, once it is time.
func (o *owner) draw() {
	r, now, run := o.room, o.w.now.time(), o.runs
	if r.BeginSeal(now) {
		o.w.after(300, func() {
			if o.up && o.runs == run {
				o.sealed = draw.Seal(&o.list)
				o.failed(r.Seal(room.Seal{Root: o.sealed.Root(), Count: o.sealed.N()}))
			}
		})
		return
	}
	if _, ok := r.WantsDraw(); !ok || o.sealed == nil || o.drawn != nil {
		return
	}
	secret := *r.Lottery().Secret
	drawn, err := o.sealed.Draw(roomName, r.Edition(), secret, draw.Beacon{})
	if err == nil {
		o.drawn, r.Member = drawn, o.member
		points := slices.Clone(drawn.Histogram(room.LotsMax))
		err = r.Draw(room.Drawn{Seed: drawn.Seed(), Secret: secret}, points)
	}
	o.failed(err)
}

func (o *owner) failed(err error) {
	if err != nil {
		o.w.check.fail("the draw: %v", err)
	}
}
