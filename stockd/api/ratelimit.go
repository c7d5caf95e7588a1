package api

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// readLimit bounds how often one client may read, so that scraping the map of a sale does not cost the sale.
// Its memory is bounded: clients share a fixed table of cells, and one that takes a cell from another starts with a full bucket. So a flood of
// clients can only make the limit milder, never lock somebody out.
type readLimit struct {
	perSecond, burst float64
	seed             maphash.Seed
	shards           [64]limitShard
}

type limitShard struct {
	mu    sync.Mutex
	cells [1024]limitCell // guarded by mu
}

type limitCell struct {
	client uint64
	left   float64
	at     time.Time
}

func newReadLimit(perSecond, burst float64) *readLimit {
	return &readLimit{perSecond: perSecond, burst: burst, seed: maphash.MakeSeed()}
}

// take asks for one read; when there is none it says how long until there is. weight scales the allowance: an address that many people may
// share gets more than one person does.
func (l *readLimit) take(client string, weight float64, now time.Time) (time.Duration, bool) {
	h := maphash.String(l.seed, client)
	shard := &l.shards[h%uint64(len(l.shards))]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	cell := &shard.cells[h/uint64(len(l.shards))%uint64(len(shard.cells))]
	burst, rate := l.burst*weight, l.perSecond*weight
	if cell.client != h {
		*cell = limitCell{client: h, left: burst, at: now}
	}
	cell.left = math.Min(burst, cell.left+rate*now.Sub(cell.at).Seconds())
	cell.at = now
	if cell.left < 1 {
		return time.Duration((1 - cell.left) / rate * float64(time.Second)), false
	}
	cell.left--
	return 0, true
}
