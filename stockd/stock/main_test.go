package stock

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes the state machines walk longer than rapid does by default, unless the command line says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.checks": "300", "rapid.steps": "120"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			_ = f.Value.Set(value)
		}
	}
	os.Exit(m.Run())
}
