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
-- -4 the hold has ended, -5 the event was cancelled. The hold's own deadline is its owner's to compare: after a take-over it has more time than its row says, so only the
-- end that nothing moves counts here, with the grace of one session.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_begin(p_order uuid, p_max_attempts int, p_until timestamptz, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_state smallint;
    v_attempt int;
    v_hold uuid;
    v_event int;
BEGIN
    SELECT state, attempt, hold, event INTO v_state, v_attempt, v_hold, v_event FROM ledger.orders WHERE id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF v_state <> 1 THEN RETURN -2; END IF;
    IF v_attempt >= p_max_attempts THEN RETURN -3; END IF;
    IF (SELECT cancelled_at FROM ledger.events WHERE id = v_event) IS NOT NULL THEN RETURN -5; END IF;
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

-- The business day that is open, held until the end of the transaction: a closing waits for it. Who waited while a day was closed finds the next one
-- with its second look.
-- +goose StatementBegin
CREATE FUNCTION ledger.open_day() RETURNS date LANGUAGE plpgsql AS $$
DECLARE
    v_day date;
BEGIN
    FOR i IN 1..3 LOOP
        SELECT day INTO v_day FROM ledger.business_days WHERE closed_at IS NULL FOR SHARE;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN v_day;
END $$;
-- +goose StatementEnd

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
    IF EXISTS (SELECT 1 FROM ledger.refunds r WHERE r.payment = p_payment) THEN RETURN 3; END IF; -- its money is on its way back
    -- An order that would be paid now is one that the mass refund of its event still waits for.
    IF (SELECT e.cancelled_at FROM ledger.events e WHERE e.id = o.event) IS NOT NULL THEN RETURN 3; END IF;
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

-- Decides at once those facts of a call for which ledger.decide would say "paid now", and nothing else is to be asked: a success of a known payment, not
-- told before, of the right amount, the only fact about its order in the call. What it writes is what payment_take would write fact by fact; here each
-- statement runs once for all of them. The orders are locked, the facts kept. Returns the numbers of the facts that it has decided.
-- +goose StatementBegin
CREATE FUNCTION ledger.decide_together(e_provider text[], e_id text[], e_ref text[], e_kind text[], e_amount bigint[], e_currency text[], p_day date, p_now timestamptz)
RETURNS int[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_facts int[];
    v_orders uuid[];
    v_payments uuid[];
BEGIN
    -- OFFSET 0 keeps a look-up by key for each, and the order of the questions: the cheap ones first.
    SELECT array_agg(d.i), array_agg(d.order_id), array_agg(d.payment) INTO v_facts, v_orders, v_payments
      FROM (SELECT f.i, f.order_id, f.payment, o.event, o.hold, o.attempt, count(*) OVER (PARTITION BY f.order_id) AS facts, f.fits AND o.state IN (2, 10) AND o.attempt = f.attempt AS fits
              FROM (SELECT e.i::int AS i, p.id AS payment, p.order_id, p.attempt,
                           e.kind IN ('authorized', 'captured') AND p.amount = e.amount AND p.currency = e.currency AND NOT p.placed AS fits
                      FROM unnest(e_provider, e_ref, e_kind, e_amount, e_currency) WITH ORDINALITY e(provider, ref, kind, amount, currency, i),
                           LATERAL (SELECT x.id, x.order_id, x.attempt, x.amount, x.currency, x.placed FROM ledger.payments x WHERE x.provider = e.provider AND x.provider_ref = e.ref OFFSET 0) p
                    OFFSET 0) f,
                   LATERAL (SELECT x.event, x.hold, x.state, x.attempt FROM ledger.orders x WHERE x.id = f.order_id OFFSET 0) o
            OFFSET 0) d,
           LATERAL (SELECT count(*) AS lines, count(s.seat) AS pinned FROM ledger.order_lines l
                      LEFT JOIN LATERAL (SELECT x.seat FROM ledger.seats x WHERE x.event = d.event AND x.seat = l.seat AND x.state = 2 AND x.order_id = d.order_id AND x.attempt = d.attempt
                                            AND x.hold = d.hold OFFSET 0) s ON true
                     WHERE l.order_id = d.order_id) n,
           LATERAL (SELECT h.quantity FROM ledger.holds h WHERE h.id = d.hold OFFSET 0) h
     WHERE d.fits AND d.facts = 1 AND n.pinned = n.lines AND n.lines = h.quantity
       AND NOT EXISTS (SELECT 1 FROM ledger.events x WHERE x.id = d.event AND x.cancelled_at IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM ledger.payments x WHERE x.order_id = d.order_id AND x.placed)
       AND NOT EXISTS (SELECT 1 FROM ledger.refunds x WHERE x.payment = d.payment)
       AND NOT EXISTS (SELECT 1 FROM ledger.late_payments x WHERE x.payment = d.payment) -- told again while its order looks for seats
       AND NOT EXISTS (SELECT 1 FROM ledger.payment_event_results x WHERE x.provider = e_provider[d.i] AND x.event_id = e_id[d.i]);
    IF v_facts IS NULL THEN RETURN '{}'; END IF;

    INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, reason, at)
        SELECT o.id, o.ver + 1, o.ver, o.state, 3, 'pay_ok', o.attempt, '', p_now FROM ledger.orders o WHERE o.id = ANY (v_orders);
    UPDATE ledger.orders SET ver = ver + 1, state = 3, paying_until = NULL, updated_at = p_now WHERE id = ANY (v_orders);
    UPDATE ledger.payments SET placed = true, state = CASE WHEN state IN ('created', 'failed', 'voided') THEN 'authorized' ELSE state END, updated_at = p_now WHERE id = ANY (v_payments);
    WITH legs AS MATERIALIZED (
        SELECT o.id AS order_id, o.attempt, o.currency, x.leg, x.credit, x.amount
          FROM ledger.orders o,
               LATERAL (SELECT sum(l.face) AS face, sum(l.fee) AS fee, sum(l.tax) AS tax FROM ledger.order_lines l WHERE l.order_id = o.id) t,
               LATERAL (VALUES (1::smallint, '2400:' || o.event, t.face), (2::smallint, '2410:' || o.event, t.fee), (3::smallint, '2300', t.tax)) x(leg, credit, amount)
         WHERE o.id = ANY (v_orders) AND x.amount > 0),
    opened AS (
        INSERT INTO ledger.accounts(account, currency, name)
            SELECT DISTINCT a.account, g.currency, split_part(a.account, ':', 1) FROM legs g, LATERAL (VALUES ('1200'), (g.credit)) a(account) ORDER BY 1, 2 ON CONFLICT DO NOTHING)
    INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, order_id, day, effective_at)
        SELECT 'order:' || g.order_id || ':' || g.attempt, g.leg, '1200', g.credit, g.currency, g.amount, g.order_id, p_day, p_now FROM legs g
        ON CONFLICT (source, leg) DO NOTHING;
    INSERT INTO ledger.payment_event_results(provider, event_id, outcome, detail)
        SELECT e_provider[i], e_id[i], 'applied', 'the order is paid' FROM unnest(v_facts) i;
    RETURN v_facts;
END $$;
-- +goose StatementEnd

-- Notes a call to give money back; what was given up before is taken up again.
-- +goose StatementBegin
CREATE FUNCTION ledger.call_back(p_dedup text, p_topic text, p_payload jsonb, p_due timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ledger.outbox AS x (dedup, topic, payload, due_at) VALUES (p_dedup, p_topic, p_payload, p_due)
        ON CONFLICT (dedup) DO UPDATE SET done_at = NULL, dead_at = NULL, attempts = 0, due_at = excluded.due_at, payload = excluded.payload WHERE x.done_at IS NOT NULL OR x.dead_at IS NOT NULL
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
    INSERT INTO ledger.refunds(id, payment, order_id, lines, amount, currency, reason, state, key, created_at, updated_at)
        VALUES (v_refund, p_payment, y.order_id, false, p_amount, p_currency, p_reason, 'decided', v_refund, p_now, p_now);
    PERFORM ledger.post(p_source, 1::smallint, '1100:' || y.provider, '2900', p_currency, p_amount, y.order_id, p_day, p_now);
    PERFORM ledger.post('refund:' || v_refund, 1::smallint, '2900', '2500', p_currency, p_amount, y.order_id, p_day, p_now);
    PERFORM ledger.call_refund(v_refund, p_now);
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
    v := ledger.late_told(p_payment, p_kind, p_now);
    IF v IS NOT NULL THEN RETURN v; END IF;
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
    IF v = 3 AND ledger.late_begin(o.id, y.id, p_kind = 'captured', p_now) THEN RETURN 15; END IF;
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
    e_digest bytea[], e_refund uuid[], p_now timestamptz) RETURNS bytea LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c_outcomes constant text[] := ARRAY['applied', 'ignored', 'conflict', 'conflict', 'conflict', 'applied', 'ignored', 'orphan', 'conflict',
        'applied', 'applied', 'applied', 'applied', 'applied', 'conflict', 'applied'];
    c_details constant text[] := ARRAY['the order is paid', 'the order was paid by this payment before', 'a seat is not pinned', 'the order does not wait for this attempt',
        'another payment has paid the order', 'the attempt has failed', 'nothing follows', 'no payment has this reference', 'another amount or currency than the order''s',
        'a refund has failed; it is tried again', 'a dispute was opened', 'a dispute was won', 'a dispute was lost', 'a refund was sent', 'a refund that we did not decide', 'it comes late: seats are looked for'];
    v_codes smallint[] := array_fill(0::smallint, ARRAY[cardinality(e_id)]);
    v_orders uuid[] := array_fill('00000000-0000-0000-0000-000000000000'::uuid, ARRAY[cardinality(e_id)]);
    v_paid int[];
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
    v_paid := ledger.decide_together(e_provider, e_id, e_ref, e_kind, e_amount, e_currency, v_day, p_now);
    FOR r IN SELECT e.*, p.id AS payment, p.order_id
               FROM unnest(e_provider, e_id, e_ref, e_kind, e_amount, e_currency, e_at, e_refund) WITH ORDINALITY e(provider, event, ref, kind, amount, currency, at, refund, i)
               LEFT JOIN ledger.payments p ON p.provider = e.provider AND p.provider_ref = e.ref ORDER BY e.i LOOP
        v_orders[r.i] := coalesce(r.order_id, v_orders[r.i]);
        CONTINUE WHEN r.i = ANY (v_paid);
        v_source := 'payment_event:' || r.provider || ':' || r.event;
        SELECT array_position(c_details, x.detail) - 1 INTO v FROM ledger.payment_event_results x WHERE x.provider = r.provider AND x.event_id = r.event;
        IF FOUND THEN
            v := coalesce(v, 6) + 32;
        ELSE
            IF r.payment IS NOT NULL AND r.kind IN ('refund_sent', 'refund_failed', 'refunded') THEN
                v := ledger.refund_told(r.payment, r.kind, r.refund, r.amount, r.currency, v_source, v_day, p_now);
            ELSIF r.payment IS NOT NULL AND r.kind IN ('dispute_opened', 'dispute_won', 'dispute_lost') THEN
                v := ledger.dispute_told(r.payment, r.kind, r.amount, r.currency, r.at, v_source, v_day, p_now);
            ELSIF r.payment IS NOT NULL THEN
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
        v_codes[r.i] := v;
    END LOOP;
    RETURN (SELECT string_agg(set_byte('\x00'::bytea, 0, x.v) || uuid_send(x.id), ''::bytea ORDER BY x.i) FROM unnest(v_codes, v_orders) WITH ORDINALITY x(v, id, i));
END $$;
-- +goose StatementEnd

-- Money of a payment that we never knew went back.
-- +goose StatementBegin
CREATE FUNCTION ledger.orphan_refunded(p_provider text, p_ref text, p_amount bigint, p_currency text, p_now timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT ledger.post('orphan:' || p_provider || ':' || p_ref, 1::smallint, '2900', '1100:' || p_provider, p_currency, p_amount, NULL, ledger.open_day(), p_now)
$$;
-- +goose StatementEnd

-- The provider refuses for good to capture what it had authorised: the order ends, its postings are reversed, its seats are to come back, and so is what
-- is left of the authorisation: it would keep the buyer's money from them.
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
    PERFORM ledger.call_back('void:' || y.id, 'void', jsonb_build_object('provider', y.provider, 'ref', y.provider_ref, 'payment', y.id), p_now)
       FROM ledger.payments y WHERE y.id = p_payment;
    RETURN true;
END $$;
-- +goose StatementEnd

-- What was captured, and the tickets of orders whose seats are all sold: paid → issued, in one transaction with the postings. Orders are locked by
-- id and each is decided by itself. o_*: one entry per order; t_*: their tickets, t_o is the number of the order. Returns for each order 0 done,
-- 1 was issued before, 2 a seat is not sold yet, 3 another state. Written for whole arrays: each statement runs once, not once for each order.
-- +goose StatementBegin
CREATE FUNCTION ledger.issue(o_order uuid[], o_payment uuid[], t_o int[], t_ticket uuid[], t_seat bigint[], t_code text[], p_now timestamptz)
RETURNS smallint[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_day date;
    v_out smallint[];
    v_orders uuid[];
    v_payments uuid[];
    v_count bigint;
    v_want bigint;
BEGIN
    PERFORM 1 FROM ledger.orders x WHERE x.id = ANY (o_order) ORDER BY x.id FOR NO KEY UPDATE;
    v_day := ledger.open_day();
    -- Read by a statement of its own, after the orders are locked. OFFSET 0 keeps a look-up by key for each.
    SELECT array_agg(CASE WHEN x.state = 4 OR array_position(o_order, u.id) < u.i THEN 1
                          WHEN x.state IS DISTINCT FROM 3 OR NOT coalesce(y.placed, false) THEN 3
                          WHEN EXISTS (SELECT 1 FROM ledger.order_lines l
                                         LEFT JOIN LATERAL (SELECT 1 AS sold FROM ledger.sales z WHERE z.event = x.event AND z.seat = l.seat AND z.ended_seq IS NULL AND z.order_id = u.id OFFSET 0) s ON true
                                        WHERE l.order_id = u.id AND s.sold IS NULL) THEN 2
                          ELSE 0 END ORDER BY u.i) INTO v_out
      FROM unnest(o_order, o_payment) WITH ORDINALITY u(id, payment, i)
      LEFT JOIN LATERAL (SELECT o.state, o.event FROM ledger.orders o WHERE o.id = u.id OFFSET 0) x ON true
      LEFT JOIN LATERAL (SELECT p.placed FROM ledger.payments p WHERE p.id = u.payment AND p.order_id = u.id OFFSET 0) y ON true;
    SELECT array_agg(u.id), array_agg(u.payment) INTO v_orders, v_payments
      FROM unnest(o_order, o_payment) WITH ORDINALITY u(id, payment, i) WHERE v_out[u.i] = 0;
    IF v_orders IS NULL THEN RETURN v_out; END IF;

    UPDATE ledger.payments SET state = 'captured', captured = amount, updated_at = p_now WHERE id = ANY (v_payments);
    WITH fact AS (
        INSERT INTO ledger.payment_events(provider, event_id, provider_ref, kind, amount, currency, provider_at, payload_sha256)
            SELECT y.provider, 'capture:' || y.provider_ref, y.provider_ref, 'captured', y.amount, y.currency, p_now, sha256('') FROM ledger.payments y WHERE y.id = ANY (v_payments)
            RETURNING provider, event_id)
    INSERT INTO ledger.payment_event_results(provider, event_id, outcome, detail) SELECT f.provider, f.event_id, 'applied', 'the order is issued' FROM fact f;
    INSERT INTO ledger.accounts(account, currency, name)
        SELECT DISTINCT '1100:' || y.provider, y.currency, '1100' FROM ledger.payments y WHERE y.id = ANY (v_payments) ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, order_id, day, effective_at)
        SELECT 'payment_event:' || y.provider || ':capture:' || y.provider_ref, 1, '1100:' || y.provider, '1200', y.currency, y.amount, y.order_id, v_day, p_now
          FROM ledger.payments y WHERE y.id = ANY (v_payments) AND y.amount > 0
        ON CONFLICT (source, leg) DO NOTHING;
    INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code, issued_at)
        SELECT t.ticket, u.id, x.event, t.seat, s.sold_ver, l.type, t.code, p_now
          FROM unnest(t_o, t_ticket, t_seat, t_code) t(o, ticket, seat, code),
               LATERAL (SELECT o_order[t.o] AS id) u,
               LATERAL (SELECT o.event FROM ledger.orders o WHERE o.id = u.id OFFSET 0) x,
               LATERAL (SELECT z.sold_ver FROM ledger.sales z WHERE z.event = x.event AND z.seat = t.seat AND z.ended_seq IS NULL AND z.order_id = u.id OFFSET 0) s,
               LATERAL (SELECT z.type FROM ledger.order_lines z WHERE z.order_id = u.id AND z.seat = t.seat OFFSET 0) l
         WHERE v_out[t.o] = 0;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    SELECT count(*) INTO v_want FROM ledger.order_lines l WHERE l.order_id = ANY (v_orders);
    IF v_count <> v_want THEN
        RAISE EXCEPTION 'the orders got % tickets, they have % seats', v_count, v_want USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, reason, at)
        SELECT o.id, o.ver + 1, o.ver, 3, 4, 'issue', o.attempt, '', p_now FROM ledger.orders o WHERE o.id = ANY (v_orders);
    UPDATE ledger.orders SET ver = ver + 1, state = 4, paying_until = NULL, updated_at = p_now WHERE id = ANY (v_orders);
    RETURN v_out;
END $$;
-- +goose StatementEnd

-- The workers look for pins whose order has ended or moved on, by the hold: an index of seats over what changes with each movement would
-- turn the cheap in-page updates into writes to every index.
CREATE INDEX holds_pinned ON ledger.holds (order_id) WHERE state = 1 AND attempt > 0;
CREATE INDEX orders_stuck ON ledger.orders (paying_until) WHERE state = 10;

-- +goose Down
DROP INDEX ledger.holds_pinned, ledger.orders_stuck;
DROP FUNCTION ledger.issue, ledger.capture_fail, ledger.orphan_refunded, ledger.payment_take, ledger.payment_apply, ledger.give_back,
    ledger.order_expire, ledger.call_back, ledger.decide_together, ledger.decide, ledger.open_day, ledger.post, ledger.payment_begin, ledger.order_move;
