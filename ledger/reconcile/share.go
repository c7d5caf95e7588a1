package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
)

// readAll begins a transaction for reading whole tables, on the snapshot of another one or on its own. Such a read may scan a table, join as it likes, and
// wait for others that share its snapshot.
func readAll(ctx context.Context, pool *sql.DB, snapshot string) (*sql.Tx, error) {
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, ledger.Explain(err)
	}
	if snapshot != "" { // before anything is read
		if _, err := tx.ExecContext(ctx, "SET TRANSACTION SNAPSHOT "+pq.QuoteLiteral(snapshot)); err != nil {
			_ = tx.Rollback()
			return nil, ledger.Explain(err)
		}
	}
	if _, err := tx.ExecContext(ctx, "SET LOCAL plan_cache_mode = auto; SET LOCAL work_mem = '64MB'; SET LOCAL idle_in_transaction_session_timeout = 0; "+anyPlan); err != nil {
		_ = tx.Rollback()
		return nil, ledger.Explain(err)
	}
	return tx, nil
}

// What a reading transaction may do: anything, or go along an index only, so that what it asks for in the order of an index comes without a sort.
const (
	anyPlan = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_bitmapscan = on"
	byIndex = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_bitmapscan = off"
)

// share is a part of the work that one connection does, beside others: one check, or a part of the rows of several.
type share struct {
	of    []string // checks
	plans string
	run   func(context.Context, *reconciler) error
	found []Check
	err   error
}

// shares are all shares, those that take longest first.
func shares() (all []*share) {
	for i := range walkShares {
		all = append(all, &share{of: journalChecks, plans: byIndex, run: walkJournal(i)})
	}
	all = append(all, &share{of: providerChecks, plans: anyPlan, run: checkProviders})
	for _, c := range checks {
		if c.run != nil {
			all = append(all, &share{of: []string{c.name}, plans: anyPlan, run: c.run})
		}
	}
	return all
}

// runChecks runs all shares on as many connections as there are processors, and one more, because each waits for the other end at times. The
// transaction has the snapshot that they share. like is what each works with, but for its transaction.
func runChecks(ctx context.Context, pool *sql.DB, tx *sql.Tx, like reconciler) ([]Check, error) {
	var rows db.StockRowsRow
	all := append(shares(), &share{of: []string{"chain"}, plans: anyPlan, run: func(ctx context.Context, r *reconciler) (err error) {
		rows, err = r.q.StockRows(ctx, r.tx, r.event)
		return err
	}})
	connections := min(runtime.GOMAXPROCS(0)+1, len(all))
	if most := pool.Stats().MaxOpenConnections; most > 0 {
		connections = min(connections, most-1)
	}
	like.totals = sync.OnceValues(func() (db.OrderTotalsRow, error) { return like.q.OrderTotals(ctx, tx, like.event) })
	if connections < 2 {
		for _, s := range all {
			s.work(ctx, tx, like)
		}
	} else if err := beside(ctx, pool, tx, connections, all, like); err != nil {
		return nil, err
	}
	found, err := merged(all, like.most)
	if err != nil {
		return nil, err
	}
	checkSeen(&rows, found, like.event, like.most)
	return found, nil
}

// beside runs shares on connections of their own.
func beside(ctx context.Context, pool *sql.DB, tx *sql.Tx, connections int, all []*share, like reconciler) error {
	snapshot, err := like.q.SnapshotExport(ctx, tx)
	if err != nil {
		return fmt.Errorf("its snapshot: %w", ledger.Explain(err))
	}
	next := make(chan *share, len(all))
	for _, s := range all {
		next <- s
	}
	close(next)
	var group sync.WaitGroup
	failed := make(chan error, connections)
	for range connections {
		group.Go(func() {
			own, err := readAll(ctx, pool, snapshot)
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
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (s *share) work(ctx context.Context, tx *sql.Tx, r reconciler) {
	start := time.Now()
	for _, name := range s.of {
		s.found = append(s.found, Check{Name: name})
	}
	r.tx, r.found = tx, s.found
	r.tally = r.of(s.of[0])
	if _, s.err = tx.ExecContext(ctx, s.plans); s.err == nil {
		s.err = s.run(ctx, &r)
	}
	s.found[0].Took = time.Since(start)
}

// merged puts what the shares found for each check together, in the order of the checks and shares. Took is the sum of what they took.
func merged(all []*share, most int32) ([]Check, error) {
	out := make([]Check, len(checks))
	for i, c := range checks {
		out[i] = Check{Name: c.name, About: c.about, Breaks: []Break{}}
	}
	for _, s := range all {
		if s.err != nil {
			return nil, fmt.Errorf("%s: %w", s.of[0], ledger.Explain(s.err))
		}
		for _, found := range s.found {
			c := &out[slices.IndexFunc(out, func(c Check) bool { return c.Name == found.Name })]
			c.Rows += found.Rows
			c.Took += found.Took
			c.Breaks = append(c.Breaks, found.Breaks...)
			c.More = c.More || found.More
			if len(c.Breaks) > int(most) {
				c.Breaks, c.More = c.Breaks[:most], true
			}
		}
	}
	return out, nil
}
