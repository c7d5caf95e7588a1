package caddymodule

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// An access code opens a place of the priority class. It is 10 bytes in 16 letters and digits: serial number (3), uses (1), and 6 of an HMAC-SHA-256
// by a key of the room and edition. So an edge tells a made-up code from a real one by itself, and only real ones go to the room's owner, who counts
// their uses.
var codeText = base32.NewEncoding(crockford).WithPadding(base32.NoPadding)

// crockford is the alphabet of what people type: no I, L, O, U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	codeHead  = 4
	codeBytes = codeHead + 6
)

var errCode = errors.New("it is not a code of this room, or it is mistyped")

func (k *keeper) codeMAC(edition uint16, head []byte) []byte {
	mac := hmac.New(sha256.New, k.keys.Load().Derive(fmt.Sprintf("code/%s/%d", k.name, edition), 32))
	mac.Write(head)
	return mac.Sum(nil)[:codeBytes-codeHead]
}

// writeCode gives the text of a code, in groups of four.
func (k *keeper) writeCode(edition uint16, serial uint32, uses uint8) string {
	code := binary.BigEndian.AppendUint32(nil, serial<<8|uint32(uses))
	text := codeText.EncodeToString(append(code, k.codeMAC(edition, code)...))
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}

// lenient forgives what people mistype: case, spaces, hyphens, and letters that look like digits.
var lenient = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")

// readCode checks a code by itself; how often it was used only the owner knows.
func (k *keeper) readCode(edition uint16, text string) (serial uint32, uses int, err error) {
	code, err := codeText.DecodeString(lenient.Replace(strings.ToUpper(strings.TrimSpace(text))))
	if err != nil || len(code) != codeBytes || !hmac.Equal(code[codeHead:], k.codeMAC(edition, code[:codeHead])) {
		return 0, 0, errCode
	}
	head := binary.BigEndian.Uint32(code)
	return head >> 8, int(head & 0xff), nil
}

func (h *Handler) readCode(text string) (serial uint32, uses int, err error) {
	edition, ready := h.edition()
	if !ready || h.keeper.keys.Load() == nil {
		return 0, 0, errNotReady
	}
	return h.keeper.readCode(edition, text)
}

// redeem gives a visit the place that an access code opens, unless the one it has is earlier.
func (h *Handler) redeem(ctx context.Context, v *visit, text string) error {
	serial, uses, err := h.readCode(text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	rank, err := h.keeper.ask().Redeem(ctx, v.tid, serial, uses)
	if err != nil {
		return err
	}
	if v.rank != 0 && v.rank <= rank {
		return nil
	}
	v.rank = rank
	h.keeper.nudge()
	return h.signPlace(v)
}

// codesJSON is what ops get for new codes.
type codesJSON struct {
	Edition uint16   `json:"edition"`
	First   uint32   `json:"first"` // serial number of the first
	Uses    uint8    `json:"uses"`
	Codes   []string `json:"codes"`
}

// issueCodes answers with new access codes; they count in this edition of the room only.
func (k *keeper) issueCodes(w http.ResponseWriter, r *http.Request, c roomChange) error {
	ctx, cancel := context.WithTimeout(r.Context(), changePatience)
	defer cancel()
	k.mu.RLock()
	owner, edition, ready := k.owner, k.edge.Edition(), k.edge.Ready()
	k.mu.RUnlock()
	if !ready {
		return adminError(http.StatusServiceUnavailable, "the room is not kept here yet")
	}
	if c.Reason == "" {
		c.Reason = "admin API"
	}
	c.Uses = max(c.Uses, 1)
	first, err := owner.IssueCodes(ctx, c.Count, c.Reason)
	if err != nil {
		return ownerError(err)
	}
	out := codesJSON{Edition: edition, First: first, Uses: c.Uses, Codes: make([]string, c.Count)}
	for i := range out.Codes {
		out.Codes[i] = k.writeCode(edition, first+uint32(i), c.Uses)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// nameCode turns the code of an admin call into its serial number.
func (k *keeper) nameCode(c *roomChange) (err error) {
	k.mu.RLock()
	edition := k.edge.Edition()
	k.mu.RUnlock()
	if c.Serial, _, err = k.readCode(edition, c.Code); err != nil {
		return adminError(http.StatusBadRequest, "code: %v", err)
	}
	return nil
}
