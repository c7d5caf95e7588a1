-- Payments, and what providers tell.

-- name: PaymentInsert :exec
INSERT INTO ledger.payments(id, order_id, attempt, provider, provider_ref, pay_url, key, amount, currency, state)
VALUES (sqlc.arg(id), sqlc.arg(order_id), sqlc.arg(attempt), sqlc.arg(provider), sqlc.arg(provider_ref), sqlc.arg(pay_url), sqlc.arg(key), sqlc.arg(amount), sqlc.arg(currency), 'created')
ON CONFLICT (order_id, attempt, provider) DO NOTHING;

-- name: PaymentByRef :one
SELECT id, order_id, attempt, provider, provider_ref, pay_url, key, amount, currency, state, placed, captured, refunded FROM ledger.payments
 WHERE provider = sqlc.arg(provider) AND provider_ref = sqlc.arg(provider_ref);

-- name: PaymentsOfOrder :many
SELECT id, order_id, attempt, provider, provider_ref, pay_url, key, amount, currency, state, placed, captured, refunded FROM ledger.payments WHERE order_id = sqlc.arg(order_id) ORDER BY attempt, created_at;

-- A state that is final is not left again.
-- name: PaymentState :exec
UPDATE ledger.payments SET state = sqlc.arg(state), updated_at = sqlc.arg(now) WHERE id = sqlc.arg(id) AND state IN ('created', 'authorized');

-- name: PaymentEventResultGet :one
SELECT outcome, detail FROM ledger.payment_event_results WHERE provider = sqlc.arg(provider) AND event_id = sqlc.arg(event_id);

-- name: OrphanRefunded :exec
SELECT ledger.orphan_refunded(sqlc.arg(provider)::text, sqlc.arg(ref)::text, sqlc.arg(amount)::bigint, sqlc.arg(currency)::text, sqlc.arg(now)::timestamptz);
