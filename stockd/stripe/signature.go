package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ticketrush/stockd/order"
)

const (
	// signatureHeader carries `t=<unix seconds>,v1=<hex HMAC-SHA-256 over "t.body">`, a v1 for each secret, and schemes to be ignored.
	signatureHeader = "Stripe-Signature"
	// tolerance is how far a message's time may be from ours: what Stripe recommends.
	tolerance = 300 * time.Second
	// Bounds of the work that a header can ask for.
	headerMax = 4096
	macsMax   = 16
)

// parseSignature reads the header. at is as it stands in the header, because that text was signed.
func parseSignature(text string) (at string, unix int64, macs [][]byte, err error) {
	if len(text) > headerMax {
		return "", 0, nil, fmt.Errorf("%w: %s has more than %d bytes", order.ErrSignature, signatureHeader, headerMax)
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			if at != "" {
				return "", 0, nil, fmt.Errorf("%w: %s has two times", order.ErrSignature, signatureHeader)
			}
			at = value
			unix, err = strconv.ParseInt(value, 10, 64)
		case "v1":
			var mac []byte
			mac, err = hex.DecodeString(value)
			if len(mac) == sha256.Size {
				macs = append(macs, mac)
			}
		}
		if err != nil || len(macs) > macsMax {
			return "", 0, nil, fmt.Errorf("%w: %s is not readable", order.ErrSignature, signatureHeader)
		}
	}
	if at == "" || len(macs) == 0 {
		return "", 0, nil, fmt.Errorf("%w: %s is missing or has no t and v1", order.ErrSignature, signatureHeader)
	}
	return at, unix, macs, nil
}

// checkSignature compares in constant time, and only then the age.
func checkSignature(secrets [][]byte, text string, body []byte, now time.Time) error {
	at, unix, macs, err := parseSignature(text)
	if err != nil {
		return err
	}
	good := false
	for _, secret := range secrets {
		want := sign(secret, at, body)
		for _, mac := range macs {
			good = hmac.Equal(mac, want) || good
		}
	}
	if !good {
		return fmt.Errorf("%w: it was made with another secret or over another body", order.ErrSignature)
	}
	if age := now.Sub(time.Unix(unix, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("%w: it is %s old", order.ErrSignature, age.Round(time.Second))
	}
	return nil
}

func sign(secret []byte, at string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(at + "."))
	h.Write(body)
	return h.Sum(nil)
}
