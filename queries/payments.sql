-- Payments, what providers tell, and calls to make to them.

-- name: PaymentInsert :exec
INSERT INTO ledger.payments(id, order_id, attempt, provider, provider_ref, pay_url, amount, currency, state)
VALUES (sqlc.arg(id), sqlc.arg(order_id), sqlc.arg(attempt), sqlc.arg(provider), sqlc.arg(provider_ref), sqlc.arg(pay_url), sqlc.arg(amount), sqlc.arg(currency), 'created')
ON CONFLICT (order_id, attempt, provider) DO NOTHING;

-- name: PaymentByRef :one
SELECT id, order_id, attempt, provider, provider_ref, pay_url, amount, currency, state, placed, captured, refunded FROM ledger.payments
 WHERE provider = sqlc.arg(provider) AND provider_ref = sqlc.arg(provider_ref);

-- name: PaymentsOfOrder :many
SELECT id, order_id, attempt, provider, provider_ref, pay_url, amount, currency, state, placed, captured, refunded FROM ledger.payments WHERE order_id = sqlc.arg(order_id) ORDER BY attempt, created_at;

-- A state that is final is not left again.
-- name: PaymentState :exec
UPDATE ledger.payments SET state = sqlc.arg(state), updated_at = sqlc.arg(now) WHERE id = sqlc.arg(id) AND state IN ('created', 'authorized');

-- name: PaymentEventInsert :one
INSERT INTO ledger.payment_events(provider, event_id, provider_ref, kind, amount, currency, provider_at, payload, payload_sha256)
VALUES (sqlc.arg(provider), sqlc.arg(event_id), sqlc.arg(provider_ref), sqlc.arg(kind), sqlc.narg(amount), sqlc.narg(currency), sqlc.narg(provider_at), sqlc.narg(payload), sqlc.arg(payload_sha256))
ON CONFLICT DO NOTHING RETURNING event_id;

-- name: PaymentEventResult :exec
INSERT INTO ledger.payment_event_results(provider, event_id, outcome, detail) VALUES (sqlc.arg(provider), sqlc.arg(event_id), sqlc.arg(outcome), sqlc.arg(detail)) ON CONFLICT DO NOTHING;

-- name: PaymentEventResultGet :one
SELECT outcome, detail FROM ledger.payment_event_results WHERE provider = sqlc.arg(provider) AND event_id = sqlc.arg(event_id);

-- name: OutboxInsert :exec
INSERT INTO ledger.outbox(dedup, topic, payload, due_at) VALUES (sqlc.arg(dedup), sqlc.arg(topic), sqlc.arg(payload), sqlc.arg(due_at)) ON CONFLICT DO NOTHING;

-- Takes what is due and puts it off, so that nobody else takes it meanwhile and a crash only delays it.
-- name: OutboxTake :many
UPDATE ledger.outbox x SET attempts = x.attempts + 1, due_at = sqlc.arg(now)::timestamptz + least(300, 2 ^ least(x.attempts, 8)) * interval '1 second'
  FROM (SELECT id FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NULL AND due_at <= sqlc.arg(now)::timestamptz ORDER BY due_at LIMIT sqlc.arg(count) FOR UPDATE SKIP LOCKED) d
 WHERE x.id = d.id
RETURNING x.id, x.topic, x.payload, x.attempts;

-- name: OutboxDone :exec
UPDATE ledger.outbox SET done_at = sqlc.arg(now)::timestamptz, last_error = NULL WHERE id = sqlc.arg(id);

-- name: OutboxFailed :exec
UPDATE ledger.outbox SET last_error = sqlc.arg(error)::text, dead_at = CASE WHEN attempts >= sqlc.arg(max_attempts)::int THEN sqlc.arg(now)::timestamptz END WHERE id = sqlc.arg(id);

-- The sandbox's own books.
-- name: SandboxInsert :exec
INSERT INTO ledger.sandbox_payments(ref, payment, order_id, amount, currency, return_url, webhook_url, state)
VALUES (sqlc.arg(ref), sqlc.arg(payment), sqlc.arg(order_id), sqlc.arg(amount), sqlc.arg(currency), sqlc.arg(return_url), sqlc.arg(webhook_url), 'created') ON CONFLICT DO NOTHING;

-- name: SandboxGet :one
SELECT ref, payment, order_id, amount, currency, return_url, webhook_url, state FROM ledger.sandbox_payments WHERE ref = sqlc.arg(ref);

-- name: SandboxMove :one
UPDATE ledger.sandbox_payments SET state = sqlc.arg(to_state), updated_at = clock_timestamp() WHERE ref = sqlc.arg(ref) AND state = ANY(sqlc.arg(from_states)::text[]) RETURNING state;
