package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ticketrush/stockd/account"
	"ticketrush/stockd/stock"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// accountHeader carries the JWT of the organiser's site that says who is logged in there.
const accountHeader = "X-Account-Token"

// Limits of what a buyer may be called.
const (
	documentBytesMax = 200
	documentMin      = 4   // letters and digits: less is no document, but a field that was filled in to get on
	documentMax      = 100 // likewise
)

// pseudonym is a key of a counter: the same for the same person at the same event, and nothing to whoever lacks the nodes' secret. Numbers of
// documents are few enough to try them all against a plain hash.
func (s *server) pseudonym(domain string, ev *Event, name string) uuid.UUID {
	mac := hmac.New(sha256.New, s.Pseudonyms)
	for _, part := range [][]byte{[]byte("ticketrush/api/v1/" + domain), ev.ID[:], []byte(name)} {
		mac.Write([]byte{byte(len(part) >> 8), byte(len(part))})
		mac.Write(part)
	}
	var id uuid.UUID
	copy(id[:], mac.Sum(nil))
	return id
}

// account is the account that the request's token names, empty without one.
func (s *server) account(r *http.Request) (string, error) {
	values := r.Header.Values(accountHeader)
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", accountProblem("malformed", accountHeader+" is there several times.")
	case s.Accounts == nil:
		return "", accountProblem("not-configured", "The nodes have no keys to check account tokens with; whoever runs them sets account_keys_file. Without the header limits count per visitor.")
	}
	name, err := s.Accounts.Account(values[0], s.Now())
	var fault *account.Fault
	if errors.As(err, &fault) {
		return "", accountProblem(fault.Reason, fault.Detail)
	}
	return name, err
}

func accountProblem(reason, detail string) *problem {
	return refuse(kindAccountToken, detail).with("reason", reason).set("WWW-Authenticate", accountHeader)
}

// buyer finds out who buys and puts pseudonyms in place of the account and the documents, in the body too: its fingerprint goes to the ledger. So a
// repetition with a renewed token, or with a document that is written in another way, is still the same request.
func (s *server) buyer(who *asker, ev *Event, body *holdBody) error {
	b := body.Buyer
	if b == nil {
		b = &buyerBody{}
	}
	documents, f := normalizedDocuments(b.Documents)
	if b.Account != nil && (*b.Account == "" || len(*b.Account) > account.SubjectBytesMax) {
		f.add("/buyer/account", "1 to %d bytes.", account.SubjectBytesMax)
	}
	if len(f) > 0 {
		return invalid(f...)
	}
	if b.Account != nil {
		switch {
		case who.account == "" && who.key == nil:
			return refuse(kindForbidden, "Only the account's own site may say who buys: by its API key, or by the token that it gives the buyer, sent as "+accountHeader+".")
		case who.account != "" && who.account != *b.Account:
			return refuse(kindForbidden, "buyer.account is another account than the one that "+accountHeader+" names.")
		}
		who.account = *b.Account
	}
	pseudonyms := &buyerBody{}
	if who.account != "" {
		who.accountKey = s.pseudonym("account", ev, who.account)
		text := who.accountKey.String()
		pseudonyms.Account = &text
	}
	for _, d := range documents {
		key := s.pseudonym("document", ev, d)
		who.documents = append(who.documents, key)
		pseudonyms.Documents = append(pseudonyms.Documents, key.String())
	}
	if body.Buyer != nil || who.account != "" {
		body.Buyer = pseudonyms
	}
	return nil
}

// normalizedDocuments reads numbers of documents as people write them: compatibility forms are made plain (NFKC), letters large, and everything that
// is neither letter nor digit is left out.
func normalizedDocuments(texts []string) (documents []string, f faults) {
	if len(texts) > stock.QuantityMax {
		f.add("/buyer/documents", "At most %d.", stock.QuantityMax)
		return nil, f
	}
	for i, text := range texts {
		plain := normalizedDocument(text)
		if n := utf8.RuneCountInString(plain); len(text) > documentBytesMax || n < documentMin || n > documentMax {
			f.add("/buyer/documents/"+strconv.Itoa(i), "%d to %d letters and digits, at most %d bytes.", documentMin, documentMax, documentBytesMax)
		}
		documents = append(documents, plain)
	}
	return documents, f
}

func normalizedDocument(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd") // else NFKC leaves what follows a broken byte as it is
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return c
		}
		return -1
	}, strings.ToUpper(norm.NFKC.String(text)))
}

// limits are what the hold counts against: the visitor, the account, and a document for each ticket.
func (s *server) limits(who *asker, ev *Event, want *wish) error {
	perVisitor := ev.LimitTid
	if ev.LimitAccount > 0 && who.account == "" && who.key == nil {
		if s.AccountRequired || !who.admitted {
			return accountProblem("missing", "Tickets of this event are counted per account: log in at the shop and send the token that it gives as "+accountHeader+".")
		}
		if perVisitor == 0 || ev.LimitAccount < perVisitor {
			perVisitor = ev.LimitAccount // without an account its limit counts per visitor
		}
	}
	if who.admitted && perVisitor > 0 {
		who.quotas = append(who.quotas, stock.Quota{Dimension: stock.DimensionTid, Key: hashed("quota/tid", who.tid[:]), Limit: perVisitor})
	}
	if who.account != "" && ev.LimitAccount > 0 {
		who.quotas = append(who.quotas, stock.Quota{Dimension: stock.DimensionAccount, Key: who.accountKey, Limit: ev.LimitAccount})
	}
	if ev.LimitDocument == 0 {
		return nil
	}
	if tickets := want.tickets(); len(who.documents) != tickets {
		f := faults{}
		f.add("/buyer/documents", "Tickets of this event are sold by name: send the number of one document for each ticket, in their order. Wanted: %d, sent: %d.", tickets, len(who.documents))
		return invalid(f...)
	}
	for _, key := range who.documents {
		who.quotas = append(who.quotas, stock.Quota{Dimension: stock.DimensionDocument, Key: key, Limit: ev.LimitDocument})
	}
	return nil
}

// limit of a dimension.
func (ev *Event) limit(d stock.Dimension) int32 {
	switch d {
	case stock.DimensionAccount:
		return ev.LimitAccount
	case stock.DimensionDocument:
		return ev.LimitDocument
	default:
		return ev.LimitTid
	}
}
