package order_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes fewer random histories than rapid does by default, unless the command line says otherwise: they are long, and each is lived through on a
// real server and reconciled.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("40")
	}
	os.Exit(m.Run())
}
