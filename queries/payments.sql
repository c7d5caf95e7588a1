-- Payments, what providers tell, and calls to make to them.

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

-- name: RefundSent :one
SELECT ledger.refund_sent(sqlc.arg(id)::uuid, sqlc.arg(now)::timestamptz)::boolean;

-- name: OrphanRefunded :exec
SELECT ledger.orphan_refunded(sqlc.arg(provider)::text, sqlc.arg(ref)::text, sqlc.arg(amount)::bigint, sqlc.arg(currency)::text, sqlc.arg(now)::timestamptz);

-- Takes what is due and puts it off for longer than a call may take, so that nobody else takes it meanwhile and a crash only delays it.
-- name: OutboxTake :many
UPDATE ledger.outbox x SET attempts = x.attempts + 1, due_at = sqlc.arg(lease)::timestamptz
  FROM (SELECT id FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NULL AND due_at <= sqlc.arg(now)::timestamptz ORDER BY due_at LIMIT sqlc.arg(count) FOR UPDATE SKIP LOCKED) d
 WHERE x.id = d.id
RETURNING x.id, x.topic, x.payload, x.attempts;

-- name: OutboxDone :exec
UPDATE ledger.outbox SET done_at = sqlc.arg(now)::timestamptz, last_error = NULL WHERE id = sqlc.arg(id);

-- name: OutboxDoneByKey :exec
UPDATE ledger.outbox SET done_at = sqlc.arg(now)::timestamptz, last_error = NULL WHERE dedup = sqlc.arg(dedup) AND done_at IS NULL;

-- name: OutboxFailed :exec
UPDATE ledger.outbox SET last_error = sqlc.arg(error)::text, due_at = sqlc.arg(again)::timestamptz,
       dead_at = CASE WHEN attempts >= sqlc.arg(max_attempts)::int THEN sqlc.arg(now)::timestamptz END WHERE id = sqlc.arg(id);

-- The sandbox's own books.
-- name: SandboxInsert :exec
INSERT INTO ledger.sandbox_payments(ref, payment, order_id, amount, currency, return_url, webhook_url, state)
VALUES (sqlc.arg(ref), sqlc.arg(payment), sqlc.arg(order_id), sqlc.arg(amount), sqlc.arg(currency), sqlc.arg(return_url), sqlc.arg(webhook_url), 'created') ON CONFLICT DO NOTHING;

-- name: SandboxGet :one
SELECT ref, payment, order_id, amount, currency, return_url, webhook_url, state FROM ledger.sandbox_payments WHERE ref = sqlc.arg(ref);

-- name: SandboxMove :one
UPDATE ledger.sandbox_payments SET state = sqlc.arg(to_state), updated_at = clock_timestamp() WHERE ref = sqlc.arg(ref) AND state = ANY(sqlc.arg(from_states)::text[]) RETURNING state;

-- What the buyer said, and the message about it, in one commit: the bank never forgets to tell.
-- name: SandboxDecide :one
WITH moved AS (
    UPDATE ledger.sandbox_payments p SET state = sqlc.arg(to_state), updated_at = clock_timestamp() WHERE p.ref = sqlc.arg(ref) AND p.state = 'created' RETURNING p.ref),
told AS (
    INSERT INTO ledger.outbox(dedup, topic, payload, due_at) SELECT sqlc.arg(dedup)::text, sqlc.arg(topic)::text, sqlc.arg(payload)::jsonb, sqlc.arg(due_at)::timestamptz FROM moved
    ON CONFLICT DO NOTHING)
SELECT count(*)::bigint FROM moved;
