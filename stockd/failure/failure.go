// Package failure says how a command of stockd ended: an error with its exit code.
package failure

// Exit codes.
const (
	Done    = 0
	Failed  = 1 // it ran, and did not do what was asked, or found what it looked for: a break, an oversold seat
	Misused = 2 // the command line or the configuration is wrong
	Missing = 3 // something that is needed is not there: Postgres, a file, a port
)

// Error is an error with the exit code that it ends the process with. Without Err the reason has been printed already.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "failed"
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// ByMisuse marks an error of the command line or the configuration.
func ByMisuse(err error) error { return &Error{Code: Misused, Err: err} }

// ByAbsence marks an error of something that is needed and not there.
func ByAbsence(err error) error { return &Error{Code: Missing, Err: err} }

// Told ends with a code when everything has been said.
func Told(code int) error { return &Error{Code: code} }
