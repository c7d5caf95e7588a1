package gate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"

	"ticketrush/stockd/order"
)

const (
	saltBytes     = 16
	documentBytes = 16
)

// sealer encrypts for one code. Its key encrypts one thing only, so a nonce of zeros is never used for two.
func sealer(code string) cipher.AEAD {
	key := sha256.Sum256([]byte("ticketrush/gate/holder/v1\x00" + code))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // only another length of key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only another length of block
	}
	return aead
}

// Seal closes a ticket's holder so that only its code opens it. document is the keyed hash of 16 bytes, or nil.
func Seal(code string, salt []byte, name string, document []byte) []byte {
	aead := sealer(code)
	plain := append([]byte{byte(len(salt)), byte(len(document))}, salt...)
	plain = append(append(plain, document...), name...)
	return aead.Seal(nil, make([]byte, aead.NonceSize()), plain, nil)
}

var errHolder = errors.New("the holder does not belong to the code")

// open reads the name of a sealed holder, and checks that it is the one that the code was signed for.
func open(code string, sealed []byte, signed [8]byte) (name string, err error) {
	aead := sealer(code)
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, nil)
	if err != nil || len(plain) < 2 {
		return "", errHolder
	}
	salt, document := int(plain[0]), int(plain[1])
	if salt > saltBytes || document > documentBytes || len(plain) < 2+salt+document {
		return "", errHolder
	}
	rest := plain[2:]
	var hashed []byte
	if document > 0 {
		hashed = rest[salt : salt+document]
	}
	name = string(rest[salt+document:])
	if order.HolderHash(rest[:salt], name, hashed) != signed {
		return "", errHolder
	}
	return name, nil
}
