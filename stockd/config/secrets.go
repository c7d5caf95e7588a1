package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"ticketrush/pass"
	"ticketrush/stockd/account"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/stripe"
)

// Secrets are what a node must keep to itself.
type Secrets struct {
	DSN      string            // the ledger's connection string
	Rooms    *pass.Keyring     // of the passes of waiting rooms; nil: none
	Tokens   *pass.Keyring     // of tokens, tickets and pseudonyms
	Accounts *account.Verifier // of the site's account tokens; nil: none
	Internal string            // key of the internal listener
	Gossip   []byte            // 32 bytes; nil: gossip is not encrypted
	Stripe   *stripe.Provider  // nil: off
}

// Secrets reads everything that is secret. A missing file refuses to start.
func (c Config) Secrets(environ []string) (s Secrets, err error) {
	if s.DSN, err = c.DSN(); err != nil {
		return s, err
	}
	if s.Rooms, err = keyring("room_keys_file", c.RoomKeysFile, "STOCKD_ROOM_KEYS", environ); err != nil {
		return s, err
	}
	if s.Tokens, err = c.Tokens(environ); err != nil {
		return s, err
	}
	accounts, err := secret("account_keys_file", c.AccountKeysFile, "STOCKD_ACCOUNT_KEYS", environ)
	if err != nil {
		return s, err
	}
	if accounts != nil {
		if s.Accounts, err = account.NewVerifier(accounts, c.AccountIssuer, c.AccountAudience); err != nil {
			return s, failure.ByMisuse(fmt.Errorf("account_keys_file %s: %w", c.AccountKeysFile, err))
		}
	}
	if s.Stripe, err = c.stripe(environ); err != nil {
		return s, err
	}
	internal, err := secret("internal_key_file", c.InternalKeyFile, "STOCKD_INTERNAL_KEY", environ)
	if err != nil {
		return s, err
	}
	s.Internal = strings.TrimSpace(string(internal))
	gossip, err := secret("gossip_key_file", c.GossipKeyFile, "STOCKD_GOSSIP_KEY", environ)
	if err != nil || gossip == nil {
		return s, err
	}
	s.Gossip, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(gossip)))
	if err != nil || len(s.Gossip) != 32 {
		return s, failure.ByMisuse(fmt.Errorf("gossip_key_file %s: want 32 bytes in base64; make one with `stockd keys gossip --out FILE`", c.GossipKeyFile))
	}
	return s, nil
}

// DSN is the ledger's connection string, from the setting or its file.
func (c Config) DSN() (string, error) {
	if c.PostgresFile != "" {
		text, err := os.ReadFile(c.PostgresFile)
		if err != nil {
			return "", failure.ByAbsence(fmt.Errorf("postgres_file: %w; correct postgres_file (%s)", err, EnvName("postgres_file")))
		}
		return strings.TrimSpace(string(text)), nil
	}
	if c.Postgres == "" {
		return "", failure.ByMisuse(errors.New("where is the ledger? Set STOCKD_POSTGRES to its connection string, or name a configuration with --config"))
	}
	return c.Postgres, nil
}

// Tokens are the keys of the secrets file: of tokens, tickets and pseudonyms; nil without one.
func (c Config) Tokens(environ []string) (*pass.Keyring, error) {
	return keyring("secrets_file", c.SecretsFile, "STOCKD_SECRETS", environ)
}

func keyring(setting, path, variable string, environ []string) (*pass.Keyring, error) {
	text, err := secret(setting, path, variable, environ)
	if err != nil || text == nil {
		return nil, err
	}
	ring, err := pass.ParseKeyring(text)
	if err != nil {
		return nil, failure.ByMisuse(fmt.Errorf("%s %s: %w; make a fresh file with `stockd keys new --out FILE`", setting, path, err))
	}
	return ring, nil
}

// secret reads a secret from its file or, without one, from the environment. Empty means that it is in neither.
func secret(setting, path, variable string, environ []string) ([]byte, error) {
	if path == "" {
		for _, line := range environ {
			if value, ok := strings.CutPrefix(line, variable+"="); ok {
				return []byte(value), nil
			}
		}
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.ByAbsence(fmt.Errorf("%s: %w; make the file (`stockd keys` makes those of our own), or correct %s (%s)", setting, err, setting, EnvName(setting)))
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil, failure.ByMisuse(fmt.Errorf("%s: %s is empty", setting, path))
	}
	return text, nil
}
