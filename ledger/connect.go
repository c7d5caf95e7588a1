package ledger

import (
	"database/sql/driver"
	"errors"
	"io"
)

// isBroken says that the connection ended under us.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
}
