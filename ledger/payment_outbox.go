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

// OutboxDone ends a job.
func (l *DB) OutboxDone(ctx context.Context, id int64, now time.Time) error {
	return explain(l.q.OutboxDone(ctx, l.short, db.OutboxDoneParams{ID: id, Now: now}))
}

// OutboxDoneByKey ends the job of a dedup key.
func (l *DB) OutboxDoneByKey(ctx context.Context, dedup string, now time.Time) error {
	return explain(l.q.OutboxDoneByKey(ctx, l.short, db.OutboxDoneByKeyParams{Dedup: dedup, Now: now}))
}

// OutboxFailed writes down why a job failed and when it is tried again; after maxAttempts it is dead and waits for people.
func (l *DB) OutboxFailed(ctx context.Context, id int64, cause error, again time.Time, maxAttempts int32, now time.Time) error {
	return explain(l.q.OutboxFailed(ctx, l.short, db.OutboxFailedParams{ID: id, Error: cause.Error(), Again: again, MaxAttempts: maxAttempts, Now: now}))
}
