package api

import (
	"strings"

	"github.com/google/uuid"
)

// Prefixes of ids.
const (
	prefixChart   = "cht_"
	prefixEvent   = "evt_"
	prefixHold    = "hold_"
	prefixOrder   = "ord_"
	prefixPayment = "pay_"
	prefixRefund  = "ref_"
	prefixTicket  = "tkt_"
	prefixOffer   = "off_"
)

// parseID reads an id in its one form: prefix, lower case, dashes.
func parseID(text, prefix string) (uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != 36 {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(rest)
	return id, err == nil && id.String() == rest
}

// versioned makes a hash a UUID of version 8 (RFC 9562).
func versioned(id uuid.UUID) uuid.UUID {
	id[6] = 0x80 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}
