package stock

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// idDomain keeps these hashes apart from any other use of SHA-256 over the same bytes.
const idDomain = "ticketrush/id/v1"

// NewCoordinatedID makes the id of a hold or an order: a UUIDv8 (RFC 9562) whose first 12 bits are the partition that coordinates it,
// the rest a hash of who asked (scope), under which idempotency key, and for what (purpose, as "hold" or "order").
// The same request always gets the same id, so that a retry finds what its first try made, and any node finds the owner from the id alone.
func NewCoordinatedID(part PartitionID, scope, key uuid.UUID, purpose string) uuid.UUID {
	b := make([]byte, 0, len(idDomain)+2*len(scope)+len(purpose))
	b = append(b, idDomain...)
	b = append(b, scope[:]...)
	b = append(b, key[:]...)
	b = append(b, purpose...)
	sum := sha256.Sum256(b)
	var id uuid.UUID
	copy(id[:], sum[:])
	part %= Partitions
	id[0] = byte(part >> 4)
	id[1] = byte(part<<4) | id[1]&0x0f
	id[6] = 0x80 | id[6]&0x0f // version 8
	id[8] = 0x80 | id[8]&0x3f // variant of RFC 9562
	return id
}

// CoordinatorOf reads the partition out of an id made by NewCoordinatedID.
func CoordinatorOf(id uuid.UUID) PartitionID {
	return PartitionID(id[0])<<4 | PartitionID(id[1]>>4)
}
