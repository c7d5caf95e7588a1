package ledger

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/lib/pq"
)

// ErrUnknown means that it is not known whether a flush was committed: the connection broke or the answer was lost. Send the same Flush
// again on a new lane until its outcome is known.
var ErrUnknown = errors.New("the outcome of the flush is unknown")

// ErrUnavailable means that Postgres cannot be reached or does not accept work just now.
var ErrUnavailable = errors.New("the ledger is not available")

// ErrNotFound means that there is no such row.
var ErrNotFound = errors.New("not found in the ledger")

// ErrStale means that a row has changed since the version that the caller knows.
var ErrStale = errors.New("changed since it was read")

// ErrExists means that a row with the same unique name is there already.
var ErrExists = errors.New("already in the ledger")

// ConstraintError means that the database's own last line refused a batch. Nothing of it was written. It is a bug or a disagreement between
// memory and ledger: raise an alarm, drop what memory believes, load again.
type ConstraintError struct {
	Code       string // SQLSTATE
	Constraint string // its name, where there is one
	Message    string
}

func (e *ConstraintError) Error() string {
	return fmt.Sprintf("the ledger refused the batch (%s %s): %s", e.Code, e.Constraint, e.Message)
}

// explain turns what the driver says into this package's errors.
// Explain wraps what Postgres said into the errors of this package, for those who ask it by DB.SQL.
func Explain(err error) error { return explain(err) }

func explain(err error) error {
	if err == nil {
		return nil
	}
	var p *pq.Error
	if errors.As(err, &p) {
		switch p.Code.Class() {
		case "08", "57", "53": // connection, operator intervention, resources
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case "23":
			if p.Code == "23505" {
				return fmt.Errorf("%w: %w", ErrExists, err)
			}
		}
		return err
	}
	var n net.Error
	if errors.As(err, &n) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) || isBroken(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
