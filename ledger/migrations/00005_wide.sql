-- +goose Up
-- Holds over several segments: wide holds. The row decides. It is written by the calls here, each a compare-and-set that needs no fence, and its
-- seats follow by the flushes of their owners, which look at the row (legs, in 00003_flush.sql).
--
--            wide_begin            wide_commit                 wide_end, or the last seat is sold
--   (none) ─────────────► trying ────────────────► held ────────────────────────────────────────► ended
--            try 1          │  ▲ wide_begin: try + 1
--                 wide_drop ▼  │
--                          dropped
--
-- The whole quantity counts against limits from wide_begin on, and is given back by wide_drop and wide_end at once; what was sold by the refund.
-- A document (dimension 3) counts 1. For which seat it stands the row learns in the flush that takes the leg, so that whoever loads the leg, at any
-- time, knows what each of its seats gives back.
-- Lock order: as in a flush, idempotency → holds → quota → orders (never waited for).
-- Outcomes are those of a flush; 62: the seats are not the hold's.

-- Gives back what a hold counts against limits.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_give_back(h ledger.holds) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT d, k, sum(CASE WHEN d = 3 THEN 1 ELSE h.quantity END) AS counts FROM unnest(h.quota_dims, h.quota_keys) q(d, k) GROUP BY d, k ORDER BY d, k LOOP
        UPDATE ledger.quota SET n = n - r.counts WHERE event = h.event AND dimension = r.d AND key = r.k AND n >= r.counts;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'wide hold: a quota counter fell below 0' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- Writes to the row of a hold, which the caller has locked, for which seats of a leg its documents stand: each to the first of that key that stands
-- for none yet. False, and nothing is written, when one of them is not the hold's.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_documents(p_id uuid, p_keys uuid[], p_seats bigint[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    h ledger.holds;
    v_at int;
BEGIN
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id;
    FOR i IN 1..cardinality(p_keys) LOOP
        SELECT min(q.at) INTO v_at FROM unnest(h.quota_dims, h.quota_keys, h.quota_seats) WITH ORDINALITY q(d, k, seat, at) WHERE q.d = 3 AND q.k = p_keys[i] AND q.seat = 0;
        IF v_at IS NULL THEN RETURN false; END IF;
        h.quota_seats[v_at] := p_seats[i];
    END LOOP;
    UPDATE ledger.holds SET quota_seats = h.quota_seats WHERE id = p_id;
    RETURN true;
END $$;
-- +goose StatementEnd

-- The wall against a request that was answered before: 0 it is new, and written down as answered with p_refused; 10 replay; 11 key reused. A request
-- without a key is always new.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_wall(p_scope uuid, p_key uuid, p_fingerprint uuid, p_part int, p_kind smallint, p_hold uuid, p_order uuid, p_refused smallint, p_now timestamptz)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_none constant uuid := '00000000-0000-0000-0000-000000000000';
    v_same boolean;
BEGIN
    IF p_key = c_none THEN RETURN 0; END IF;
    INSERT INTO ledger.idempotency(scope, key, fingerprint, part, seq, row_no, kind, hold, order_id, refused, expires_at)
        VALUES (p_scope, p_key, p_fingerprint, p_part, 0, 0, p_kind, p_hold, nullif(p_order, c_none), p_refused, p_now + interval '24 hours') ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN 0; END IF;
    SELECT x.fingerprint = p_fingerprint INTO v_same FROM ledger.idempotency x WHERE x.scope = p_scope AND x.key = p_key;
    RETURN CASE WHEN v_same THEN 10 ELSE 11 END;
END $$;
-- +goose StatementEnd

-- Forgets a request that was not answered for good.
CREATE FUNCTION ledger.wide_forget(p_scope uuid, p_key uuid) RETURNS void LANGUAGE sql AS $$
    DELETE FROM ledger.idempotency WHERE scope = p_scope AND key = p_key
$$;

-- Remembers that a request was refused for good.
CREATE FUNCTION ledger.wide_refuse(p_scope uuid, p_key uuid, p_refused smallint) RETURNS void LANGUAGE sql AS $$
    UPDATE ledger.idempotency SET refused = p_refused WHERE scope = p_scope AND key = p_key
$$;

-- Begins to try a hold, or tries one anew that was dropped or whose time to be tried is over. Returns the try, above 0; or 0 it is being tried,
-- -10 replay, -11 key reused, -20 it is over; over a limit as a flush says it: -41 but for holds that are being tried, -100 and less for good.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_begin(p_id uuid, p_event int, p_part int, p_legs int[], p_quantity int, p_dims int[], p_keys uuid[], p_limits int[],
    p_scope uuid, p_key uuid, p_fingerprint uuid, p_try_ms bigint, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    h ledger.holds;
    v_wall int;
    v_try int := 1;
    v_until timestamptz := clock_timestamp() + p_try_ms * interval '1 millisecond';
    v_n int;
    v_over int := 0;
    v_first bigint := 0; -- which of the limits v_over is about
    r record;
BEGIN
    v_wall := ledger.wide_wall(p_scope, p_key, p_fingerprint, p_part, 1::smallint, p_id, NULL, 7::smallint, p_now);
    IF v_wall <> 0 THEN RETURN -v_wall; END IF;
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id FOR NO KEY UPDATE;
    IF FOUND THEN
        IF h.state = 0 AND h.deadline <= clock_timestamp() THEN
            PERFORM ledger.wide_give_back(h);
            UPDATE ledger.holds SET state = 2, decided_at = p_now WHERE id = p_id;
        ELSIF h.state <> 2 THEN
            PERFORM ledger.wide_forget(p_scope, p_key);
            RETURN CASE h.state WHEN 0 THEN 0 WHEN 1 THEN -10 ELSE -20 END;
        END IF;
        v_try := h.try + 1;
    END IF;
    -- Of one document several times the lowest limit counts; of several limits that are reached the first is told.
    FOR r IN SELECT d, k, min(lim) AS lim, sum(CASE WHEN d = 3 THEN 1 ELSE p_quantity END) AS counts, min(i) AS i
               FROM unnest(p_dims, p_keys, p_limits) WITH ORDINALITY q(d, k, lim, i) GROUP BY d, k ORDER BY d, k LOOP
        INSERT INTO ledger.quota AS t (event, dimension, key, n) VALUES (p_event, r.d, r.k, r.counts)
            ON CONFLICT (event, dimension, key) DO UPDATE SET n = t.n + excluded.n RETURNING t.n INTO v_n;
        CONTINUE WHEN v_n <= r.lim OR v_over >= 100 AND r.i > v_first;
        IF v_n - ledger.trying(p_event, r.d, r.k) > r.lim THEN
            v_over := 100 + 10000 * (r.d - 1) + least(v_n - r.counts, 9999);
            v_first := r.i;
        ELSIF v_over = 0 THEN
            v_over := 41;
        END IF;
    END LOOP;
    IF v_over > 0 THEN
        UPDATE ledger.quota t SET n = t.n - q.counts
          FROM (SELECT d, k, sum(CASE WHEN d = 3 THEN 1 ELSE p_quantity END) AS counts FROM unnest(p_dims, p_keys) q(d, k) GROUP BY d, k) q
         WHERE t.event = p_event AND t.dimension = q.d AND t.key = q.k;
        IF v_over = 41 THEN
            PERFORM ledger.wide_forget(p_scope, p_key);
        ELSE
            UPDATE ledger.idempotency SET outcome = v_over WHERE scope = p_scope AND key = p_key;
        END IF;
        RETURN -v_over;
    END IF;
    INSERT INTO ledger.holds AS x (id, event, segment, part, state, try, legs, decided_at, generation, quantity, quota_dims, quota_keys, quota_limits, quota_seats, deadline, max_expires_at)
        VALUES (p_id, p_event, 0, p_part, 0, v_try, p_legs, p_now, 0, p_quantity, p_dims, p_keys, p_limits, array_fill(0::bigint, ARRAY[cardinality(p_keys)]), v_until, v_until)
        ON CONFLICT (id) DO UPDATE SET state = 0, try = v_try, legs = p_legs, decided_at = p_now, quantity = p_quantity, quota_dims = p_dims, quota_keys = p_keys,
            quota_limits = p_limits, quota_seats = excluded.quota_seats, deadline = v_until, max_expires_at = v_until;
    PERFORM ledger.wide_forget(p_scope, p_key);
    RETURN v_try;
END $$;
-- +goose StatementEnd

-- The commit point of a wide hold: it is being tried with this try, and these seats, as many as it is for, are held for that try. 0 held, 10 and 11
-- of another request with the key, 60 it is not being tried, 62 seats are missing, or the seat that a document stands for: a node of a version that
-- knows no documents of legs has taken the leg.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_commit(p_id uuid, p_try int, p_seats bigint[], p_deadline timestamptz, p_max timestamptz,
    p_scope uuid, p_key uuid, p_fingerprint uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    h ledger.holds;
    v_wall int;
    v_seats int;
BEGIN
    v_wall := ledger.wide_wall(p_scope, p_key, p_fingerprint, 0, 1::smallint, p_id, NULL, 0::smallint, p_now);
    IF v_wall <> 0 THEN RETURN v_wall; END IF;
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND OR h.state <> 0 OR h.try <> p_try THEN
        PERFORM ledger.wide_forget(p_scope, p_key);
        RETURN 60;
    END IF;
    -- Read by a statement of its own, after the row is locked.
    SELECT count(*) INTO v_seats FROM (SELECT DISTINCT unnest(p_seats) AS seat) w,
        LATERAL (SELECT x.hold, x.generation, x.state FROM ledger.seats x WHERE x.event = h.event AND x.seat = w.seat OFFSET 0) s
        WHERE s.hold = p_id AND s.generation = p_try AND s.state = 1;
    IF v_seats <> h.quantity OR cardinality(p_seats) <> h.quantity OR EXISTS (SELECT 1 FROM unnest(h.quota_dims, h.quota_seats) q(d, seat) WHERE q.d = 3 AND q.seat = 0) THEN
        PERFORM ledger.wide_forget(p_scope, p_key);
        RETURN 62;
    END IF;
    UPDATE ledger.idempotency SET part = h.part WHERE scope = p_scope AND key = p_key;
    UPDATE ledger.holds SET state = 1, decided_at = p_now, deadline = p_deadline, max_expires_at = p_max WHERE id = p_id;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Gives up trying. Whoever does not coordinate it waits until its time to be tried is over (p_overdue). False: it is not being tried with this try,
-- or has time.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_drop(p_id uuid, p_try int, p_overdue boolean, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    h ledger.holds;
BEGIN
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND OR h.state <> 0 OR h.try <> p_try OR (p_overdue AND h.deadline > clock_timestamp()) THEN RETURN false; END IF;
    PERFORM ledger.wide_give_back(h);
    UPDATE ledger.holds SET state = 2, decided_at = p_now WHERE id = p_id;
    RETURN true;
END $$;
-- +goose StatementEnd

-- Gives a wide hold more time, never beyond its maximum. 0, 10, 11, 20 it is over, 30 its order does not wait for payment.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_extend(p_id uuid, p_deadline timestamptz, p_scope uuid, p_key uuid, p_fingerprint uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    h ledger.holds;
    v_wall int;
BEGIN
    v_wall := ledger.wide_wall(p_scope, p_key, p_fingerprint, 0, 2::smallint, p_id, NULL, 0::smallint, p_now);
    IF v_wall <> 0 THEN RETURN v_wall; END IF;
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND OR h.state <> 1 OR h.deadline <= clock_timestamp() THEN
        PERFORM ledger.wide_refuse(p_scope, p_key, 9::smallint);
        RETURN 20;
    END IF;
    IF EXISTS (SELECT 1 FROM ledger.orders o WHERE o.id = h.order_id AND o.state <> 1) THEN
        PERFORM ledger.wide_refuse(p_scope, p_key, 12::smallint);
        RETURN 30;
    END IF;
    UPDATE ledger.holds SET deadline = greatest(h.deadline, least(p_deadline, h.max_expires_at)) WHERE id = p_id;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Ends a wide hold: as its buyer asks, or (p_expire) because its deadline has passed. With an order only while that is pending payment, which ends
-- with it, or when it has ended. 0, 10, 11, 20 it is over, 21 it has time, 30 the order says no, 31 the order is locked: ask again.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_end(p_id uuid, p_order uuid, p_expire boolean, p_scope uuid, p_key uuid, p_fingerprint uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_none constant uuid := '00000000-0000-0000-0000-000000000000';
    h ledger.holds;
    v_wall int;
    v_state smallint;
    v_ver int;
    v_attempt int;
BEGIN
    v_wall := ledger.wide_wall(p_scope, p_key, p_fingerprint, 0, 5::smallint, p_id, p_order, 0::smallint, p_now);
    IF v_wall <> 0 THEN RETURN v_wall; END IF;
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND OR h.state <> 1 THEN
        PERFORM ledger.wide_refuse(p_scope, p_key, 9::smallint);
        RETURN 20;
    END IF;
    IF p_expire AND h.deadline > clock_timestamp() THEN RETURN 21; END IF;
    IF NOT p_expire AND p_order <> coalesce(h.order_id, c_none) THEN
        PERFORM ledger.wide_refuse(p_scope, p_key, 12::smallint);
        RETURN 30;
    END IF;
    IF h.order_id IS NOT NULL THEN
        SELECT o.state, o.ver, o.attempt INTO v_state, v_ver, v_attempt FROM ledger.orders o WHERE o.id = h.order_id FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            PERFORM ledger.wide_forget(p_scope, p_key);
            RETURN 31;
        ELSIF v_state = 1 THEN
            INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, at)
                VALUES (h.order_id, v_ver + 1, v_ver, 1, CASE WHEN p_expire THEN 5 ELSE 6 END, CASE WHEN p_expire THEN 'deadline' ELSE 'cancel' END, v_attempt, p_now);
            UPDATE ledger.orders SET state = CASE WHEN p_expire THEN 5 ELSE 6 END, ver = v_ver + 1, updated_at = p_now WHERE id = h.order_id;
        ELSIF v_state NOT IN (5, 6, 7, 8) THEN
            PERFORM ledger.wide_refuse(p_scope, p_key, 12::smallint);
            RETURN 30;
        END IF;
    END IF;
    -- What was sold of it gives back by its refund; the order may have sold seats of an earlier hold.
    SELECT h.quantity - count(*) INTO h.quantity FROM ledger.sales s WHERE s.order_id = h.order_id AND s.hold = h.id;
    SELECT array_agg(q.d ORDER BY q.i), array_agg(q.k ORDER BY q.i) INTO h.quota_dims, h.quota_keys
      FROM unnest(h.quota_dims, h.quota_keys, h.quota_seats) WITH ORDINALITY q(d, k, seat, i)
     WHERE q.d <> 3 OR NOT EXISTS (SELECT 1 FROM ledger.sales s WHERE s.order_id = h.order_id AND s.hold = h.id AND s.seat = q.seat);
    PERFORM ledger.wide_give_back(h);
    UPDATE ledger.holds SET state = 3, decided_at = p_now WHERE id = p_id;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Opens the order of a wide hold, in the call that locks the held row: no order stands beside a hold that has just ended. 0, 10, 11, 20 the hold is
-- over, 32 it has an order, 62 the lines are not the hold's seats.
-- +goose StatementBegin
CREATE FUNCTION ledger.wide_order(p_id uuid, p_order uuid, p_buyer text, p_currency text, p_ip text, l_seat bigint[], l_type smallint[], l_face bigint[], l_fee bigint[], l_tax bigint[],
    p_scope uuid, p_key uuid, p_fingerprint uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    h ledger.holds;
    v_wall int;
    v_seats int;
BEGIN
    v_wall := ledger.wide_wall(p_scope, p_key, p_fingerprint, 0, 11::smallint, p_id, p_order, 0::smallint, p_now);
    IF v_wall <> 0 THEN RETURN v_wall; END IF;
    SELECT x.* INTO h FROM ledger.holds x WHERE x.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND OR h.state <> 1 OR h.deadline <= clock_timestamp() THEN
        PERFORM ledger.wide_refuse(p_scope, p_key, 9::smallint);
        RETURN 20;
    END IF;
    IF h.order_id IS NOT NULL THEN
        PERFORM ledger.wide_refuse(p_scope, p_key, 12::smallint);
        RETURN 32;
    END IF;
    SELECT count(*) INTO v_seats FROM (SELECT DISTINCT unnest(l_seat) AS seat) w,
        LATERAL (SELECT x.hold, x.generation, x.state FROM ledger.seats x WHERE x.event = h.event AND x.seat = w.seat OFFSET 0) s
        WHERE s.hold = p_id AND s.generation = h.try AND s.state = 1;
    IF v_seats <> h.quantity OR cardinality(l_seat) <> h.quantity THEN
        PERFORM ledger.wide_forget(p_scope, p_key);
        RETURN 62;
    END IF;
    INSERT INTO ledger.order_events(order_id, ver, from_state, to_state, event, at) VALUES (p_order, 1, 0, 1, 'open', p_now);
    INSERT INTO ledger.order_lines(order_id, seat, type, face, fee, tax)
        SELECT p_order, l.seat, l.type, l.face, l.fee, l.tax FROM unnest(l_seat, l_type, l_face, l_fee, l_tax) l(seat, type, face, fee, tax);
    INSERT INTO ledger.orders(id, event, hold, state, ver, buyer_ref, total, currency, hold_until, client_ip, created_at, updated_at)
        SELECT p_order, h.event, p_id, 1, 1, p_buyer, sum(l.face + l.fee + l.tax), p_currency, h.deadline, nullif(p_ip, '')::inet, p_now, p_now
          FROM unnest(l_face, l_fee, l_tax) l(face, fee, tax);
    UPDATE ledger.holds SET order_id = p_order WHERE id = p_id;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger.wide_order, ledger.wide_end, ledger.wide_extend, ledger.wide_drop, ledger.wide_commit, ledger.wide_begin, ledger.wide_refuse, ledger.wide_forget,
    ledger.wide_wall, ledger.wide_documents, ledger.wide_give_back;
