package api

import (
	"net/http"
	"strconv"
	"time"
)

// changesAtOnce is how many entries of the audit log are in one answer.
const changesAtOnce = 200

// Change is an entry of an event's audit log.
type Change struct {
	ID              int64
	At              time.Time
	Actor, Key      string // the person, and the name of the key
	Action, Subject string
	Detail, Address string // empty: none
}

type changeDoc struct {
	ID      int64  `json:"id"`
	At      string `json:"at"`
	Actor   string `json:"actor"`
	Key     string `json:"key"`
	Action  string `json:"action"`
	Subject string `json:"subject"`
	Detail  string `json:"detail,omitempty"`
	Address string `json:"address,omitempty"`
}

type changesDoc struct {
	Changes []changeDoc `json:"changes"`
	Next    int64       `json:"next"`
	More    bool        `json:"more"`
}

func (s *server) getChanges(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.needKey(r, scopeOps); err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	var after int64
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return refuse(kindMalformed, "The parameter after is no number of an entry: send next of the last answer.")
		}
	}
	changes, err := s.Node.Changes(r.Context(), ev.Number, prefixEvent+ev.ID.String(), after, changesAtOnce+1)
	if err != nil {
		return err
	}
	doc := changesDoc{Changes: []changeDoc{}, Next: after, More: len(changes) > changesAtOnce}
	for _, c := range changes[:min(len(changes), changesAtOnce)] {
		doc.Next = c.ID
		doc.Changes = append(doc.Changes, changeDoc{ID: c.ID, At: stamp(c.At), Actor: c.Actor, Key: c.Key, Action: c.Action, Subject: c.Subject, Detail: c.Detail, Address: c.Address})
	}
	return answer(w, http.StatusOK, doc)
}
