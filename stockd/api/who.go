package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"ticketrush/pass"

	"github.com/google/uuid"
)

// Scopes of API keys.
const (
	scopeOps     = "ops"     // everything
	scopeSell    = "sell"    // holds without a room
	scopeGate    = "gate"    // check-in, and what gates take along
	scopeFinance = "finance" // reads the books, and nothing else
)

// hashed makes a UUID of what must not be stored as it is, or is not a UUID: the domain keeps kinds apart.
func hashed(domain string, parts ...[]byte) uuid.UUID {
	h := sha256.New()
	h.Write([]byte("ticketrush/api/v1/" + domain))
	for _, part := range parts {
		h.Write([]byte{byte(len(part) >> 8), byte(len(part))})
		h.Write(part)
	}
	var id uuid.UUID
	copy(id[:], h.Sum(nil))
	return id
}

// bearer is the API key of a request.
func bearer(r *http.Request) (string, bool) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(text), strings.EqualFold(scheme, "Bearer")
}

// apiKey finds the key of a request; ok is false when the request has none.
func (s *server) apiKey(r *http.Request) (key Key, ok bool, err error) {
	text, ok := bearer(r)
	if !ok {
		return Key{}, false, nil
	}
	key, found, err := s.Node.APIKey(r.Context(), text)
	if err != nil {
		return Key{}, true, err
	}
	if !found {
		return Key{}, true, refuse(kindUnauthorized, "The API key is not known, or was withdrawn.").set("WWW-Authenticate", "Bearer")
	}
	return key, true, nil
}

// may is whether the key has one of the scopes. ops may do everything.
func (k Key) may(scope string) bool {
	return slices.Contains(k.Scopes, scope) || slices.Contains(k.Scopes, scopeOps)
}

// needKey wants an API key with a scope.
func (s *server) needKey(r *http.Request, scope string) (Key, error) {
	key, ok, err := s.apiKey(r)
	if err != nil {
		return Key{}, err
	}
	if !ok {
		return Key{}, refuse(kindUnauthorized, "Send an API key: Authorization: Bearer <key>.").set("WWW-Authenticate", "Bearer")
	}
	if !key.may(scope) {
		return Key{}, refuse(kindForbidden, "The API key "+key.Name+" lacks the scope "+scope+".")
	}
	return key, nil
}

// audit writes down what was done with an API key. What is done is done: when the log fails, the request does not.
func (s *server) audit(r *http.Request, key Key, action, target, detail string) {
	entry := AuditEntry{At: s.Now(), Key: key, Action: action, Target: target, Address: s.clientIP(r), Detail: detail}
	if err := s.Node.Audit(r.Context(), entry); err != nil {
		s.Log.Error("audit entry was not written", "key", key.Name, "person", key.Person, "action", action, "target", target, "error", err)
	}
}

// passText is the pass of a request, as the edge or the client sent it.
func passText(r *http.Request) string {
	if text := r.Header.Get("X-Wr-Pass"); text != "" {
		return text
	}
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "WaitingRoom") {
		return strings.TrimSpace(text)
	}
	return ""
}

// admitted checks the pass for a room and gives its tid.
func (s *server) admitted(r *http.Request, room string) ([16]byte, error) {
	need := func(detail string) error {
		return refuse(kindAdmission, detail).with("join", "/.wr/v1/"+room+"/join")
	}
	text := passText(r)
	if text == "" {
		return [16]byte{}, need("Send the pass of the room " + room + ": Authorization: WaitingRoom <pass>.")
	}
	if s.RoomKeys == nil {
		return [16]byte{}, need("This node has no keys to check passes with.")
	}
	var token pass.Token
	switch err := s.RoomKeys.Verify(text, pass.Pass, pass.RoomNumber(room), s.Now(), &token); {
	case err == nil:
		return token.Tid, nil
	case errors.Is(err, pass.ErrExpired):
		return [16]byte{}, need("The pass has expired.")
	case errors.Is(err, pass.ErrWrongRoom):
		return [16]byte{}, need("The pass is for another room.")
	case errors.Is(err, pass.ErrWrongType):
		return [16]byte{}, need("This is a place in the line, and not yet a pass.")
	default:
		return [16]byte{}, need("The pass is not valid.")
	}
}

// trusted is whether the request comes from a proxy whose headers are believed.
func (s *server) trusted(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	addr = addr.Unmap()
	return addr, err == nil && slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// clientIP is the address of the visitor: the last one that a trusted proxy added, else the peer's; empty when there is none.
func (s *server) clientIP(r *http.Request) string {
	addr, trusted := s.trusted(r)
	if trusted {
		list := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		if last, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1])); err == nil {
			return last.Unmap().String()
		}
	}
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// secure is whether the visitor's connection is encrypted, so that cookies can say so.
func (s *server) secure(r *http.Request) bool {
	_, trusted := s.trusted(r)
	return r.TLS != nil || trusted && r.Header.Get("X-Forwarded-Proto") == "https"
}

// reader names the client for the limit of reads. A tid from the edge is a visitor; an address may be many.
func (s *server) reader(r *http.Request) (client string, weight float64) {
	if _, trusted := s.trusted(r); trusted {
		if tid := r.Header.Get("X-Wr-Tid"); len(tid) == 32 {
			return "tid " + tid, 1
		}
	}
	if text, ok := bearer(r); ok {
		sum := sha256.Sum256([]byte(text))
		return "key " + hex.EncodeToString(sum[:8]), 10
	}
	return "ip " + s.clientIP(r), 10
}
