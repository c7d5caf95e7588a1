package account

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// Limits of a token.
const (
	tokenBytesMax = 4096
	// SubjectBytesMax is the longest name of an account.
	SubjectBytesMax = 200
	// Leeway is how far the clock of the site that signs may be from ours.
	Leeway = 30 * time.Second
)

// Fault is why a token is not believed. It is an error; what it says may be told to the client.
type Fault struct {
	Reason string // one word for programs, of Reasons
	Detail string // a sentence for people: what is wrong and what to do
}

func (f *Fault) Error() string { return f.Reason + ": " + f.Detail }

// Reasons are the words of Fault.Reason.
var Reasons = []string{"malformed", "algorithm", "unknown-key", "signature", "expired", "not-yet-valid", "no-expiry", "issuer", "audience", "subject"}

// Verifier believes the tokens of one site. It is read only once made and safe for concurrent use.
type Verifier struct {
	keys             map[string]key // by kid
	issuer, audience string
	algorithms       []string
}

// NewVerifier reads the site's keys, a JWK set. audience is what the aud of a token has to name; issuer is what its iss has to be, "" for anything.
// Every error wraps ErrKeys.
func NewVerifier(set []byte, issuer, audience string) (*Verifier, error) {
	keys, err := parseKeys(set)
	if err != nil {
		return nil, err
	}
	if audience == "" {
		return nil, fmt.Errorf("%w: without an audience a token that the site made for something else would do", ErrKeys)
	}
	v := &Verifier{keys: keys, issuer: issuer, audience: audience}
	for _, k := range keys {
		if !slices.Contains(v.algorithms, k.algorithm) {
			v.algorithms = append(v.algorithms, k.algorithm)
		}
	}
	return v, nil
}

// Account gives the account that a token names, or a *Fault. now is the ledger's time.
func (v *Verifier) Account(text string, now time.Time) (string, error) {
	if len(text) > tokenBytesMax {
		return "", &Fault{"malformed", fmt.Sprintf("The token is longer than %d bytes.", tokenBytesMax)}
	}
	if strings.ContainsAny(text, "\r\n") { // encoding/base64 reads over them, and so one token would have many texts
		return "", &Fault{"malformed", "There is a line break in the token."}
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(v.algorithms), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithLeeway(Leeway), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithAudience(v.audience), jwt.WithStrictDecoding(),
	}
	if v.issuer != "" {
		options = append(options, jwt.WithIssuer(v.issuer))
	}
	var claims jwt.RegisteredClaims
	if _, err := jwt.NewParser(options...).ParseWithClaims(text, &claims, v.keyOf); err != nil {
		return "", v.fault(err, &claims)
	}
	if detail := wrongSubject(claims.Subject); detail != "" {
		return "", &Fault{"subject", detail}
	}
	return claims.Subject, nil
}

// keyOf finds the key that a token names. It must be a key of the token's algorithm: a public key is no secret that a MAC could be made with.
func (v *Verifier) keyOf(t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515, 4.1.11: what is not understood must not be passed over
		return nil, &Fault{"malformed", "The token asks for an extension (crit) that is not known here."}
	}
	kid, _ := t.Header["kid"].(string)
	k, found := v.keys[kid]
	if _, named := t.Header["kid"]; !found && !named && len(v.keys) == 1 {
		for _, only := range v.keys {
			k, found = only, true
		}
	}
	switch {
	case !found && kid == "":
		return nil, &Fault{"unknown-key", "The token does not say which key has signed it (kid), and there are several."}
	case !found:
		return nil, &Fault{"unknown-key", "The token names a key (kid) that is not known here; get a fresh one from the site."}
	case t.Method.Alg() != k.algorithm:
		return nil, &Fault{"algorithm", "The token's algorithm (alg) is not that of its key, " + k.algorithm + "."}
	}
	return k.verify, nil
}

// fault says what is wrong, the first thing first: who cannot sign learns nothing about the rest.
func (v *Verifier) fault(err error, claims *jwt.RegisteredClaims) *Fault {
	var own *Fault
	if errors.As(err, &own) {
		return own
	}
	const again = "Get a fresh one from the site."
	for _, known := range []struct {
		err            error
		reason, detail string
	}{
		{jwt.ErrTokenMalformed, "malformed", "This is not a JWT: three parts in base64url with dots between, and claims of the types of RFC 7519."},
		{jwt.ErrTokenUnverifiable, "algorithm", "The token's algorithm (alg) is none of " + strings.Join(v.algorithms, ", ") + "."},
		{jwt.ErrTokenSignatureInvalid, "signature", "The token's signature is wrong."},
		{jwt.ErrTokenExpired, "expired", "The token has expired. " + again},
		{jwt.ErrTokenNotValidYet, "not-yet-valid", "The token is not valid yet (nbf)."},
		{jwt.ErrTokenUsedBeforeIssued, "not-yet-valid", "The token comes from the future (iat): the site's clock is ahead."},
		{jwt.ErrTokenInvalidAudience, "audience", fmt.Sprintf("The token is for somebody else: its aud has to be %q.", v.audience)},
		{jwt.ErrTokenInvalidIssuer, "issuer", fmt.Sprintf("The token comes from somebody else: its iss has to be %q.", v.issuer)},
	} {
		if errors.Is(err, known.err) {
			return &Fault{known.reason, known.detail}
		}
	}
	switch { // a claim that is needed is missing
	case claims.ExpiresAt == nil:
		return &Fault{"no-expiry", "The token has no end (exp)."}
	case len(claims.Audience) == 0 || claims.Audience[0] == "":
		return &Fault{"audience", fmt.Sprintf("The token does not say whom it is for: its aud has to be %q.", v.audience)}
	case v.issuer != "" && claims.Issuer == "":
		return &Fault{"issuer", fmt.Sprintf("The token does not say who made it: its iss has to be %q.", v.issuer)}
	}
	return &Fault{"malformed", "The token's claims cannot be read."}
}

// wrongSubject says what is wrong with the name of an account.
func wrongSubject(text string) string {
	switch {
	case text == "":
		return "The token names nobody (sub)."
	case len(text) > SubjectBytesMax:
		return fmt.Sprintf("The token's sub is longer than %d bytes.", SubjectBytesMax)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "The token's sub has characters that are no text."
	}
	return ""
}
