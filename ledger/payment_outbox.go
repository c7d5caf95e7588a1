package ledger

import (
	"context"
	"encoding/json"
	"time"

	"ticketrush/ledger/db"
)

// OutboxJob is a call to be made.
type OutboxJob struct {
	ID       int64
	Topic    string
	Payload  json.RawMessage
	Attempts int32
}

// OutboxTake takes calls that are due. Each is put off until the end of the lease, so that a crash only delays it.
func (l *DB) OutboxTake(ctx context.Context, limit int32, lease, now time.Time) ([]OutboxJob, error) {
	rows, err := l.q.OutboxTake(ctx, l.short, db.OutboxTakeParams{Count: limit, Lease: lease, Now: now})
	if err != nil {
		return nil, explain(err)
	}
	jobs := make([]OutboxJob, 0, len(rows))
	for _, r := range rows {
		jobs = append(jobs, OutboxJob{ID: r.ID, Topic: r.Topic, Payload: r.Payload, Attempts: r.Attempts})
	}
	return jobs, nil
}

// OutboxDone ends a job as it was taken. What was asked for anew meanwhile stays, to be taken when the lease is over.
func (l *DB) OutboxDone(ctx context.Context, job OutboxJob, now time.Time) error {
	return explain(l.q.OutboxDone(ctx, l.short, db.OutboxDoneParams{ID: job.ID, Payload: job.Payload, Now: now}))
}

// OutboxDoneByKey ends the job of a dedup key.
func (l *DB) OutboxDoneByKey(ctx context.Context, dedup string, now time.Time) error {
	return explain(l.q.OutboxDoneByKey(ctx, l.short, db.OutboxDoneByKeyParams{Dedup: dedup, Now: now}))
}

// OutboxFailed writes down why a job failed and when it is tried again; after maxAttempts it is dead and waits for people.
func (l *DB) OutboxFailed(ctx context.Context, id int64, cause error, again time.Time, maxAttempts int32, now time.Time) error {
	return explain(l.q.OutboxFailed(ctx, l.short, db.OutboxFailedParams{ID: id, Error: cause.Error(), Again: again, MaxAttempts: maxAttempts, Now: now}))
}

// OutboxCall is a call that is not done.
type OutboxCall struct {
	ID       int64
	Topic    string
	Payload  json.RawMessage
	Attempts int32
	Due      time.Time // when it is tried next
	DeadAt   time.Time // when it was given up; zero: it is not
	Error    string    // of the last try
}

// OutboxList lists calls that are not done, those that were given up first, at most limit.
func (l *DB) OutboxList(ctx context.Context, deadOnly bool, limit int32) ([]OutboxCall, error) {
	rows, err := l.q.OutboxList(ctx, l.short, db.OutboxListParams{DeadOnly: deadOnly, Count: limit})
	if err != nil {
		return nil, explain(err)
	}
	calls := make([]OutboxCall, 0, len(rows))
	for _, r := range rows {
		c := OutboxCall{ID: r.ID, Topic: r.Topic, Payload: r.Payload, Attempts: r.Attempts, Due: r.DueAt, DeadAt: r.DeadAt, Error: r.LastError}
		if c.DeadAt.Unix() == 0 {
			c.DeadAt = time.Time{}
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// OutboxCount counts the calls that are not done: those that wait, and those that were given up.
func (l *DB) OutboxCount(ctx context.Context) (waiting, dead int64, err error) {
	r, err := l.q.OutboxCount(ctx, l.short)
	return r.Waiting, r.Dead, explain(err)
}

// OutboxRetry makes a call due at once, with all its tries again; id 0: all that were given up. It says how many there were: of an id none when there is no
// such call, or it is done.
func (l *DB) OutboxRetry(ctx context.Context, id int64, now time.Time) (int64, error) {
	n, err := l.q.OutboxRetry(ctx, l.short, db.OutboxRetryParams{ID: id, Now: now})
	return n, explain(err)
}
