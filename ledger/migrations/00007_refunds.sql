-- +goose Up
-- What goes back: refunds of orders and of lines, disputes, events that are cancelled, and what an organiser is owed.
-- Lock order: orders by id, payments, the open business day, then the event's row (shared).

-- refunds_until: until when a buyer may ask for their money by themselves; null: never. recognised_at: when it was said that the event took place;
-- from then on its revenue is its organiser's, or the house's when it has none.
ALTER TABLE ledger.events ADD COLUMN refunds_until timestamptz, ADD COLUMN organiser text CHECK (organiser ~ '^[a-z0-9][a-z0-9-]{0,62}$'), ADD COLUMN cancelled_at timestamptz, ADD COLUMN recognised_at timestamptz, ADD COLUMN recognitions int NOT NULL DEFAULT 0;

-- ------------------------------------------------------------------ refunds
-- Notes the call that sends a refund.
CREATE FUNCTION ledger.call_refund(p_refund uuid, p_due timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT ledger.call_back('refund:' || r.id, 'refund', jsonb_build_object('provider', y.provider, 'ref', y.provider_ref, 'payment', y.id, 'refund', r.id, 'key', r.key,
        'amount', r.amount, 'currency', r.currency), p_due)
      FROM ledger.refunds r JOIN ledger.payments y ON y.id = r.payment WHERE r.id = p_refund
$$;

-- Ends lines of an order: they belong to nothing but the refund, or the dispute, from here on; their tickets are void, and a job frees their seats.
-- +goose StatementBegin
CREATE FUNCTION ledger.lines_end(p_order uuid, p_event int, p_by uuid, p_seats bigint[], p_void text, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ledger.order_lines SET refund = p_by WHERE order_id = p_order AND seat = ANY (p_seats) AND refund IS NULL;
    UPDATE ledger.tickets SET voided_at = p_now, void_reason = p_void WHERE order_id = p_order AND seat = ANY (p_seats) AND voided_at IS NULL;
    PERFORM ledger.call_back('unsell:' || p_by, 'unsell', jsonb_build_object('order', p_order), p_now);
END $$;
-- +goose StatementEnd

-- Decides to give money back for seats of an order, or for all that it still has (no seats named): the order is refunding, lines and tickets end,
-- what was earned with them is owed to the buyer, and the calls for money and seats are noted. p_void is what the tickets say. Returns 0 decided,
-- 1 decided before under this id, -1 no such order, 2 the order is in another state, 3 a seat is not its, or not any more, 4 a part of an order whose
-- tickets are not issued yet: ask again, 5 it has nothing left, 6 the id was used for another wish.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_decide(p_order uuid, p_refund uuid, p_fingerprint uuid, p_seats bigint[], p_reason text, p_void text, p_actor text, p_mass uuid, p_now timestamptz)
RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    e record;
    r record;
    l record;
    v_payment uuid;
    v_live bigint;
    v_day date;
    v_source text := 'refund:' || p_refund;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    SELECT x.* INTO r FROM ledger.refunds x WHERE x.id = p_refund;
    IF FOUND THEN RETURN CASE WHEN r.order_id = p_order AND r.fingerprint IS NOT DISTINCT FROM p_fingerprint THEN 1 ELSE 6 END; END IF;
    SELECT y.id INTO v_payment FROM ledger.payments y WHERE y.order_id = p_order AND y.placed FOR NO KEY UPDATE;
    IF NOT FOUND OR o.state NOT IN (3, 4, 7) THEN RETURN 2; END IF;
    SELECT count(*) INTO v_live FROM ledger.order_lines x WHERE x.order_id = p_order AND x.refund IS NULL;
    IF v_live = 0 THEN RETURN 5; END IF;
    SELECT array_agg(x.seat) AS seats, count(*) AS n, sum(x.face)::bigint AS face, sum(x.fee)::bigint AS fee, sum(x.tax)::bigint AS tax INTO l
      FROM ledger.order_lines x WHERE x.order_id = p_order AND x.refund IS NULL AND (cardinality(p_seats) = 0 OR x.seat = ANY (p_seats));
    IF cardinality(p_seats) > 0 AND l.n <> cardinality(p_seats) THEN RETURN 3; END IF;
    IF o.state = 3 AND l.n <> v_live THEN RETURN 4; END IF;
    v_day := ledger.open_day();
    SELECT x.recognised_at IS NOT NULL AS recognised, x.organiser INTO e FROM ledger.events x WHERE x.id = o.event FOR SHARE;
    INSERT INTO ledger.refunds(id, payment, order_id, lines, amount, currency, reason, actor, fingerprint, state, key, mass, created_at, updated_at)
        VALUES (p_refund, v_payment, p_order, true, l.face + l.fee + l.tax, o.currency, p_reason, p_actor, p_fingerprint, 'decided', p_refund, p_mass, p_now, p_now);
    PERFORM ledger.lines_end(p_order, o.event, p_refund, l.seats, p_void, p_now);
    PERFORM ledger.order_move(p_order, o.state, 7::smallint, 'cancel', o.attempt, p_reason, NULL, p_now);
    PERFORM ledger.post(v_source, 1::smallint, CASE WHEN NOT e.recognised THEN '2400:' || o.event ELSE coalesce('2200:' || e.organiser, '4000') END, '2500', o.currency, l.face, p_order, v_day, p_now);
    PERFORM ledger.post(v_source, 2::smallint, CASE WHEN NOT e.recognised THEN '2410:' || o.event ELSE '4100' END, '2500', o.currency, l.fee, p_order, v_day, p_now);
    PERFORM ledger.post(v_source, 3::smallint, '2300', '2500', o.currency, l.tax, p_order, v_day, p_now);
    IF l.face + l.fee + l.tax = 0 THEN
        PERFORM ledger.refund_sent(p_refund, p_now);
    ELSE
        PERFORM ledger.call_refund(p_refund, p_now);
    END IF;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- The money of a placed payment was taken: kept and posted once. It is known from the capture's answer, or from what followed it.
-- +goose StatementBegin
CREATE FUNCTION ledger.capture_note(p_payment uuid, p_detail text, p_day date, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    y record;
    v_fact text;
BEGIN
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment FOR NO KEY UPDATE;
    IF y.captured > 0 THEN RETURN; END IF;
    UPDATE ledger.payments SET state = 'captured', captured = amount, updated_at = p_now WHERE id = p_payment;
    v_fact := 'capture:' || y.provider_ref;
    INSERT INTO ledger.payment_events(provider, event_id, provider_ref, kind, amount, currency, provider_at, payload_sha256)
        VALUES (y.provider, v_fact, y.provider_ref, 'captured', y.amount, y.currency, p_now, sha256(''));
    INSERT INTO ledger.payment_event_results(provider, event_id, outcome, detail) VALUES (y.provider, v_fact, 'applied', p_detail);
    PERFORM ledger.post('payment_event:' || y.provider || ':' || v_fact, 1::smallint, '1100:' || y.provider, '1200', y.currency, y.amount, y.order_id, p_day, p_now);
END $$;
-- +goose StatementEnd

-- An order whose last refund is on its way out has it behind it: refunded when nothing of it is left, else issued again.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_ok(p_order uuid, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    v_left boolean;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order;
    IF o.state <> 7 OR EXISTS (SELECT 1 FROM ledger.refunds r WHERE r.order_id = p_order AND r.lines AND r.state <> 'sent') THEN RETURN; END IF;
    v_left := EXISTS (SELECT 1 FROM ledger.order_lines l WHERE l.order_id = p_order AND l.refund IS NULL);
    PERFORM ledger.order_move(p_order, 7::smallint, CASE WHEN v_left THEN 4 ELSE 8 END::smallint, 'refund_ok', o.attempt, '', NULL, p_now);
END $$;
-- +goose StatementEnd

-- A refund was sent by its provider. False: it was known.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_sent(p_refund uuid, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    r record;
    y record;
    v_day date;
BEGIN
    PERFORM 1 FROM ledger.orders x WHERE x.id = (SELECT f.order_id FROM ledger.refunds f WHERE f.id = p_refund) FOR NO KEY UPDATE;
    SELECT x.* INTO r FROM ledger.refunds x WHERE x.id = p_refund FOR NO KEY UPDATE;
    IF NOT FOUND OR r.state = 'sent' THEN RETURN false; END IF;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = r.payment FOR NO KEY UPDATE;
    v_day := ledger.open_day();
    IF y.placed THEN
        PERFORM ledger.capture_note(y.id, 'its refund was sent', v_day, p_now);
    ELSIF y.captured = 0 THEN
        PERFORM ledger.late_captured(p_refund, v_day, p_now);
    END IF;
    UPDATE ledger.refunds SET state = 'sent', updated_at = p_now WHERE id = p_refund;
    UPDATE ledger.payments SET refunded = least(captured, refunded + r.amount), state = CASE WHEN refunded + r.amount >= captured THEN 'refunded' ELSE 'captured' END, updated_at = p_now WHERE id = y.id;
    PERFORM ledger.post('refund:' || p_refund, (4 + 2 * r.failures)::smallint, '2500', '1100:' || y.provider, r.currency, r.amount, r.order_id, v_day, p_now);
    PERFORM ledger.refund_ok(r.order_id, p_now);
    RETURN true;
END $$;
-- +goose StatementEnd

-- The money of a refund was only authorised, and the authorisation was given back: nothing has to be sent. False: it was known, or the money was taken.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_voided(p_refund uuid, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    r record;
    y record;
BEGIN
    PERFORM 1 FROM ledger.orders x WHERE x.id = (SELECT f.order_id FROM ledger.refunds f WHERE f.id = p_refund) FOR NO KEY UPDATE;
    SELECT x.* INTO r FROM ledger.refunds x WHERE x.id = p_refund FOR NO KEY UPDATE;
    IF NOT FOUND OR r.state = 'sent' THEN RETURN false; END IF;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = r.payment FOR NO KEY UPDATE;
    IF y.captured > 0 THEN RETURN false; END IF;
    UPDATE ledger.refunds SET state = 'sent', updated_at = p_now WHERE id = p_refund;
    UPDATE ledger.payments SET state = 'voided', updated_at = p_now WHERE id = y.id;
    -- What the order was owed (1200) is owed no more. A payment that never paid an order has no postings.
    IF y.placed THEN
        PERFORM ledger.post('refund:' || p_refund, 4::smallint, '2500', '1200', r.currency, r.amount, r.order_id, ledger.open_day(), p_now);
    END IF;
    PERFORM ledger.refund_ok(r.order_id, p_now);
    RETURN true;
END $$;
-- +goose StatementEnd

-- A provider could not send a refund, perhaps one that it had said to have sent: the money is owed again and the call is made anew, under another key,
-- later each time. False: it has failed before, and was not sent since.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_failed(p_refund uuid, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    r record;
    y record;
    t record;
BEGIN
    PERFORM 1 FROM ledger.orders x WHERE x.id = (SELECT f.order_id FROM ledger.refunds f WHERE f.id = p_refund) FOR NO KEY UPDATE;
    SELECT x.* INTO r FROM ledger.refunds x WHERE x.id = p_refund FOR NO KEY UPDATE;
    IF NOT FOUND OR r.state = 'failed' THEN RETURN false; END IF;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = r.payment FOR NO KEY UPDATE;
    IF r.state = 'sent' THEN
        SELECT x.* INTO t FROM ledger.transfers x WHERE x.source = 'refund:' || p_refund AND x.leg = 4 + 2 * r.failures AND x.debit = '2500';
        IF NOT FOUND OR t.credit = '1200' THEN RETURN false; END IF; -- nothing was sent
        INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, order_id, day, effective_at, reverses)
            VALUES (t.source, t.leg + 1, t.credit, t.debit, t.currency, t.amount, t.order_id, ledger.open_day(), p_now, t.id);
        UPDATE ledger.payments SET refunded = greatest(0, refunded - r.amount), state = 'captured', updated_at = p_now WHERE id = y.id;
    END IF;
    UPDATE ledger.refunds SET state = 'failed', failures = failures + 1, key = gen_random_uuid(), updated_at = p_now WHERE id = p_refund;
    PERFORM ledger.call_refund(p_refund, p_now + least(interval '1 hour', interval '30 seconds' * (2 ^ least(r.failures, 10))));
    -- A job that is open keeps its time; it takes the new key along.
    UPDATE ledger.outbox x SET payload = jsonb_set(x.payload, '{key}', to_jsonb(f.key)) FROM ledger.refunds f WHERE f.id = p_refund AND x.dedup = 'refund:' || p_refund;
    RETURN true;
END $$;
-- +goose StatementEnd

-- What a provider tells of refunds. kind: refund_sent, refund_failed (of p_refund, by its id or its key), refunded (all of the payment, however that
-- came). Returns 6 nothing follows, 8 another amount, 9 a refund has failed, 13 a refund was sent, 14 one that we never decided.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_told(p_payment uuid, p_kind text, p_refund uuid, p_amount bigint, p_currency text, p_source text, p_day date, p_now timestamptz)
RETURNS smallint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    y record;
    r record;
    v_id uuid := gen_random_uuid();
    v smallint := 6;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = (SELECT p.order_id FROM ledger.payments p WHERE p.id = p_payment) FOR NO KEY UPDATE;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment FOR NO KEY UPDATE;
    IF p_kind <> 'refunded' THEN
        SELECT x.* INTO r FROM ledger.refunds x WHERE x.payment = p_payment AND p_refund IN (x.id, x.key);
        IF NOT FOUND THEN
            IF p_kind = 'refund_failed' OR EXISTS (SELECT 1 FROM ledger.refunds x WHERE x.payment = p_payment AND x.failures > 1) THEN RETURN 6; END IF;
            -- Somebody sent money back at the provider. For what, people have to say.
            PERFORM ledger.post(p_source, 1::smallint, '2900', '1100:' || y.provider, p_currency, p_amount, o.id, p_day, p_now);
            RETURN 14;
        END IF;
        IF (p_amount, p_currency) IS DISTINCT FROM (r.amount, r.currency) THEN RETURN 8; END IF;
        IF p_kind = 'refund_failed' THEN RETURN CASE WHEN ledger.refund_failed(r.id, p_now) THEN 9 ELSE 6 END; END IF;
        RETURN CASE WHEN ledger.refund_sent(r.id, p_now) THEN 13 ELSE 6 END;
    END IF;
    IF p_currency IS DISTINCT FROM y.currency OR p_amount NOT IN (y.amount, y.captured) THEN RETURN 8; END IF;
    FOR r IN SELECT x.id FROM ledger.refunds x WHERE x.payment = p_payment AND x.state <> 'sent' ORDER BY x.id LOOP
        PERFORM ledger.refund_sent(r.id, p_now);
        v := 13;
    END LOOP;
    IF y.placed AND ledger.refund_decide(o.id, v_id, NULL, '{}', 'the provider has sent all of it back', 'refunded', 'the provider', NULL, p_now) = 0 THEN
        PERFORM ledger.refund_sent(v_id, p_now);
        v := 13;
    END IF;
    UPDATE ledger.outbox x SET done_at = p_now FROM ledger.refunds f WHERE f.payment = p_payment AND f.state = 'sent' AND x.dedup = 'refund:' || f.id AND x.done_at IS NULL;
    RETURN v;
END $$;
-- +goose StatementEnd

-- ------------------------------------------------------------------ disputes
CREATE TABLE ledger.disputes (
    id         uuid PRIMARY KEY,
    payment    uuid NOT NULL REFERENCES ledger.payments,
    order_id   uuid NOT NULL REFERENCES ledger.orders,
    n          int NOT NULL CHECK (n > 0),                   -- of the payment's disputes
    amount     bigint NOT NULL CHECK (amount > 0),
    currency   text NOT NULL,
    state      text NOT NULL CHECK (state IN ('open', 'won', 'lost')),
    from_state smallint CHECK (from_state IN (3, 4)),        -- the state that the order had and goes back to; null: it was not touched
    opened_at  timestamptz NOT NULL,                         -- by the provider's clock
    ended_at   timestamptz,
    UNIQUE (payment, n),
    CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX disputes_one_open ON ledger.disputes (payment) WHERE state = 'open';
CREATE INDEX disputes_order ON ledger.disputes (order_id);

-- What a provider tells of disputes, in whatever order: an end without a beginning is both, a beginning after its end is nothing. The provider takes
-- the amount off at once (5200 → 1100), and gives it back when the dispute is won. Lost: the seats come back, the tickets are void, and the amount stays
-- where it is. Returns 6 nothing follows, 10 opened, 11 won, 12 lost.
-- +goose StatementBegin
CREATE FUNCTION ledger.dispute_told(p_payment uuid, p_kind text, p_amount bigint, p_currency text, p_at timestamptz, p_source text, p_day date, p_now timestamptz) RETURNS smallint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    y record;
    d ledger.disputes;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = (SELECT p.order_id FROM ledger.payments p WHERE p.id = p_payment) FOR NO KEY UPDATE;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment FOR NO KEY UPDATE;
    SELECT x.* INTO d FROM ledger.disputes x WHERE x.payment = p_payment ORDER BY x.n DESC LIMIT 1;
    IF d.state = 'open' AND p_kind = 'dispute_opened' OR d.ended_at >= p_at THEN RETURN 6; END IF;
    IF d.state IS DISTINCT FROM 'open' THEN
        IF d.state = substr(p_kind, 9) THEN RETURN 6; END IF; -- told again, later
        INSERT INTO ledger.disputes(id, payment, order_id, n, amount, currency, state, from_state, opened_at)
            VALUES (gen_random_uuid(), p_payment, o.id, coalesce(d.n, 0) + 1, p_amount, p_currency, 'open', CASE WHEN y.placed AND o.state IN (3, 4) THEN o.state END, p_at) RETURNING * INTO d;
        PERFORM ledger.post(p_source, 1::smallint, '5200', '1100:' || y.provider, d.currency, d.amount, o.id, p_day, p_now);
        IF d.from_state IS NOT NULL THEN
            PERFORM ledger.order_move(o.id, o.state, 9::smallint, 'dispute', o.attempt, '', NULL, p_now);
            o.state := 9;
        END IF;
        IF p_kind = 'dispute_opened' THEN RETURN 10; END IF;
    END IF;
    UPDATE ledger.disputes SET state = substr(p_kind, 9), ended_at = p_at WHERE id = d.id;
    IF p_kind = 'dispute_won' THEN
        PERFORM ledger.post(p_source, 2::smallint, '1100:' || y.provider, '5200', d.currency, d.amount, o.id, p_day, p_now);
        IF o.state = 9 THEN PERFORM ledger.order_move(o.id, 9::smallint, d.from_state, 'dispute_won', o.attempt, '', NULL, p_now); END IF;
        RETURN 11;
    END IF;
    IF y.placed AND o.state IN (3, 4, 7, 9) THEN
        PERFORM ledger.lines_end(o.id, o.event, d.id, (SELECT coalesce(array_agg(l.seat), '{}') FROM ledger.order_lines l WHERE l.order_id = o.id AND l.refund IS NULL), 'charged_back', p_now);
        IF o.state IN (3, 4) THEN PERFORM ledger.order_move(o.id, o.state, 9::smallint, 'dispute', o.attempt, '', NULL, p_now); END IF;
        IF o.state <> 7 THEN PERFORM ledger.order_move(o.id, 9::smallint, 8::smallint, 'dispute_lost', o.attempt, '', NULL, p_now); END IF;
    END IF;
    RETURN 12;
END $$;
-- +goose StatementEnd

-- ------------------------------------------------------------------ late payments
-- A payment that succeeds when its order has expired or was cancelled: what is being done for it. looking: for the same seats, then for others;
-- offered: others are held until the buyer says yes or no; accepted: they are being pinned; placed: it has paid its order; returned: the money goes back.
CREATE TABLE ledger.late_payments (
    order_id uuid NOT NULL REFERENCES ledger.orders,
    attempt  int NOT NULL,
    payment  uuid NOT NULL UNIQUE REFERENCES ledger.payments,  -- once: whoever comes late again is sent back
    captured boolean NOT NULL,                               -- the money was taken already, by the provider's word
    state    text NOT NULL CHECK (state IN ('looking', 'offered', 'accepted', 'placed', 'returned')),
    hold     uuid,                                           -- of the offer
    seats    bigint[],                                       -- the order's seats, in order, are these in the offer
    until    timestamptz NOT NULL,                           -- then the money goes back
    PRIMARY KEY (order_id, attempt),
    CHECK ((hold IS NULL) = (seats IS NULL))
);
CREATE INDEX late_payments_open ON ledger.late_payments (until) WHERE state IN ('looking', 'offered', 'accepted');

-- The order of a payment that comes late waits for it once more: expired or cancelled → paying, next attempt, without seats. False: it may not, because
-- its event has begun or does not take place, the payment came late before, the hold's seats are another order's by now, or it still has sold ones.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_begin(p_order uuid, p_payment uuid, p_captured boolean, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order;
    IF o.state NOT IN (5, 6) OR EXISTS (SELECT 1 FROM ledger.late_payments l WHERE l.payment = p_payment) OR EXISTS (SELECT 1 FROM ledger.refunds r WHERE r.payment = p_payment)
        OR NOT EXISTS (SELECT 1 FROM ledger.events e WHERE e.id = o.event AND e.cancelled_at IS NULL AND e.starts_at > p_now)
        OR EXISTS (SELECT 1 FROM ledger.orders x WHERE x.hold = o.hold AND x.state NOT IN (5, 6))
        OR EXISTS (SELECT 1 FROM ledger.sales s WHERE s.order_id = p_order AND s.ended_seq IS NULL) THEN -- its capture was refused, and its seats come back
        RETURN false;
    END IF;
    PERFORM ledger.order_move(p_order, o.state, 2::smallint, 'pay_ok', o.attempt + 1, 'it was paid late', p_now + interval '2 minutes', p_now);
    UPDATE ledger.payments SET attempt = o.attempt + 1, updated_at = p_now WHERE id = p_payment;
    UPDATE ledger.outbox SET done_at = p_now WHERE dedup = 'void:' || p_payment AND done_at IS NULL;
    INSERT INTO ledger.late_payments(order_id, attempt, payment, captured, state, until) VALUES (p_order, o.attempt + 1, p_payment, p_captured, 'looking', p_now + interval '2 minutes');
    RETURN true;
END $$;
-- +goose StatementEnd

-- What is told of a payment while its order looks for seats. Returns 5 it has failed, or was given back: the order has ended again; 6 nothing follows; null:
-- the payment is none of these.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_told(p_payment uuid, p_kind text, p_now timestamptz) RETURNS smallint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    l record;
BEGIN
    SELECT x.* INTO l FROM ledger.late_payments x WHERE x.payment = p_payment AND x.state IN ('looking', 'offered', 'accepted');
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF p_kind = 'captured' THEN UPDATE ledger.late_payments SET captured = true WHERE payment = p_payment; END IF;
    IF p_kind NOT IN ('failed', 'voided') THEN RETURN 6; END IF;
    UPDATE ledger.late_payments SET state = 'returned' WHERE payment = p_payment;
    UPDATE ledger.payments SET state = p_kind, updated_at = p_now WHERE id = p_payment;
    PERFORM ledger.order_move(l.order_id, 2::smallint, 5::smallint, 'pay_fail', l.attempt, 'the late payment was given back', NULL, p_now);
    RETURN 5;
END $$;
-- +goose StatementEnd

-- The order takes a hold over that was taken for it: the hold's owner and everybody else find the order on it from here on. With an offer its lines move
-- to the offered seats, at the prices that were paid. 0 done, 1 it had done so, 2 the order does not look for seats with this attempt, 3 the hold is over,
-- or has an order, or other seats than the lines.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_adopt(p_order uuid, p_attempt int, p_hold uuid, p_seats bigint[], p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    h record;
    v_seats int;
    v_had bigint[];
BEGIN
    -- Whoever has a hold's row never waits for an order, so the order goes first.
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND OR o.state <> 2 OR o.attempt <> p_attempt THEN RETURN 2; END IF;
    IF o.hold = p_hold THEN RETURN 1; END IF;
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_hold FOR NO KEY UPDATE;
    IF NOT FOUND OR h.state <> 1 OR h.order_id IS NOT NULL OR h.deadline <= clock_timestamp() THEN RETURN 3; END IF;
    SELECT count(*) INTO v_seats FROM (SELECT DISTINCT unnest(p_seats) AS seat) w,
        LATERAL (SELECT x.hold, x.state FROM ledger.seats x WHERE x.event = h.event AND x.seat = w.seat OFFSET 0) s WHERE s.hold = p_hold AND s.state = 1;
    SELECT array_agg(l.seat ORDER BY l.seat) INTO v_had FROM ledger.order_lines l WHERE l.order_id = p_order;
    IF v_seats <> h.quantity OR v_seats <> cardinality(p_seats) OR v_seats <> cardinality(v_had) THEN RETURN 3; END IF;
    IF p_seats <> v_had THEN -- by way of seats that there are not: one that is given up may be another line's new one
        UPDATE ledger.order_lines SET seat = -seat WHERE order_id = p_order;
        UPDATE ledger.order_lines l SET seat = x.now FROM unnest(v_had, p_seats) x(had, now) WHERE l.order_id = p_order AND l.seat = -x.had;
    END IF;
    UPDATE ledger.orders SET hold = p_hold, updated_at = p_now WHERE id = p_order;
    UPDATE ledger.holds SET order_id = p_order, attempt = CASE WHEN segment = 0 THEN p_attempt ELSE attempt END WHERE id = p_hold;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Offers other seats, which the hold has, until a time. False: it does not look for seats any more.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_offer(p_order uuid, p_attempt int, p_hold uuid, p_seats bigint[], p_until timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    UPDATE ledger.late_payments SET state = 'offered', hold = p_hold, seats = p_seats, until = p_until WHERE order_id = p_order AND attempt = p_attempt AND state = 'looking';
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE ledger.orders SET paying_until = p_until WHERE id = p_order;
    RETURN true;
END $$;
-- +goose StatementEnd

-- The buyer says yes: the order has the offered seats, and time to pin them. 0 yes, 1 said before, 2 nothing is offered, 3 it is over.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_accept(p_order uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    l record;
    v int;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    SELECT x.* INTO l FROM ledger.late_payments x WHERE x.order_id = p_order AND x.attempt = o.attempt;
    IF NOT FOUND OR l.hold IS NULL THEN RETURN 2; END IF;
    IF l.state IN ('accepted', 'placed') THEN RETURN 1; END IF;
    IF l.state <> 'offered' OR l.until <= p_now THEN RETURN 3; END IF;
    v := ledger.late_adopt(p_order, l.attempt, l.hold, l.seats, p_now);
    IF v > 1 THEN RETURN 3; END IF;
    UPDATE ledger.late_payments SET state = 'accepted', until = p_now + interval '10 minutes' WHERE order_id = p_order AND attempt = l.attempt;
    UPDATE ledger.orders SET paying_until = p_now + interval '10 minutes' WHERE id = p_order;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Decides an order that was paid late and has its seats pinned, as decide. The pins of a hold that has ended are no pins: they are being freed.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_decide(p_order uuid, p_attempt int, p_payment uuid, p_now timestamptz) RETURNS smallint LANGUAGE plpgsql AS $$
DECLARE
    v smallint;
BEGIN
    PERFORM 1 FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM ledger.orders x JOIN ledger.holds h ON h.id = x.hold WHERE x.id = p_order AND (h.state = 1 OR x.state <> 2)) THEN RETURN 2; END IF;
    v := ledger.decide(p_order, p_attempt, p_payment, ledger.open_day(), p_now);
    IF v <= 1 THEN UPDATE ledger.late_payments SET state = 'placed' WHERE order_id = p_order AND attempt = p_attempt; END IF;
    RETURN v;
END $$;
-- +goose StatementEnd

-- No seats can be had, or the buyer does not want others: the money goes back. Nothing of the order was ever earned, so only what was taken is posted.
-- False: it does not look for seats any more.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_return(p_order uuid, p_attempt int, p_reason text, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    l record;
    y record;
    v_refund uuid := gen_random_uuid();
    v_day date;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    SELECT x.* INTO l FROM ledger.late_payments x WHERE x.order_id = p_order AND x.attempt = p_attempt AND x.state IN ('looking', 'offered', 'accepted');
    IF NOT FOUND OR o.state <> 2 OR o.attempt <> p_attempt THEN RETURN false; END IF;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = l.payment FOR NO KEY UPDATE;
    v_day := ledger.open_day();
    UPDATE ledger.late_payments SET state = 'returned' WHERE order_id = p_order AND attempt = p_attempt;
    INSERT INTO ledger.refunds(id, payment, order_id, lines, amount, currency, reason, actor, state, key, created_at, updated_at)
        VALUES (v_refund, y.id, p_order, true, y.amount, y.currency, p_reason, 'the machine', 'decided', v_refund, p_now, p_now);
    PERFORM ledger.lines_end(p_order, o.event, v_refund, (SELECT array_agg(x.seat) FROM ledger.order_lines x WHERE x.order_id = p_order), 'refunded', p_now);
    PERFORM ledger.order_move(p_order, 2::smallint, 7::smallint, 'no_seats', o.attempt, p_reason, NULL, p_now);
    IF l.captured THEN PERFORM ledger.late_captured(v_refund, v_day, p_now); END IF;
    PERFORM ledger.call_refund(v_refund, p_now);
    RETURN true;
END $$;
-- +goose StatementEnd

-- The money of a payment that paid nothing was taken: it is owed to the buyer.
-- +goose StatementBegin
CREATE FUNCTION ledger.late_captured(p_refund uuid, p_day date, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    r record;
    y record;
BEGIN
    SELECT x.* INTO r FROM ledger.refunds x WHERE x.id = p_refund;
    UPDATE ledger.payments SET state = 'captured', captured = amount, updated_at = p_now WHERE id = r.payment RETURNING * INTO y;
    PERFORM ledger.post('refund:' || p_refund, 1::smallint, '1100:' || y.provider, '2900', r.currency, r.amount, r.order_id, p_day, p_now);
    PERFORM ledger.post('refund:' || p_refund, 2::smallint, '2900', '2500', r.currency, r.amount, r.order_id, p_day, p_now);
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger.late_captured, ledger.late_return, ledger.late_decide, ledger.late_accept, ledger.late_offer, ledger.late_adopt, ledger.late_told, ledger.late_begin;
DROP TABLE ledger.late_payments;
DROP FUNCTION ledger.dispute_told;
DROP TABLE ledger.disputes;
DROP FUNCTION ledger.refund_told, ledger.refund_failed, ledger.refund_voided, ledger.refund_sent, ledger.refund_ok, ledger.capture_note, ledger.refund_decide, ledger.lines_end, ledger.call_refund;
ALTER TABLE ledger.events DROP COLUMN refunds_until, DROP COLUMN organiser, DROP COLUMN cancelled_at, DROP COLUMN recognised_at, DROP COLUMN recognitions;
