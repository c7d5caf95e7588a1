package room

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// A place goes from one device to another by a code that is good once and for a few minutes. The device that has the place gets the code, somebody
// types it on the other one. Whoever makes codes (caddymodule) tells the room their digests only.
//
// What always holds:
//   - A place has one bearer: its token says how often it was handed over, and the owner grants claims of that number only. Who had it before is told
//     so (ErrHandedOver), also while their claim waits.
//   - A code moves its place once. The taker may ask again and is told the same; nobody else gets anything for it.
//   - Tid and rank stay as they are, so nobody stands anywhere else because of it, and the receipt of a draw stays right.
//   - While a pass of the place lives it is not handed over: the pass is a cookie of the device that is in.
//   - What is kept is bounded: so many codes at once, and so many places that were handed over in an edition.

// Why a place is not handed over.
var (
	ErrHandedOver  = errors.New("this place was moved to another device")
	ErrNoOffer     = errors.New("no place waits for this code: it was used, was replaced by another, has ended, or never was one")
	ErrTries       = errors.New("too many wrong codes were tried in this room")
	ErrInside      = errors.New("somebody is inside with this place; it can be moved when their pass has ended")
	ErrHandoverMax = errors.New("this place was moved as often as a place may be")
	ErrOffersFull  = errors.New("no more places can be moved just now")
)

// OfferLife is how long a code is good: long enough to fetch the other device, too short to be sold.
const OfferLife = 5 * time.Minute

const (
	// offersMax bounds the codes of the last OfferLife.
	offersMax = 1 << 14
	// handedMax bounds the places that were handed over in an edition, about 40 bytes each in the snapshot. None may be forgotten: its old token would be
	// good again.
	handedMax = 200_000
	// handoversMax is how often one place may be handed over.
	handoversMax = 10
	// triesMax wrong codes may come at once, triesPerS per second in the long run, from everybody together. A code is one of 2^45 (caddymodule): with all
	// offersMax codes out, guessing at this rate finds one of them in 59,000 hours.
	triesMax  = 100
	triesPerS = 10
)

// Digest stands for something that the room compares and need not know.
type Digest [16]byte

// MarshalText gives 32 hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return Tid(d).MarshalText() }

// UnmarshalText reads 32 hexadecimal digits.
func (d *Digest) UnmarshalText(text []byte) error { return (*Tid)(d).UnmarshalText(text) }

// Place is what a place token says, as far as it is the place's and not the device's.
type Place struct {
	Tid    Tid    `json:"tid"`
	Rank   uint64 `json:"rank"`
	Handed uint16 `json:"handed,omitempty"` // how often it was handed over
	Flags  byte   `json:"flags,omitempty"`  // as the token has them
	Risk   byte   `json:"risk,omitempty"`
}

// Offer is a place that somebody may take by a code. There is at most one for a tid.
type Offer struct {
	Place Place  `json:"place"`
	Code  Digest `json:"code"`
	Until int64  `json:"until"`
	Taker Digest `json:"taker,omitzero"` // who took it; zero: nobody yet
}

// Offer has a place wait for whoever shows the code, in place of an earlier code of it, and gives how long. Asked again with the same code it gives
// what is left. With look it only says whether the code still waits.
func (r *Room) Offer(now time.Time, p Place, code Digest, look bool) (left time.Duration, err error) {
	at := r.step(now)
	if err := r.bears(p.Tid, p.Handed); err != nil {
		return 0, err
	}
	old, known := r.state.Offers[p.Tid]
	if known && old.Code == code && old.Taker == (Digest{}) && at < old.Until {
		return time.Duration(old.Until-at) * time.Millisecond, nil
	}
	if look {
		return 0, ErrNoOffer
	}
	if err := r.movable(at, p.Tid); err != nil {
		return 0, err
	}
	_, moved := r.state.Handed[p.Tid]
	_, taken := r.state.offered(code)
	switch {
	case p.Handed >= handoversMax:
		return 0, ErrHandoverMax
	case taken, !known && len(r.state.Offers) >= offersMax, !moved && len(r.state.Handed) >= handedMax:
		return 0, ErrOffersFull
	}
	r.do(Record{Kind: KindOffer, Offer: &Offer{Place: p, Code: code, Until: at + OfferLife.Milliseconds()}})
	return OfferLife, nil
}

// Handover gives the place that waits for a code to the taker, a digest by which they are known when they ask again. From then on claims of whoever had it
// before are refused, also those that wait.
func (r *Room) Handover(now time.Time, code, taker Digest) (p Place, err error) {
	at := r.step(now)
	r.tries = min(triesMax, r.tries+float64(at-r.tried)*triesPerS/1000)
	r.tried = at
	if r.tries < 1 { // before the code is looked at, else the right one among many would still be found
		return p, ErrTries
	}
	o, ok := r.state.offered(code)
	free := o.Taker == (Digest{})
	if !ok || at >= o.Until || taker == (Digest{}) || !free && o.Taker != taker || free && r.bears(o.Place.Tid, o.Place.Handed) != nil {
		r.tries--
		return p, ErrNoOffer
	}
	p = o.Place
	p.Handed++
	if !free {
		return p, r.bears(p.Tid, p.Handed)
	}
	if err := r.movable(at, p.Tid); err != nil {
		return Place{}, err
	}
	o.Taker = taker
	r.do(Record{Kind: KindHandover, Tid: &p.Tid, Count: uint32(p.Handed), Offer: &o})
	if r.pending[p.Tid] != nil {
		delete(r.pending, p.Tid)
		r.voided = append(r.voided, p.Tid)
	}
	return p, nil
}

// bears says whether a token that has seen so many handovers is that of its place's bearer. One that has seen more than the state was signed after a handover
// that the state does not know any more, since it was set back to an earlier time: the token is right.
func (r *Room) bears(tid Tid, handed uint16) error {
	switch known := r.state.Handed[tid]; {
	case handed < known:
		return ErrHandedOver
	case handed > known:
		r.do(Record{Kind: KindHandover, Tid: &tid, Count: uint32(handed)})
	}
	return nil
}

// movable says why nobody may take over the place of tid now.
func (r *Room) movable(at int64, tid Tid) error {
	if _, banned := r.state.Banned[tid]; banned {
		return ErrBanned
	}
	if s, inside := r.state.Inside[tid]; inside && !s.Left && at < s.Expires {
		return ErrInside
	}
	if r.phase(at) == PhaseEnded {
		return ErrClosed
	}
	return nil
}

// offered finds the offer of a code. There are few of them, and few are looked for.
func (s *State) offered(code Digest) (Offer, bool) {
	for _, o := range s.Offers {
		if o.Code == code {
			return o, true
		}
	}
	return Offer{}, false
}

// applyHandover applies the records about places that go from one device to another. It looks at nothing that ends by itself: a replay purges at other
// moments.
func (s *State) applyHandover(r *Record) error {
	if r.Kind == KindHandover {
		if r.Tid == nil || r.Count == 0 || r.Count > math.MaxUint16 {
			return fmt.Errorf("record %s without tid, or with %d handovers", r.Kind, r.Count)
		}
		if s.Handed == nil {
			s.Handed = map[Tid]uint16{}
		}
		s.Handed[*r.Tid] = uint16(r.Count)
	} else if r.Offer == nil {
		return fmt.Errorf("record %s without offer", r.Kind)
	}
	if r.Offer == nil {
		return nil
	}
	if s.Offers == nil {
		s.Offers = map[Tid]Offer{}
	}
	s.Offers[r.Offer.Place.Tid] = *r.Offer
	s.nextFree = min(s.nextFree, r.Offer.Until)
	return nil
}

// rerank keeps the rank that a place has got while a code of it is out.
func (s *State) rerank(tid Tid, rank uint64) {
	if o, ok := s.Offers[tid]; ok {
		o.Place.Rank = rank
		s.Offers[tid] = o
	}
}
