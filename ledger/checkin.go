package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Scan is a ticket at a gate. All three together are its identity.
type Scan struct {
	Ticket uuid.UUID
	Gate   string
	At     time.Time // to the microsecond
}

func (s Scan) compare(o Scan) int {
	if c := s.At.Compare(o.At); c != 0 {
		return c
	}
	return strings.Compare(s.Gate, o.Gate)
}

// CheckinVerdict is what the ledger knows of a scan.
type CheckinVerdict struct {
	Known      bool   // the event has such a ticket
	VoidReason string // empty: it is valid
	Again      bool   // it was scanned before
	First      Scan   // of Again: when and where
}

// CheckIn writes a scan down that is made now, and says whether the ticket was scanned before, at whatever gate. Of two at once one is first. A void ticket is
// not written down. The same request again gets the same answer.
func (l *DB) CheckIn(ctx context.Context, event int32, s Scan, apiKey, request uuid.UUID) (v CheckinVerdict, err error) {
	err = l.inTx(ctx, func(tx *sql.Tx) error {
		locked, err := l.q.CheckinLock(ctx, tx, db.CheckinLockParams{Tickets: []uuid.UUID{s.Ticket}, Event: event})
		if err != nil || len(locked) == 0 {
			return err
		}
		v.Known, v.VoidReason = true, locked[0].VoidReason
		before, err := l.q.CheckinsOf(ctx, tx, []uuid.UUID{s.Ticket})
		if err != nil {
			return err
		}
		at := s.At.UTC().Truncate(time.Microsecond)
		told := false
		for _, b := range before {
			scan := Scan{b.Ticket, b.Gate, b.At}
			if b.Request.Valid && b.Request.UUID == request {
				v.Again, told = b.Again, true
				continue
			}
			if v.First.Gate == "" {
				v.First = scan
			}
			if !b.Offline && !at.After(b.At) {
				at = b.At.Add(time.Microsecond) // the ledger's order, whatever the nodes' clocks say
			}
		}
		if !told {
			v.Again = len(before) > 0
		}
		if !v.Again {
			v.First = Scan{}
		}
		if told || v.VoidReason != "" {
			return nil
		}
		return l.q.CheckinInsert(ctx, tx, db.CheckinInsertParams{ApiKey: apiKey, Request: uuid.NullUUID{UUID: request, Valid: true}, Tickets: []uuid.UUID{s.Ticket},
			Gates: []string{s.Gate}, Ats: []time.Time{at}, Doubles: []bool{v.Again}})
	})
	return v, explain(err)
}

// CheckInLate writes scans down that gates made without a network, void tickets among them: somebody went in. Each may come any number of times. Again is
// by the time of the scans, over all that the ledger has. The verdicts are in the order of the scans.
func (l *DB) CheckInLate(ctx context.Context, event int32, scans []Scan, apiKey uuid.UUID) ([]CheckinVerdict, error) {
	out := make([]CheckinVerdict, len(scans))
	tickets := make([]uuid.UUID, 0, len(scans))
	for _, s := range scans {
		tickets = append(tickets, s.Ticket)
	}
	slices.SortFunc(tickets, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	tickets = slices.Compact(tickets)
	err := l.inTx(ctx, func(tx *sql.Tx) error {
		locked, err := l.q.CheckinLock(ctx, tx, db.CheckinLockParams{Tickets: tickets, Event: event})
		if err != nil {
			return err
		}
		void := map[uuid.UUID]string{}
		for _, t := range locked {
			void[t.ID] = t.VoidReason
		}
		before, err := l.q.CheckinsOf(ctx, tx, tickets)
		if err != nil {
			return err
		}
		first := map[uuid.UUID]Scan{}
		note := func(s Scan) {
			if f, ok := first[s.Ticket]; !ok || s.compare(f) < 0 {
				first[s.Ticket] = s
			}
		}
		for _, b := range before {
			note(Scan{b.Ticket, b.Gate, b.At.UTC()})
		}
		for _, s := range scans {
			note(Scan{s.Ticket, s.Gate, s.At.UTC().Truncate(time.Microsecond)})
		}
		p := db.CheckinInsertParams{Offline: true, ApiKey: apiKey}
		for i, s := range scans {
			reason, known := void[s.Ticket]
			if !known {
				continue
			}
			s.At = s.At.UTC().Truncate(time.Microsecond)
			f := first[s.Ticket]
			out[i] = CheckinVerdict{Known: true, VoidReason: reason, Again: f.compare(s) != 0}
			if out[i].Again {
				out[i].First = f
			}
			p.Tickets, p.Gates = append(p.Tickets, s.Ticket), append(p.Gates, s.Gate)
			p.Ats, p.Doubles = append(p.Ats, s.At), append(p.Doubles, out[i].Again)
		}
		return l.q.CheckinInsert(ctx, tx, p)
	})
	return out, explain(err)
}

// GateTicket is a ticket that lets somebody in, as gates take it along.
type GateTicket struct {
	ID             uuid.UUID
	Seat           int64
	Code           string
	Holder         string // empty: none, or erased
	Document, Salt []byte
}

// TicketsForGate are the valid tickets of an event.
func (l *DB) TicketsForGate(ctx context.Context, event int32) ([]GateTicket, error) {
	rows, err := l.q.TicketsForGate(ctx, l.short, event)
	out := make([]GateTicket, 0, len(rows))
	for _, r := range rows {
		out = append(out, GateTicket(r))
	}
	return out, explain(err)
}

// RevokedTicket is a void ticket.
type RevokedTicket struct {
	ID       uuid.UUID
	VoidedAt time.Time
	Reason   string
}

// TicketsRevoked are at most count void tickets of an event after a place in the list, which is a time and an id.
func (l *DB) TicketsRevoked(ctx context.Context, event int32, after time.Time, afterID uuid.UUID, count int32) ([]RevokedTicket, error) {
	rows, err := l.q.TicketsRevoked(ctx, l.short, db.TicketsRevokedParams{Event: event, After: after, AfterID: afterID, Count: count})
	out := make([]RevokedTicket, 0, len(rows))
	for _, r := range rows {
		out = append(out, RevokedTicket(r))
	}
	return out, explain(err)
}
