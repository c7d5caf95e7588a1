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

-- name: LateGet :one
SELECT l.order_id, l.attempt, l.payment, l.captured, l.state, l.hold, l.seats, l.until FROM ledger.late_payments l JOIN ledger.orders o ON o.id = l.order_id AND o.attempt = l.attempt
 WHERE l.order_id = sqlc.arg(order_id);

-- Late payments for which something is still to be done: those that are offered only when their time is over.
-- name: LateOpen :many
SELECT l.order_id FROM ledger.late_payments l WHERE l.state IN ('looking', 'accepted') OR (l.state = 'offered' AND l.until <= sqlc.arg(now)::timestamptz) ORDER BY random() LIMIT sqlc.arg(count);

-- name: LateAdopt :one
SELECT ledger.late_adopt(sqlc.arg(order_id)::uuid, sqlc.arg(attempt)::int, sqlc.arg(hold)::uuid, sqlc.arg(seats)::bigint[], sqlc.arg(now)::timestamptz)::int;

-- name: LateOffer :one
SELECT ledger.late_offer(sqlc.arg(order_id)::uuid, sqlc.arg(attempt)::int, sqlc.arg(hold)::uuid, sqlc.arg(seats)::bigint[], sqlc.arg(until)::timestamptz)::boolean;

-- name: LateAccept :one
SELECT ledger.late_accept(sqlc.arg(order_id)::uuid, sqlc.arg(now)::timestamptz)::int;

-- name: LateDecide :one
SELECT ledger.late_decide(sqlc.arg(order_id)::uuid, sqlc.arg(attempt)::int, sqlc.arg(payment)::uuid, sqlc.arg(now)::timestamptz)::smallint;

-- name: LateReturn :one
SELECT ledger.late_return(sqlc.arg(order_id)::uuid, sqlc.arg(attempt)::int, sqlc.arg(reason)::text, sqlc.arg(now)::timestamptz)::boolean;

-- Categories in which a seat of each type that the order has costs at least what was paid for the dearest line of that type.
-- name: LateCategories :many
SELECT t.category FROM ledger.price_tiers t
  JOIN (SELECT o.event, l.type, max(l.face + l.fee + l.tax) AS paid, count(*) OVER () AS types FROM ledger.orders o JOIN ledger.order_lines l ON l.order_id = o.id WHERE o.id = sqlc.arg(order_id) GROUP BY 1, 2) p
    ON p.event = t.event AND p.type = t.type AND t.face + t.fee + t.tax >= p.paid
 GROUP BY t.category HAVING count(*) = min(p.types) ORDER BY min(t.face + t.fee + t.tax), t.category;
