package main

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/serve"
)

// TestMain lets the test binary be the program: the demo runs its nodes and its sweeper as children of the same name, and a gate is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "sweep" || os.Args[1] == "gate") {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := run(ctx, os.Args[1:], console{out: os.Stdout, err: os.Stderr})
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// stockd runs a command line and gives its exit code and what it said.
func stockd(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, console{out: &o, err: &e})
	return code, o.String(), e.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// node is a configuration that is right, but for what a test adds; Postgres is nowhere.
func nodeConfig(t *testing.T, more string) string {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "secrets.keys")
	if code, _, errs := stockd(t, "keys", "new", "--out", keys); code != 0 {
		t.Fatal(errs)
	}
	return write(t, "stockd.toml", `node = "n1"
api_addr = "127.0.0.1:17101"
internal_addr = "127.0.0.1:17301"
gossip_addr = "127.0.0.1:17201"
postgres = "host=/nowhere user=x dbname=x sslmode=disable"
secrets_file = "`+keys+`"
`+more)
}

func TestEachMistakeIsSaidWithWhatToDo(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		says []string
	}{
		"unknown command":    {[]string{"sell"}, 2, []string{"sell", "stockd --help"}},
		"unknown flag":       {[]string{"rush", "--fanz", "3"}, 2, []string{"--fanz"}},
		"no such config":     {[]string{"serve", "--config", "/nowhere/stockd.toml"}, 2, []string{"/nowhere/stockd.toml", "--config"}},
		"unknown setting":    {[]string{"serve", "--config", nodeConfig(t, "apiaddr = \"x\"\n")}, 2, []string{":7: ", "apiaddr", "did you mean api_addr?"}},
		"not TOML":           {[]string{"serve", "--config", write(t, "bad.toml", "node = \"a\"\nlanes = = 2\n")}, 2, []string{"bad.toml:2"}},
		"wrong type":         {[]string{"serve", "--config", nodeConfig(t, "lanes = \"two\"\n")}, 2, []string{"lanes"}},
		"bad duration":       {[]string{"serve", "--config", nodeConfig(t, "session_ttl = \"soon\"\n")}, 2, []string{"session_ttl"}},
		"everything wrong":   {[]string{"serve", "--config", write(t, "wrong.toml", "api_addr = \"here\"\ninternal_addr = \"0.0.0.0:7301\"\ngossip_addr = \"0.0.0.0:7201\"\nlanes = 99\nlog_level = \"loud\"\ntrusted_proxies = [\"me\"]\n")}, 2, []string{"STOCKD_API_ADDR", "internal_key_file", "gossip_key_file", "lanes", "log_level", "trusted_proxies", "postgres (STOCKD_POSTGRES)", "secrets_file", "stockd keys new", "internal_advertise"}},
		"missing key file":   {[]string{"serve", "--config", nodeConfig(t, "room_keys_file = \"/nowhere/room.keys\"\n")}, 3, []string{"/nowhere/room.keys", "stockd keys", "STOCKD_ROOM_KEYS_FILE"}},
		"broken key file":    {[]string{"serve", "--config", nodeConfig(t, "room_keys_file = \""+write(t, "room.keys", "current 1 short\n")+"\"\n")}, 2, []string{"room_keys_file", "stockd keys new"}},
		"private acc. key":   {[]string{"serve", "--config", nodeConfig(t, "account_keys_file = \""+write(t, "account.jwks", `{"keys":[{"kty":"OKP","crv":"Ed25519","d":"AAAA","x":"AAAA"}]}`)+"\"\n")}, 2, []string{"account_keys_file", "private key", "public key"}},
		"no account keys":    {[]string{"serve", "--config", nodeConfig(t, "account_required = true\n")}, 2, []string{"account_required (STOCKD_ACCOUNT_REQUIRED)", "account_keys_file"}},
		"short gossip key":   {[]string{"serve", "--config", nodeConfig(t, "gossip_key_file = \""+write(t, "gossip.key", "c2hvcnQ=\n")+"\"\n")}, 2, []string{"gossip_key_file", "32 bytes"}},
		"no Postgres":        {[]string{"serve", "--config", nodeConfig(t, "")}, 3, []string{"postgres", "start Postgres", "STOCKD_POSTGRES"}},
		"no Postgres, check": {[]string{"serve", "--check", "--config", nodeConfig(t, "")}, 3, []string{"start Postgres"}},
		"migrate nothing":    {[]string{"migrate"}, 2, []string{"STOCKD_POSTGRES"}},
		"reconcile nowhere":  {[]string{"reconcile", "--config", nodeConfig(t, "")}, 3, []string{"start Postgres"}},
		"tickets, no file":   {[]string{"reconcile", "--tickets", "/nowhere/codes", "--config", nodeConfig(t, "")}, 2, []string{"--tickets", "/nowhere/codes"}},
		"tickets, no key":    {[]string{"reconcile", "--tickets", write(t, "codes", "x\n")}, 2, []string{"STOCKD_POSTGRES"}},
		"restored, why":      {[]string{"restored", "--config", nodeConfig(t, "")}, 2, []string{"--why"}},
		"restored nowhere":   {[]string{"restored", "--why", "a test", "--config", nodeConfig(t, "")}, 3, []string{"start Postgres"}},
		"kept for ever":      {[]string{"serve", "--config", nodeConfig(t, "keep_names = \"40000d\"\n")}, 2, []string{":7: ", "keep_names", "40000d is not within 1h to 3650d"}},
		"kept for no time":   {[]string{"serve", "--config", nodeConfig(t, "keep_webhooks = \"0d\"\n")}, 2, []string{":7: ", "keep_webhooks", "0d is not within 1h to 3650d"}},
		"kept for what":      {[]string{"serve", "--config", nodeConfig(t, "keep_client_ip = \"a month\"\n")}, 2, []string{":7: ", "keep_client_ip", "a month"}},
		"kept for bare 30":   {[]string{"serve", "--config", nodeConfig(t, "keep_messages = 30\n")}, 2, []string{":7: ", "keep_messages"}},
		"kept, no days":      {[]string{"serve", "--config", nodeConfig(t, "keep_messages = \"1.5d\"\n")}, 2, []string{":7: ", "keep_messages", "\"1.5d\" is no number of days, such as 30d"}},
		"invoices too often": {[]string{"serve", "--config", nodeConfig(t, "invoice_every = \"5s\"\n")}, 2, []string{"invoice_every (STOCKD_INVOICE_EVERY)", "5s is not within 1m0s to 168h0m0s"}},
		"erase nobody":       {[]string{"erase"}, 2, []string{"--order", "--buyer", "--ticket", "--account"}},
		"erase two at once":  {[]string{"erase", "--ticket", "tkt_01890a5d-ac96-7774-bcce-b302099a8057", "--buyer", "a@example.org"}, 2, []string{"whose data?", "one of"}},
		"erase which ticket": {[]string{"erase", "--ticket", "42", "--config", nodeConfig(t, "")}, 2, []string{"--ticket", "\"42\"", "tkt_"}},
		"erase, no key, acc": {[]string{"erase", "--account", "u_812", "--config", write(t, "keyless.toml", "postgres = \"host=/nowhere sslmode=disable\"\n")}, 2, []string{"--account", "secrets_file"}},
		"erase what":         {[]string{"erase", "--order", "42", "--config", nodeConfig(t, "")}, 2, []string{"--order", "42", "ord_"}},
		"erase, no key":      {[]string{"erase", "--buyer", "ada@example.org", "--config", write(t, "keyless.toml", "postgres = \"host=/nowhere sslmode=disable\"\n")}, 2, []string{"--buyer", "secrets_file"}},
		"erase nowhere":      {[]string{"erase", "--order", "01890a5d-ac96-8774-bcce-b302099a8057", "--config", nodeConfig(t, "")}, 3, []string{"start Postgres"}},
		"migrate nowhere":    {[]string{"migrate", "--dry-run", "--config", nodeConfig(t, "")}, 3, []string{"start Postgres"}},
		"no API key":         {[]string{"event", "show", "demo"}, 2, []string{"STOCKD_API_KEY", "stockd apikey create"}},
		"nobody listens":     {[]string{"event", "show", "demo", "--url", "http://127.0.0.1:1", "--api-key-file", write(t, "key", "trk_x\n")}, 3, []string{"127.0.0.1:1", "--url"}},
		"event not JSON":     {[]string{"event", "create", write(t, "event.json", "{"), "--api-key-file", write(t, "key", "trk_x\n")}, 2, []string{"event.json", "JSON"}},
		"rush nowhere":       {[]string{"rush", "--url", "http://127.0.0.1:1"}, 3, []string{"127.0.0.1:1", "--url"}},
		"rush misconfigured": {[]string{"rush", "--fans", "0", "--late", "7", "--url", "here"}, 2, []string{"--url", "--late"}},
		"bad parties":        {[]string{"rush", "--parties", "some"}, 2, []string{"--parties"}},
		"no Caddy":           {[]string{"demo", "--caddy", "/nowhere/caddy"}, 3, []string{"/nowhere/caddy", "./xcaddy.sh"}},
		"no nodes":           {[]string{"demo", "--nodes", "0"}, 2, []string{"--nodes"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := stockd(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(errs, want) {
					t.Errorf("it does not say %q:\n%s", want, errs)
				}
			}
			if strings.Contains(errs, "goroutine ") {
				t.Errorf("it panics:\n%s", errs)
			}
		})
	}
}

func TestATakenPortNamesTheSettingToChange(t *testing.T) {
	// The ports open when the ledger has been read, so there has to be one that a node takes.
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"api_addr", "internal_addr", "gossip_addr"} {
		path := nodeConfig(t, "")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		config := strings.Replace(string(text), "host=/nowhere user=x dbname=x sslmode=disable", dsn, 1)
		taken := ""
		for _, s := range []struct{ name, addr string }{{"api_addr", "127.0.0.1:17101"}, {"internal_addr", "127.0.0.1:17301"}, {"gossip_addr", "127.0.0.1:17201"}} {
			l, err := serve.Listen(t.Context(), "127.0.0.1:0", "test")
			if err != nil {
				t.Fatal(err)
			}
			config = strings.Replace(config, s.addr, l.Addr().String(), 1)
			if s.name == setting {
				taken = l.Addr().String()
				defer l.Close()
			} else if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		code, _, errs := stockd(t, "serve", "--config", write(t, "stockd.toml", config))
		if code != failure.Missing || !strings.Contains(errs, taken) || !strings.Contains(errs, "change "+setting) {
			t.Errorf("%s: exit code %d:\n%s", setting, code, errs)
		}
	}
}

func TestWithoutThePostgresBinaryTheDemoSaysHowToGetIt(t *testing.T) {
	t.Setenv("PGBIN", t.TempDir())
	code, _, errs := stockd(t, "demo", "--no-edge")
	if code == failure.Done || !strings.Contains(errs, "PGBIN") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
}

func TestKeysAreNotWrittenOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "k")
	for _, kind := range []string{"new", "internal", "gossip"} {
		if code, _, errs := stockd(t, "keys", kind, "--out", path+kind); code != 0 {
			t.Fatal(errs)
		}
		if info, err := os.Stat(path + kind); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", kind, info.Mode(), err)
		}
		if code, _, errs := stockd(t, "keys", kind, "--out", path+kind); code != failure.Misused || !strings.Contains(errs, "--force") {
			t.Errorf("%s again: exit code %d: %s", kind, code, errs)
		}
		if code, _, _ := stockd(t, "keys", kind, "--force", "--out", path+kind); code != 0 {
			t.Errorf("%s with --force: exit code %d", kind, code)
		}
	}
}

func TestPlainCommands(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"version"}, {"openapi"}, {}} {
		if code, out, errs := stockd(t, args...); code != 0 || out == "" || errs != "" {
			t.Errorf("%v: exit code %d, %d bytes, %s", args, code, len(out), errs)
		}
	}
	if _, out, _ := stockd(t, "openapi"); !strings.HasPrefix(out, "openapi: 3.1.0") {
		t.Error("openapi is not the contract")
	}
}
