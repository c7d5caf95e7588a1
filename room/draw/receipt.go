package draw

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// ReceiptFormat names the format of a receipt.
const ReceiptFormat = "ticketrush-receipt/1"

// receiptMax bounds a receipt, in bytes. One of a million people has about 1,700; long names of a source, escaped, come on top.
const receiptMax = 8 << 10

// Receipt proves somebody's rank in a draw. As JSON the tid is 32 hexadecimal digits, the rank decimal text (JavaScript's numbers end at 2^53), and
// each hash of the path base64, as in the proofs of C2SP logs.
type Receipt struct {
	Format string `json:"format"`
	Terms
	Tid     TidText    `json:"tid"`
	Index   int64      `json:"index"` // in the sorted list, from 0 on
	Path    []PathHash `json:"path"`  // from the leaf upward
	Rank    uint64     `json:"rank,string"`
	Ordinal int64      `json:"ordinal"` // 1 to N; the receipt alone does not prove it
}

// TidText is a Tid that is written as 32 lower-case hexadecimal digits.
type TidText Tid

// String gives the text.
func (t TidText) String() string { return hex.EncodeToString(t[:]) }

// MarshalText gives the text.
func (t TidText) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the text.
func (t *TidText) UnmarshalText(text []byte) error { return unhex(t[:], text) }

// PathHash is a hash of an inclusion path. Its text is base64.
type PathHash [32]byte

// MarshalText gives the text.
func (h PathHash) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, h[:]), nil
}

// UnmarshalText reads the text.
func (h *PathHash) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(h) {
		return fmt.Errorf("path: %.80q is not the base64 of 32 bytes", text)
	}
	copy(h[:], raw)
	return nil
}

// Receipt gives the proof for a tid; ok says whether it is on the list. It costs about 100 µs.
func (d *Drawn) Receipt(tid Tid) (r *Receipt, ok bool) {
	index, ok := d.Index(tid)
	if !ok {
		return nil, false
	}
	r = &Receipt{Format: ReceiptFormat, Terms: d.terms, Tid: TidText(tid), Index: index, Path: []PathHash{}}
	for _, h := range d.tree.proof(index) {
		r.Path = append(r.Path, PathHash(h))
	}
	r.Rank, r.Ordinal, _ = d.Place(tid)
	return r, true
}

// ParseReceipt reads a receipt as JSON. It accepts only what Verify can judge: known fields, each of its form.
func ParseReceipt(text []byte) (*Receipt, error) {
	if len(text) > receiptMax {
		return nil, fault(StepFormat, "a receipt has at most %d bytes, this has %d", receiptMax, len(text))
	}
	r := new(Receipt)
	if err := decode(text, r); err != nil {
		return nil, &Fault{StepFormat, err}
	}
	return r, nil
}

// decode reads one JSON value and nothing after it.
func decode(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("not the JSON that is expected: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands after the JSON")
	}
	return nil
}

// Trusted is what a verifier knows from elsewhere: the room's signed log, or the page before the opening. A zero hash is not compared.
// Without any, a receipt only shows that it agrees with itself: whoever made it could have made all of it.
type Trusted struct {
	Commitment Hash
	Root       Hash
}

// Verify checks the receipt and gives nil or a *Fault with the first step that fails. It does not prove the ordinal: only that it is one of 1 to N.
// The published list does.
func (r *Receipt) Verify(known Trusted) error {
	if r.Format != ReceiptFormat {
		return fault(StepFormat, "the format is %q, this program knows %q", r.Format, ReceiptFormat)
	}
	if err := r.checkFormat(); err != nil {
		return err
	}
	if known.Commitment != (Hash{}) && known.Commitment != r.Commitment {
		return fault(StepCommitment, "%w: %v, published was %v", errNotPublished, r.Commitment, known.Commitment)
	}
	if known.Root != (Hash{}) && known.Root != r.Root {
		return fault(StepRoot, "%w: %v, published was %v", errNotPublished, r.Root, known.Root)
	}
	if err := r.checkSecret(); err != nil {
		return err
	}
	if err := r.checkBeacon(); err != nil {
		return err
	}
	if err := r.checkInclusion(); err != nil {
		return err
	}
	if rank := Rank(r.DeriveSeed(), Tid(r.Tid)); rank != r.Rank {
		return fault(StepRank, "the rank is %d, by seed and tid it is %d", r.Rank, rank)
	}
	if r.Ordinal < 1 || r.Ordinal > r.N {
		return fault(StepOrdinal, "the ordinal is %d of %d", r.Ordinal, r.N)
	}
	return nil
}

func (r *Receipt) checkInclusion() error {
	if r.Index < 0 || r.Index >= r.N {
		return fault(StepInclusion, "the index is %d in a list of %d", r.Index, r.N)
	}
	path := make(tlog.RecordProof, len(r.Path))
	for i, h := range r.Path {
		path[i] = tlog.Hash(h)
	}
	tid := Tid(r.Tid)
	if err := tlog.CheckRecord(path, r.N, tlog.Hash(r.Root), r.Index, leafHash(&tid)); err != nil {
		return fault(StepInclusion, "the path does not lead from the tid to the root: %w", err)
	}
	return nil
}
