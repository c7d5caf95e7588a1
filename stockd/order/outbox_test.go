package order_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ticketrush/stockd/order"
)

// A bank that is away for too long: the call is given up, waits for people, and is made when they say so.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(1)
	w.card.pays(p.ProviderRef, order.PaymentCreated, p.Amount)
	w.set(2*time.Minute, false)
	w.card.setVoid(errSilent)
	_ = w.service.Tidy(t.Context())
	w.becomes(o.ID, order.Expired)
	count := func() string {
		waiting, dead, err := w.ledger.OutboxCount(t.Context())
		return fmt.Sprint(waiting, dead, err)
	}
	at := 2 * time.Minute
	w.until("the call is given up", func() bool {
		at += 11 * time.Minute
		w.set(at, false)
		_ = w.service.Tidy(t.Context())
		return count() == "0 1 <nil>"
	})
	list, err := w.ledger.OutboxList(t.Context(), true, 10)
	if err != nil || len(list) != 1 || list[0].Topic != "void" || list[0].DeadAt.IsZero() || list[0].Error == "" {
		t.Fatalf("the list is %+v, %v", list, err)
	}
	w.card.setVoid(nil)
	w.set(at+time.Hour, false)
	w.tidy(w.service) // nobody makes it by itself
	if got := w.card.is(p.ProviderRef); got != order.PaymentCreated || count() != "0 1 <nil>" {
		t.Errorf("the payment is %s, the calls are %s", got, count())
	}
	for _, c := range []struct{ id, n int64 }{{list[0].ID + 1, 0}, {list[0].ID, 1}} {
		if n, err := w.ledger.OutboxRetry(t.Context(), c.id, w.now()); err != nil || n != c.n {
			t.Errorf("to try %d again gives %d, %v", c.id, n, err)
		}
	}
	w.tidy(w.service)
	w.until("the payment is voided", func() bool { return w.card.is(p.ProviderRef) == order.PaymentVoided && count() == "0 0 <nil>" })
	if n, err := w.ledger.OutboxRetry(t.Context(), 0, w.now()); err != nil || n != 0 {
		t.Errorf("to try all again that were given up gives %d, %v", n, err)
	}
	w.reconciles()
}

// limited is a provider that wants to be left alone.
type limited struct{ error }

func (limited) RetryAfter() time.Duration { return 5 * time.Minute }

// A provider that says for how long it wants to be left alone is left alone.
func TestOutboxLeavesABankAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, p := w.byCard(1)
	w.card.pays(p.ProviderRef, order.PaymentCreated, p.Amount)
	w.set(2*time.Minute, false)
	w.card.setVoid(limited{errors.New("too many requests")})
	_ = w.service.Tidy(t.Context())
	w.until("the bank has said no", func() bool {
		list, err := w.ledger.OutboxList(t.Context(), false, 10)
		return err == nil && len(list) == 1 && list[0].Error != "" && list[0].Due.After(w.now().Add(4*time.Minute))
	})
}
