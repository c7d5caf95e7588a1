package pass

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"
	"sync/atomic"
)

// scope is what a MAC key is derived for.
type scope struct {
	key     byte
	kind    Type
	room    uint32
	edition uint16
}

// header is the part of a token that chooses the key. It is not authenticated yet: it may only lead to a refusal or to a key.
type header struct {
	version byte
	scope   scope
}

// peek decodes the first 12 bytes (16 characters) of a token's text.
func peek(text string) (h header, ok bool) {
	var in [16]byte
	var b [12]byte
	copy(in[:], text)
	if n, err := base64.RawURLEncoding.Decode(b[:], in[:]); err != nil || n != len(b) {
		return h, false
	}
	return header{b[0], scope{b[2], Type(b[1]), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint16(b[8:])}}, true
}

// mac is a keyed hash with the buffers that one Sign or Verify needs, so that neither allocates.
type mac struct {
	scope scope
	hash  hash.Hash
	pool  *sync.Pool // nil while the scope is not in the table
	raw   [Size]byte
	text  [TextLen]byte
	sum   [sha256.Size]byte
}

func newMac(k *Keyring, s scope) *mac {
	var info [8]byte
	info[0] = byte(s.kind)
	binary.BigEndian.PutUint32(info[1:], s.room)
	binary.BigEndian.PutUint16(info[5:], s.edition)
	info[7] = s.key
	key := derive(k.roots[s.key], "ticketrush/token/v1/"+string(info[:]), 32)
	return &mac{scope: s, hash: hmac.New(sha256.New, key)}
}

// tag gives the truncated MAC of the body in m.raw; it is valid until the next call.
func (m *mac) tag() []byte {
	m.hash.Reset()
	m.hash.Write(m.raw[:bodyLen])
	return m.hash.Sum(m.sum[:0])[:tagLen]
}

// scopesMax bounds the table of pools. Only scopes of genuine tokens enter it, so nobody can fill it with made-up editions.
const scopesMax = 256

// macs keeps pools of keyed hashes by scope. The table is copied on write and read without a lock.
type macs struct {
	mu    sync.Mutex
	table atomic.Pointer[map[scope]*sync.Pool]
}

func (p *macs) get(k *Keyring, s scope) *mac {
	if table := p.table.Load(); table != nil {
		if pool := (*table)[s]; pool != nil {
			if m, ok := pool.Get().(*mac); ok {
				return m
			}
			m := newMac(k, s)
			m.pool = pool
			return m
		}
	}
	return newMac(k, s)
}

func (p *macs) put(m *mac) {
	if m.pool != nil {
		m.pool.Put(m)
	}
}

// keep enters the scope of m, which has just been proved genuine, into the table.
func (p *macs) keep(m *mac) {
	if m.pool != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[scope]*sync.Pool{}
	if old := p.table.Load(); old != nil {
		if pool := (*old)[m.scope]; pool != nil {
			m.pool = pool
			return
		}
		if len(*old) < scopesMax {
			for s, pool := range *old {
				next[s] = pool
			}
		}
	}
	m.pool = new(sync.Pool)
	next[m.scope] = m.pool
	p.table.Store(&next)
}
