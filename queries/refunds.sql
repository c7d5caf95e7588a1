-- Refunds, disputes and what belongs to them. Functions are in ledger/migrations/00007_refunds.sql.

-- name: RefundDecide :one
SELECT ledger.refund_decide(sqlc.arg(order_id)::uuid, sqlc.arg(id)::uuid, sqlc.arg(fingerprint)::uuid, sqlc.arg(seats)::bigint[], sqlc.arg(reason)::text, sqlc.arg(void_reason)::text,
       sqlc.arg(actor)::text, sqlc.narg(mass)::uuid, sqlc.arg(now)::timestamptz)::int;

-- name: RefundGet :one
SELECT r.id, r.payment, r.order_id, r.lines, r.amount, r.currency, r.reason, r.actor, r.state, r.failures, r.created_at, y.state AS payment_state, y.placed, y.captured
  FROM ledger.refunds r JOIN ledger.payments y ON y.id = r.payment WHERE r.id = sqlc.arg(id);

-- name: RefundsOfOrder :many
SELECT r.id, r.payment, r.order_id, r.lines, r.amount, r.currency, r.reason, r.actor, r.state, r.failures, r.created_at FROM ledger.refunds r WHERE r.order_id = sqlc.arg(order_id) ORDER BY r.created_at, r.id;

-- name: RefundSent :one
SELECT ledger.refund_sent(sqlc.arg(id)::uuid, sqlc.arg(now)::timestamptz)::boolean;

-- name: RefundVoided :one
SELECT ledger.refund_voided(sqlc.arg(id)::uuid, sqlc.arg(now)::timestamptz)::boolean;

-- The seats that an order has, pinned or sold, whose lines have ended; all of them when the order has.
-- name: SeatsToUnsell :many
SELECT l.seat, s.state
  FROM ledger.orders o JOIN ledger.order_lines l ON l.order_id = o.id, LATERAL (SELECT x.state, x.order_id FROM ledger.seats x WHERE x.event = o.event AND x.seat = l.seat OFFSET 0) s
 WHERE o.id = sqlc.arg(id) AND s.order_id = o.id AND s.state IN (2, 3) AND (l.refund IS NOT NULL OR o.state = 6) ORDER BY l.seat;

-- Orders in dispute that still have pins: who should have sold them has ended. Few holds are pinned.
-- name: OrdersToSell :many
SELECT o.id FROM (SELECT h.order_id FROM ledger.holds h WHERE h.state = 1 AND h.attempt > 0 OFFSET 0) p, LATERAL (SELECT x.id, x.state FROM ledger.orders x WHERE x.id = p.order_id OFFSET 0) o
 WHERE o.state = 9 LIMIT sqlc.arg(count);
