package owner

import (
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
	names := make([]uint64, len(members))
	for i, m := range members {
		names[i] = xxhash.Sum64String(m)
	}
	table := make([]string, stock.Partitions)
	for p := range table {
		best := -1
		var bestScore uint64
		for i, name := range names {
			if load[i] >= most {
				continue
			}
			if s := score(name, uint64(p)); best < 0 || s > bestScore {
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
		if s := score(xxhash.Sum64String(m), key); best == "" || s > bestScore || s == bestScore && m < best {
			best, bestScore = m, s
		}
	}
	return best
}

// score mixes the hash of a member's name with a key: the key times an odd number, then the finaliser of MurmurHash3, in which each bit of the input
// changes half of the output's.
func score(name, key uint64) uint64 {
	x := name ^ key*0x9e3779b97f4a7c15
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
