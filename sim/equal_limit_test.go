package sim

import (
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"pgregory.net/rapid"

	"ticketrush/stockd/stock"
)

// nobodys is a segment that no engine has.
const nobodys = 99

// limits draws what a hold of some tickets counts against: a visitor, perhaps an account, perhaps a document for each, some of them the same.
func (p *pair) limits(tickets int) (quotas []stock.Quota) {
	key := func(kind byte, what string) uuid.UUID {
		return number(kind, uint64(p.run)<<8|uint64(rapid.IntRange(1, buyers).Draw(p.T, what)))
	}
	for d := range stock.Dimension(rapid.IntRange(0, 2).Draw(p.T, "dimensions")) {
		quotas = append(quotas, stock.Quota{Dimension: 1 + d, Key: key(4, "buyer"), Limit: rapid.Int32Range(limitMax-1, limitMax).Draw(p.T, "limit")})
	}
	if rapid.Bool().Draw(p.T, "real names") {
		for range tickets {
			quotas = append(quotas, stock.Quota{Dimension: stock.DimensionDocument, Key: key(6, "document"), Limit: rapid.Int32Range(1, 2).Draw(p.T, "limit")})
		}
	}
	return quotas
}

// trying begins a hold over several segments in both, as far as the limits see it: a row that is being tried and counts. Or it drops one, which
// gives everything back.
func (p *pair) trying() {
	for id, h := range p.sim.holds {
		if h.state == holdTrying {
			p.drop(id, h)
			return
		}
	}
	id, key, now := p.id(), segmentKey{p.event, nobodys}, time.Now().Truncate(time.Millisecond)
	h := &holdRow{segment: key, state: holdTrying, remaining: -1, HoldRow: stock.HoldRow{
		ID: id, Generation: 1, Quantity: 2, Deadline: now.UnixMilli(), MaxExpires: now.UnixMilli(), Quotas: p.limits(2),
	}}
	dims, limits, seats, keys := pq.Int32Array{}, pq.Int32Array{}, pq.Int64Array{}, []string{}
	for i, q := range h.Quotas {
		if q.Dimension == stock.DimensionDocument {
			h.Quotas[i].Seat = stock.NewSeatID(nobodys, int32(i))
		}
		dims, keys, limits, seats = append(dims, int32(q.Dimension)), append(keys, q.Key.String()), append(limits, q.Limit), append(seats, int64(h.Quotas[i].Seat))
	}
	_, err := p.db.SQL().ExecContext(p.ctx, `INSERT INTO ledger.holds(id, event, segment, part, state, generation, quantity, quota_dims, quota_keys, quota_limits, quota_seats, deadline, max_expires_at)
		VALUES ($1, $2, $3, 0, 0, 1, 2, $4, $5::uuid[], $6, $7, $8, $8)`, id, int32(p.event), nobodys, dims, pq.Array(keys), limits, seats, now)
	p.must(err)
	p.sim.holds[id] = h
	p.count(h, 1)
}

// drop ends a hold that is being tried.
func (p *pair) drop(id uuid.UUID, h *holdRow) {
	_, err := p.db.SQL().ExecContext(p.ctx, `UPDATE ledger.holds SET state = 2 WHERE id = $1`, id)
	p.must(err)
	h.state = 2
	p.count(h, -1)
}

// count adds what a hold counts, or takes it away.
func (p *pair) count(h *holdRow, sign int32) {
	for _, q := range h.Quotas {
		n := sign * q.Count(h.Quantity)
		_, err := p.db.SQL().ExecContext(p.ctx, `INSERT INTO ledger.quota AS t (event, dimension, key, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (event, dimension, key) DO UPDATE SET n = t.n + excluded.n`, int32(p.event), int32(q.Dimension), q.Key, n)
		p.must(err)
		p.sim.quota[quotaKey{p.event, q.Dimension, q.Key}] += n
	}
}
