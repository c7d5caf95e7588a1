package api

import (
	"net/http"
	"slices"
	"time"
)

// Whether tickets carry names.
const (
	namesNone     = "none"
	namesOptional = "optional"
	namesRequired = "required"
)

// Limits of the rules.
const (
	changesMax    = 100
	changesEndMax = 365 * 24 * 3600 // seconds
)

type rulesDoc struct {
	Names        string `json:"names"`
	NameChanges  int32  `json:"name_changes"`
	Transfers    int32  `json:"transfers"`
	ChangesEnd   int64  `json:"changes_end_s"`
	ChangesUntil string `json:"changes_until"`
}

type rulesBody struct {
	Names       *string `json:"names"`
	NameChanges *int32  `json:"name_changes,omitempty"`
	Transfers   *int32  `json:"transfers,omitempty"`
	ChangesEnd  *int64  `json:"changes_end_s,omitempty"`
}

func rulesOf(ev *Event, r TicketRules) rulesDoc {
	return rulesDoc{Names: r.Names, NameChanges: r.NameChanges, Transfers: r.Transfers, ChangesEnd: int64(r.ChangesEnd / time.Second), ChangesUntil: stamp(r.end(ev))}
}

// rules checks a body and puts it over the rules that hold now.
func (b *rulesBody) rules(now TicketRules) (TicketRules, error) {
	var f faults
	now.Names = value(b.Names)
	if !slices.Contains([]string{namesNone, namesOptional, namesRequired}, now.Names) {
		f.add("/names", "none, optional or required.")
	}
	count := func(pointer string, from *int32, to *int32) {
		if from == nil {
			return
		}
		if *to = *from; *to < 0 || *to > changesMax {
			f.add(pointer, "0 to %d.", changesMax)
		}
	}
	count("/name_changes", b.NameChanges, &now.NameChanges)
	count("/transfers", b.Transfers, &now.Transfers)
	if b.ChangesEnd != nil {
		if *b.ChangesEnd < 0 || *b.ChangesEnd > changesEndMax {
			f.add("/changes_end_s", "0 to %d seconds before the event begins.", changesEndMax)
		}
		now.ChangesEnd = time.Duration(*b.ChangesEnd) * time.Second
	}
	if len(f) > 0 {
		return now, invalid(f...)
	}
	return now, nil
}

func (s *server) getTicketRules(w http.ResponseWriter, r *http.Request) error {
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	rules, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=1")
	return answer(w, http.StatusOK, rulesOf(ev, rules))
}

// putTicketRules needs no memory of its key: the same rules again are the same rules.
func (s *server) putTicketRules(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	var body rulesBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	before, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	rules, err := body.rules(before)
	if err != nil {
		return err
	}
	if err := s.Orders.SetTicketRules(r.Context(), ev.Number, rules); err != nil {
		return err
	}
	s.audit(r, key, "event.ticket_rules", prefixEvent+ev.ID.String(), rules.Names)
	return answer(w, http.StatusOK, rulesOf(ev, rules))
}
