package main

// Exit codes; doc.go says what they mean.
const (
	exitDone    = 0
	exitFailed  = 1
	exitMisused = 2
	exitMissing = 3
)

// failure is an error with the exit code that it ends the process with. Without err the reason has been printed already.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// misuse marks an error of the command line or the configuration.
func misuse(err error) error { return &failure{code: exitMisused, err: err} }

// missing marks an error of something that is needed and not there.
func missing(err error) error { return &failure{code: exitMissing, err: err} }

// told ends with a code when everything has been said.
func told(code int) error { return &failure{code: code} }
