package sim

import (
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/stockd/stock"
)

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

// legQuotas are the limits of a leg of n tickets: its hold's, and of its documents the next n that stand for no seat yet. Without documents now and then,
// as by a node of a version that knows none of legs.
func (p *pair) legQuotas(h *holdRow, n int32) (quotas []stock.Quota) {
	var documents []stock.Quota
	for _, q := range h.Quotas {
		if !isDocument(q) {
			quotas = append(quotas, q)
		} else if q.Seat == 0 {
			documents = append(documents, q)
		}
	}
	if int(n) > len(documents) || rapid.IntRange(0, 15).Draw(p.T, "no documents") == 0 {
		return quotas
	}
	return append(quotas, documents[:n]...)
}
