package gate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
)

// Result is what a scan comes to.
type Result string

// The results. OK is green; Again and Clock are amber: a person decides; the others are red.
const (
	OK         Result = "ok"
	Again      Result = "again"       // it was scanned before
	Clock      Result = "clock"       // the device's clock is wrong
	Unreadable Result = "unreadable"  // not the code of a ticket, or a part of one
	Forged     Result = "forged"      // the signature is not right
	UnknownKey Result = "unknown-key" // signed with a key that the gate does not have
	WrongEvent Result = "wrong-event"
	Revoked    Result = "revoked"
	Early      Result = "early"
	Late       Result = "late"
	NoName     Result = "no-name" // the event wants names and the ticket has none
)

// Colour is green, amber or red.
func (r Result) Colour() string {
	switch r {
	case OK:
		return "green"
	case Again, Clock:
		return "amber"
	default:
		return "red"
	}
}

// Verdict is what the person at the gate is told.
type Verdict struct {
	Result Result `json:"result"`
	Colour string `json:"colour"`
	// Text says what to do.
	Text   string    `json:"text"`
	Ticket uuid.UUID `json:"ticket,omitzero"`
	Seat   string    `json:"seat,omitempty"`
	Type   string    `json:"type,omitempty"`
	Holder string    `json:"holder,omitempty"`
	// First is the scan that came before, of Again.
	First *Scan `json:"first,omitempty"`
}

// clockSlack is how far a ticket may be signed in the future before the device's clock is blamed.
const clockSlack = 5 * time.Minute

// Judge is what a code alone comes to, before any log is asked; now is the device's time. Result OK means: look whether it was scanned before. With
// rehearse the time of the event does not matter.
func (b *Bundle) Judge(text string, now time.Time, rehearse bool) Verdict {
	text = strings.TrimSpace(text) // a scanner ends its line
	keys, err := b.keys()
	if err != nil {
		return verdict(UnknownKey, "This gate's keys cannot be used. Fetch the bundle again.")
	}
	code, err := keys.Parse(text)
	switch {
	case errors.Is(err, order.ErrTicketKey):
		return verdict(UnknownKey, fmt.Sprintf("Signed with key %d, which this gate does not have. Fetch the bundle again; if that does not help, it is not our ticket.", code.KeyID))
	case errors.Is(err, order.ErrTicketSignature):
		return verdict(Forged, "The signature is wrong: it is not a ticket of this system, or its code was changed.")
	case err != nil:
		return verdict(Unreadable, "This is not the whole code of a ticket. Scan it again, in better light.")
	}
	v := Verdict{Result: OK, Ticket: code.Ticket, Seat: b.Seats[strconv.FormatInt(code.Seat, 10)]}
	if i := int(code.Type); i >= 0 && i < len(b.Types) {
		v.Type = b.Types[i]
	}
	say := func(r Result, text string) Verdict {
		v.Result, v.Text = r, text
		v.Colour = r.Colour()
		return v
	}
	reason, revoked := b.Revoked[code.Ticket]
	sealed, named := b.Holders[code.Ticket]
	if named {
		v.Holder, err = open(text, sealed, code.Holder)
	}
	switch {
	case code.Event != b.Event:
		v.Seat, v.Type, v.Holder = "", "", ""
		return say(WrongEvent, "This ticket is for another event, not for "+b.Name+".")
	case revoked:
		return say(Revoked, RevokedText(reason))
	case now.Add(clockSlack).Before(code.ValidFrom):
		return say(Clock, fmt.Sprintf("This device says %s, but the ticket was made at %s. Set the clock and scan again.", stamp(now), stamp(code.ValidFrom)))
	case !rehearse && now.Before(b.ValidFrom):
		return say(Early, fmt.Sprintf("Good from %s; the event begins at %s. If it is that time, set this device's clock.", stamp(b.ValidFrom), stamp(b.StartsAt)))
	case !rehearse && now.After(b.ValidUntil):
		return say(Late, fmt.Sprintf("Was good until %s. If the event is on, fetch the bundle again, or set this device's clock.", stamp(b.ValidUntil)))
	case named && err != nil:
		return say(NoName, "The name in the list is not the one that the ticket was made for. Fetch the bundle again.")
	case b.Names == "required" && code.Holder == [8]byte{}:
		return say(NoName, "The ticket has no name, and this event wants one. Its holder gives it in their order, and gets another code.")
	}
	return say(OK, "Let them in.")
}

// RevokedText says why a ticket is void, to the people at the gate.
func RevokedText(reason string) string {
	switch reason {
	case "transferred":
		return "Void: it was passed on to somebody else, who has another code."
	case "reissued":
		return "Void: another code took its place, when its name was changed."
	case "refunded", "cancelled":
		return "Void: its money was given back."
	case "charged_back":
		return "Void: its payment was taken back."
	}
	return "Void: it was revoked."
}

func verdict(r Result, text string) Verdict {
	return Verdict{Result: r, Colour: r.Colour(), Text: text}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// AgainText warns of a second scan.
func AgainText(first Scan) string {
	return fmt.Sprintf("Scanned before: at gate %s, %s. Only one of the two may be inside.", first.Gate, first.At.UTC().Format("2006-01-02 15:04:05 MST"))
}

// Checker is one gate: its bundle and its log. It is safe for concurrent use.
type Checker struct {
	gate     string
	rehearse bool
	log      *Log

	mu     sync.Mutex
	bundle *Bundle
}

// NewChecker is a gate by a name, which its scans carry. With rehearse the time of the event does not matter.
func NewChecker(gate string, b *Bundle, log *Log, rehearse bool) (*Checker, error) {
	if !validGate(gate) {
		return nil, fmt.Errorf("a gate's name has 1 to %d visible letters, not %q", gateMax, gate)
	}
	return &Checker{gate: gate, bundle: b, log: log, rehearse: rehearse}, nil
}

// Bundle is the bundle in use.
func (c *Checker) Bundle() *Bundle {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bundle
}

// Use puts another bundle in place of the present one.
func (c *Checker) Use(b *Bundle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bundle = b
}

// Check judges a code and, when the ticket is good, writes the scan down before it answers. An error means that it could not be written: let nobody in by it.
func (c *Checker) Check(text string, now time.Time) (Verdict, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.bundle.Judge(text, now, c.rehearse)
	if v.Result != OK {
		return v, nil
	}
	first, before, err := c.log.Add(Scan{Ticket: v.Ticket, Gate: c.gate, At: now})
	if err != nil {
		return Verdict{}, err
	}
	if before {
		v.Result, v.Colour, v.Text, v.First = Again, Again.Colour(), AgainText(first), &first
	}
	return v, nil
}

// Inside is how many tickets the gate's log has let in.
func (c *Checker) Inside() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.log.first)
}
