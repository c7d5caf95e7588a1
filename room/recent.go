package room

// recentMax bounds the joins that are remembered so that a repeated join finds its rank: about 5 MB.
const recentMax = 1 << 16

// recent is a map that forgets its oldest entry when it is full.
type recent[V any] struct {
	byTid map[Tid]V
	ring  []Tid
	at    int
}

func newRecent[V any](limit int) *recent[V] {
	return &recent[V]{byTid: map[Tid]V{}, ring: make([]Tid, 0, limit)}
}

func (c *recent[V]) get(tid Tid) (V, bool) {
	v, ok := c.byTid[tid]
	return v, ok
}

// add enters tid; an entry that is there keeps its age.
func (c *recent[V]) add(tid Tid, v V) {
	if _, ok := c.byTid[tid]; !ok {
		if len(c.ring) < cap(c.ring) {
			c.ring = append(c.ring, tid)
		} else {
			delete(c.byTid, c.ring[c.at])
			c.ring[c.at] = tid
			c.at = (c.at + 1) % len(c.ring)
		}
	}
	c.byTid[tid] = v
}
