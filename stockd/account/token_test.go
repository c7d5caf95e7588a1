package account

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// site is an organiser's site that signs, with a key of each kind.
type site struct {
	t       testing.TB
	secret  []byte
	edwards ed25519.PrivateKey
	curve   *ecdsa.PrivateKey
	rsa     *rsa.PrivateKey
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, secret: []byte(strings.Repeat("s", 32))}
	var err error
	if _, s.edwards, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.curve, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	return s
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// keys are the public parts, and the secret.
func (s *site) keys() []string {
	point, err := s.curve.PublicKey.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	return []string{
		fmt.Sprintf(`{"kty":"oct","kid":"mac","alg":"HS256","k":%q}`, b64(s.secret)),
		fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"ed","use":"sig","x":%q}`, b64(s.edwards.Public().(ed25519.PublicKey))),
		fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"ec","alg":"ES256","x":%q,"y":%q}`, b64(point[1:33]), b64(point[33:])),
		fmt.Sprintf(`{"kty":"RSA","kid":"rsa","n":%q,"e":%q}`, b64(s.rsa.N.Bytes()), b64(big.NewInt(int64(s.rsa.E)).Bytes())),
	}
}

func (s *site) set() []byte { return []byte(`{"keys":[` + strings.Join(s.keys(), ",") + `]}`) }

func (s *site) verifier() *Verifier {
	s.t.Helper()
	v, err := NewVerifier(s.set(), "https://tickets.example", "ticketrush")
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// claims are good ones; a change of nil takes a claim out.
func claims(changes map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "u_812", "aud": "ticketrush", "iss": "https://tickets.example", "iat": noon.Unix(), "exp": noon.Add(5 * time.Minute).Unix()}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	for name, value := range header {
		if token.Header[name] = value; value == nil {
			delete(token.Header, name)
		}
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func kid(id string) map[string]any { return map[string]any{"kid": id} }

func TestTokensOfEachKind(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.verifier()
	for name, text := range map[string]string{
		"HS256":            sign(t, jwt.SigningMethodHS256, s.secret, kid("mac"), claims(nil)),
		"EdDSA":            sign(t, jwt.SigningMethodEdDSA, s.edwards, kid("ed"), claims(nil)),
		"ES256":            sign(t, jwt.SigningMethodES256, s.curve, kid("ec"), claims(nil)),
		"RS256":            sign(t, jwt.SigningMethodRS256, s.rsa, kid("rsa"), claims(nil)),
		"several aud":      sign(t, jwt.SigningMethodES256, s.curve, kid("ec"), claims(map[string]any{"aud": []string{"shop", "ticketrush"}})),
		"no iat":           sign(t, jwt.SigningMethodES256, s.curve, kid("ec"), claims(map[string]any{"iat": nil})),
		"just over":        sign(t, jwt.SigningMethodES256, s.curve, kid("ec"), claims(map[string]any{"exp": noon.Add(-Leeway + time.Second).Unix()})),
		"the clock before": sign(t, jwt.SigningMethodES256, s.curve, kid("ec"), claims(map[string]any{"iat": noon.Add(Leeway).Unix(), "nbf": noon.Add(Leeway).Unix()})),
	} {
		if got, err := v.Account(text, noon); err != nil || got != "u_812" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	one, err := NewVerifier([]byte(`{"keys":[`+s.keys()[1]+`]}`), "", "ticketrush")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := one.Account(sign(t, jwt.SigningMethodEdDSA, s.edwards, nil, claims(map[string]any{"iss": "anybody"})), noon); err != nil || got != "u_812" {
		t.Errorf("one key needs no kid, and without a configured issuer any will do: %q, %v", got, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.verifier()
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := func(changes map[string]any) string {
		return sign(t, jwt.SigningMethodEdDSA, s.edwards, kid("ed"), claims(changes))
	}
	good := ed(nil)
	head, rest, _ := strings.Cut(good, ".")
	body, mac, _ := strings.Cut(rest, ".")
	publicAsSecret := sign(t, jwt.SigningMethodHS256, []byte(s.edwards.Public().(ed25519.PublicKey)), kid("ed"), claims(nil))
	none := sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("ed"), claims(nil))
	seen := map[string]bool{}
	for name, c := range map[string]struct{ text, reason string }{
		"nothing":              {"", "malformed"},
		"no JWT":               {"hello", "malformed"},
		"four parts":           {good + ".x", "malformed"},
		"padding":              {good + "=", "malformed"},
		"line break":           {good[:len(good)-5] + "\r" + good[len(good)-5:], "malformed"},
		"line feed at the end": {good + "\n", "malformed"},
		"too long":             {strings.Repeat("x", tokenBytesMax+1), "malformed"},
		"claims no object":     {head + "." + b64([]byte(`[]`)) + "." + mac, "malformed"},
		"sub no text":          {ed(map[string]any{"sub": 812}), "malformed"},
		"exp no number":        {ed(map[string]any{"exp": "tomorrow"}), "malformed"},
		"an extension":         {sign(t, jwt.SigningMethodEdDSA, s.edwards, map[string]any{"kid": "ed", "crit": []string{"b64"}}, claims(nil)), "malformed"},
		"none":                 {none, "signature"},
		"no such algorithm":    {b64([]byte(`{"alg":"XX","kid":"ed"}`)) + "." + body + "." + mac, "algorithm"},
		"public key as secret": {publicAsSecret, "algorithm"},
		"another key's kind":   {sign(t, jwt.SigningMethodES256, s.curve, kid("ed"), claims(nil)), "algorithm"},
		"HS512":                {sign(t, jwt.SigningMethodHS512, s.secret, kid("mac"), claims(nil)), "signature"},
		"no kid":               {sign(t, jwt.SigningMethodEdDSA, s.edwards, nil, claims(nil)), "unknown-key"},
		"unknown kid":          {sign(t, jwt.SigningMethodEdDSA, s.edwards, kid("old"), claims(nil)), "unknown-key"},
		"kid no text":          {sign(t, jwt.SigningMethodEdDSA, s.edwards, map[string]any{"kid": 7}, claims(nil)), "unknown-key"},
		"a stranger":           {sign(t, jwt.SigningMethodEdDSA, stranger, kid("ed"), claims(nil)), "signature"},
		"a changed claim":      {head + "." + b64([]byte(`{"sub":"u_1","aud":"ticketrush","exp":9999999999}`)) + "." + mac, "signature"},
		"a stranger, expired":  {sign(t, jwt.SigningMethodEdDSA, stranger, kid("ed"), claims(map[string]any{"exp": 1})), "signature"},
		"expired":              {ed(map[string]any{"exp": noon.Add(-Leeway).Unix()}), "expired"},
		"no end":               {ed(map[string]any{"exp": nil}), "no-expiry"},
		"not yet":              {ed(map[string]any{"nbf": noon.Add(Leeway + time.Second).Unix()}), "not-yet-valid"},
		"from the future":      {ed(map[string]any{"iat": noon.Add(Leeway + time.Second).Unix()}), "not-yet-valid"},
		"another audience":     {ed(map[string]any{"aud": "shop"}), "audience"},
		"no audience":          {ed(map[string]any{"aud": nil}), "audience"},
		"an empty audience":    {ed(map[string]any{"aud": ""}), "audience"},
		"another issuer":       {ed(map[string]any{"iss": "https://evil.example"}), "issuer"},
		"no issuer":            {ed(map[string]any{"iss": nil}), "issuer"},
		"nobody":               {ed(map[string]any{"sub": nil}), "subject"},
		"empty sub":            {ed(map[string]any{"sub": ""}), "subject"},
		"a long sub":           {ed(map[string]any{"sub": strings.Repeat("x", SubjectBytesMax+1)}), "subject"},
		"a sub of control":     {ed(map[string]any{"sub": "a\x00b"}), "subject"},
	} {
		got, err := v.Account(c.text, noon)
		var fault *Fault
		if got != "" || !errors.As(err, &fault) || fault.Reason != c.reason || fault.Detail == "" {
			t.Errorf("%s: %q, %v; want %s", name, got, err, c.reason)
			continue
		}
		seen[fault.Reason] = true
	}
	for _, reason := range Reasons {
		if !seen[reason] {
			t.Errorf("no token is refused as %s", reason)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.keys()
	private := strings.Replace(good[1], `"x"`, `"d":"AAAA","x"`, 1)
	for name, set := range map[string]string{
		"not JSON":           `keys`,
		"no keys":            `{"keys":[]}`,
		"too many":           `{"keys":[` + strings.Repeat(good[0]+",", keysMax) + good[0] + `]}`,
		"too large":          strings.Repeat(" ", setBytesMax+1),
		"twice":              `{"keys":[` + good[0] + "," + good[0] + `]}`,
		"no kid of several":  `{"keys":[` + good[0] + "," + strings.Replace(good[1], `"kid":"ed",`, "", 1) + `]}`,
		"for encryption":     `{"keys":[` + strings.Replace(good[1], `"sig"`, `"enc"`, 1) + `]}`,
		"private":            `{"keys":[` + private + `]}`,
		"short secret":       `{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}`,
		"no secret":          `{"keys":[{"kty":"oct"}]}`,
		"another algorithm":  `{"keys":[` + strings.Replace(good[0], "HS256", "HS512", 1) + `]}`,
		"another curve":      `{"keys":[{"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA"}]}`,
		"another type":       `{"keys":[{"kty":"XX"}]}`,
		"short point":        `{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`,
		"not on the curve":   fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","x":%q,"y":%q}]}`, b64(make([]byte, 32)), b64(make([]byte, 32))),
		"short Ed25519":      `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}`,
		"short RSA":          fmt.Sprintf(`{"keys":[{"kty":"RSA","n":%q,"e":"AQAB"}]}`, b64(s.rsa.N.Bytes()[:128])),
		"RSA with 1":         fmt.Sprintf(`{"keys":[{"kty":"RSA","n":%q,"e":"AQ"}]}`, b64(s.rsa.N.Bytes())),
		"RSA with a large e": fmt.Sprintf(`{"keys":[{"kty":"RSA","n":%q,"e":"____________"}]}`, b64(s.rsa.N.Bytes())),
	} {
		if _, err := NewVerifier([]byte(set), "", "ticketrush"); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "c2hvcnQ") || strings.Contains(err.Error(), b64(s.secret)) {
			t.Errorf("%s: the error shows a key: %v", name, err)
		}
	}
	if _, err := NewVerifier(s.set(), "", ""); !errors.Is(err, ErrKeys) {
		t.Errorf("without an audience: %v", err)
	}
}

// FuzzAccount: whatever the header says, it is refused with a reason of the list, or it is a token that a key of the site has signed.
func FuzzAccount(f *testing.F) {
	s := newSite(f)
	v := s.verifier()
	signed := map[string]bool{}
	for _, text := range []string{
		sign(f, jwt.SigningMethodHS256, s.secret, kid("mac"), claims(nil)), sign(f, jwt.SigningMethodEdDSA, s.edwards, kid("ed"), claims(nil)),
		sign(f, jwt.SigningMethodES256, s.curve, kid("ec"), claims(nil)), sign(f, jwt.SigningMethodRS256, s.rsa, kid("rsa"), claims(nil)),
		sign(f, jwt.SigningMethodHS256, s.secret, kid("mac"), claims(map[string]any{"exp": json.Number("1e300")})),
		sign(f, jwt.SigningMethodHS256, s.secret, kid("mac"), claims(map[string]any{"exp": json.Number("-9223372036854775809")})),
	} {
		f.Add(text)
		signed[text] = true
	}
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{"sub":"u_1"}`)) + ".")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := v.Account(text, noon)
		var fault *Fault
		switch {
		case err == nil && (!signed[text] || got != "u_812"):
			t.Fatalf("%q is believed to be %q", text, got)
		case err != nil && (!errors.As(err, &fault) || !slices.Contains(Reasons, fault.Reason) || fault.Detail == "" || got != ""):
			t.Fatalf("%q: %q, %v", text, got, err)
		}
	})
}

// FuzzKeys: a set of keys is refused as such, or can be used.
func FuzzKeys(f *testing.F) {
	s := newSite(f)
	f.Add(s.set())
	for _, k := range s.keys() {
		f.Add([]byte(`{"keys":[` + k + `]}`))
	}
	text := sign(f, jwt.SigningMethodEdDSA, s.edwards, kid("ed"), claims(nil))
	f.Fuzz(func(t *testing.T, set []byte) {
		v, err := NewVerifier(set, "", "ticketrush")
		if err != nil {
			if !errors.Is(err, ErrKeys) {
				t.Fatal(err)
			}
			return
		}
		_, _ = v.Account(text, noon)
	})
}
