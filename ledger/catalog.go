package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Chart is a seat map as it was imported.
type Chart struct {
	ID     int32
	UID    uuid.UUID
	Name   string
	Digest [32]byte // sha256 of Body
	Body   []byte
}

// Event is one performance on sale.
type Event struct {
	ID           int32
	UID          uuid.UUID
	Slug         string
	Name         string
	Chart        int32
	State        string // draft, on_sale, paused, closed
	Ver          int32
	OpensAt      time.Time // zero: as soon as State is on_sale
	StartsAt     time.Time
	Venue        string
	Currency     string
	Room         string // "": no pass is needed
	HoldTTL      time.Duration
	MaxHoldTTL   time.Duration
	LimitTid     int32 // 0: no limit
	LimitAcct    int32
	LimitDoc     int32
	RefundsUntil time.Time // until when a buyer may ask for their money by themselves; zero: never
	Organiser    string    // whom the revenue is for once the event took place; "": the house
	CancelledAt  time.Time // zero unless it does not take place
	RecognisedAt time.Time // zero until its revenue was recognised
	Tiers        []Tier
	Segments     []SegmentInfo
	SectionName  map[string]string // for EventInsert: section id to name
	// PartOf, for EventInsert, gives each segment its partition, which depends on the number that the event gets. nil: Segments have theirs.
	PartOf func(event, segment int32) int32
}

// Tier is the price of a category for a ticket type, in minor units of the event's currency.
type Tier struct {
	Category     int16
	CategoryName string
	Type         int16
	TypeName     string
	Face         int64
	Fee          int64
	Tax          int64
}

// SegmentInfo is a segment as it is put on sale.
type SegmentInfo struct {
	Segment  int32
	Part     int32
	Section  string
	Name     string
	Area     bool
	Score    float64
	Home     int32 // of an area: its first segment, which is Segment when it has one; 0 in EventInsert: Segment
	Capacity int32 // as it was put on sale; what a segment of an area has now is its owner's business
}

// SeatInfo is a seat as it is put on sale.
type SeatInfo struct {
	Seat     int64
	Label    string
	Category int16
}

// ChartInsert stores a chart and returns its number.
func (l *DB) ChartInsert(ctx context.Context, c Chart) (int32, error) {
	sum := sha256.Sum256(c.Body)
	id, err := l.q.ChartInsert(ctx, l.short, db.ChartInsertParams{Uid: c.UID, Name: c.Name, Digest: sum[:], Body: c.Body})
	return id, explain(err)
}

// ChartGet reads a chart by its number.
func (l *DB) ChartGet(ctx context.Context, id int32) (Chart, error) {
	r, err := l.q.ChartGet(ctx, l.short, id)
	return chart(r.ID, r.Uid, r.Name, r.Digest, r.Body, err)
}

// ChartByUID reads a chart by its public id.
func (l *DB) ChartByUID(ctx context.Context, uid uuid.UUID) (Chart, error) {
	r, err := l.q.ChartByUID(ctx, l.short, uid)
	return chart(r.ID, r.Uid, r.Name, r.Digest, r.Body, err)
}

func chart(id int32, uid uuid.UUID, name string, digest, body []byte, err error) (Chart, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return Chart{}, ErrNotFound
	}
	if err != nil {
		return Chart{}, explain(err)
	}
	c := Chart{ID: id, UID: uid, Name: name, Digest: sha256.Sum256(body), Body: body}
	if string(c.Digest[:]) != string(digest) {
		return Chart{}, fmt.Errorf("chart %s does not have the bytes that were stored: its digest differs", uid)
	}
	return c, nil
}

// EventInsert puts an event, its prices, segments and seats into the ledger, in one transaction, and returns its number. ErrExists says that
// the slug is taken.
func (l *DB) EventInsert(ctx context.Context, e Event, seats []SeatInfo) (id int32, err error) {
	err = l.inTx(ctx, func(tx *sql.Tx) error {
		if id, err = l.q.EventInsert(ctx, tx, db.EventInsertParams{
			Uid: e.UID, Slug: e.Slug, Name: e.Name, Chart: e.Chart, State: e.State, OpensAt: nullTime(e.OpensAt), StartsAt: e.StartsAt, Venue: e.Venue,
			Currency: e.Currency, Room: e.Room, HoldTtlS: int32(e.HoldTTL / time.Second), MaxHoldTtlS: int32(e.MaxHoldTTL / time.Second),
			LimitTid: e.LimitTid, LimitAccount: e.LimitAcct, LimitDocument: e.LimitDoc, RefundsUntil: nullTime(e.RefundsUntil), Organiser: e.Organiser,
		}); err != nil {
			return err
		}
		if e.PartOf != nil {
			e.Segments = slices.Clone(e.Segments)
			for i := range e.Segments {
				e.Segments[i].Part = e.PartOf(id, e.Segments[i].Segment)
			}
		}
		if err := l.insertPlan(ctx, tx, id, e); err != nil {
			return err
		}
		if err := l.insertSeats(ctx, tx, id, seats); err != nil {
			return err
		}
		return l.q.CatalogBump(ctx, tx)
	})
	return id, err
}

func (l *DB) insertPlan(ctx context.Context, tx *sql.Tx, id int32, e Event) error {
	sections := db.SectionInsertParams{Event: id}
	segments := db.SegmentInsertParams{Event: id}
	seen := map[string]bool{}
	for _, s := range e.Segments {
		if !seen[s.Section] {
			seen[s.Section] = true
			sections.Sections = append(sections.Sections, s.Section)
			sections.Names = append(sections.Names, e.SectionName[s.Section])
		}
		segments.Segments = append(segments.Segments, s.Segment)
		segments.Parts = append(segments.Parts, s.Part)
		segments.Sections = append(segments.Sections, s.Section)
		segments.Names = append(segments.Names, s.Name)
		segments.Areas = append(segments.Areas, s.Area)
		segments.Scores = append(segments.Scores, s.Score)
		segments.Homes = append(segments.Homes, cmp.Or(s.Home, s.Segment))
		segments.Capacities = append(segments.Capacities, s.Capacity)
	}
	tiers := db.TierInsertParams{Event: id}
	for _, t := range e.Tiers {
		tiers.Categories = append(tiers.Categories, t.Category)
		tiers.Types = append(tiers.Types, t.Type)
		tiers.CategoryNames = append(tiers.CategoryNames, t.CategoryName)
		tiers.TypeNames = append(tiers.TypeNames, t.TypeName)
		tiers.Faces = append(tiers.Faces, t.Face)
		tiers.Fees = append(tiers.Fees, t.Fee)
		tiers.Taxes = append(tiers.Taxes, t.Tax)
	}
	if err := l.q.SectionInsert(ctx, tx, sections); err != nil {
		return err
	}
	if err := l.q.SegmentInsert(ctx, tx, segments); err != nil {
		return err
	}
	return l.q.TierInsert(ctx, tx, tiers)
}

// seatsPerInsert bounds one statement of insertSeats.
const seatsPerInsert = 8192

func (l *DB) insertSeats(ctx context.Context, tx *sql.Tx, id int32, seats []SeatInfo) error {
	for len(seats) > 0 {
		n := min(len(seats), seatsPerInsert)
		p := db.SeatInsertParams{Event: id}
		for _, s := range seats[:n] {
			p.Seats = append(p.Seats, s.Seat)
			p.Segments = append(p.Segments, int32(s.Seat>>24))
			p.Labels = append(p.Labels, s.Label)
			p.Categories = append(p.Categories, s.Category)
		}
		if err := l.q.SeatInsert(ctx, tx, p); err != nil {
			return err
		}
		seats = seats[n:]
	}
	return nil
}

// EventUpdate writes an event's state, name and opening time if its version is still ver; ErrStale if not.
func (l *DB) EventUpdate(ctx context.Context, e Event, ver int32) (newVer int32, err error) {
	err = l.inTx(ctx, func(tx *sql.Tx) error {
		newVer, err = l.q.EventUpdate(ctx, tx, db.EventUpdateParams{ID: e.ID, Ver: ver, State: e.State, Name: e.Name, OpensAt: nullTime(e.OpensAt)})
		if errors.Is(err, sql.ErrNoRows) {
			return ErrStale
		}
		if err != nil {
			return err
		}
		return l.q.CatalogBump(ctx, tx)
	})
	return newVer, err
}

// CatalogVersion is a number that grows with each change of what is on sale.
func (l *DB) CatalogVersion(ctx context.Context) (int64, error) {
	v, err := l.q.CatalogVersion(ctx, l.short)
	return v, explain(err)
}

// Events reads all events with their prices and segments.
func (l *DB) Events(ctx context.Context) ([]Event, error) {
	rows, err := l.q.EventList(ctx, l.short)
	if err != nil {
		return nil, explain(err)
	}
	events := make([]Event, 0, len(rows))
	index := map[int32]int{}
	for _, r := range rows {
		index[r.ID] = len(events)
		events = append(events, Event{
			ID: r.ID, UID: r.Uid, Slug: r.Slug, Name: r.Name, Chart: r.Chart, State: r.State, Ver: r.Ver, OpensAt: r.OpensAt.Time, StartsAt: r.StartsAt,
			Venue: r.Venue, Currency: r.Currency, Room: r.Room, HoldTTL: time.Duration(r.HoldTtlS) * time.Second, MaxHoldTTL: time.Duration(r.MaxHoldTtlS) * time.Second,
			LimitTid: r.LimitTid, LimitAcct: r.LimitAccount, LimitDoc: r.LimitDocument, RefundsUntil: r.RefundsUntil.Time, Organiser: r.Organiser,
			CancelledAt: r.CancelledAt.Time, RecognisedAt: r.RecognisedAt.Time,
		})
	}
	tiers, err := l.q.TierList(ctx, l.short)
	if err != nil {
		return nil, explain(err)
	}
	for _, t := range tiers {
		if i, ok := index[t.Event]; ok {
			events[i].Tiers = append(events[i].Tiers, Tier{Category: t.Category, CategoryName: t.CategoryName, Type: t.Type, TypeName: t.TypeName, Face: t.Face, Fee: t.Fee, Tax: t.Tax})
		}
	}
	segments, err := l.q.SegmentList(ctx, l.short)
	if err != nil {
		return nil, explain(err)
	}
	for _, s := range segments {
		if i, ok := index[s.Event]; ok { // an event may have been added between the statements
			events[i].Segments = append(events[i].Segments, SegmentInfo{Segment: s.Segment, Part: s.Part, Section: s.Section, Name: s.Name, Area: s.Area, Score: s.Score, Home: s.Home, Capacity: s.Opened})
		}
	}
	return events, nil
}

func nullTime(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }
