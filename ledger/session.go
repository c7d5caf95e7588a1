package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"ticketrush/ledger/db"
)

// Owner is who owns a partition, as the rows say.
type Owner struct {
	Part         int32
	Epoch        int64
	Session      int64
	Node         string
	APIAddr      string
	InternalAddr string
	Live         bool // the session has not ended and not expired, by the database's clock
}

// SessionOpen opens a session for a run of a node; its id names the owner in every flush.
func (l *DB) SessionOpen(ctx context.Context, node, apiAddr, internalAddr string, ttl time.Duration) (int64, error) {
	id, err := l.q.SessionOpen(ctx, l.sessions, db.SessionOpenParams{Node: node, ApiAddr: apiAddr, InternalAddr: internalAddr, TtlMs: ttl.Milliseconds()})
	return id, explain(err)
}

// SessionRenew prolongs a live session to ttl from now, by the database's clock. It says false when the session is over: a new one is needed.
func (l *DB) SessionRenew(ctx context.Context, id int64, ttl time.Duration) (bool, error) {
	_, err := l.q.SessionRenew(ctx, l.sessions, db.SessionRenewParams{ID: id, TtlMs: ttl.Milliseconds()})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, explain(err)
}

// Clock reads the database's clock, the only one that all nodes share. server tells which server that is: it is another text after a failover, and
// after the database was restored to an earlier time.
func (l *DB) Clock(ctx context.Context) (at time.Time, server string, err error) {
	r, err := l.q.Clock(ctx, l.sessions)
	return r.At, r.Server, explain(err)
}

// SessionEnd ends a session; its partitions may be claimed at once.
func (l *DB) SessionEnd(ctx context.Context, id int64) error {
	return explain(l.q.SessionEnd(ctx, l.sessions, id))
}

// Claimed is a partition that Claim took: the new epoch, and the last sequence number that was applied.
type Claimed struct {
	Part       int32
	Epoch      int64
	AppliedSeq int64
}

// Claim takes those of the partitions that are free, whose session is over, or that the same node has: the first of the two steps of a
// take-over. Load is the second. Partitions that are not in the answer have a live owner, or a flush is writing them just now: ask again.
func (l *DB) Claim(ctx context.Context, session int64, node string, parts []int32) ([]Claimed, error) {
	var claimed []Claimed
	err := l.inTx(ctx, func(tx *sql.Tx) error {
		locked, err := l.q.PartLock(ctx, tx, parts)
		if err != nil {
			return err
		}
		rows, err := l.q.PartClaim(ctx, tx, db.PartClaimParams{Session: session, Node: node, Parts: locked})
		for _, r := range rows {
			claimed = append(claimed, Claimed{Part: r.Part, Epoch: r.Epoch, AppliedSeq: r.AppliedSeq})
		}
		return err
	})
	if err != nil {
		return nil, err // an unknown commit is resolved by claiming again: the caller's own partitions are given to it at once
	}
	return claimed, nil
}

// PartRelease is a partition that its owner gives up.
type PartRelease struct {
	Part  int32
	Epoch int64
	Lives []HoldLife
}

// HoldLife is what is left of a hold's life when its partition is handed over.
type HoldLife struct {
	Hold      [16]byte
	Remaining time.Duration
}

// ReleaseParts ends the ownership of partitions and writes what is left of their holds, in one statement. Partitions that have another owner
// by now are left alone.
func (l *DB) ReleaseParts(ctx context.Context, session int64, parts []PartRelease) error {
	p := db.PartReleaseParams{Session: session}
	for _, r := range parts {
		p.Parts = append(p.Parts, r.Part)
		p.Epochs = append(p.Epochs, r.Epoch)
		for _, h := range r.Lives {
			p.Holds = append(p.Holds, h.Hold)
			p.Remaining = append(p.Remaining, h.Remaining.Milliseconds())
		}
	}
	_, err := l.q.PartRelease(ctx, l.short, p)
	return explain(err)
}

// Owners tells who owns each partition that has an owner.
func (l *DB) Owners(ctx context.Context) ([]Owner, error) {
	rows, err := l.q.PartOwners(ctx, l.short)
	if err != nil {
		return nil, explain(err)
	}
	owners := make([]Owner, 0, len(rows))
	for _, r := range rows {
		owners = append(owners, Owner{Part: r.Part, Epoch: r.Epoch, Session: r.Session, Node: r.Node, APIAddr: r.ApiAddr, InternalAddr: r.InternalAddr, Live: r.Live})
	}
	return owners, nil
}
