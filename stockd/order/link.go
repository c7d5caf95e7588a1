package order

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ErrLinkOver says that an order's link was one, and that its time is over.
var ErrLinkOver = errors.New("the link's time is over")

const (
	linkVersion = "sl1"
	linkPurpose = "link"
	linkBytes   = 16 + 5
)

// Link is the signed text that opens an order on another device until a time: `sl1.kid.payload.mac`. It stands behind the # of an address, which browsers
// do not send: so it is in no log.
func (t *Tokens) Link(id uuid.UUID, until time.Time) string {
	payload := appendSeconds(id[:16:16], until)
	return linkVersion + "." + strconv.Itoa(int(t.kid)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "." +
		base64.RawURLEncoding.EncodeToString(linkMAC(t.keys[t.kid], t.kid, payload))
}

// OpenLink reads the order out of a link; ErrToken when it is none of ours, ErrLinkOver when its time is over.
func (t *Tokens) OpenLink(text string, now time.Time) (id uuid.UUID, err error) {
	parts := strings.SplitN(text, ".", 5)
	if len(parts) != 4 || parts[0] != linkVersion {
		return id, ErrToken
	}
	kid, err := strconv.ParseUint(parts[1], 10, 8)
	if err != nil || strconv.FormatUint(kid, 10) != parts[1] {
		return id, ErrToken
	}
	key, known := t.keys[byte(kid)]
	payload, err1 := decodeBase64URL(parts[2])
	seal, err2 := decodeBase64URL(parts[3])
	if !known || err1 != nil || err2 != nil || len(payload) != linkBytes || !hmac.Equal(seal, linkMAC(key, byte(kid), payload)) {
		return id, ErrToken
	}
	if now.After(seconds(payload[16:])) {
		return id, ErrLinkOver
	}
	return uuid.UUID(payload[:16]), nil
}

// linkMAC is over the id and the end together: two halves of one MAC'd id, so that a link is never a token of the order, nor the other way round.
func linkMAC(key []byte, kid byte, payload []byte) []byte {
	return mac(key, kid, linkPurpose+string(payload[16:]), uuid.UUID(payload[:16]))
}
