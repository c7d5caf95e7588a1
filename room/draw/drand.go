package draw

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudflare/circl/sign/bls"
)

// QuicknetSource names drand's network "quicknet" in a beacon.
const QuicknetSource = "drand/quicknet"

// Chain is a drand network of the scheme bls-unchained-g1-rfc9380.
type Chain struct {
	Hash    string        // names it in drand's HTTP API
	Genesis time.Time     // when round 1 is out
	Period  time.Duration // between two rounds
	key     func() (*bls.PublicKey[bls.KeyG2SigG1], error)
}

// What drand publishes about quicknet under /info: https://docs.drand.love.
const (
	quicknetHash    = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
	quicknetKey     = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
	quicknetGenesis = 1692803367
	quicknetPeriod  = 3 * time.Second
)

var quicknet = &Chain{Hash: quicknetHash, Genesis: time.Unix(quicknetGenesis, 0).UTC(), Period: quicknetPeriod, key: parsedOnce(quicknetKey)}

// Quicknet is the network whose beacons are verified: a round each 3 seconds since August 2023.
func Quicknet() *Chain { return quicknet }

func parsedOnce(text string) func() (*bls.PublicKey[bls.KeyG2SigG1], error) {
	return sync.OnceValues(func() (*bls.PublicKey[bls.KeyG2SigG1], error) {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		key := new(bls.PublicKey[bls.KeyG2SigG1])
		return key, key.UnmarshalBinary(raw)
	})
}

// RoundAfter gives the first round that comes out after t. The seal names it; so nobody knows its value when the list is sealed, provided that the
// seal is published before TimeOf of the round.
func (c *Chain) RoundAfter(t time.Time) uint64 {
	since := t.Sub(c.Genesis)
	if since < 0 {
		return 1
	}
	return uint64(since/c.Period) + 2
}

// TimeOf gives when a round comes out. Relays have it a second or so later.
func (c *Chain) TimeOf(round uint64) time.Time {
	return c.Genesis.Add(time.Duration(min(round-min(round, 1), uint64(1<<62)/uint64(c.Period))) * c.Period)
}

// Path gives where a relay of drand, for example https://api.drand.sh, serves a round.
func (c *Chain) Path(round uint64) string { return fmt.Sprintf("/%s/public/%d", c.Hash, round) }

// drandMax bounds an answer of drand's API; one has about 200 bytes.
const drandMax = 4 << 10

// ParseDrand reads what a relay answers, {"round", "randomness", "signature"}, and verifies it: it gives a beacon of exactly this round of quicknet
// or an error. Where "randomness" is left out it is computed.
func ParseDrand(answer []byte, round uint64) (Beacon, error) {
	if len(answer) > drandMax {
		return Beacon{}, fmt.Errorf("drand's answer has %d bytes, at most %d are read", len(answer), drandMax)
	}
	var in struct {
		Round      uint64 `json:"round"`
		Randomness string `json:"randomness"`
		Signature  string `json:"signature"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return Beacon{}, fmt.Errorf("drand's answer is not the JSON that is expected: %w", err)
	}
	if in.Round != round {
		return Beacon{}, fmt.Errorf("drand answered with round %d, asked was %d", in.Round, round)
	}
	signature, err := hex.DecodeString(in.Signature)
	if err != nil {
		return Beacon{}, errors.New("drand's signature is not hexadecimal")
	}
	value := sha256.Sum256(signature)
	b := Beacon{Source: QuicknetSource, Round: round, Value: hex.EncodeToString(value[:]), Signature: hex.EncodeToString(signature)}
	if in.Randomness != "" && in.Randomness != b.Value {
		return Beacon{}, fmt.Errorf("drand's randomness is %.80q, SHA-256 of its signature is %s", in.Randomness, b.Value)
	}
	return b, b.Verify()
}

// verify checks randomness = SHA-256(signature), and the signature over SHA-256 of the round (8 bytes, big-endian).
func (c *Chain) verify(b *Beacon) error {
	signature, err := hex.DecodeString(b.Signature)
	if err != nil {
		return err
	}
	if value := sha256.Sum256(signature); hex.EncodeToString(value[:]) != b.Value {
		return fmt.Errorf("the value is %s, SHA-256 of drand's signature is %x", b.Value, value)
	}
	key, err := c.key()
	if err != nil {
		return fmt.Errorf("drand's public key: %w", err)
	}
	var round [8]byte
	binary.BigEndian.PutUint64(round[:], b.Round)
	message := sha256.Sum256(round[:])
	if !bls.Verify(key, message[:], signature) {
		return fmt.Errorf("the signature is not that of drand's quicknet for round %d", b.Round)
	}
	return nil
}
