package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger"
)

// write makes a file.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "stockd.toml", "node = \"a\"\njoin = [\"127.0.0.1:1\"]\nlinger = \"1ms\"\n")
	c, err := Read(path, []string{
		"STOCKD_NODE=b", "STOCKD_JOIN=127.0.0.1:2, 127.0.0.1:3", "STOCKD_SANDBOX=true", "STOCKD_SESSION_TTL=5s", "STOCKD_LANES=4", "STOCKD_READS_PER_SECOND=2.5",
		"STOCKD_SECRETS=not a setting", "HOME=/root",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Node != "b" || len(c.Join) != 2 || c.Join[1] != "127.0.0.1:3" || !c.Sandbox || time.Duration(c.SessionTTL) != 5*time.Second || c.Lanes != 4 || c.ReadsPerSecond != 2.5 {
		t.Errorf("%+v", c)
	}
	if time.Duration(c.Linger) != time.Millisecond {
		t.Errorf("linger is %v", time.Duration(c.Linger))
	}
}

func TestUnknownAndUnreadableVariablesAreAllTold(t *testing.T) {
	t.Parallel()
	_, err := Read("", []string{"STOCKD_APIADDR=x", "STOCKD_LANES=many", "STOCKD_SANDBOX=perhaps", "STOCKD_QUEUE_WAIT=soon"})
	for _, want := range []string{"STOCKD_APIADDR is no setting", "STOCKD_LANES", "STOCKD_SANDBOX", "STOCKD_QUEUE_WAIT"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestTimesThatPersonalDataAreKept(t *testing.T) {
	t.Parallel()
	c, err := Read(write(t, "stockd.toml", "keep_names = \"7d\"\nkeep_webhooks = \"36h\"\n"), []string{"STOCKD_KEEP_MESSAGES=1d"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.WithDefaults("host").Retention(); got != (ledger.Retention{ClientIP: 30 * day, Names: 7 * day, Messages: day, Webhooks: 36 * time.Hour}) {
		t.Errorf("%+v", got)
	}
	if _, err := Read("", []string{"STOCKD_KEEP_NAMES=59m", "STOCKD_KEEP_CLIENT_IP=-1d"}); err == nil || !strings.Contains(err.Error(), "59m is not within 1h to 3650d") || !strings.Contains(err.Error(), "STOCKD_KEEP_CLIENT_IP") {
		t.Errorf("%v", err)
	}
}

func TestDefaultsAreValidOnLoopback(t *testing.T) {
	t.Parallel()
	c := Config{Postgres: "dbname=x sslmode=disable", SecretsFile: "x"}.WithDefaults("host")
	if err := c.Validate(nil); err != nil {
		t.Error(err)
	}
	if c.Node != "host" || c.SandboxURL != "http://127.0.0.1:7101" || c.APIAdvertise != c.APIAddr {
		t.Errorf("%+v", c)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("node = \"a\"\n[x]\ny = 1\n")
	f.Add("join = [1, \"a\"]\n")
	f.Fuzz(func(_ *testing.T, text string) {
		var c Config
		if c.decode("x.toml", []byte(text)) == nil {
			_ = c.WithDefaults("h").Validate(nil)
		}
	})
}
