package finance

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/money"
)

// Transfer is one posting: an amount from a debit to a credit account.
type Transfer struct {
	ID          int64     `json:"id"`
	Source      string    `json:"source"` // the cause
	Leg         int16     `json:"leg"`
	Debit       string    `json:"debit"`
	Credit      string    `json:"credit"`
	Currency    string    `json:"currency"`
	Minor       int64     `json:"amount_minor"` // minor units of Currency
	Amount      string    `json:"amount"`       // the same, for people
	Order       uuid.UUID `json:"order"`        // zero: of no order
	Day         string    `json:"day"`          // the business day, as 2006-01-02
	EffectiveAt time.Time `json:"effective_at"` // to the microsecond
	RecordedAt  time.Time `json:"recorded_at"`  // to the microsecond
	Reverses    int64     `json:"reverses,omitempty"`
}

// leafDomain begins each leaf, so that what is signed about a transfer is never taken for something else, and a later shape can be told apart.
const leafDomain = "ticketrush/transfer/v1\x00"

// day is the layout of business days.
const day = time.DateOnly

// Leaf is what is signed about a transfer: the fields in a fixed order, each with a fixed width, big endian; texts by their SHA-256. The function transfer_leaf of the
// schema says the same. It refuses a transfer that no ledger has.
func (t *Transfer) Leaf() ([]byte, error) {
	d, err := time.Parse(day, t.Day)
	if err != nil {
		return nil, fmt.Errorf("the business day %q is no date", t.Day)
	}
	if len(t.Currency) != 3 {
		return nil, fmt.Errorf("the currency %q is none", t.Currency)
	}
	if t.Amount != money.Format(t.Minor, t.Currency) {
		return nil, fmt.Errorf("the amount %q is not the amount in minor units, %d", t.Amount, t.Minor)
	}
	b := []byte(leafDomain)
	b = binary.BigEndian.AppendUint64(b, uint64(t.ID))
	b = binary.BigEndian.AppendUint32(b, uint32(d.Unix()/86400))
	b = binary.BigEndian.AppendUint16(b, uint16(t.Leg))
	for _, text := range []string{t.Source, t.Debit, t.Credit} {
		sum := sha256.Sum256([]byte(text))
		b = append(b, sum[:]...)
	}
	b = append(b, t.Currency...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Minor))
	b = append(b, t.Order[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.EffectiveAt.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.RecordedAt.UnixMicro()))
	return binary.BigEndian.AppendUint64(b, uint64(t.Reverses)), nil
}
