-- +goose Up
-- How orders move and money is posted. Lock order: orders by id, then the open business day.

-- Moves one order and writes its history. False: the order is not in the state that was expected, or a later attempt to pay it is under way: who
-- asked a provider about an earlier one may come back with the answer when the buyer is paying anew.
-- +goose StatementBegin
CREATE FUNCTION ledger.order_move(p_order uuid, p_from smallint, p_to smallint, p_event text, p_attempt int, p_reason text, p_paying_until timestamptz, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_ver int;
    v_state smallint;
    v_attempt int;
BEGIN
    SELECT ver, state, attempt INTO v_ver, v_state, v_attempt FROM ledger.orders WHERE id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND OR v_state <> p_from OR v_attempt > p_attempt THEN RETURN false; END IF;
    INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, reason, at)
        VALUES (p_order, v_ver + 1, v_ver, p_from, p_to, p_event, p_attempt, p_reason, p_now);
    UPDATE ledger.orders SET ver = v_ver + 1, state = p_to, attempt = p_attempt, paying_until = p_paying_until, updated_at = p_now WHERE id = p_order;
    RETURN true;
END $$;
-- +goose StatementEnd

-- Begins a payment: pending_payment → paying, attempt + 1. Returns the attempt, or -1 no such order, -2 another state, -3 too many attempts,
-- -4 the hold has ended. The hold's own deadline is its owner's to compare: after a take-over it has more time than its row says, so only the
-- end that nothing moves counts here, with the grace of one session.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_begin(p_order uuid, p_max_attempts int, p_until timestamptz, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_state smallint;
    v_attempt int;
    v_hold uuid;
BEGIN
    SELECT state, attempt, hold INTO v_state, v_attempt, v_hold FROM ledger.orders WHERE id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF v_state <> 1 THEN RETURN -2; END IF;
    IF v_attempt >= p_max_attempts THEN RETURN -3; END IF;
    IF NOT EXISTS (SELECT 1 FROM ledger.holds WHERE id = v_hold AND state = 1 AND max_expires_at + interval '3 seconds' > p_now) THEN RETURN -4; END IF;
    PERFORM ledger.order_move(p_order, 1::smallint, 2::smallint, 'pay_start', v_attempt + 1, '', p_until, p_now);
    -- Of a hold in one segment the pin writes it. Nobody waits for an order while it has a hold's row, so this order of locks does no harm.
    UPDATE ledger.holds SET attempt = v_attempt + 1 WHERE id = v_hold AND segment = 0;
    RETURN v_attempt + 1;
END $$;
-- +goose StatementEnd

-- Posts one leg: an amount from a debit to a credit account. Zero amounts are not posted; a cause that was posted before is not posted again.
-- +goose StatementBegin
CREATE FUNCTION ledger.post(p_source text, p_leg smallint, p_debit text, p_credit text, p_currency text, p_amount bigint, p_order uuid, p_day date, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_amount = 0 THEN RETURN; END IF;
    INSERT INTO ledger.accounts(account, currency, name) VALUES (p_debit, p_currency, split_part(p_debit, ':', 1)), (p_credit, p_currency, split_part(p_credit, ':', 1))
        ON CONFLICT DO NOTHING;
    INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, order_id, day, effective_at)
        VALUES (p_source, p_leg, p_debit, p_credit, p_currency, p_amount, p_order, p_day, p_now)
        ON CONFLICT (source, leg) DO NOTHING;
END $$;
-- +goose StatementEnd

-- The business day that is open, held until the end of the transaction: a closing waits for it.
CREATE FUNCTION ledger.open_day() RETURNS date LANGUAGE sql AS $$
    SELECT day FROM ledger.business_days WHERE closed_at IS NULL FOR SHARE
$$;

-- The commit point of a sale: the order waits for this attempt and every one of its seats is pinned to it → paid, with its postings, and this
-- payment is the one that pays it. Returns 0 paid now, 1 was paid by this payment, 2 a seat is not pinned, 3 the order does not wait for this
-- attempt, 4 another payment paid it.
-- +goose StatementBegin
CREATE FUNCTION ledger.decide(p_order uuid, p_attempt int, p_payment uuid, p_day date, p_now timestamptz) RETURNS smallint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    v_placed uuid;
    v_lines int;
    v_pinned int;
    v_face bigint;
    v_fee bigint;
    v_tax bigint;
    v_source text := 'order:' || p_order || ':' || p_attempt;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    SELECT p.id INTO v_placed FROM ledger.payments p WHERE p.order_id = p_order AND p.placed;
    IF FOUND THEN RETURN CASE WHEN v_placed = p_payment THEN 1 ELSE 4 END; END IF;
    IF o.state NOT IN (2, 10) OR o.attempt <> p_attempt THEN RETURN 3; END IF;
    -- Read by a statement of its own, after the order row is locked. The lines were the whole hold when the order was opened, and the hold is
    -- frozen since: as many pins of this hold as it has seats, each on a line, is the same set.
    SELECT count(*), count(s.seat), sum(l.face), sum(l.fee), sum(l.tax) INTO v_lines, v_pinned, v_face, v_fee, v_tax
      FROM ledger.order_lines l
      LEFT JOIN LATERAL (SELECT x.seat FROM ledger.seats x WHERE x.event = o.event AND x.seat = l.seat AND x.state = 2 AND x.order_id = p_order AND x.attempt = p_attempt
                            AND x.hold = o.hold OFFSET 0) s ON true
     WHERE l.order_id = p_order;
    IF v_pinned <> v_lines OR v_lines <> (SELECT h.quantity FROM ledger.holds h WHERE h.id = o.hold) THEN RETURN 2; END IF;
    PERFORM ledger.order_move(p_order, o.state, 3::smallint, 'pay_ok', p_attempt, '', NULL, p_now);
    UPDATE ledger.payments SET placed = true, updated_at = p_now WHERE id = p_payment;
    PERFORM ledger.post(v_source, 1::smallint, '1200', '2400:' || o.event, o.currency, v_face, p_order, p_day, p_now);
    PERFORM ledger.post(v_source, 2::smallint, '1200', '2410:' || o.event, o.currency, v_fee, p_order, p_day, p_now);
    PERFORM ledger.post(v_source, 3::smallint, '1200', '2300', o.currency, v_tax, p_order, p_day, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Notes a call to give money back; what was given up before is taken up again.
-- +goose StatementBegin
CREATE FUNCTION ledger.call_back(p_dedup text, p_topic text, p_payload jsonb, p_due timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ledger.outbox AS x (dedup, topic, payload, due_at) VALUES (p_dedup, p_topic, p_payload, p_due)
        ON CONFLICT (dedup) DO UPDATE SET done_at = NULL, dead_at = NULL, attempts = 0, due_at = excluded.due_at WHERE x.done_at IS NOT NULL OR x.dead_at IS NOT NULL
$$;
-- +goose StatementEnd

-- Ends an attempt whose time is up, with the calls that void what may still be paid: one commit, so that no crash leaves a payment which
-- nobody gives back. False: as order_move.
-- +goose StatementBegin
CREATE FUNCTION ledger.order_expire(p_order uuid, p_from smallint, p_attempt int, p_reason text, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT ledger.order_move(p_order, p_from, 5::smallint, 'deadline', p_attempt, p_reason, NULL, p_now) THEN RETURN false; END IF;
    PERFORM ledger.call_back('void:' || y.id, 'void', jsonb_build_object('provider', y.provider, 'ref', y.provider_ref, 'payment', y.id), p_now)
       FROM ledger.payments y WHERE y.order_id = p_order AND y.attempt = p_attempt AND y.state = 'created';
    RETURN true;
END $$;
-- +goose StatementEnd

-- Money of a payment that pays nothing: authorised is voided; captured is owed to the buyer, once, and sent back. What the provider has in
-- its own books may be another amount than ours: that amount is what goes back.
-- +goose StatementBegin
CREATE FUNCTION ledger.give_back(p_payment uuid, p_captured boolean, p_amount bigint, p_currency text, p_source text, p_reason text, p_day date, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    y record;
    v_refund uuid := gen_random_uuid();
BEGIN
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment FOR NO KEY UPDATE;
    IF NOT p_captured THEN
        PERFORM ledger.call_back('void:' || p_payment, 'void', jsonb_build_object('provider', y.provider, 'ref', y.provider_ref, 'payment', p_payment), p_now);
        RETURN;
    END IF;
    IF EXISTS (SELECT 1 FROM ledger.refunds r WHERE r.payment = p_payment) THEN RETURN; END IF;
    UPDATE ledger.payments SET state = 'captured', captured = least(p_amount, amount), updated_at = p_now WHERE id = p_payment;
    INSERT INTO ledger.refunds(id, payment, amount, reason, state, created_at, updated_at) VALUES (v_refund, p_payment, p_amount, p_reason, 'decided', p_now, p_now);
    PERFORM ledger.post(p_source, 1::smallint, '1100:' || y.provider, '2900', p_currency, p_amount, y.order_id, p_day, p_now);
    PERFORM ledger.post('refund:' || v_refund, 1::smallint, '2900', '2500', p_currency, p_amount, y.order_id, p_day, p_now);
    PERFORM ledger.call_back('refund:' || v_refund, 'refund', jsonb_build_object('provider', y.provider, 'ref', y.provider_ref, 'refund', v_refund,
        'amount', p_amount, 'currency', p_currency), p_now);
END $$;
-- +goose StatementEnd

-- Applies one fact about a payment of ours. Returns what decide returns, or 5 the attempt has failed, 6 nothing follows, 8 the amount does not
-- fit. The order is locked before its payments.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_apply(p_payment uuid, p_kind text, p_amount bigint, p_currency text, p_source text, p_day date, p_now timestamptz)
RETURNS smallint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    y record;
    v smallint;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = (SELECT p.order_id FROM ledger.payments p WHERE p.id = p_payment) FOR NO KEY UPDATE;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment FOR NO KEY UPDATE;
    IF p_kind = 'failed' THEN
        IF y.placed THEN RETURN 6; END IF; -- told late: it has succeeded since
        UPDATE ledger.payments SET state = 'failed', updated_at = p_now WHERE id = p_payment AND state IN ('created', 'authorized');
        IF o.state NOT IN (2, 10) OR o.attempt <> y.attempt THEN RETURN 6; END IF;
        IF EXISTS (SELECT 1 FROM ledger.payments x WHERE x.order_id = o.id AND x.attempt = o.attempt AND x.state IN ('created', 'authorized')) THEN
            RETURN 6; -- another payment of the attempt may still succeed
        END IF;
        IF o.state = 2 AND EXISTS (SELECT 1 FROM ledger.holds h WHERE h.id = o.hold AND h.deadline > p_now) THEN
            PERFORM ledger.order_move(o.id, o.state, 1::smallint, 'pay_fail', o.attempt, 'declined', NULL, p_now);
        ELSE
            PERFORM ledger.order_move(o.id, o.state, 5::smallint, 'pay_fail', o.attempt, 'declined, and the hold is over', NULL, p_now);
        END IF;
        RETURN 5;
    ELSIF p_kind NOT IN ('authorized', 'captured') THEN
        RETURN 6;
    END IF;
    UPDATE ledger.payments SET state = 'authorized', updated_at = p_now WHERE id = p_payment AND state IN ('created', 'failed', 'voided');
    IF (p_amount, p_currency) IS DISTINCT FROM (y.amount, y.currency) THEN
        v := 8;
    ELSE
        v := ledger.decide(o.id, y.attempt, y.id, p_day, p_now);
    END IF;
    IF v > 1 AND NOT y.placed THEN
        PERFORM ledger.give_back(y.id, p_kind = 'captured', p_amount, p_currency, p_source, 'it pays nothing', p_day, p_now);
    END IF;
    RETURN v;
END $$;
-- +goose StatementEnd

-- What providers tell: kept, and applied once, with its result, all in one transaction. e_*: one entry per fact. Returns 17 bytes for each:
-- what payment_apply returned, or 7 no payment of ours has this reference, plus 32 when it was told and applied before; then the order.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_take(e_provider text[], e_id text[], e_ref text[], e_kind text[], e_amount bigint[], e_currency text[], e_at timestamptz[],
    e_digest bytea[], p_now timestamptz) RETURNS bytea LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c_outcomes constant text[] := ARRAY['applied', 'ignored', 'conflict', 'conflict', 'conflict', 'applied', 'ignored', 'orphan', 'conflict'];
    c_details constant text[] := ARRAY['the order is paid', 'the order was paid by this payment before', 'a seat is not pinned', 'the order does not wait for this attempt',
        'another payment has paid the order', 'the attempt has failed', 'nothing follows', 'no payment has this reference', 'another amount or currency than the order''s'];
    v_out bytea := '';
    v_day date;
    v_source text;
    v smallint;
    r record;
BEGIN
    INSERT INTO ledger.payment_events(provider, event_id, provider_ref, kind, amount, currency, provider_at, payload_sha256)
        SELECT e.provider, e.id, e.ref, e.kind, e.amount, nullif(e.currency, ''), e.at, e.digest
          FROM unnest(e_provider, e_id, e_ref, e_kind, e_amount, e_currency, e_at, e_digest) e(provider, id, ref, kind, amount, currency, at, digest)
         ORDER BY e.provider, e.id ON CONFLICT DO NOTHING;
    PERFORM 1 FROM ledger.orders WHERE id IN (SELECT p.order_id FROM unnest(e_provider, e_ref) e(provider, ref) JOIN ledger.payments p ON p.provider = e.provider AND p.provider_ref = e.ref)
      ORDER BY id FOR NO KEY UPDATE;
    v_day := ledger.open_day();
    IF v_day IS NULL THEN RAISE EXCEPTION 'no business day is open' USING ERRCODE = 'object_not_in_prerequisite_state'; END IF;
    FOR r IN SELECT e.*, p.id AS payment, p.order_id
               FROM unnest(e_provider, e_id, e_ref, e_kind, e_amount, e_currency) WITH ORDINALITY e(provider, event, ref, kind, amount, currency, i)
               LEFT JOIN ledger.payments p ON p.provider = e.provider AND p.provider_ref = e.ref ORDER BY e.i LOOP
        v_source := 'payment_event:' || r.provider || ':' || r.event;
        SELECT array_position(c_details, x.detail) - 1 INTO v FROM ledger.payment_event_results x WHERE x.provider = r.provider AND x.event_id = r.event;
        IF FOUND THEN
            v := coalesce(v, 6) + 32;
        ELSE
            IF r.payment IS NOT NULL THEN
                v := ledger.payment_apply(r.payment, r.kind, r.amount, r.currency, v_source, v_day, p_now);
            ELSE
                v := 7;
                -- Later, because a payment may be told of before we have written down that we made it.
                IF r.kind = 'captured' THEN
                    PERFORM ledger.post(v_source, 1::smallint, '1100:' || r.provider, '2900', r.currency, r.amount, NULL, v_day, p_now);
                END IF;
                IF r.kind IN ('authorized', 'captured') THEN
                    PERFORM ledger.call_back('orphan:' || r.provider || ':' || r.ref, 'orphan', jsonb_build_object('provider', r.provider, 'ref', r.ref, 'amount', r.amount,
                        'currency', r.currency, 'posted', r.kind = 'captured'), p_now + interval '30 seconds');
                END IF;
            END IF;
            INSERT INTO ledger.payment_event_results(provider, event_id, outcome, detail) VALUES (r.provider, r.event, c_outcomes[v + 1], c_details[v + 1]);
        END IF;
        v_out := v_out || set_byte('\x00'::bytea, 0, v) || uuid_send(coalesce(r.order_id, '00000000-0000-0000-0000-000000000000'));
    END LOOP;
    RETURN v_out;
END $$;
-- +goose StatementEnd

-- A refund was sent by its provider. False: it was known.
-- +goose StatementBegin
CREATE FUNCTION ledger.refund_sent(p_refund uuid, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    y record;
    v_amount bigint;
    v_payment uuid;
BEGIN
    UPDATE ledger.refunds SET state = 'sent', updated_at = p_now WHERE id = p_refund AND state <> 'sent' RETURNING amount, payment INTO v_amount, v_payment;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE ledger.payments SET refunded = captured, state = 'refunded', updated_at = p_now WHERE id = v_payment RETURNING * INTO y;
    PERFORM ledger.post('refund:' || p_refund, 2::smallint, '2500', '1100:' || y.provider, t.currency, v_amount, y.order_id, ledger.open_day(), p_now)
       FROM ledger.transfers t WHERE t.source = 'refund:' || p_refund AND t.leg = 1;
    RETURN true;
END $$;
-- +goose StatementEnd

-- Money of a payment that we never knew went back.
-- +goose StatementBegin
CREATE FUNCTION ledger.orphan_refunded(p_provider text, p_ref text, p_amount bigint, p_currency text, p_now timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT ledger.post('orphan:' || p_provider || ':' || p_ref, 1::smallint, '2900', '1100:' || p_provider, p_currency, p_amount, NULL, ledger.open_day(), p_now)
$$;
-- +goose StatementEnd

-- The provider refuses for good to capture what it had authorised: the order ends, its postings are reversed, and its seats are to come back.
-- False: the order is in another state.
-- +goose StatementBegin
CREATE FUNCTION ledger.capture_fail(p_order uuid, p_payment uuid, p_reason text, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    v_day date;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND OR o.state <> 3 THEN RETURN false; END IF;
    v_day := ledger.open_day();
    PERFORM ledger.order_move(p_order, 3::smallint, 6::smallint, 'capture_fail', o.attempt, p_reason, NULL, p_now);
    UPDATE ledger.payments SET placed = false, state = 'failed', updated_at = p_now WHERE id = p_payment AND placed;
    INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, order_id, day, effective_at, reverses)
        SELECT 'reversal:' || t.source, t.leg, t.credit, t.debit, t.currency, t.amount, t.order_id, v_day, p_now, t.id
          FROM ledger.transfers t WHERE t.source = 'order:' || p_order || ':' || o.attempt;
    PERFORM ledger.call_back('unsell:' || p_order, 'unsell', jsonb_build_object('order', p_order), p_now);
    RETURN true;
END $$;
-- +goose StatementEnd

-- What was captured, and the tickets of an order whose seats are all sold: paid → issued, in one transaction with the posting. Returns 0 done,
-- 1 was issued before, 2 a seat is not sold yet, 3 another state.
-- +goose StatementBegin
CREATE FUNCTION ledger.issue(p_order uuid, p_payment uuid, p_tickets uuid[], p_seats bigint[], p_codes text[], p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    y record;
    v_day date;
    v_fact text;
    v_count bigint;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 3; END IF;
    IF o.state = 4 THEN RETURN 1; END IF;
    IF o.state <> 3 THEN RETURN 3; END IF;
    v_day := ledger.open_day();
    IF EXISTS (SELECT 1 FROM ledger.order_lines l LEFT JOIN LATERAL (SELECT x.seat FROM ledger.sales x WHERE x.event = o.event AND x.seat = l.seat AND x.ended_seq IS NULL
                  AND x.order_id = p_order OFFSET 0) s ON true WHERE l.order_id = p_order AND s.seat IS NULL) THEN
        RETURN 2;
    END IF;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment AND x.placed FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 3; END IF;
    UPDATE ledger.payments SET state = 'captured', captured = amount, updated_at = p_now WHERE id = p_payment;
    v_fact := 'capture:' || y.provider_ref;
    INSERT INTO ledger.payment_events(provider, event_id, provider_ref, kind, amount, currency, provider_at, payload_sha256)
        VALUES (y.provider, v_fact, y.provider_ref, 'captured', y.amount, y.currency, p_now, sha256(''));
    INSERT INTO ledger.payment_event_results(provider, event_id, outcome, detail) VALUES (y.provider, v_fact, 'applied', 'the order is issued');
    PERFORM ledger.post('payment_event:' || y.provider || ':' || v_fact, 1::smallint, '1100:' || y.provider, '1200', o.currency, y.amount, p_order, v_day, p_now);
    INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code, issued_at)
        SELECT t.id, p_order, o.event, t.seat, s.sold_ver, l.type, t.code, p_now
          FROM unnest(p_tickets, p_seats, p_codes) t(id, seat, code),
               LATERAL (SELECT x.sold_ver FROM ledger.sales x WHERE x.event = o.event AND x.seat = t.seat AND x.ended_seq IS NULL AND x.order_id = p_order OFFSET 0) s,
               LATERAL (SELECT x.type FROM ledger.order_lines x WHERE x.order_id = p_order AND x.seat = t.seat OFFSET 0) l;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> (SELECT count(*) FROM ledger.order_lines WHERE order_id = p_order) THEN
        RAISE EXCEPTION 'order % got % tickets, it has another number of seats', p_order, v_count USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM ledger.order_move(p_order, 3::smallint, 4::smallint, 'issue', o.attempt, '', NULL, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- The workers look for pins whose order has ended or moved on, by the hold: an index of seats over what changes with each movement would
-- turn the cheap in-page updates into writes to every index.
CREATE INDEX holds_pinned ON ledger.holds (order_id) WHERE state = 1 AND attempt > 0;
CREATE INDEX orders_stuck ON ledger.orders (paying_until) WHERE state = 10;

-- +goose Down
DROP INDEX ledger.holds_pinned, ledger.orders_stuck;
DROP FUNCTION ledger.issue, ledger.capture_fail, ledger.orphan_refunded, ledger.refund_sent, ledger.payment_take, ledger.payment_apply, ledger.give_back,
    ledger.order_expire, ledger.call_back, ledger.decide, ledger.open_day, ledger.post, ledger.payment_begin, ledger.order_move;
