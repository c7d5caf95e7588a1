package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"
)

// readAll begins a transaction for reading whole tables, on the snapshot of another one or on its own. Such a read may scan a table, join as it likes, and
// wait for others that share its snapshot.
func (l *DB) readAll(ctx context.Context, snapshot string) (*sql.Tx, error) {
	tx, err := l.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, explain(err)
	}
	if snapshot != "" { // before anything is read
		if _, err := tx.ExecContext(ctx, "SET TRANSACTION SNAPSHOT "+pq.QuoteLiteral(snapshot)); err != nil {
			_ = tx.Rollback()
			return nil, explain(err)
		}
	}
	if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL plan_cache_mode = auto; "+
		"SET LOCAL work_mem = '64MB'; SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		_ = tx.Rollback()
		return nil, explain(err)
	}
	return tx, nil
}

// share is one share of a check.
type share struct {
	check int
	run   func(context.Context, *reconciler) error
	done  Check
	err   error
}

// runChecks runs the shares of all checks on as many connections as there are processors, and one more, because each waits for the other end at times. The
// transaction has the snapshot that they share. like is what each works with, but for its transaction.
func (l *DB) runChecks(ctx context.Context, tx *sql.Tx, like reconciler) ([]Check, error) {
	var shares []*share
	for i, c := range checks {
		for _, run := range c.shares {
			shares = append(shares, &share{check: i, run: run, done: Check{Name: c.name, About: c.about, Breaks: []Break{}}})
		}
	}
	connections := min(runtime.GOMAXPROCS(0)+1, len(shares))
	if most := l.pool.Stats().MaxOpenConnections; most > 0 {
		connections = min(connections, most-1)
	}
	// What has several shares takes longest: it begins.
	queue := slices.Clone(shares)
	slices.SortStableFunc(queue, func(a, b *share) int { return len(checks[b.check].shares) - len(checks[a.check].shares) })
	if connections < 2 {
		for _, s := range queue {
			s.work(ctx, tx, like)
		}
		return merged(shares, like.max)
	}
	snapshot, err := l.q.SnapshotExport(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("its snapshot: %w", explain(err))
	}
	next := make(chan *share, len(queue))
	for _, s := range queue {
		next <- s
	}
	close(next)
	var all sync.WaitGroup
	failed := make(chan error, connections)
	for range connections {
		all.Go(func() {
			own, err := l.readAll(ctx, snapshot)
			if err != nil {
				failed <- fmt.Errorf("another connection: %w", err)
				return
			}
			defer own.Rollback()
			for s := range next {
				s.work(ctx, own, like)
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return merged(shares, like.max)
	}
}

func (s *share) work(ctx context.Context, tx *sql.Tx, r reconciler) {
	start := time.Now()
	r.tx, r.current = tx, &s.done
	s.err = s.run(ctx, &r)
	s.done.Took = time.Since(start)
}

// merged puts the shares of each check together, in their order. Took is the sum of what they took.
func merged(shares []*share, most int32) ([]Check, error) {
	var out []Check
	for _, s := range shares {
		if s.err != nil {
			return nil, fmt.Errorf("%s: %w", s.done.Name, explain(s.err))
		}
		if s.check == len(out) {
			out = append(out, s.done)
			continue
		}
		c := &out[s.check]
		c.Rows += s.done.Rows
		c.Took += s.done.Took
		c.Breaks = append(c.Breaks, s.done.Breaks...)
		c.More = c.More || s.done.More
		if len(c.Breaks) > int(most) {
			c.Breaks, c.More = c.Breaks[:most], true
		}
	}
	return out, nil
}
