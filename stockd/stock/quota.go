package stock

import "slices"

// validQuotas is whether the documents of a command, when there are any, are one for each ticket, and no limit names a seat yet.
func validQuotas(quotas []Quota, ask *Ask) bool {
	documents := 0
	for _, q := range quotas {
		if q.Seat != 0 {
			return false
		}
		if q.Dimension == DimensionDocument {
			documents++
		}
	}
	return documents == 0 || documents == len(ask.Seats)+int(ask.Quantity)
}

// quotasOf gives the documents of a command the seats that were chosen for their tickets.
func (s *Segment) quotasOf(quotas []Quota, chosen []heldSeat) []Quota {
	if !slices.ContainsFunc(quotas, isDocument) {
		return quotas
	}
	seats := make([]SeatID, len(chosen)) // by ticket
	for _, seat := range chosen {
		seats[seat.ticket] = NewSeatID(s.no, seat.index)
	}
	out := slices.Clone(quotas)
	ticket := 0
	for i := range out {
		if isDocument(out[i]) {
			out[i].Seat = seats[ticket]
			ticket++
		}
	}
	return out
}

// quotasFor are the limits that some seats of a hold count against: those of the whole hold, and the documents of these seats.
func (s *Segment) quotasFor(h *hold, seats []heldSeat) []Quota {
	if !slices.ContainsFunc(h.quotas, isDocument) {
		return h.quotas
	}
	var out []Quota
	for _, q := range h.quotas {
		if !isDocument(q) || slices.ContainsFunc(seats, func(seat heldSeat) bool { return NewSeatID(s.no, seat.index) == q.Seat }) {
			out = append(out, q)
		}
	}
	return out
}

func isDocument(q Quota) bool { return q.Dimension == DimensionDocument }

// documentsOf are those of the limits that are documents.
func documentsOf(quotas []Quota) (documents []Quota) {
	for _, q := range quotas {
		if isDocument(q) {
			documents = append(documents, q)
		}
	}
	return documents
}

// Count is how much an operation of quantity seats counts for the limit: a document stands for one seat, anything else for all of them.
func (q Quota) Count(quantity int32) int32 {
	if isDocument(q) {
		return 1
	}
	return quantity
}

// The outcome of a hold that is over a limit says which and by how much, so that a repetition, which finds the recorded outcome, is told the same:
// outcomeLimit, plus outcomeLimitSpan for each dimension after the first, plus what the buyer had, up to UsedMax.
const (
	outcomeLimit     Outcome = 100
	outcomeLimitSpan Outcome = 10000
)

// UsedMax is the largest number of seats that an outcome can tell; more is told as so many.
const UsedMax = int32(outcomeLimitSpan) - 1

// OutcomeLimit is the outcome of a hold that is over the limit of a dimension of which the buyer had used seats.
func OutcomeLimit(dimension Dimension, used int32) Outcome {
	return outcomeLimit + Outcome(dimension-1)*outcomeLimitSpan + Outcome(min(max(used, 0), UsedMax))
}

// Limit is the dimension whose limit was reached, and how many seats the buyer had; 0 when the outcome is another. From UsedMax on they may have more.
func (o Outcome) Limit() (dimension Dimension, used int32) {
	if o < outcomeLimit || o > OutcomeLimit(DimensionDocument, UsedMax) {
		return 0, 0
	}
	return Dimension((o-outcomeLimit)/outcomeLimitSpan) + 1, int32((o - outcomeLimit) % outcomeLimitSpan)
}

// LimitAnswer is what a client is told about an outcome of a limit. quotas are those of the hold.
func (o Outcome) LimitAnswer(quotas []Quota) Answer {
	a := Answer{Code: CodeLimitReached}
	a.Dimension, a.Used = o.Limit()
	if a.Used == UsedMax {
		a.Used = -1
	}
	for _, q := range quotas {
		if q.Dimension == a.Dimension {
			a.Limit = q.Limit
		}
	}
	return a
}
