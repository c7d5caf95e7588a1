package rooms_test

import (
	"errors"
	"testing"
	"time"

	"ticketrush/room"
	"ticketrush/room/host"
)

// A place goes from a visitor of one edge to one of another, while the room's owners crash: after it was offered, and after it was handed over.
func TestAPlaceIsHandedOverThroughCrashes(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	r := g.enter(g.client(), "spring", slow)
	phone, laptop := newEdge(t, "a", r), newEdge(t, "b", g.client().Room("spring"))
	tid, rank := phone.join(1)
	place, code, taker := room.Place{Tid: tid, Rank: rank, Flags: 5, Risk: 6}, room.Digest{1}, room.Digest{2}
	if left, err := phone.owner.Offer(t.Context(), place, code, false); err != nil || left <= 0 || left > room.OfferLife {
		t.Fatalf("offer: %v, %v", left, err)
	}
	g.ownerOf("spring").kill()
	handover := func(taker room.Digest) (p room.Place, err error) {
		until(t, "an owner's word", func() bool {
			p, err = laptop.owner.Handover(t.Context(), code, taker)
			return !errors.Is(err, errNotReady)
		})
		return p, err
	}
	want := place
	want.Handed = 1
	if got, err := handover(taker); err != nil || got != want {
		t.Fatalf("after a crash: %+v, %v", got, err)
	}
	g.ownerOf("spring").kill()
	if got, err := handover(taker); err != nil || got != want {
		t.Errorf("asked again after another crash: %+v, %v", got, err)
	}
	if got, err := handover(room.Digest{3}); !errors.Is(err, room.ErrNoOffer) {
		t.Errorf("somebody else with the same code: %+v, %v", got, err)
	}
	if _, err := phone.owner.Offer(t.Context(), place, code, true); !errors.Is(err, room.ErrHandedOver) {
		t.Errorf("who had it looks: %v", err)
	}
	if !phone.called(t.Context(), rank) {
		t.Fatal("not called")
	}
	claim := func(e *edge, handed uint16) (claimed host.Claimed, err error) {
		until(t, "a decision", func() bool {
			claimed, err = e.owner.Claim(t.Context(), room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(2 * time.Second), Handed: handed})
			return claimed.Granted || err != nil && !errors.Is(err, errNotReady)
		})
		return claimed, err
	}
	if claimed, err := claim(phone, 0); !errors.Is(err, room.ErrHandedOver) {
		t.Errorf("who had it claims: %+v, %v", claimed, err)
	}
	if claimed, err := claim(laptop, 1); err != nil || claimed.Session.Rank != rank {
		t.Errorf("who has it claims: %+v, %v", claimed, err)
	}
	if claimed, err := claim(phone, 0); !errors.Is(err, room.ErrHandedOver) {
		t.Errorf("who had it claims the other's pass: %+v, %v", claimed, err)
	}
	if _, err := laptop.owner.Offer(t.Context(), want, room.Digest{4}, false); !errors.Is(err, room.ErrInside) {
		t.Errorf("somebody inside offers: %v", err)
	}
}

// That a place was moved is told when it is stored, and not before: neither to who has it now nor to who had it.
func TestAHandoverIsToldWhenItIsStored(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	r := g.enter(g.client(), "spring", slow)
	e := newEdge(t, "a", r)
	tid, rank := e.join(1)
	if _, err := r.Offer(t.Context(), room.Place{Tid: tid, Rank: rank}, room.Digest{1}, false); err != nil {
		t.Fatal(err)
	}
	tx, err := g.nodes[0].Ledger().SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.rooms WHERE room = 'spring' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	taken, refused := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := r.Handover(t.Context(), room.Digest{1}, room.Digest{2})
		taken <- err
	}()
	g.waitBlocked()
	go func() {
		_, err := r.Claim(t.Context(), room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(time.Minute)})
		refused <- err
	}()
	select {
	case err := <-taken:
		t.Fatalf("handed over before it was stored: %v", err)
	case err := <-refused:
		t.Fatalf("refused before it was stored: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}
	if err := <-refused; !errors.Is(err, room.ErrHandedOver) {
		t.Errorf("who had it: %v", err)
	}
}
