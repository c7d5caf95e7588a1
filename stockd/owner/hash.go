package owner

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"ticketrush/stockd/stock"
)

// loadBound is how much more than the mean a node may be given.
const loadBound = 1.10

// Propose says for each partition which member should own it: rendezvous hashing (highest random weight), each partition in turn going to
// its best member that has fewer than loadBound times the mean. The result depends on the set of members only. It is nil without members.
func Propose(members []string) []string {
	members = slices.Clone(members)
	slices.Sort(members)
	members = slices.Compact(members)
	if len(members) == 0 {
		return nil
	}
	most := int(math.Ceil(loadBound * stock.Partitions / float64(len(members))))
	load := make([]int, len(members))
	table := make([]string, stock.Partitions)
	for p := range table {
		best := -1
		var bestScore uint64
		for i, m := range members {
			if load[i] >= most {
				continue
			}
			if s := score(m, uint64(p)); best < 0 || s > bestScore {
				best, bestScore = i, s
			}
		}
		load[best]++
		table[p] = members[best]
	}
	return table
}

// Best is the member with the highest random weight for a key. It serves what needs one node without ownership, as an event's counts.
func Best(members []string, key uint64) string {
	var best string
	var bestScore uint64
	for _, m := range members {
		if s := score(m, key); best == "" || s > bestScore || s == bestScore && m < best {
			best, bestScore = m, s
		}
	}
	return best
}

// score is xxh64 of the member's name and the key. Names are short: what is hashed fits on the stack.
func score(member string, key uint64) uint64 {
	var b [96]byte
	return xxhash.Sum64(binary.BigEndian.AppendUint64(append(b[:0], member...), key))
}
