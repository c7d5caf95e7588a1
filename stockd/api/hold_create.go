package api

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// tries bounds how many segments are asked for one wish.
const tries = 16

// asker is who wants a hold: the scope of their idempotency keys and the limits that count for them.
type asker struct {
	scope    uuid.UUID
	key      *Key     // of an organiser's program
	admitted bool     // by a pass, which names tid
	tid      [16]byte // of the visitor
	// account is what the organiser's site calls the buyer, accountKey and documents are pseudonyms: of it, and of each ticket's document.
	account    string
	accountKey uuid.UUID
	documents  []uuid.UUID
	quotas     []stock.Quota
}

func (s *server) postHold(w http.ResponseWriter, r *http.Request) error {
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	who, err := s.asker(r, ev)
	if err != nil {
		return err
	}
	if who.account, err = s.account(r); err != nil {
		return err
	}
	var body holdBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if err := s.buyer(&who, ev, &body); err != nil {
		return err
	}
	req, err := request(r, who.scope, "hold", ev.ID.String(), body)
	if err != nil {
		return err
	}
	view, err := s.maps.of(ev)
	if err != nil {
		return err
	}
	want, err := body.resolve(ev, view.seats)
	if err != nil {
		return err
	}
	if err := s.limits(&who, ev, &want); err != nil {
		return err
	}
	if err := s.narrow(r, ev, &want); err != nil {
		return err
	}
	done, err := s.placeHold(r.Context(), ev, want, req, who)
	if err != nil {
		return err
	}
	if who.key != nil {
		s.audit(r, *who.key, "hold.create", prefixHold+done.answer.Hold.ID.String(), "")
	}
	return s.answerHold(w, r, ev, done)
}

// asker wants the pass of the event's room, or an API key. Without a room anybody may ask; then only the key, which has to be a random UUID,
// tells them apart.
func (s *server) asker(r *http.Request, ev *Event) (asker, error) {
	if key, ok, err := s.apiKey(r); ok || err != nil {
		if err == nil && !key.may(scopeSell) {
			err = refuse(kindForbidden, "The API key "+key.Name+" lacks the scope "+scopeSell+".")
		}
		return asker{scope: hashed("scope/key", key.ID[:]), key: &key}, err
	}
	if ev.Room == "" {
		if id, err := uuid.Parse(r.Header.Get("Idempotency-Key")); r.Header.Get("Idempotency-Key") != "" && (err != nil || id == nilID) {
			return asker{}, refuse(kindKeyMissing, "Without a waiting room the Idempotency-Key has to be a random UUID.")
		}
		return asker{scope: hashed("scope/event", ev.ID[:])}, nil
	}
	tid, err := s.admitted(r, ev.Room)
	if err != nil {
		return asker{}, err
	}
	return asker{scope: hashed("scope/tid", tid[:]), admitted: true, tid: tid}, nil
}

// narrow takes ?segment= into account, and sends a direct client that is at the wrong node to the right one.
func (s *server) narrow(r *http.Request, ev *Event, want *wish) error {
	text := r.URL.Query().Get("segment")
	if text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		no := stock.SegmentNo(n)
		seg := ev.segment(no)
		if err != nil || seg == nil || want.segments == nil && len(want.parts) == 0 && seg.Area {
			return invalid(fault{"segment", "There is no such segment for this."})
		}
		if len(want.parts) > 0 {
			if !slices.ContainsFunc(want.parts, func(p part) bool { return p.segment == no }) {
				return invalid(fault{"segment", "The seats are in other segments."})
			}
			return nil
		}
		if want.segments != nil && !slices.Contains(want.segments, no) {
			return invalid(fault{"segment", "The seats are in another segment."})
		}
		want.segments = []stock.SegmentNo{no}
	}
	if len(want.segments) == 1 && len(ev.segment(want.segments[0]).Shares) == 0 { // any node finds its way in an area with several owners
		return s.misdirected(r, stock.PartitionOf(ev.Number, want.segments[0]))
	}
	return nil
}

// misdirected refuses a direct client that should have asked another node.
func (s *server) misdirected(r *http.Request, part stock.PartitionID) error {
	if r.Header.Get("X-Stockd-Direct") != "1" || r.Header.Get("X-Stockd-Hop") != "" {
		return nil
	}
	owner, here, known := s.Node.Owner(part)
	if here {
		return nil
	}
	if !known {
		return ErrMoving
	}
	return refuse(kindWrongNode, "Ask the owner.").set("X-Stockd-Owner", owner.APIAddr).set("X-Stockd-Epoch", strconv.FormatInt(owner.Epoch, 10))
}

// onSale is whether new holds may be made now.
func (ev *Event) onSale(now time.Time) error {
	p := refuse(kindNotOnSale, "").with("state", ev.State)
	switch {
	case ev.State == stateOnSale && !ev.OpensAt.After(now):
		return nil
	case ev.State == stateOnSale, ev.State == stateDraft && ev.OpensAt.After(now):
		p.detail = "It has not opened yet."
		return p.with("opens_at", stamp(ev.OpensAt)).with("opens_in_s", secondsUntil(ev.OpensAt, now))
	case ev.State == statePaused:
		p.detail = "The sale is paused; it goes on."
	case ev.State == stateDraft:
		p.detail = "It is not open yet."
	default:
		p.detail = "The sale has ended."
	}
	return p
}

// held is a hold that was made, now or by an earlier request with the same key.
type held struct {
	answer stock.Answer
	replay bool
}

// placeHold makes the hold. A refusal is only given when the key has not made a hold before: a repetition may find other counts than the first
// try, and must still find what that one took.
func (s *server) placeHold(ctx context.Context, ev *Event, want wish, req stock.Request, who asker) (held, error) {
	var a stock.Answer
	err := ev.onSale(s.Now())
	if err == nil {
		a, err = s.tryHold(ctx, ev, want, req, who)
		if err != nil {
			return held{}, err
		}
		if a.Code == stock.CodeOK && a.Hold != nil {
			return held{answer: a}, nil
		}
		if a.Code == stock.CodeReplay && a.Hold != nil {
			return held{a, true}, nil
		}
		if err = refusal(ev, a, "hold"); committed(a.Code) {
			return held{}, err
		}
	}
	replay, replayErr := s.Node.Replayed(ctx, req.Scope, req.Key)
	if replayErr != nil {
		return held{}, replayErr
	}
	if !replay.Found {
		return held{}, err
	}
	return s.replayHold(ctx, ev, replay, req, who)
}

// committed is whether a refusal to make a hold comes from the ledger, which has looked for the key then.
func committed(code stock.Code) bool {
	return code == stock.CodeLimitReached || code == stock.CodeKeyReused
}

// replayHold gives the answer that the key got before.
func (s *server) replayHold(ctx context.Context, ev *Event, replay Replay, req stock.Request, who asker) (held, error) {
	if replay.Fingerprint != req.Fingerprint {
		return held{}, refusal(ev, stock.Answer{Code: stock.CodeKeyReused}, "hold")
	}
	if dimension, _ := replay.Outcome.Limit(); dimension != 0 {
		return held{}, refusal(ev, replay.Outcome.LimitAnswer(who.quotas), "hold")
	}
	if code := replay.refused(); code != stock.CodeOK {
		return held{}, refusal(ev, stock.Answer{Code: code}, "hold")
	}
	view, found, err := s.Node.Find(ctx, replay.Hold)
	if err != nil {
		return held{}, err
	}
	if !found {
		return held{}, refuse(kindExpired, "The hold that this key made is over.")
	}
	return held{stock.Answer{Code: stock.CodeReplay, Hold: &view}, true}, nil
}

// tryHold asks one segment after the other until one serves the wish. A party that would rather sit together is first asked for together
// everywhere, so that four singles in the best section do not win over four neighbours in the next.
func (s *server) tryHold(ctx context.Context, ev *Event, want wish, req stock.Request, who asker) (stock.Answer, error) {
	if len(want.parts) > 0 {
		return s.askWide(ctx, ev, want.parts, want, req, who)
	}
	if len(want.ask.Seats) > 0 {
		return s.askSegment(ctx, ev, want.segments[0], want, req, who)
	}
	if want.segments == nil && want.ask.Together == stock.TogetherPreferred && want.ask.Quantity > 1 && want.ask.Accessible == 0 {
		strict := want
		strict.ask.Together = stock.TogetherRequired
		if a, err := s.tryEach(ctx, ev, s.candidates(ev, strict), strict, req, who); err != nil || final(a.Code) {
			return a, err
		}
	}
	a, err := s.tryEach(ctx, ev, s.candidates(ev, want), want, req, who)
	if err == nil && a.Code == stock.CodeSoldOut && want.segments == nil && !s.soldEverywhere(ev, want) {
		a.Code = stock.CodeAllHeld
	}
	if err == nil && !final(a.Code) && a.Code != stock.CodeSoldOut {
		if parts := s.split(ev, want); len(parts) > 1 {
			return s.askWide(ctx, ev, parts, want, req, who)
		}
	}
	return a, err
}

// soldEverywhere is whether every segment that could serve the wish is sold to the last seat: it has said so after a commit, or the merged
// counts, which are of commits only, do.
func (s *server) soldEverywhere(ev *Event, want wish) bool {
	counts := s.Node.Counts(ev.Number)
	for i := range ev.Segments {
		seg := &ev.Segments[i]
		if !want.fits(seg) || (want.ask.Categories != 0 && !seg.has(want.ask.Categories)) || s.sold.confirmed(ev.Number, seg.No, s.Now()) {
			continue
		}
		if c, known := counts.Segments[seg.No]; !known || counts.Stale || c.Sold != c.Capacity {
			return false
		}
	}
	return true
}

// fits is whether the wish may be served by a segment, its categories aside.
func (w *wish) fits(seg *Segment) bool {
	return !seg.Area && (len(w.sections) == 0 || slices.Contains(w.sections, seg.Section))
}

// final is whether no other segment can change the answer.
func final(code stock.Code) bool {
	switch code {
	case stock.CodeAllHeld, stock.CodeSoldOut, stock.CodeNotTogether, stock.CodeWouldOrphan:
		return false
	}
	return true
}

// candidates are the segments to ask, best first: those that the node thinks can serve it, or, when it thinks that none can, all that could if
// they had something: the counts may be behind.
func (s *server) candidates(ev *Event, want wish) []stock.SegmentNo {
	if want.segments != nil {
		return want.segments
	}
	var list []stock.SegmentNo
	for _, no := range s.Node.BestSegments(ev.Number, want.ask) {
		if seg := ev.segment(no); seg != nil && want.fits(seg) {
			list = append(list, no)
		}
	}
	if len(list) > tries {
		// In a rush the counts are behind: the best ones may all be gone by now. Half of the questions go to any of the others.
		rest := list[tries/2:]
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		return list[:tries]
	}
	if len(list) > 0 {
		return list
	}
	for i := range ev.Segments {
		if seg := &ev.Segments[i]; want.fits(seg) && seg.has(want.ask.Categories) {
			list = append(list, seg.No)
		}
	}
	return list
}

// has is whether one of the categories occurs.
func (seg *Segment) has(categories uint64) bool {
	if seg.Area {
		return categories>>seg.Category&1 != 0
	}
	return slices.ContainsFunc(seg.Seats, func(seat Seat) bool { return categories>>seat.Category&1 != 0 })
}

// tryEach gives the first success, or the refusal that helps most: it is sold out only when every one of them is.
func (s *server) tryEach(ctx context.Context, ev *Event, list []stock.SegmentNo, want wish, req stock.Request, who asker) (stock.Answer, error) {
	worst := stock.Answer{Code: stock.CodeSoldOut}
	if len(list) == 0 {
		return stock.Answer{Code: stock.CodeAllHeld}, nil
	}
	asked := 0
	for _, no := range list {
		if s.sold.confirmed(ev.Number, no, s.Now()) {
			continue
		}
		if asked++; asked > tries {
			return moreUseful(worst, stock.Answer{Code: stock.CodeAllHeld}), nil
		}
		a, err := s.askSegment(ctx, ev, no, want, req, who)
		if err != nil || final(a.Code) {
			return a, err
		}
		if a.Code == stock.CodeSoldOut {
			s.sold.confirm(ev.Number, no, s.Now())
		}
		worst = moreUseful(worst, a)
	}
	return worst, nil
}

// moreUseful of two refusals: one that a changed wish can get around, then the one that may end soonest.
func moreUseful(a, b stock.Answer) stock.Answer {
	weight := map[stock.Code]int{stock.CodeNotTogether: 3, stock.CodeWouldOrphan: 2, stock.CodeAllHeld: 1}
	switch {
	case weight[b.Code] > weight[a.Code],
		a.Code == b.Code && b.LargestRun > a.LargestRun,
		a.Code == b.Code && b.Code == stock.CodeAllHeld && b.FreeEstimate > 0 && (a.FreeEstimate == 0 || b.FreeEstimate < a.FreeEstimate):
		return b
	}
	return a
}

func (s *server) askSegment(ctx context.Context, ev *Event, no stock.SegmentNo, want wish, req stock.Request, who asker) (stock.Answer, error) {
	command := func(no stock.SegmentNo) stock.Command {
		return stock.Command{
			Kind: stock.KindHold, Event: ev.Number, Segment: no,
			Hold:    stock.NewCoordinatedID(stock.PartitionOf(ev.Number, no), req.Scope, req.Key, "hold"),
			Request: req, Ask: want.ask, TTL: want.ttl.Milliseconds(), MaxTTL: ev.MaxTTL.Milliseconds(), Quotas: slices.Clone(who.quotas),
		}
	}
	if seg := ev.segment(no); seg != nil && len(seg.Shares) > 0 {
		return s.Node.DoInArea(ctx, ev.Number, no, command)
	}
	return s.Node.Do(ctx, command(no))
}
