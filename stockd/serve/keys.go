package serve

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"ticketrush/pass"
)

// keyID numbers the keys that are derived from the secrets file. There is one generation of them.
const keyID = 1

// TicketKey is the key that tickets are signed with.
func TicketKey(secrets *pass.Keyring) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(secrets.Derive("stockd/tickets", ed25519.SeedSize))
}

// BuyersKey is the key of the buyers' pseudonyms.
func BuyersKey(secrets *pass.Keyring) []byte { return secrets.Derive("stockd/buyers", sha256.Size) }

// BuyerPseudonym is what the ledger has instead of a buyer: the same for the same person, who is known by their address, or else by their name, and nothing
// to whoever lacks the key. Empty without either.
func BuyerPseudonym(key []byte, email, name string) string {
	who := strings.ToLower(strings.TrimSpace(email))
	if who == "" {
		who = strings.TrimSpace(name)
	}
	if who == "" {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(who))
	return "b_" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// OwnerPseudonym is what the ledger has instead of the account that a ticket was given to; empty without one.
func OwnerPseudonym(key []byte, account string) string {
	if account == "" {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("account\x00" + account))
	return "a_" + hex.EncodeToString(mac.Sum(nil)[:16])
}
