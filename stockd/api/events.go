package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"ticketrush/stockd/stock"
)

type limitsBody struct {
	Tid      int32 `json:"tid,omitempty"`
	Account  int32 `json:"account,omitempty"`
	Document int32 `json:"document,omitempty"`
}

type priceRow struct {
	Category string `json:"category"`
	Type     string `json:"type"`
	Face     int64  `json:"face"`
	Fee      int64  `json:"fee"`
	Tax      int64  `json:"tax"`
}

type eventBody struct {
	Slug      string      `json:"slug"`
	Name      string      `json:"name"`
	Chart     string      `json:"chart"`
	Venue     string      `json:"venue,omitempty"`
	StartsAt  *time.Time  `json:"starts_at"`
	OpensAt   *time.Time  `json:"opens_at,omitempty"`
	Currency  string      `json:"currency"`
	Room      string      `json:"room,omitempty"`
	Types     []string    `json:"types,omitempty"`
	Prices    []priceRow  `json:"prices"`
	HoldTTL   *int64      `json:"hold_ttl_s,omitempty"`
	MaxTTL    *int64      `json:"max_hold_ttl_s,omitempty"`
	Limits    *limitsBody `json:"limits,omitempty"`
	Share     *int32      `json:"area_share,omitempty"`
	Refunds   *time.Time  `json:"refunds_until,omitempty"`
	Organiser string      `json:"organiser,omitempty"`
	Open      bool        `json:"open,omitempty"`
}

type eventDoc struct {
	ID           string     `json:"id"`
	Slug         string     `json:"slug"`
	Name         string     `json:"name"`
	Chart        string     `json:"chart"`
	State        string     `json:"state"`
	Version      int        `json:"version"`
	StartsAt     string     `json:"starts_at"`
	OpensAt      string     `json:"opens_at,omitempty"`
	OpensIn      *int64     `json:"opens_in_s,omitempty"`
	Venue        string     `json:"venue"`
	Currency     string     `json:"currency"`
	Room         string     `json:"room"`
	Types        []string   `json:"types"`
	Categories   []string   `json:"categories"`
	Prices       []priceRow `json:"prices"`
	HoldTTL      int64      `json:"hold_ttl_s"`
	MaxTTL       int64      `json:"max_hold_ttl_s"`
	Limits       limitsBody `json:"limits"`
	RefundsUntil string     `json:"refunds_until,omitempty"`
	Organiser    string     `json:"organiser,omitempty"`
	CancelledAt  string     `json:"cancelled_at,omitempty"`
	RecognisedAt string     `json:"recognised_at,omitempty"`
	Capacity     int        `json:"capacity"`
}

// Limits of an event's settings.
const (
	holdTTLDefault = 600
	maxTTLDefault  = 1200
	ttlMin         = 10
	holdTTLMax     = 7200
	maxTTLMax      = 86400
	amountMax      = 1_000_000_000_000
	limitMax       = 1_000_000
	shareMax       = stock.MaxIndex
	typesMax       = 32
	pricesMax      = 2048
	nameMax        = 200
)

var (
	slugText     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	roomText     = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,31})?$`)
	currencyText = regexp.MustCompile(`^[A-Z]{3}$`)
)

// event finds the event of a path.
func (s *server) event(r *http.Request) (*Event, error) {
	ev, ok := s.Node.Event(r.PathValue("ev"))
	if !ok {
		return nil, refuse(kindNotFound, fmt.Sprintf("There is no event %q.", r.PathValue("ev")))
	}
	return ev, nil
}

func (s *server) eventDoc(ev *Event) eventDoc {
	doc := eventDoc{
		ID: prefixEvent + ev.ID.String(), Slug: ev.Slug, Name: ev.Name, Chart: prefixChart + ev.Chart.String(), State: ev.State, Version: ev.Version,
		StartsAt: stamp(ev.StartsAt), Venue: ev.Venue, Currency: ev.Currency, Room: ev.Room, Types: ev.Types, Categories: ev.Categories,
		Prices: make([]priceRow, 0, len(ev.Tiers)), HoldTTL: int64(ev.HoldTTL / time.Second), MaxTTL: int64(ev.MaxTTL / time.Second),
		Limits: limitsBody{ev.LimitTid, ev.LimitAccount, ev.LimitDocument}, Organiser: ev.Organiser, Capacity: ev.capacity(),
	}
	for text, at := range map[*string]time.Time{&doc.RefundsUntil: ev.RefundsUntil, &doc.CancelledAt: ev.CancelledAt, &doc.RecognisedAt: ev.RecognisedAt} {
		if !at.IsZero() {
			*text = stamp(at)
		}
	}
	if !ev.OpensAt.IsZero() {
		in := secondsUntil(ev.OpensAt, s.Now())
		doc.OpensAt, doc.OpensIn = stamp(ev.OpensAt), &in
	}
	for _, t := range ev.Tiers {
		doc.Prices = append(doc.Prices, priceRow{nameAt(ev.Categories, t.Category), nameAt(ev.Types, t.Type), t.Face, t.Fee, t.Tax})
	}
	return doc
}

func (s *server) getEvent(w http.ResponseWriter, r *http.Request) error {
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=1")
	if notModified(w, r, ev.version()) {
		return nil
	}
	return answer(w, http.StatusOK, s.eventDoc(ev))
}

func (s *server) postEvent(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	var body eventBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	req, err := request(r, hashed("scope/key", key.ID[:]), "event.create", "", body)
	if err != nil {
		return err
	}
	want, err := s.newEvent(r, &body)
	if err != nil {
		return err
	}
	// The key gives the id, so that a repetition finds the event that the first try made.
	want.ID = versioned(hashed("event", req.Scope[:], req.Key[:]))
	ev, err := s.Node.CreateEvent(r.Context(), want)
	if errors.Is(err, ErrTaken) {
		return s.eventAgain(w, &want)
	}
	if err != nil {
		return err
	}
	s.audit(r, key, "event.create", prefixEvent+ev.ID.String(), ev.Slug)
	w.Header().Set("ETag", ev.version())
	w.Header().Set("Location", "/v1/events/"+prefixEvent+ev.ID.String())
	return answer(w, http.StatusCreated, s.eventDoc(ev))
}

// eventAgain answers when the slug or the id is there already. The same event again is a replay; another one is somebody else's slug, or a key
// that was used before.
func (s *server) eventAgain(w http.ResponseWriter, want *NewEvent) error {
	ev, mine := s.Node.Event(prefixEvent + want.ID.String())
	if !mine {
		var ok bool
		if ev, ok = s.Node.Event(want.Slug); !ok {
			return ErrMoving // this node has not read the catalog since
		}
	}
	switch {
	case ev.same(&want.Event):
		w.Header().Set("ETag", ev.version())
		replayed(w)
		return answer(w, http.StatusOK, s.eventDoc(ev))
	case mine:
		return refuse(kindKeyReused, "Use a fresh key for another event.")
	default:
		return refuse(kindSlugTaken, fmt.Sprintf("The slug %q is another event's.", want.Slug))
	}
}

// same is whether two events were asked for alike; what became of them since does not count.
func (ev *Event) same(o *Event) bool {
	at := func(t time.Time) int64 { return t.UnixMicro() } // as the ledger keeps it
	tiers := func(list []Tier) []Tier {
		return slices.SortedFunc(slices.Values(list), func(a, b Tier) int { return cmp.Or(int(a.Category-b.Category), int(a.Type-b.Type)) })
	}
	return ev.Slug == o.Slug && ev.Name == o.Name && ev.Venue == o.Venue && ev.Chart == o.Chart && ev.Currency == o.Currency && ev.Room == o.Room &&
		at(ev.StartsAt) == at(o.StartsAt) && at(ev.OpensAt) == at(o.OpensAt) && ev.Organiser == o.Organiser && ev.HoldTTL == o.HoldTTL && ev.MaxTTL == o.MaxTTL &&
		ev.LimitTid == o.LimitTid && ev.LimitAccount == o.LimitAccount && ev.LimitDocument == o.LimitDocument &&
		slices.Equal(ev.Types, o.Types) && slices.Equal(tiers(ev.Tiers), tiers(o.Tiers))
}

// newEvent checks the body against the chart.
func (s *server) newEvent(r *http.Request, b *eventBody) (NewEvent, error) {
	var f faults
	b.check(&f)
	id, ok := parseID(b.Chart, prefixChart)
	if !ok {
		f.add("/chart", "Name a chart by its cht_ id.")
	}
	if len(f) > 0 {
		return NewEvent{}, invalid(f...)
	}
	chart, found, err := s.Node.Chart(r.Context(), id)
	if err != nil {
		return NewEvent{}, err
	}
	if !found {
		return NewEvent{}, invalid(fault{"/chart", "There is no such chart."})
	}
	ev := NewEvent{Open: b.Open, Event: Event{
		Chart: id, Slug: b.Slug, Name: b.Name, Venue: b.Venue, State: stateDraft, StartsAt: *b.StartsAt, Currency: b.Currency, Room: b.Room,
		Organiser: b.Organiser, HoldTTL: seconds(b.HoldTTL, holdTTLDefault), Types: b.Types, Categories: chart.Categories,
	}}
	ev.MaxTTL = max(seconds(b.MaxTTL, maxTTLDefault), ev.HoldTTL)
	if b.OpensAt != nil {
		ev.OpensAt = *b.OpensAt
	}
	if b.Refunds != nil {
		ev.RefundsUntil = *b.Refunds
	}
	if b.Open {
		ev.State = stateOnSale
	}
	if b.Share != nil {
		ev.AreaShare = *b.Share
	}
	if b.Limits != nil {
		ev.LimitTid, ev.LimitAccount, ev.LimitDocument = b.Limits.Tid, b.Limits.Account, b.Limits.Document
	}
	if len(ev.Types) == 0 {
		ev.Types = []string{"adult"}
	}
	if ev.Tiers = b.tiers(&ev.Event, &f); len(f) > 0 {
		return NewEvent{}, invalid(f...)
	}
	return ev, nil
}

// tiers turns names into indexes.
func (b *eventBody) tiers(ev *Event, f *faults) []Tier {
	var tiers []Tier
	for i, p := range b.Prices {
		at := "/prices/" + strconv.Itoa(i)
		category, typ := slices.Index(ev.Categories, p.Category), slices.Index(ev.Types, p.Type)
		if category < 0 {
			f.add(at+"/category", "The chart has no category %q; it has %q.", p.Category, ev.Categories)
		}
		if typ < 0 {
			f.add(at+"/type", "There is no ticket type %q in types.", p.Type)
		}
		for name, amount := range map[string]int64{"face": p.Face, "fee": p.Fee, "tax": p.Tax} {
			if amount < 0 || amount > amountMax {
				f.add(at+"/"+name, "0 to %d in minor units.", int64(amountMax))
			}
		}
		if slices.ContainsFunc(tiers, func(t Tier) bool { return int(t.Category) == category && int(t.Type) == typ }) {
			f.add(at, "The price is there twice.")
		}
		tiers = append(tiers, Tier{int16(category), int16(typ), p.Face, p.Fee, p.Tax})
	}
	for i, name := range ev.Categories {
		if !slices.ContainsFunc(tiers, func(t Tier) bool { return int(t.Category) == i }) {
			f.add("/prices", "Category %q has no price.", name)
		}
	}
	for i, name := range ev.Types {
		if !slices.ContainsFunc(tiers, func(t Tier) bool { return int(t.Type) == i }) {
			f.add("/prices", "Ticket type %q has no price.", name)
		}
	}
	return tiers
}

func (b *eventBody) check(f *faults) {
	text := func(pointer, s string, least int) {
		if len(s) < least || len(s) > nameMax {
			f.add(pointer, "%d to %d bytes.", least, nameMax)
		}
	}
	text("/name", b.Name, 1)
	text("/venue", b.Venue, 0)
	if !slugText.MatchString(b.Slug) {
		f.add("/slug", "Lower case letters, digits and dashes, at most 63.")
	}
	if !roomText.MatchString(b.Room) {
		f.add("/room", "Lower case letters, digits and dashes, at most 32; empty for no room.")
	}
	if b.Organiser != "" && !slugText.MatchString(b.Organiser) {
		f.add("/organiser", "Lower case letters, digits and dashes, at most 63.")
	}
	if !currencyText.MatchString(b.Currency) {
		f.add("/currency", "Three capital letters (ISO 4217).")
	}
	if b.StartsAt == nil {
		f.add("/starts_at", "Say when it starts.")
	}
	if len(b.Types) > typesMax {
		f.add("/types", "At most %d.", typesMax)
	}
	for i, name := range b.Types {
		text("/types/"+strconv.Itoa(i), name, 1)
		if slices.Index(b.Types, name) != i {
			f.add("/types/"+strconv.Itoa(i), "The type is there twice.")
		}
	}
	if len(b.Prices) == 0 || len(b.Prices) > pricesMax {
		f.add("/prices", "1 to %d prices.", pricesMax)
	}
	between(f, "/hold_ttl_s", b.HoldTTL, ttlMin, holdTTLMax)
	between(f, "/max_hold_ttl_s", b.MaxTTL, ttlMin, maxTTLMax)
	if b.Share != nil && (*b.Share < 1 || *b.Share > shareMax) {
		f.add("/area_share", "1 to %d places.", shareMax)
	}
	if l := b.Limits; l != nil {
		for name, n := range map[string]int32{"tid": l.Tid, "account": l.Account, "document": l.Document} {
			if n < 0 || n > limitMax {
				f.add("/limits/"+name, "0 to %d; 0 is no limit.", limitMax)
			}
		}
	}
}

func between(f *faults, pointer string, n *int64, least, most int64) {
	if n != nil && (*n < least || *n > most) {
		f.add(pointer, "%d to %d seconds.", least, most)
	}
}

func seconds(n *int64, otherwise int64) time.Duration {
	if n == nil {
		n = &otherwise
	}
	return time.Duration(*n) * time.Second
}

type eventChangeBody struct {
	State string `json:"state"`
}

func (s *server) patchEvent(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	var body eventChangeBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if !slices.Contains([]string{stateOnSale, statePaused, stateClosed}, body.State) {
		return invalid(fault{"/state", "on_sale, paused or closed."})
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	version, err := ifMatch(r, ev)
	if err != nil {
		return err
	}
	if !ev.CancelledAt.IsZero() {
		return endProblem(ErrEventCancelled, body.State)
	}
	if version+1 == ev.Version && ev.State == body.State { // this very change was made before
		w.Header().Set("ETag", ev.version())
		replayed(w)
		return answer(w, http.StatusOK, s.eventDoc(ev))
	}
	changed, err := s.Node.ChangeEvent(r.Context(), ev.Number, body.State, version)
	if errors.Is(err, ErrStale) {
		return refuse(kindStaleVersion, "Read the event again and decide anew.").because(err)
	}
	if err != nil {
		return err
	}
	s.audit(r, key, "event.change", prefixEvent+ev.ID.String(), body.State)
	w.Header().Set("ETag", changed.version())
	return answer(w, http.StatusOK, s.eventDoc(changed))
}

// ifMatch reads the version that a change was decided on. It may be newer than what this node has read of the catalog.
func ifMatch(r *http.Request, ev *Event) (int, error) {
	text := r.Header.Get("If-Match")
	if text == "" {
		return 0, refuse(kindPrecondition, "Send If-Match with the ETag of the event that the change was decided on.")
	}
	if text == "*" {
		return ev.Version, nil
	}
	if len(text) < 3 || text[0] != '"' || text[len(text)-1] != '"' {
		return 0, refuse(kindMalformed, "If-Match has to be an ETag in quotes, for example "+ev.version()+".")
	}
	version, err := strconv.ParseInt(text[1:len(text)-1], 10, 32)
	if err != nil {
		return 0, refuse(kindStaleVersion, "No version of the event has this ETag.").with("version", ev.Version)
	}
	return int(version), nil
}
