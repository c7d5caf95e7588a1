package shed

// queue is the waiting requests of a class in order of arrival. One that was given up stays until it is first, or until half of them are such.
type queue struct {
	list    []*Ticket
	waiting int // of the list
}

func (q *queue) len() int { return q.waiting }

func (q *queue) push(t *Ticket) {
	q.list = append(q.list, t)
	q.waiting++
}

// first is the oldest one that waits, nil when there is none.
func (q *queue) first() *Ticket {
	for len(q.list) > 0 && !q.list[0].waiting {
		q.list[0] = nil
		q.list = q.list[1:]
	}
	if len(q.list) == 0 {
		q.list = nil
		return nil
	}
	return q.list[0]
}

// pop takes the oldest one that waits off the list; deciding it takes it off the count.
func (q *queue) pop() *Ticket {
	t := q.first()
	q.list[0] = nil
	q.list = q.list[1:]
	return t
}

// clean bounds the list by twice those that wait.
func (q *queue) clean() {
	if len(q.list) < 2*q.waiting+16 {
		return
	}
	kept := make([]*Ticket, 0, q.waiting)
	for _, t := range q.list {
		if t.waiting {
			kept = append(kept, t)
		}
	}
	q.list = kept
}
