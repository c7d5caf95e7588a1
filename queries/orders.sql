-- Orders and what becomes of them. Functions are in ledger/migrations/00004_money.sql.

-- name: OrderGet :one
SELECT o.id, o.event, o.hold, o.state, o.ver, o.attempt, o.buyer_ref, o.total, o.currency, o.hold_until, o.paying_until, o.created_at, h.segment, h.part, h.deadline
  FROM ledger.orders o JOIN ledger.holds h ON h.id = o.hold WHERE o.id = sqlc.arg(id);

-- name: OrderLines :many
SELECT l.seat, l.type, l.face, l.fee, l.tax, s.label, s.category
  FROM ledger.order_lines l JOIN ledger.orders o ON o.id = l.order_id JOIN ledger.seats s ON s.event = o.event AND s.seat = l.seat
 WHERE l.order_id = sqlc.arg(id) ORDER BY l.seat;

-- name: OrderHistory :many
SELECT ver, from_state, to_state, event, attempt, reason, at FROM ledger.order_events WHERE order_id = sqlc.arg(id) ORDER BY ver;

-- name: OrderTransitions :many
SELECT from_state, event, to_state FROM ledger.order_transitions ORDER BY from_state, event, to_state;

-- name: OrderMove :one
SELECT ledger.order_move(sqlc.arg(id)::uuid, sqlc.arg(from_state)::smallint, sqlc.arg(to_state)::smallint, sqlc.arg(event)::text, sqlc.arg(attempt)::int, sqlc.arg(reason)::text, NULL, sqlc.arg(now)::timestamptz)::boolean;

-- name: PaymentBegin :one
SELECT ledger.payment_begin(sqlc.arg(id)::uuid, sqlc.arg(max_attempts)::int, sqlc.arg(until)::timestamptz, sqlc.arg(now)::timestamptz)::int;

-- name: Decide :one
SELECT ledger.decide(sqlc.arg(orders)::uuid[], sqlc.arg(attempts)::int[], sqlc.arg(payments)::uuid[], sqlc.arg(now)::timestamptz)::int[];

-- name: Issue :one
SELECT ledger.issue(sqlc.arg(id)::uuid, sqlc.arg(payment)::uuid, sqlc.arg(source)::text, sqlc.arg(tickets)::uuid[], sqlc.arg(seats)::bigint[], sqlc.arg(codes)::text[], sqlc.arg(now)::timestamptz)::int;

-- Orders that are paid and not issued since a while: whoever should have followed has crashed, or is at it.
-- name: OrdersToFollow :many
SELECT o.id FROM ledger.orders o WHERE o.state = 3 AND o.updated_at <= sqlc.arg(before)::timestamptz ORDER BY o.updated_at LIMIT sqlc.arg(count);

-- Orders whose payment has taken too long.
-- name: OrdersOverdue :many
SELECT o.id FROM ledger.orders o WHERE o.state = 2 AND o.paying_until <= sqlc.arg(now)::timestamptz ORDER BY o.paying_until LIMIT sqlc.arg(count);

-- Pins whose order has ended, or has moved on to a later attempt.
-- name: PinsToFree :many
SELECT DISTINCT s.order_id, s.attempt, s.hold, s.event, (s.seat >> 24)::int AS segment, o.state
  FROM ledger.seats s JOIN ledger.orders o ON o.id = s.order_id
 WHERE s.state = 2 AND (o.state IN (1, 5, 6, 7, 8) OR o.attempt > s.attempt) LIMIT sqlc.arg(count);
