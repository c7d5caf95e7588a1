package ledger_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes the random walks shorter than rapid does by default, unless the command line says otherwise: a hundred take minutes on a real server.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("20")
	}
	os.Exit(m.Run())
}
