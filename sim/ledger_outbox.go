package sim

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// Topics of the outbox.
const (
	topicVoid   = "void"
	topicRefund = "refund"
	topicOrphan = "orphan"
	topicUnsell = "unsell"
)

// Job is a call to be made after a commit. Due is Unix ms.
type Job struct {
	Dedup, Topic, Ref string
	Payment, Order    uuid.UUID
	Refund            uuid.UUID
	Due               int64
	Done              bool
	no                int
}

// callBack notes a call; one that was done is taken up again.
func (l *Ledger) callBack(j Job) {
	if old := l.outbox[j.Dedup]; old != nil {
		if old.Done {
			old.Done, old.Due = false, j.Due
		}
		return
	}
	l.jobs++
	j.no = l.jobs
	l.outbox[j.Dedup] = &j
}

// OutboxTake takes the calls that are due and puts them off until lease.
func (l *Ledger) OutboxTake(lease, now int64) []Job {
	var jobs []Job
	for _, j := range l.outbox {
		if !j.Done && j.Due <= now {
			j.Due = lease
			jobs = append(jobs, *j)
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return cmp.Compare(a.no, b.no) })
	return jobs
}

// OutboxDone ends a call.
func (l *Ledger) OutboxDone(dedup string) { l.outbox[dedup].Done = true }
