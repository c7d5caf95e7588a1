-- Orders and what becomes of them. Functions are in ledger/migrations/00004_money.sql.

-- name: OrderGet :one
SELECT o.id, o.event, o.hold, o.state, o.ver, o.attempt, o.buyer_ref, o.total, o.currency, o.hold_until, o.paying_until, o.created_at, h.segment, h.part, h.deadline
  FROM ledger.orders o JOIN ledger.holds h ON h.id = o.hold WHERE o.id = sqlc.arg(id);

-- The lines of an order with their seats' labels. OFFSET 0 keeps a look-up by key for each line: a planner that does not know the tables yet
-- would rather read the event's whole hall.
-- name: OrderLines :many
SELECT l.seat, l.type, l.face, l.fee, l.tax, l.refund, s.label, s.category
  FROM ledger.order_lines l, LATERAL (SELECT x.label, x.category FROM ledger.seats x WHERE x.event = sqlc.arg(event) AND x.seat = l.seat OFFSET 0) s
 WHERE l.order_id = sqlc.arg(id) ORDER BY l.seat;

-- name: OrderTransitions :many
SELECT from_state, event, to_state FROM ledger.order_transitions ORDER BY from_state, event, to_state;

-- name: OrderMove :one
SELECT ledger.order_move(sqlc.arg(id)::uuid, sqlc.arg(from_state)::smallint, sqlc.arg(to_state)::smallint, sqlc.arg(event)::text, sqlc.arg(attempt)::int, sqlc.arg(reason)::text, sqlc.narg(paying_until)::timestamptz, sqlc.arg(now)::timestamptz)::boolean;

-- name: OrderExpire :one
SELECT ledger.order_expire(sqlc.arg(id)::uuid, sqlc.arg(from_state)::smallint, sqlc.arg(attempt)::int, sqlc.arg(reason)::text, sqlc.arg(now)::timestamptz)::boolean;

-- name: PaymentBegin :one
SELECT ledger.payment_begin(sqlc.arg(id)::uuid, sqlc.arg(max_attempts)::int, sqlc.arg(until)::timestamptz, sqlc.arg(now)::timestamptz)::int;

-- The bodies are kept in the same commit, apart from what is hashed, because they hold personal data and have an end. Keeping them adds nothing to the answer.
-- name: PaymentTake :one
SELECT (ledger.payment_bodies(sqlc.arg(providers)::text[], sqlc.arg(ids)::text[], sqlc.arg(bodies)::bytea[], sqlc.arg(now)::timestamptz) ||
       ledger.payment_take(sqlc.arg(providers)::text[], sqlc.arg(ids)::text[], sqlc.arg(refs)::text[], sqlc.arg(kinds)::text[], sqlc.arg(amounts)::bigint[], sqlc.arg(currencies)::text[],
       sqlc.arg(moments)::timestamptz[], sqlc.arg(digests)::bytea[], sqlc.arg(refunds)::uuid[], sqlc.arg(now)::timestamptz))::bytea;

-- name: CaptureFail :one
SELECT ledger.capture_fail(sqlc.arg(id)::uuid, sqlc.arg(payment)::uuid, sqlc.arg(reason)::text, sqlc.arg(now)::timestamptz)::boolean;

-- name: Issue :one
SELECT ledger.issue(sqlc.arg(orders)::uuid[], sqlc.arg(payments)::uuid[], sqlc.arg(ticket_orders)::int[], sqlc.arg(tickets)::uuid[], sqlc.arg(seats)::bigint[], sqlc.arg(codes)::text[],
       sqlc.arg(now)::timestamptz)::int[];

-- What is to be known of paid orders to finish them, many in one round trip. OFFSET 0 keeps a look-up by key for each.
-- name: OrdersPaid :many
SELECT w.id::uuid AS id, o.event, o.hold, o.attempt, h.segment, e.uid, e.starts_at,
       coalesce(p.id, '00000000-0000-0000-0000-000000000000')::uuid AS payment, coalesce(p.provider, '')::text AS provider, coalesce(p.provider_ref, '')::text AS provider_ref,
       coalesce(p.amount, 0)::bigint AS amount,
       ARRAY(SELECT l.seat FROM ledger.order_lines l WHERE l.order_id = w.id ORDER BY l.seat)::bigint[] AS seats,
       ARRAY(SELECT l.type FROM ledger.order_lines l WHERE l.order_id = w.id ORDER BY l.seat)::int[] AS types
  FROM unnest(sqlc.arg(ids)::uuid[]) AS w(id),
       LATERAL (SELECT x.event, x.hold, x.attempt FROM ledger.orders x WHERE x.id = w.id AND x.state = 3 OFFSET 0) o,
       LATERAL (SELECT x.segment FROM ledger.holds x WHERE x.id = o.hold OFFSET 0) h,
       LATERAL (SELECT x.uid, x.starts_at FROM ledger.events x WHERE x.id = o.event OFFSET 0) e
  LEFT JOIN LATERAL (SELECT x.id, x.provider, x.provider_ref, x.amount FROM ledger.payments x WHERE x.order_id = w.id AND x.placed OFFSET 0) p ON true;

-- Orders that are paid and not issued since a while: whoever should have followed has crashed, or is at it. In no order, so that those that
-- cannot be finished do not bar the way.
-- name: OrdersToFollow :many
SELECT o.id FROM ledger.orders o WHERE o.state = 3 AND o.updated_at <= sqlc.arg(before)::timestamptz ORDER BY random() LIMIT sqlc.arg(count);

-- Orders whose payment has taken too long, or whose provider does not say what became of it: those are asked about later each time, and at the end.
-- name: OrdersOverdue :many
SELECT o.id FROM ledger.orders o WHERE (o.state = 2 AND o.paying_until <= sqlc.arg(now)::timestamptz) OR (o.state = 10 AND (sqlc.arg(stuck)::boolean OR o.paying_until <= sqlc.arg(now)::timestamptz OR coalesce(o.ask_at <= sqlc.arg(now)::timestamptz, true))) ORDER BY random() LIMIT sqlc.arg(count);

-- name: OrderAskAt :exec
UPDATE ledger.orders SET ask_at = sqlc.arg(at)::timestamptz WHERE id = sqlc.arg(id) AND state = 10;

-- Pins whose order has ended, or waits for another attempt. Few holds are pinned, orders are many: each OFFSET 0 keeps a look-up by key, and
-- the seats are looked at last.
-- name: PinsToFree :many
SELECT p.order_id, p.attempt, p.hold, p.event, p.segment, p.state
  FROM (SELECT h.order_id, h.attempt, h.id AS hold, h.event, h.segment, o.state
          FROM ledger.holds h, LATERAL (SELECT x.state FROM ledger.orders x WHERE x.id = h.order_id OFFSET 0) o
         WHERE h.state = 1 AND h.attempt > 0 AND o.state IN (1, 5, 6, 7, 8) OFFSET 0) p
 WHERE EXISTS (SELECT 1 FROM ledger.order_lines l, LATERAL (SELECT x.state, x.hold FROM ledger.seats x WHERE x.event = p.event AND x.seat = l.seat OFFSET 0) s
                WHERE l.order_id = p.order_id AND s.state = 2 AND s.hold = p.hold)
 LIMIT sqlc.arg(count);
