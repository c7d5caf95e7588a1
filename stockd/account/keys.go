package account

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// Limits of a set of keys.
const (
	setBytesMax   = 64 << 10
	keysMax       = 16
	secretBytes   = 32 // RFC 7518, 3.2: at least as long as the hash
	rsaBitsMin    = 2048
	rsaBitsMax    = 8192
	coordinateLen = 32 // of P-256
)

// ErrKeys is wrapped by every error about a set of keys.
var ErrKeys = errors.New("account keys")

// key verifies the tokens of one algorithm.
type key struct {
	algorithm string
	verify    any // what the algorithm's method wants
}

// jwk is a key of a set, RFC 7517 and 7518. Members that say nothing about a signature are not read.
type jwk struct {
	Kty string  `json:"kty"`
	Kid string  `json:"kid"`
	Use string  `json:"use"`
	Alg string  `json:"alg"`
	Crv string  `json:"crv"`
	K   string  `json:"k"`
	X   string  `json:"x"`
	Y   string  `json:"y"`
	N   string  `json:"n"`
	E   string  `json:"e"`
	D   *string `json:"d"`
}

// parseKeys reads a JWK set: {"keys":[…]}, with keys of the types oct (HS256), OKP with Ed25519 (EdDSA), EC with P-256 (ES256) and RSA (RS256).
func parseKeys(text []byte) (map[string]key, error) {
	if len(text) > setBytesMax {
		return nil, fmt.Errorf("%w: the set is larger than %d bytes", ErrKeys, setBytesMax)
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(text), &set); err != nil {
		return nil, fmt.Errorf("%w: want a JWK set, {\"keys\":[…]}: %w", ErrKeys, err)
	}
	if len(set.Keys) == 0 || len(set.Keys) > keysMax {
		return nil, fmt.Errorf("%w: the set has %d keys, 1 to %d are possible", ErrKeys, len(set.Keys), keysMax)
	}
	keys := map[string]key{}
	for i := range set.Keys {
		k := &set.Keys[i]
		if k.Kid == "" && len(set.Keys) > 1 {
			return nil, fmt.Errorf("%w: key %d has no kid: with several keys each needs one, and each token names its key", ErrKeys, i+1)
		}
		if _, twice := keys[k.Kid]; twice {
			return nil, fmt.Errorf("%w: the kid %q is there twice", ErrKeys, k.Kid)
		}
		parsed, err := k.parse()
		if err != nil { // the text of a key is in no error: these reach logs
			return nil, fmt.Errorf("%w: key %d (kid %q): %w", ErrKeys, i+1, k.Kid, err)
		}
		keys[k.Kid] = parsed
	}
	return keys, nil
}

func (k *jwk) parse() (out key, err error) {
	switch {
	case k.Use != "" && k.Use != "sig":
		return key{}, fmt.Errorf("its use is %q, want sig", k.Use)
	case k.D != nil:
		return key{}, errors.New("it is a private key (d): that stays with the site which signs; put the public key here")
	}
	switch {
	case k.Kty == "oct":
		out, err = k.secret()
	case k.Kty == "OKP" && k.Crv == "Ed25519":
		out, err = k.edwards()
	case k.Kty == "EC" && k.Crv == "P-256":
		out, err = k.curve()
	case k.Kty == "RSA":
		out, err = k.rsa()
	default:
		return key{}, fmt.Errorf("its type is %q %q; oct, OKP Ed25519, EC P-256 and RSA are possible", k.Kty, k.Crv)
	}
	if err == nil && k.Alg != "" && k.Alg != out.algorithm {
		return key{}, fmt.Errorf("its alg is %q, a key of this type is for %s", k.Alg, out.algorithm)
	}
	return out, err
}

// number decodes a member.
func number(name, text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, fmt.Errorf("%s is not base64url without padding", name)
	}
	return raw, nil
}

func (k *jwk) secret() (key, error) {
	raw, err := number("k", k.K)
	if err == nil && len(raw) < secretBytes {
		err = fmt.Errorf("the secret has %d bytes, at least %d are needed", len(raw), secretBytes)
	}
	return key{"HS256", raw}, err
}

func (k *jwk) edwards() (key, error) {
	raw, err := number("x", k.X)
	if err == nil && len(raw) != ed25519.PublicKeySize {
		err = fmt.Errorf("x has %d bytes, want %d", len(raw), ed25519.PublicKeySize)
	}
	return key{"EdDSA", ed25519.PublicKey(raw)}, err
}

func (k *jwk) curve() (key, error) {
	x, errX := number("x", k.X)
	y, errY := number("y", k.Y)
	if err := errors.Join(errX, errY); err != nil {
		return key{}, err
	}
	if len(x) != coordinateLen || len(y) != coordinateLen {
		return key{}, fmt.Errorf("x and y have %d and %d bytes, want %d", len(x), len(y), coordinateLen)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return key{}, errors.New("x and y are no point of the curve")
	}
	return key{"ES256", public}, nil
}

func (k *jwk) rsa() (key, error) {
	n, errN := number("n", k.N)
	e, errE := number("e", k.E)
	if err := errors.Join(errN, errE); err != nil {
		return key{}, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < rsaBitsMin || bits > rsaBitsMax {
		return key{}, fmt.Errorf("n has %d bits, %d to %d are possible", bits, rsaBitsMin, rsaBitsMax)
	}
	if exponent.BitLen() > 31 || exponent.Int64() < 3 || exponent.Bit(0) == 0 {
		return key{}, errors.New("e is not an odd number from 3 to 2147483647")
	}
	return key{"RS256", &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}}, nil
}
