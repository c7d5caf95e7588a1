package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"ticketrush/stockd/stock"
)

// heartbeat is how often a silent stream says that it lives: proxies cut what is silent for a minute.
const heartbeat = 20 * time.Second

// streamWriteMax is how long a write to a slow reader may take before the stream is cut.
const streamWriteMax = 10 * time.Second

// stateEvery is how soon a stream tells that sales were paused, opened or closed. It costs one look into memory.
const stateEvery = time.Second

type seatChanges struct {
	Segment stock.SegmentNo `json:"segment"`
	Seats   [][2]int32      `json:"seats"` // index in the segment, state
}

// deltaDoc is a change of availability. Counts are of the segments that changed.
type deltaDoc struct {
	State    string          `json:"state,omitempty"` // of the event, when it has changed
	Segments []segmentCounts `json:"segments,omitempty"`
	Changes  []seatChanges   `json:"changes,omitempty"`
}

func (s *server) getStream(w http.ResponseWriter, r *http.Request) error {
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	return s.atEventNode(w, r, ev, func() error {
		select {
		case s.streams <- struct{}{}:
		default:
			return refuse(kindOverloaded, "Too many streams here: ask for availability now and then.").after(jitter(streamRetry))
		}
		s.metrics.streams.Inc()
		defer func() {
			<-s.streams
			s.metrics.streams.Dec()
		}()
		return s.stream(w, r, ev)
	})
}

// stream writes until the reader goes away, or is too slow; then the connection ends and the browser comes back with the id of the last event.
func (s *server) stream(w http.ResponseWriter, r *http.Request, ev *Event) error {
	deltas, cancel := s.Node.Subscribe(ev.Number, r.Header.Get("Last-Event-ID"))
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := streamWriter{w: w, control: http.NewResponseController(w)}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	watch := time.NewTicker(stateEvery)
	defer watch.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return nil
		case <-beat.C:
			err = out.write(": alive\n\n")
		case <-watch.C:
			now, ok := s.Node.Event(r.PathValue("ev"))
			if !ok || now.State == ev.State {
				continue
			}
			ev = now
			err = out.event("counts", "", deltaDoc{State: ev.State})
		case delta, open := <-deltas:
			if !open {
				return nil
			}
			err = s.writeDelta(r, &out, ev, delta)
		}
		if err != nil {
			return nil
		}
	}
}

func (s *server) writeDelta(r *http.Request, out *streamWriter, ev *Event, d Delta) error {
	if d.Reset {
		return s.writeSnapshot(r, out, ev, d.ID)
	}
	doc, kind := deltaDoc{}, "counts"
	for no, c := range d.Counts {
		if seg := ev.segment(no); seg != nil {
			doc.Segments = append(doc.Segments, segmentCounts{no, seg.Section, seg.Area, countsOf(c)})
		}
	}
	slices.SortFunc(doc.Segments, func(a, b segmentCounts) int { return int(a.Segment - b.Segment) })
	for _, change := range d.Seats {
		kind = "seats"
		no := change.Seat.Segment()
		at := slices.IndexFunc(doc.Changes, func(c seatChanges) bool { return c.Segment == no })
		if at < 0 {
			at = len(doc.Changes)
			doc.Changes = append(doc.Changes, seatChanges{Segment: no})
		}
		doc.Changes[at].Seats = append(doc.Changes[at].Seats, [2]int32{change.Seat.Index(), int32(change.State)})
	}
	return out.event(kind, d.ID, doc)
}

// writeSnapshot sends everything. It is taken after the subscription began, so nothing falls between; what is sent twice says the same.
func (s *server) writeSnapshot(r *http.Request, out *streamWriter, ev *Event, id string) error {
	snap, err := s.takeSnapshot(r.Context(), ev, true)
	if err != nil {
		return err
	}
	return out.event("snapshot", id, snap.doc)
}

// streamWriter writes server-sent events. How long a write may take is bounded by guard.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (o *streamWriter) event(kind, id string, doc any) error {
	data, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	text := "event: " + kind + "\n"
	if id != "" {
		text = "id: " + id + "\n" + text
	}
	return o.write(text + "data: " + string(data) + "\n\n")
}

func (o *streamWriter) write(text string) error {
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	return o.control.Flush()
}
