package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"net"
	"net/netip"

	"github.com/google/uuid"
	"github.com/sqlc-dev/pqtype"

	"ticketrush/ledger/db"
)

// APIKey is who a key was given to and what it may do. The key itself is not kept, only its SHA-256.
type APIKey struct {
	ID     uuid.UUID
	Name   string
	Person string
	Scopes []string
}

// APIKeyInsert keeps a new key by its hash. ErrExists says that the name is taken.
func (l *DB) APIKeyInsert(ctx context.Context, k APIKey, key string) error {
	sum := sha256.Sum256([]byte(key))
	return explain(l.q.APIKeyInsert(ctx, l.short, db.APIKeyInsertParams{ID: k.ID, Name: k.Name, Person: k.Person, Scopes: k.Scopes, Hash: sum[:]}))
}

// APIKeyFind finds who a key belongs to; ErrNotFound when it is unknown or revoked.
func (l *DB) APIKeyFind(ctx context.Context, key string) (APIKey, error) {
	sum := sha256.Sum256([]byte(key))
	r, err := l.q.APIKeyByHash(ctx, l.short, sum[:])
	if errors.Is(err, sql.ErrNoRows) {
		return APIKey{}, ErrNotFound
	}
	if err != nil {
		return APIKey{}, explain(err)
	}
	return APIKey{ID: r.ID, Name: r.Name, Person: r.Person, Scopes: r.Scopes}, nil
}

// Audit writes what somebody with an API key did. Detail may be nil; from may be the zero address.
func (l *DB) Audit(ctx context.Context, actor, action, subject string, detail json.RawMessage, from netip.Addr) error {
	p := db.AuditInsertParams{Actor: actor, Action: action, Subject: subject, Detail: pqtype.NullRawMessage{RawMessage: detail, Valid: detail != nil}}
	if from.IsValid() {
		ip := from.Unmap()
		p.FromAddr = pqtype.Inet{IPNet: net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen())}, Valid: true}
	}
	return explain(l.q.AuditInsert(ctx, l.short, p))
}
