-- +goose Up
-- ledger.flush: the only way in which stock is written. One call is one transaction and one round trip; each step is a statement of its own
-- under READ COMMITTED, so that a step after a wait sees what the other side committed.
--
-- It fences and orders (the part rows, with epoch, session and sequence number), walls off repeated requests (idempotency), decides limits and
-- order checks operation by operation, and writes holds, counters, seats, journal, sales, orders and the hash chain.
--
-- w_*: one entry per partition, ascending; its operations are o_*[w_lo..w_hi]. q_*: limits of operation q_op.
-- o_q_lo..o_q_hi are the limits of an operation: a document (dimension 3) counts its q_seat, anything else the whole. s_* are its seats, by s_op. n_*: the order that operation n_op opens, l_*: its lines.
-- g_other: the segment at the other end of the grant that operation g_op gives or takes. p_n: how many operations there are of each kind.
-- t_op: the operations on legs, the seats of holds over several segments; their generation is the try, and the limits of one that takes seats are
-- their documents, which its hold has counted.
-- It returns int2s, big endian: a status per partition (0 fenced, 1 applied, 2 applied before), then an outcome per operation:
-- 0 applied, 10 replay, 11 key reused, 20 hold gone, 21 not expired, 30 the order says no, 31 order locked, 32 order open, 41 over a limit but for
-- holds that are still being tried, 50 grant gone, 51 not sold out, 60 not being tried, 61 the hold keeps its leg, 99 fenced; from 100 on over a limit: 100, and 10000 for each dimension after
-- the first, and what the buyer had, up to 9999.
-- Outcomes from 10 on are the game's; any other surprise raises, and the whole call is undone.
-- What an order allows to be done with its seats. kind and attempt are the operation's. A pin is for the attempt that is being paid; seats are
-- sold only when the attempt that pinned them is paid; a pin is given up when a later attempt replaced it or its own has ended, and the seats
-- go back to the pool only when the order has ended as well; sold seats come back when the capture of their order has failed, or their line has ended,
-- which is compared seat by seat.
-- +goose StatementBegin
CREATE FUNCTION ledger.order_allows(kind smallint, attempt int, free boolean, order_state smallint, order_attempt int) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 3 THEN order_state = 2 AND order_attempt = attempt
        WHEN 4 THEN (order_attempt > attempt OR (order_attempt = attempt AND order_state IN (1, 5, 6, 7, 8))) AND (NOT free OR order_state IN (5, 6, 7, 8))
        WHEN 7 THEN order_state IN (3, 4, 9) AND order_attempt = attempt
        WHEN 8 THEN order_state IN (4, 6, 7, 8, 9)
        ELSE false END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- How much holds that are still being tried count against a limit. It is planned at each call, unlike what stands in the flush: a plan of a time when
-- there were few holds would read all that live.
CREATE FUNCTION ledger.trying(p_event int, p_dimension int, p_key uuid) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(CASE WHEN x.dimension = 3 THEN 1 ELSE h.quantity END), 0)
      FROM ledger.holds h, LATERAL unnest(h.quota_dims, h.quota_keys) x(dimension, key)
     WHERE h.event = p_event AND h.state = 0 AND x.dimension = p_dimension AND x.key = p_key
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION ledger.flush(
    p_session bigint, p_batch uuid, p_now timestamptz, p_n int[],
    w_part int[], w_epoch bigint[], w_seq bigint[], w_lo int[], w_hi int[], w_digest bytea[],
    o_w int[], o_kind smallint[], o_event int[], o_segment int[], o_area boolean[], o_quantity int[], o_hold uuid[], o_generation int[],
    o_scope uuid[], o_key uuid[], o_fingerprint uuid[], o_order uuid[], o_attempt int[], o_free boolean[],
    o_deadline timestamptz[], o_max timestamptz[], o_refused smallint[],
    o_q_lo int[], o_q_hi int[], q_op int[], q_dimension int[], q_key uuid[], q_limit int[], q_seat bigint[],
    s_op int[], s_seat bigint[], s_ver int[], s_from smallint[], s_to smallint[], s_type smallint[],
    n_op int[], n_buyer text[], n_currency text[], n_ip text[],
    l_op int[], l_seat bigint[], l_type smallint[], l_face bigint[], l_fee bigint[], l_tax bigint[],
    g_op int[], g_other int[], t_op int[] DEFAULT '{}'
) RETURNS bytea LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    c_none constant uuid := '00000000-0000-0000-0000-000000000000';
    v_works int := cardinality(w_part);
    v_ops int := cardinality(o_kind);
    v_status smallint[];
    v_out smallint[];
    v_prev bytea[];
    v_old bytea[];
    v_ids int[];
    v_ords uuid[];
    v_keys text[];        -- event/dimension/key of the counters that came out over their limit
    v_sums int[];
    v_min int;
    v_max int;
    v_count bigint;
    v_want bigint;
    v_lost boolean := false; -- some operation has an outcome: the counts of what is asked no longer hold
    v_fits boolean;
    v_state smallint;
    v_ver int;
    v_attempt int;
    r record;
    i int;
    j int;
BEGIN
    v_out := array_fill(0::smallint, ARRAY[v_ops]);

    -- 1. The fence. Locks the part rows in order; after a wait the conditions are checked again on the new row.
    SELECT array_agg(f.i), array_agg(f.head_hash) INTO v_ids, v_prev FROM (
        SELECT w.i, p.head_hash
          FROM unnest(w_part, w_epoch, w_seq) WITH ORDINALITY w(part, epoch, seq, i)
          JOIN ledger.part p ON p.part = w.part
         WHERE p.epoch = w.epoch AND p.session = p_session AND p.applied_seq = w.seq - 1
         ORDER BY p.part FOR NO KEY UPDATE OF p) f;
    IF coalesce(cardinality(v_ids), 0) = v_works THEN
        v_status := array_fill(1::smallint, ARRAY[v_works]);
    ELSE
        -- Some are fenced, or this is a resend: only part, seq and batch id together tell.
        v_status := array_fill(0::smallint, ARRAY[v_works]);
        v_old := v_prev;
        v_prev := array_fill(''::bytea, ARRAY[v_works]);
        FOR i IN 1..coalesce(cardinality(v_ids), 0) LOOP
            v_status[v_ids[i]] := 1;
            v_prev[v_ids[i]] := v_old[i];
        END LOOP;
        FOR i IN 1..v_works LOOP
            CONTINUE WHEN v_status[i] = 1;
            FOR j IN w_lo[i]..w_hi[i] LOOP v_out[j] := 99; END LOOP;
            FOR r IN SELECT b.outcomes FROM ledger.flush_batches b WHERE b.part = w_part[i] AND b.seq = w_seq[i] AND b.batch = p_batch LOOP
                v_status[i] := 2;
                FOR j IN w_lo[i]..w_hi[i] LOOP -- negative: recorded, not to be applied; decoded at the end
                    v_out[j] := -1 - (get_byte(r.outcomes, 2*(j - w_lo[i])) * 256 + get_byte(r.outcomes, 2*(j - w_lo[i]) + 1));
                END LOOP;
            END LOOP;
        END LOOP;
        v_lost := true;
    END IF;

    -- 2. Idempotency: the wall against a request that was applied before, here or by another owner.
    INSERT INTO ledger.idempotency(scope, key, fingerprint, part, seq, row_no, kind, hold, order_id, refused, expires_at)
        SELECT o.scope, o.key, o.fingerprint, w_part[o.w], w_seq[o.w], o.i - w_lo[o.w], o.kind, o.hold, nullif(o_order[o.i], c_none), o_refused[o.i], p_now + interval '24 hours'
          FROM unnest(o_w, o_kind, o_hold, o_scope, o_key, o_fingerprint) WITH ORDINALITY o(w, kind, hold, scope, key, fingerprint, i)
         WHERE o.key <> c_none AND v_out[o.i] = 0
         ORDER BY o.scope, o.key, o.i -- of one request twice in a batch the first stands
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_want := cardinality(array_remove(o_key, c_none));
    IF v_lost THEN
        SELECT count(*) INTO v_want FROM unnest(o_key) WITH ORDINALITY k(key, i) WHERE k.key <> c_none AND v_out[k.i] = 0;
    END IF;
    IF v_count <> v_want THEN
        FOR r IN
            SELECT o.i, x.fingerprint = o.fingerprint AS same
              FROM unnest(o_w, o_scope, o_key, o_fingerprint) WITH ORDINALITY o(w, scope, key, fingerprint, i)
              JOIN ledger.idempotency x ON x.scope = o.scope AND x.key = o.key
             WHERE o.key <> c_none AND v_out[o.i] = 0
               AND (x.part, x.seq, x.row_no) IS DISTINCT FROM (w_part[o.w], w_seq[o.w], (o.i - w_lo[o.w])::int)
        LOOP
            v_out[r.i] := CASE WHEN r.same THEN 10 ELSE 11 END;
            v_lost := true;
        END LOOP;
    END IF;

    -- 3. The hold rows: extend, release, expire and order need a live one. Locked in order, then compared. (state + 0: the index of live holds
    -- must not be thought of, only the primary key. = ANY: a plan that was made while the table was small would read all of it for ever.)
    IF p_n[2] + p_n[5] + p_n[6] + p_n[11] > 0 THEN
        SELECT array_agg(f.i), array_agg(coalesce(f.order_id, c_none)) INTO v_ids, v_ords FROM (
            SELECT o.i, h.order_id
              FROM unnest(o_kind, o_hold) WITH ORDINALITY o(kind, hold, i)
              JOIN ledger.holds h ON h.id = o.hold
             WHERE o.kind IN (2, 5, 6, 11) AND v_out[o.i] = 0 AND h.id = ANY (o_hold) AND h.state + 0 = 1
               AND (o.kind <> 6 OR h.deadline <= clock_timestamp())
             ORDER BY h.id FOR NO KEY UPDATE OF h) f;
        IF coalesce(cardinality(v_ids), 0) <> p_n[2] + p_n[5] + p_n[6] + p_n[11] THEN
            FOR r IN
                SELECT o.i, o.kind, h.state
                  FROM unnest(o_kind, o_hold) WITH ORDINALITY o(kind, hold, i)
                  LEFT JOIN ledger.holds h ON h.id = o.hold
                 WHERE o.kind IN (2, 5, 6, 11) AND v_out[o.i] = 0 AND o.i <> ALL (coalesce(v_ids, '{}'))
            LOOP
                v_out[r.i] := CASE WHEN r.kind = 6 AND r.state = 1 THEN 21 ELSE 20 END;
                v_lost := true;
            END LOOP;
        END IF;
        -- A hold with an order ends only together with the order, and only while that is pending payment.
        FOR i IN 1..coalesce(cardinality(v_ids), 0) LOOP
            j := v_ids[i];
            CONTINUE WHEN v_ords[i] = c_none;
            IF o_kind[j] = 11 THEN
                -- An order that ended by its own (expired, cancelled) does not bar a new one while the hold lives.
                SELECT x.state INTO v_state FROM ledger.orders x WHERE x.id = v_ords[i];
                IF v_state NOT IN (5, 6) THEN v_out[j] := 32; v_lost := true; END IF;
            ELSIF o_kind[j] IN (5, 6) THEN
                IF o_kind[j] = 5 AND o_order[j] <> v_ords[i] THEN
                    v_out[j] := 30; v_lost := true;
                    CONTINUE;
                END IF;
                SELECT x.state, x.ver, x.attempt INTO v_state, v_ver, v_attempt FROM ledger.orders x WHERE x.id = v_ords[i] FOR NO KEY UPDATE SKIP LOCKED;
                IF NOT FOUND THEN
                    v_out[j] := 31; v_lost := true;
                ELSIF v_state = 1 THEN
                    INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, at)
                        VALUES (v_ords[i], v_ver + 1, v_ver, 1, CASE o_kind[j] WHEN 5 THEN 6 ELSE 5 END, CASE o_kind[j] WHEN 5 THEN 'cancel' ELSE 'deadline' END, v_attempt, p_now);
                    UPDATE ledger.orders SET state = CASE o_kind[j] WHEN 5 THEN 6 ELSE 5 END, ver = v_ver + 1, updated_at = p_now WHERE id = v_ords[i];
                ELSIF v_state NOT IN (5, 6, 7, 8) THEN -- the order still counts on its seats
                    v_out[j] := 30; v_lost := true;
                END IF;
            END IF;
        END LOOP;
    END IF;

    -- Legs follow their hold's row, which is locked until the end: seats are taken while it is being tried, with that try; they are freed when it was
    -- dropped, has ended, or is being tried anew; and of two sales the later one sees the earlier one's seats.
    IF cardinality(t_op) > 0 THEN
        v_ids := '{}';
        FOR r IN SELECT t.op, h.state, h.try FROM unnest(t_op) t(op) JOIN ledger.holds h ON h.id = o_hold[t.op]
                  WHERE o_kind[t.op] IN (7, 13, 14) AND v_out[t.op] = 0 AND h.id = ANY (o_hold) ORDER BY h.id FOR NO KEY UPDATE OF h LOOP
            IF (CASE o_kind[r.op] WHEN 13 THEN r.state = 0 AND r.try = o_generation[r.op]
                                 WHEN 14 THEN r.state IN (2, 3) OR r.try > o_generation[r.op]
                                 ELSE true END) THEN
                v_ids := v_ids || r.op;
            END IF;
        END LOOP;
        FOREACH i IN ARRAY t_op LOOP
            CONTINUE WHEN o_kind[i] NOT IN (13, 14) OR v_out[i] <> 0;
            IF i = ANY (v_ids) THEN
                CONTINUE WHEN o_kind[i] = 14 OR o_q_lo[i] > o_q_hi[i];
                CONTINUE WHEN ledger.wide_documents(o_hold[i], q_key[o_q_lo[i]:o_q_hi[i]], q_seat[o_q_lo[i]:o_q_hi[i]]);
            END IF;
            v_out[i] := CASE o_kind[i] WHEN 13 THEN 60 ELSE 61 END;
            v_lost := true;
        END LOOP;
    END IF;

    -- 4. What the order allows: pin, unpin, sell, refund. SKIP LOCKED never waits, so its place in the lock order is free. A line that has ended stays so.
    IF p_n[8] > 0 THEN
        FOR r IN SELECT DISTINCT s.op FROM unnest(s_op, s_seat) s(op, seat)
                  WHERE o_kind[s.op] = 8 AND v_out[s.op] = 0 AND (SELECT x.state FROM ledger.orders x WHERE x.id = o_order[s.op]) IS DISTINCT FROM 6
                    AND (SELECT l.refund FROM ledger.order_lines l WHERE l.order_id = o_order[s.op] AND l.seat = s.seat) IS NULL LOOP
            v_out[r.op] := 30;
            v_lost := true;
        END LOOP;
    END IF;
    IF p_n[3] + p_n[4] + p_n[7] + p_n[8] > 0 THEN
        SELECT array_agg(f.i) INTO v_ids FROM (
            SELECT o.i
              FROM unnest(o_kind, o_order, o_attempt, o_hold) WITH ORDINALITY o(kind, id, attempt, hold, i)
              JOIN ledger.orders x ON x.id = o.id
             WHERE o.kind IN (3, 4, 7, 8) AND v_out[o.i] = 0 AND x.id = ANY (o_order) AND x.hold = o.hold
               AND ledger.order_allows(o.kind, o.attempt, o_free[o.i], x.state, x.attempt)
             FOR SHARE OF x SKIP LOCKED) f;
        IF coalesce(cardinality(v_ids), 0) <> p_n[3] + p_n[4] + p_n[7] + p_n[8] THEN
            FOR i IN 1..v_ops LOOP
                CONTINUE WHEN o_kind[i] NOT IN (3, 4, 7, 8) OR v_out[i] <> 0 OR i = ANY (coalesce(v_ids, '{}'));
                SELECT ledger.order_allows(o_kind[i], o_attempt[i], o_free[i], x.state, x.attempt) INTO v_fits FROM ledger.orders x WHERE x.id = o_order[i] AND x.hold = o_hold[i];
                v_out[i] := CASE WHEN v_fits THEN 31 ELSE 30 END;
                v_lost := true;
            END LOOP;
        END IF;
    END IF;

    -- 5. Limits. Everything is added, netted per key and in key order; only keys that came out over their limit are decided hold by hold,
    -- on all their dimensions, and what does not fit is taken out again.
    IF cardinality(q_op) > 0 THEN
        WITH added AS (
            INSERT INTO ledger.quota AS t (event, dimension, key, n)
                SELECT o_event[q.op], q.dimension, q.key,
                       sum(CASE WHEN o_kind[q.op] = 1 THEN 1 ELSE -1 END * CASE WHEN q.dimension = 3 THEN 1 ELSE o_quantity[q.op] END)
                  FROM unnest(q_op, q_dimension, q_key) q(op, dimension, key)
                 WHERE v_out[q.op] = 0 AND (o_kind[q.op] IN (1, 5, 6, 8) OR (o_kind[q.op] = 4 AND o_free[q.op]))
                 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (event, dimension, key) DO UPDATE SET n = t.n + excluded.n
            RETURNING n)
        SELECT min(a.n), max(a.n) INTO v_min, v_max FROM added a;
        IF v_min < 0 THEN
            RAISE EXCEPTION 'flush: a quota counter fell below 0' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF v_max > (SELECT min(lim) FROM unnest(q_limit) lim) THEN -- some may be over: read them again, they are locked by now
            SELECT array_agg(t.event || '/' || t.dimension || '/' || t.key), array_agg(t.n) INTO v_keys, v_sums
              FROM (SELECT o_event[q.op] AS event, q.dimension, q.key, min(q.lim) AS lim FROM unnest(q_op, q_dimension, q_key, q_limit) q(op, dimension, key, lim)
                     WHERE o_kind[q.op] = 1 AND v_out[q.op] = 0 GROUP BY 1, 2, 3) m
              JOIN ledger.quota t ON t.event = m.event AND t.dimension = m.dimension AND t.key = m.key
             WHERE t.n > m.lim;
        END IF;
        IF v_keys IS NOT NULL THEN
            FOR r IN SELECT p.p, sum(CASE WHEN q.dimension = 3 THEN 1 ELSE o_quantity[q.op] END) AS s
                       FROM unnest(q_op, q_dimension, q_key) q(op, dimension, key), LATERAL (SELECT array_position(v_keys, o_event[q.op] || '/' || q.dimension || '/' || q.key) AS p) p
                      WHERE v_out[q.op] = 0 AND o_kind[q.op] = 1 AND p.p IS NOT NULL GROUP BY 1 LOOP
                v_sums[r.p] := v_sums[r.p] - r.s;
            END LOOP;
            -- A hold's limits by key, for one document may stand for several of its seats, in the order in which it has them.
            FOR r IN SELECT k.op, array_agg(k.p ORDER BY k.i) AS ps, array_agg(k.lim ORDER BY k.i) AS ls, array_agg(k.n::int ORDER BY k.i) AS ns,
                            array_agg(k.dimension ORDER BY k.i) AS ds, array_agg(k.key ORDER BY k.i) AS ks
                       FROM (SELECT q.op, p.p, q.dimension, q.key, min(q.lim) AS lim, sum(CASE WHEN q.dimension = 3 THEN 1 ELSE o_quantity[q.op] END) AS n, min(q.i) AS i
                               FROM unnest(q_op, q_dimension, q_key, q_limit) WITH ORDINALITY q(op, dimension, key, lim, i),
                                    LATERAL (SELECT array_position(v_keys, o_event[q.op] || '/' || q.dimension || '/' || q.key) AS p) p
                              WHERE v_out[q.op] = 0 AND o_kind[q.op] = 1 AND p.p IS NOT NULL GROUP BY 1, 2, 3, 4) k
                      GROUP BY k.op ORDER BY k.op LOOP
                FOR i IN 1..cardinality(r.ps) LOOP
                    CONTINUE WHEN v_sums[r.ps[i]] + r.ns[i] <= r.ls[i];
                    -- What is still being tried may be given back by itself; none of it has been since the counter was locked.
                    v_out[r.op] := 41;
                    v_lost := true;
                    IF v_sums[r.ps[i]] + r.ns[i] - ledger.trying(o_event[r.op], r.ds[i], r.ks[i]) > r.ls[i] THEN
                        v_out[r.op] := 100 + 10000 * (r.ds[i] - 1) + least(v_sums[r.ps[i]], 9999);
                        EXIT;
                    END IF;
                END LOOP;
                IF v_out[r.op] = 0 THEN
                    FOR i IN 1..cardinality(r.ps) LOOP v_sums[r.ps[i]] := v_sums[r.ps[i]] + r.ns[i]; END LOOP;
                END IF;
            END LOOP;
            UPDATE ledger.quota t SET n = t.n - d.n
              FROM (SELECT o_event[q.op] AS event, q.dimension, q.key, sum(CASE WHEN q.dimension = 3 THEN 1 ELSE o_quantity[q.op] END) AS n
                      FROM unnest(q_op, q_dimension, q_key) q(op, dimension, key) WHERE v_out[q.op] = 41 OR v_out[q.op] >= 100 GROUP BY 1, 2, 3) d
             WHERE t.event = d.event AND t.dimension = d.dimension AND t.key = d.key;
        END IF;
    END IF;

    -- 6. The hold rows are written.
    IF p_n[1] > 0 THEN
        INSERT INTO ledger.holds(id, event, segment, part, state, generation, quantity, quota_dims, quota_keys, quota_limits, quota_seats, deadline, max_expires_at)
            SELECT o.hold, o.event, o.segment, w_part[o.w], 1, o_generation[o.i], o.quantity,
                   q_dimension[o.q_lo:o.q_hi], q_key[o.q_lo:o.q_hi], q_limit[o.q_lo:o.q_hi], q_seat[o.q_lo:o.q_hi], o.deadline, o.max
              FROM unnest(o_w, o_kind, o_event, o_segment, o_quantity, o_hold, o_deadline, o_max, o_q_lo, o_q_hi)
                   WITH ORDINALITY o(w, kind, event, segment, quantity, hold, deadline, max, q_lo, q_hi, i)
             WHERE o.kind = 1 AND v_out[o.i] = 0;
    END IF;
    IF p_n[2] > 0 THEN
        UPDATE ledger.holds h SET deadline = o.deadline, remaining_ms = NULL
          FROM unnest(o_kind, o_hold, o_deadline) WITH ORDINALITY o(kind, hold, deadline, i)
         WHERE o.kind = 2 AND v_out[o.i] = 0 AND h.id = o.hold AND h.id = ANY (o_hold);
    END IF;
    IF p_n[3] > 0 THEN
        UPDATE ledger.holds h SET attempt = o.attempt
          FROM unnest(o_kind, o_hold, o_attempt) WITH ORDINALITY o(kind, hold, attempt, i)
         WHERE o.kind = 3 AND v_out[o.i] = 0 AND h.id = o.hold AND h.id = ANY (o_hold) AND h.segment > 0;
    END IF;
    IF p_n[4] + p_n[5] + p_n[6] + p_n[7] > 0 THEN
        UPDATE ledger.holds h SET state = 3
         WHERE h.state + 0 = 1 AND h.segment > 0 AND h.id = ANY (ARRAY(
            SELECT o.hold FROM unnest(o_kind, o_hold) WITH ORDINALITY o(kind, hold, i)
             WHERE (o.kind IN (5, 6, 7) OR (o.kind = 4 AND o_free[o.i])) AND v_out[o.i] = 0));
    END IF;

    -- 7. Grants, then segment counters. A segment's partition is locked by this call, so no other call has its row; a grant is written by the owner of
    -- its donor and, once that has committed, by the one of its receiver.
    IF p_n[9] + p_n[10] > 0 THEN
        -- Asked for twice under one id, it was given once.
        FOR r IN SELECT g.op FROM unnest(g_op) g(op) JOIN ledger.grants x ON x.id = o_hold[g.op] WHERE o_kind[g.op] = 9 AND v_out[g.op] = 0 LOOP
            v_out[r.op] := 10;
            v_lost := true;
        END LOOP;
        SELECT count(*) INTO v_want FROM unnest(g_op) g(op) WHERE o_kind[g.op] = 9 AND v_out[g.op] = 0;
        INSERT INTO ledger.grants(id, event, from_seg, to_seg, n, given_part, given_seq)
            SELECT o_hold[g.op], a.event, a.segment, b.segment, o_quantity[g.op], w_part[o_w[g.op]], w_seq[o_w[g.op]]
              FROM unnest(g_op, g_other) g(op, other)
              JOIN ledger.segments a ON a.event = o_event[g.op] AND a.segment = o_segment[g.op]
              JOIN ledger.segments b ON b.event = a.event AND b.segment = g.other AND b.home = a.home
             WHERE o_kind[g.op] = 9 AND v_out[g.op] = 0;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count <> v_want THEN
            RAISE EXCEPTION 'flush: % grants were given, % asked: the segments are not of one area', v_count, v_want USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        WITH taken AS (
            UPDATE ledger.grants x SET taken_part = w_part[o_w[g.op]], taken_seq = w_seq[o_w[g.op]]
              FROM unnest(g_op, g_other) g(op, other)
             WHERE o_kind[g.op] = 10 AND v_out[g.op] = 0 AND x.id = o_hold[g.op] AND x.taken_part IS NULL
               AND x.event = o_event[g.op] AND x.from_seg = g.other AND x.to_seg = o_segment[g.op] AND x.n = o_quantity[g.op]
            RETURNING g.op)
        SELECT array_agg(t.op) INTO v_ids FROM taken t;
        FOREACH i IN ARRAY g_op LOOP
            CONTINUE WHEN o_kind[i] <> 10 OR v_out[i] <> 0 OR i = ANY (coalesce(v_ids, '{}'));
            v_out[i] := 50;
            v_lost := true;
        END LOOP;
        UPDATE ledger.segments g SET capacity = g.capacity + d.n
          FROM (SELECT o_event[g.op] AS event, o_segment[g.op] AS segment, sum(CASE WHEN o_kind[g.op] = 9 THEN -o_quantity[g.op] ELSE o_quantity[g.op] END) AS n
                  FROM unnest(g_op) g(op) WHERE v_out[g.op] = 0 GROUP BY 1, 2) d
         WHERE g.event = d.event AND g.segment = d.segment;
    END IF;
    UPDATE ledger.segments g SET held = g.held + d.held, paying = g.paying + d.paying, sold = g.sold + d.sold
      FROM (SELECT o_event[s.op] AS event, o_segment[s.op] AS segment,
                   sum((s.t = 1)::int - (s.f = 1)::int) AS held, sum((s.t = 2)::int - (s.f = 2)::int) AS paying, sum((s.t = 3)::int - (s.f = 3)::int) AS sold
              FROM unnest(s_op, s_from, s_to) s(op, f, t) WHERE v_out[s.op] = 0 GROUP BY 1, 2) d
     WHERE g.event = d.event AND g.segment = d.segment;

    -- "Sold out" is final only when it is so of all segments that sell the same places, and of what is under way between them: one statement sees
    -- them all at one moment.
    IF 4 = ANY (o_refused) THEN
        FOR i IN 1..v_ops LOOP
            CONTINUE WHEN o_kind[i] <> 12 OR o_refused[i] <> 4 OR v_out[i] <> 0;
            SELECT sum(x.opened) - sum(x.sold) INTO v_want FROM ledger.segments g JOIN ledger.segments x ON x.event = g.event AND x.home = g.home
             WHERE g.event = o_event[i] AND g.segment = o_segment[i];
            IF v_want <> 0 THEN
                v_out[i] := 51;
                v_lost := true;
            END IF;
        END LOOP;
    END IF;

    -- 8. Seats: each must be at the version and in the state that memory believes, and belong to the hold and its generation, and a pin to its
    -- order and attempt; a pin is replaced by a later attempt of the same order only.
    UPDATE ledger.seats t SET
           state = s.t, ver = s.ver, type = s.type,
           hold = CASE WHEN s.t = 0 THEN NULL ELSE o_hold[s.op] END,
           generation = o_generation[s.op],
           order_id = CASE WHEN s.t >= 2 THEN o_order[s.op] END,
           attempt = CASE WHEN s.t >= 2 THEN o_attempt[s.op] ELSE 0 END
      FROM unnest(s_op, s_seat, s_ver, s_from, s_to, s_type) s(op, seat, ver, f, t, type)
     WHERE v_out[s.op] = 0 AND t.event = o_event[s.op] AND t.seat = s.seat AND t.ver = s.ver - 1 AND t.state = s.f
       AND CASE
           WHEN o_kind[s.op] IN (1, 13) THEN NOT o_area[s.op]
           WHEN t.hold <> o_hold[s.op] OR t.generation <> o_generation[s.op] THEN false
           WHEN o_kind[s.op] IN (4, 7, 8) THEN t.order_id = o_order[s.op] AND t.attempt = o_attempt[s.op]
           WHEN o_kind[s.op] = 3 AND s.f = 2 THEN t.order_id = o_order[s.op] AND t.attempt < o_attempt[s.op]
           ELSE true END;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    -- Units of an area are born when they are held; the primary key refuses a number that was used before.
    i := 0;
    IF true = ANY (o_area) THEN
        INSERT INTO ledger.seats(event, seat, segment, label, category, state, ver, type, hold, generation)
            SELECT g.event, s.seat, g.segment, g.name || '#' || (s.seat & 16777215), 0, 1, s.ver, s.type, o_hold[s.op], o_generation[s.op]
              FROM unnest(s_op, s_seat, s_ver, s_type) s(op, seat, ver, type)
              JOIN ledger.segments g ON g.event = o_event[s.op] AND g.segment = o_segment[s.op]
             WHERE v_out[s.op] = 0 AND o_kind[s.op] IN (1, 13) AND o_area[s.op] AND s.ver = 1;
        GET DIAGNOSTICS i = ROW_COUNT;
    END IF;
    v_want := cardinality(s_op);
    IF v_lost THEN
        SELECT count(*) INTO v_want FROM unnest(s_op) s(op) WHERE v_out[s.op] = 0;
    END IF;
    IF v_count + i <> v_want THEN
        RAISE EXCEPTION 'flush: % seats moved, % asked: memory and ledger disagree', v_count + i, v_want USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    -- 9. The journal, and sales.
    INSERT INTO ledger.seat_movements(part, seq, row_no, epoch, event, seat, seat_ver, kind, from_state, to_state, hold, order_id, attempt, price, occurred_at)
        SELECT w_part[o_w[s.op]], w_seq[o_w[s.op]], s.i, w_epoch[o_w[s.op]], o_event[s.op], s.seat, s.ver, o_kind[s.op], s.f, s.t, o_hold[s.op],
               CASE WHEN o_kind[s.op] IN (3, 4, 7, 8) THEN o_order[s.op] END, CASE WHEN o_kind[s.op] IN (3, 4, 7, 8) THEN o_attempt[s.op] ELSE 0 END,
               CASE WHEN o_kind[s.op] = 7 THEN (SELECT l.face + l.fee + l.tax FROM ledger.order_lines l WHERE l.order_id = o_order[s.op] AND l.seat = s.seat) ELSE 0 END, p_now
          FROM unnest(s_op, s_seat, s_ver, s_from, s_to) WITH ORDINALITY s(op, seat, ver, f, t, i) WHERE v_out[s.op] = 0;
    IF p_n[7] > 0 THEN
        INSERT INTO ledger.sales(event, seat, sold_ver, order_id, hold, price, part, sold_seq)
            SELECT o_event[s.op], s.seat, s.ver, o_order[s.op], o_hold[s.op],
                   (SELECT l.face + l.fee + l.tax FROM ledger.order_lines l WHERE l.order_id = o_order[s.op] AND l.seat = s.seat), w_part[o_w[s.op]], w_seq[o_w[s.op]]
              FROM unnest(s_op, s_seat, s_ver) s(op, seat, ver) WHERE o_kind[s.op] = 7 AND v_out[s.op] = 0;
    END IF;
    IF p_n[8] > 0 THEN
        UPDATE ledger.sales x SET ended_seq = w_seq[o_w[s.op]]
          FROM unnest(s_op, s_seat, s_ver) s(op, seat, ver)
         WHERE o_kind[s.op] = 8 AND v_out[s.op] = 0 AND x.event = o_event[s.op] AND x.seat = s.seat AND x.ended_seq IS NULL;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        SELECT count(*) INTO v_want FROM unnest(s_op) s(op) WHERE o_kind[s.op] = 8 AND v_out[s.op] = 0;
        IF v_count <> v_want THEN
            RAISE EXCEPTION 'flush: % sales ended, % asked', v_count, v_want USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    -- A hold over several segments ends when the last of its seats is sold.
    IF cardinality(t_op) > 0 AND p_n[7] > 0 THEN
        UPDATE ledger.holds h SET state = 3, decided_at = p_now
          FROM unnest(t_op) t(op)
         WHERE o_kind[t.op] = 7 AND v_out[t.op] = 0 AND h.id = o_hold[t.op] AND h.id = ANY (o_hold) AND h.state + 0 = 1
           AND NOT EXISTS (SELECT 1 FROM ledger.order_lines l, LATERAL (SELECT x.state FROM ledger.seats x WHERE x.event = h.event AND x.seat = l.seat OFFSET 0) s
                            WHERE l.order_id = o_order[t.op] AND s.state <> 3);
    END IF;

    -- 10. Orders that are opened on a live hold.
    IF p_n[11] > 0 THEN
        INSERT INTO ledger.order_events(order_id, ver, from_state, to_state, event, at)
            SELECT o_order[n.op], 1, 0, 1, 'open', p_now FROM unnest(n_op) n(op) WHERE v_out[n.op] = 0;
        INSERT INTO ledger.order_lines(order_id, seat, type, face, fee, tax)
            SELECT o_order[l.op], l.seat, l.type, l.face, l.fee, l.tax FROM unnest(l_op, l_seat, l_type, l_face, l_fee, l_tax) l(op, seat, type, face, fee, tax) WHERE v_out[l.op] = 0;
        INSERT INTO ledger.orders(id, event, hold, state, ver, buyer_ref, total, currency, hold_until, client_ip, created_at, updated_at)
            SELECT o_order[n.op], o_event[n.op], o_hold[n.op], 1, 1, n.buyer,
                   (SELECT sum(l.face + l.fee + l.tax) FROM unnest(l_op, l_face, l_fee, l_tax) l(op, face, fee, tax) WHERE l.op = n.op),
                   n.currency, h.deadline, nullif(n.ip, '')::inet, p_now, p_now
              FROM unnest(n_op, n_buyer, n_currency, n_ip) n(op, buyer, currency, ip) JOIN ledger.holds h ON h.id = o_hold[n.op] WHERE v_out[n.op] = 0;
        UPDATE ledger.holds h SET order_id = o_order[n.op] FROM unnest(n_op) n(op) WHERE v_out[n.op] = 0 AND h.id = o_hold[n.op];
    END IF;

    -- "Ask again" is no answer to remember: the same request may be sent again under its key.
    IF v_lost AND (31 = ANY (v_out) OR 41 = ANY (v_out)) THEN
        DELETE FROM ledger.idempotency x USING unnest(o_w, o_scope, o_key) WITH ORDINALITY o(w, scope, key, i)
         WHERE v_out[o.i] IN (31, 41) AND o.key <> c_none AND x.scope = o.scope AND x.key = o.key AND x.part = w_part[o.w] AND x.seq = w_seq[o.w];
    END IF;

    -- 11. One row for each partition, chained; then the part row, written once.
    WITH b AS (
        INSERT INTO ledger.flush_batches(part, seq, epoch, batch, digest, outcomes, prev_hash, hash, source_addr)
            SELECT w.part, w.seq, w.epoch, p_batch, w.digest, x.o, w.prev,
                   sha256('ticketrush/batch/v1'::bytea || int4send(w.part) || int8send(w.seq) || int8send(w.epoch) || uuid_send(p_batch) || w.prev || w.digest || x.o), inet_client_addr()
              FROM unnest(w_part, w_seq, w_epoch, w_lo, w_hi, w_digest, v_prev, v_status) w(part, seq, epoch, lo, hi, digest, prev, status),
                   LATERAL (SELECT coalesce(string_agg(int2send(v_out[g]), ''::bytea ORDER BY g), ''::bytea) AS o FROM generate_series(w.lo, w.hi) g) x
             WHERE w.status = 1
            RETURNING part, seq, hash)
    UPDATE ledger.part p SET applied_seq = b.seq, head_hash = b.hash FROM b WHERE p.part = b.part;

    RETURN (SELECT string_agg(int2send(s), ''::bytea ORDER BY g) FROM unnest(v_status) WITH ORDINALITY a(s, g))
        || coalesce((SELECT string_agg(int2send(CASE WHEN s < 0 THEN (-1 - s)::smallint ELSE s END), ''::bytea ORDER BY g) FROM unnest(v_out) WITH ORDINALITY a(s, g)), ''::bytea);
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger.flush;
DROP FUNCTION ledger.trying;
DROP FUNCTION ledger.order_allows;
