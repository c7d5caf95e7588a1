-- How an event ends. Functions are in ledger/migrations/00011_events.sql.

-- name: EventCancel :one
SELECT ledger.event_cancel(sqlc.arg(event)::int, sqlc.arg(mass)::uuid, sqlc.arg(reason)::text, sqlc.arg(actor)::text, sqlc.arg(now)::timestamptz)::int;

-- name: EventPostpone :one
SELECT ledger.event_postpone(sqlc.arg(event)::int, sqlc.arg(starts_at)::timestamptz, sqlc.narg(refunds_until)::timestamptz)::int;

-- name: EventRecognise :one
SELECT ledger.event_recognise(sqlc.arg(event)::int, sqlc.arg(now)::timestamptz)::int;

-- name: MassRefundsOpen :many
SELECT id FROM ledger.mass_refunds WHERE finished_at IS NULL ORDER BY begun_at;

-- name: MassRefundStep :one
SELECT coalesce(ledger.mass_refund_step(sqlc.arg(mass)::uuid, sqlc.arg(after)::uuid, sqlc.arg(count)::int, sqlc.arg(now)::timestamptz), '00000000-0000-0000-0000-000000000000')::uuid;

-- How far a mass refund is. open: orders that are paid, or may be, or whose money is on its way.
-- name: MassRefundGet :one
SELECT m.id, m.reason, m.actor, m.begun_at, m.finished_at, e.currency,
       (SELECT count(*) FROM ledger.orders o WHERE o.event = m.event AND o.state NOT IN (5, 6, 8))::bigint AS open,
       count(r.id)::bigint AS refunds, coalesce(sum(r.amount), 0)::bigint AS amount,
       count(r.id) FILTER (WHERE r.state = 'sent')::bigint AS sent, coalesce(sum(r.amount) FILTER (WHERE r.state = 'sent'), 0)::bigint AS amount_sent,
       count(r.id) FILTER (WHERE r.state = 'failed')::bigint AS failed
  FROM ledger.mass_refunds m JOIN ledger.events e ON e.id = m.event LEFT JOIN ledger.orders o ON o.event = m.event LEFT JOIN ledger.refunds r ON r.order_id = o.id AND r.mass = m.id
 WHERE m.event = sqlc.arg(event) GROUP BY m.id, e.id;

-- name: OrganiserList :many
SELECT organiser::text AS organiser, currency, recognised, refunded, paid_out, owed FROM ledger.v_organisers ORDER BY organiser, currency;

-- name: PayoutRecord :one
SELECT ledger.payout_record(sqlc.arg(id)::uuid, sqlc.arg(organiser)::text, sqlc.arg(currency)::text, sqlc.arg(amount)::bigint, sqlc.arg(reference)::text, sqlc.arg(actor)::text, sqlc.arg(now)::timestamptz)::int;

-- name: EventBySlug :one
SELECT id, uid, slug, currency, coalesce(organiser, '')::text AS organiser FROM ledger.events WHERE slug = sqlc.arg(slug);
