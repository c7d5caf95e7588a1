package host

import (
	"crypto/ed25519"

	"ticketrush/pass"
)

// FrontierKey signs the documents of all rooms that share a keys file, whoever owns them.
func FrontierKey(keys *pass.Keyring) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(keys.Derive("frontier/ed25519", ed25519.SeedSize))
}

// LogKey signs the checkpoints of the logs of all rooms that share a keys file.
func LogKey(keys *pass.Keyring) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(keys.Derive("log/ed25519", ed25519.SeedSize))
}
