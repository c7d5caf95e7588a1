-- +goose Up
-- How orders move and money is posted. Lock order: orders by id, then the open business day.

-- Moves one order and writes its history. False: the order is not in the state that was expected.
-- +goose StatementBegin
CREATE FUNCTION ledger.order_move(p_order uuid, p_from smallint, p_to smallint, p_event text, p_attempt int, p_reason text, p_paying_until timestamptz, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_ver int;
    v_state smallint;
BEGIN
    SELECT ver, state INTO v_ver, v_state FROM ledger.orders WHERE id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND OR v_state <> p_from THEN RETURN false; END IF;
    INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, reason, at)
        VALUES (p_order, v_ver + 1, v_ver, p_from, p_to, p_event, p_attempt, p_reason, p_now);
    UPDATE ledger.orders SET ver = v_ver + 1, state = p_to, attempt = p_attempt, paying_until = p_paying_until, updated_at = p_now WHERE id = p_order;
    RETURN true;
END $$;
-- +goose StatementEnd

-- Begins a payment: pending_payment → paying, attempt + 1. Returns the attempt, or -1 no such order, -2 another state, -3 too many attempts.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_begin(p_order uuid, p_max_attempts int, p_until timestamptz, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_state smallint;
    v_attempt int;
BEGIN
    SELECT state, attempt INTO v_state, v_attempt FROM ledger.orders WHERE id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF v_state <> 1 THEN RETURN -2; END IF;
    IF v_attempt >= p_max_attempts THEN RETURN -3; END IF;
    PERFORM ledger.order_move(p_order, 1::smallint, 2::smallint, 'pay_start', v_attempt + 1, '', p_until, p_now);
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

-- The commit point of a sale. For each order, by itself: it is paying with this attempt and every one of its seats is pinned to it → paid, with
-- its postings, and this payment is the one that pays it. Returns for each: 0 paid now, 1 was paid by this payment, 2 a seat is not
-- pinned, 3 the order does not wait for this attempt, 4 another payment paid it.
-- +goose StatementBegin
CREATE FUNCTION ledger.decide(p_orders uuid[], p_attempts int[], p_payments uuid[], p_now timestamptz) RETURNS int[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_out int[] := array_fill(3, ARRAY[cardinality(p_orders)]);
    v_day date;
    r record;
    o record;
BEGIN
    PERFORM 1 FROM ledger.orders WHERE id = ANY (p_orders) ORDER BY id FOR NO KEY UPDATE;
    v_day := ledger.open_day();
    IF v_day IS NULL THEN RAISE EXCEPTION 'no business day is open' USING ERRCODE = 'object_not_in_prerequisite_state'; END IF;
    FOR r IN SELECT w.id, w.attempt, w.payment, w.i FROM unnest(p_orders, p_attempts, p_payments) WITH ORDINALITY w(id, attempt, payment, i) ORDER BY w.id, w.i LOOP
        SELECT x.* INTO o FROM ledger.orders x WHERE x.id = r.id;
        CONTINUE WHEN NOT FOUND;
        IF EXISTS (SELECT 1 FROM ledger.payments p WHERE p.order_id = r.id AND p.placed) THEN
            v_out[r.i] := CASE WHEN EXISTS (SELECT 1 FROM ledger.payments p WHERE p.id = r.payment AND p.placed) THEN 1 ELSE 4 END;
            CONTINUE;
        END IF;
        CONTINUE WHEN o.state <> 2 OR o.attempt <> r.attempt;
        -- The set of pinned seats is the set of lines, read by a statement of its own after the order row is locked.
        IF EXISTS (
            SELECT 1 FROM (SELECT l.seat FROM ledger.order_lines l WHERE l.order_id = r.id) l
              FULL JOIN (SELECT s.seat FROM ledger.seats s WHERE s.order_id = r.id AND s.event = o.event AND s.state = 2 AND s.attempt = r.attempt) s ON s.seat = l.seat
             WHERE l.seat IS NULL OR s.seat IS NULL) THEN
            v_out[r.i] := 2;
            CONTINUE;
        END IF;
        PERFORM ledger.order_move(r.id, 2::smallint, 3::smallint, 'pay_ok', r.attempt, '', NULL, p_now);
        UPDATE ledger.payments SET placed = true, state = CASE state WHEN 'created' THEN 'authorized' ELSE state END, updated_at = p_now WHERE id = r.payment;
        PERFORM ledger.post('order:' || r.id || ':' || r.attempt, 1::smallint, '1200', '2400:' || o.event, o.currency, (SELECT sum(face) FROM ledger.order_lines WHERE order_id = r.id)::bigint, r.id, v_day, p_now);
        PERFORM ledger.post('order:' || r.id || ':' || r.attempt, 2::smallint, '1200', '2410:' || o.event, o.currency, (SELECT sum(fee) FROM ledger.order_lines WHERE order_id = r.id)::bigint, r.id, v_day, p_now);
        PERFORM ledger.post('order:' || r.id || ':' || r.attempt, 3::smallint, '1200', '2300', o.currency, (SELECT sum(tax) FROM ledger.order_lines WHERE order_id = r.id)::bigint, r.id, v_day, p_now);
        v_out[r.i] := 0;
    END LOOP;
    RETURN v_out;
END $$;
-- +goose StatementEnd

-- What was captured, and the tickets of an order whose seats are all sold: paid → issued, in one transaction with the posting. Returns 0 done,
-- 1 was issued before, 2 a seat is not sold yet, 3 another state.
-- +goose StatementBegin
CREATE FUNCTION ledger.issue(p_order uuid, p_payment uuid, p_source text, p_tickets uuid[], p_seats bigint[], p_codes text[], p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    y record;
    v_day date;
    v_count bigint;
BEGIN
    SELECT x.* INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 3; END IF;
    IF o.state = 4 THEN RETURN 1; END IF;
    IF o.state <> 3 THEN RETURN 3; END IF;
    v_day := ledger.open_day();
    IF EXISTS (SELECT 1 FROM ledger.order_lines l WHERE l.order_id = p_order
                  AND NOT EXISTS (SELECT 1 FROM ledger.sales s WHERE s.event = o.event AND s.seat = l.seat AND s.order_id = p_order AND s.ended_seq IS NULL)) THEN
        RETURN 2;
    END IF;
    SELECT x.* INTO y FROM ledger.payments x WHERE x.id = p_payment AND x.placed FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 3; END IF;
    UPDATE ledger.payments SET state = 'captured', captured = amount, updated_at = p_now WHERE id = p_payment;
    PERFORM ledger.post(p_source, 1::smallint, '1100:' || y.provider, '1200', o.currency, y.amount, p_order, v_day, p_now);
    INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code, issued_at)
        SELECT t.id, p_order, o.event, t.seat, s.sold_ver, l.type, t.code, p_now
          FROM unnest(p_tickets, p_seats, p_codes) t(id, seat, code)
          JOIN ledger.sales s ON s.event = o.event AND s.seat = t.seat AND s.order_id = p_order AND s.ended_seq IS NULL
          JOIN ledger.order_lines l ON l.order_id = p_order AND l.seat = t.seat;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> (SELECT count(*) FROM ledger.order_lines WHERE order_id = p_order) THEN
        RAISE EXCEPTION 'order % got % tickets, it has another number of seats', p_order, v_count USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM ledger.order_move(p_order, 3::smallint, 4::smallint, 'issue', o.attempt, '', NULL, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- The workers look for pins whose order has ended or moved on.
CREATE INDEX seats_paying ON ledger.seats (order_id) WHERE state = 2;

-- +goose Down
DROP INDEX ledger.seats_paying;
DROP FUNCTION ledger.issue, ledger.decide, ledger.open_day, ledger.post, ledger.payment_begin, ledger.order_move;
