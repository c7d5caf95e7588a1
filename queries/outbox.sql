-- Calls to make to providers after a commit, and the sandbox provider's own books.

-- Takes what is due and puts it off for longer than a call may take, so that nobody else takes it meanwhile and a crash only delays it.
-- name: OutboxTake :many
UPDATE ledger.outbox x SET attempts = x.attempts + 1, due_at = sqlc.arg(lease)::timestamptz
  FROM (SELECT id FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NULL AND due_at <= sqlc.arg(now)::timestamptz ORDER BY due_at LIMIT sqlc.arg(count) FOR UPDATE SKIP LOCKED) d
 WHERE x.id = d.id
RETURNING x.id, x.topic, x.payload, x.attempts;

-- A call that was asked for anew meanwhile is another one, and stays: its refund failed after it was sent, and goes out again under another key.
-- name: OutboxDone :exec
UPDATE ledger.outbox SET done_at = sqlc.arg(now)::timestamptz, last_error = NULL WHERE id = sqlc.arg(id) AND payload = sqlc.arg(payload)::jsonb;

-- name: OutboxDoneByKey :exec
UPDATE ledger.outbox SET done_at = sqlc.arg(now)::timestamptz, last_error = NULL WHERE dedup = sqlc.arg(dedup) AND done_at IS NULL;

-- name: OutboxFailed :exec
UPDATE ledger.outbox SET last_error = sqlc.arg(error)::text, due_at = sqlc.arg(again)::timestamptz,
       dead_at = CASE WHEN attempts >= sqlc.arg(max_attempts)::int THEN sqlc.arg(now)::timestamptz END WHERE id = sqlc.arg(id);

-- Calls that are not done, those that were given up first.
-- name: OutboxList :many
SELECT id, topic, payload, attempts, due_at, coalesce(dead_at, 'epoch')::timestamptz AS dead_at, coalesce(last_error, '')::text AS last_error
  FROM ledger.outbox WHERE done_at IS NULL AND (dead_at IS NOT NULL OR NOT sqlc.arg(dead_only)::boolean) ORDER BY (dead_at IS NULL), id LIMIT sqlc.arg(count);

-- name: OutboxCount :one
SELECT (SELECT count(*) FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NULL)::bigint AS waiting,
       (SELECT count(*) FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NOT NULL)::bigint AS dead;

-- One call that is not done is due at once and has all its tries again; without an id, all that were given up.
-- name: OutboxRetry :execrows
UPDATE ledger.outbox SET dead_at = NULL, attempts = 0, due_at = sqlc.arg(now)::timestamptz
 WHERE done_at IS NULL AND CASE WHEN sqlc.arg(id)::bigint = 0 THEN dead_at IS NOT NULL ELSE id = sqlc.arg(id)::bigint END;

-- name: PaymentNamed :one
SELECT coalesce(ledger.payment_named(sqlc.arg(provider)::text, sqlc.arg(name)::text, sqlc.arg(also)::text, sqlc.arg(payment)::uuid), '')::text;

-- name: SandboxInsert :exec
INSERT INTO ledger.sandbox_payments(ref, payment, order_id, amount, currency, return_url, webhook_url, pay_by, state)
VALUES (sqlc.arg(ref), sqlc.arg(payment), sqlc.arg(order_id), sqlc.arg(amount), sqlc.arg(currency), sqlc.arg(return_url), sqlc.arg(webhook_url), sqlc.arg(pay_by), sqlc.arg(state)) ON CONFLICT DO NOTHING;

-- name: SandboxGet :one
SELECT ref, payment, order_id, amount, currency, return_url, webhook_url, pay_by, state, refunded, refunds, dispute FROM ledger.sandbox_payments WHERE ref = sqlc.arg(ref);

-- name: SandboxMove :one
UPDATE ledger.sandbox_payments SET state = sqlc.arg(to_state), updated_at = clock_timestamp() WHERE ref = sqlc.arg(ref) AND state = ANY(sqlc.arg(from_states)::text[]) RETURNING state;

-- name: SandboxMoveMany :many
UPDATE ledger.sandbox_payments SET state = sqlc.arg(to_state), updated_at = clock_timestamp() WHERE ref = ANY(sqlc.arg(refs)::text[]) AND state = ANY(sqlc.arg(from_states)::text[]) RETURNING ref;

-- What the buyer said, and the message or the next step about it, in one commit: the bank never forgets to tell.
-- name: SandboxDecide :one
WITH moved AS (
    UPDATE ledger.sandbox_payments p SET state = sqlc.arg(to_state), updated_at = clock_timestamp() WHERE p.ref = sqlc.arg(ref) AND p.state = sqlc.arg(from_state) RETURNING p.ref),
told AS (
    INSERT INTO ledger.outbox(dedup, topic, payload, due_at) SELECT sqlc.arg(dedup)::text, sqlc.arg(topic)::text, sqlc.arg(payload)::jsonb, sqlc.arg(due_at)::timestamptz FROM moved
    ON CONFLICT DO NOTHING)
SELECT count(*)::bigint FROM moved;

-- A dispute about captured money goes from one state to the next, with its message.
-- name: SandboxDispute :one
WITH moved AS (
    UPDATE ledger.sandbox_payments p SET dispute = sqlc.arg(to_dispute), updated_at = clock_timestamp()
     WHERE p.ref = sqlc.arg(ref) AND p.dispute = sqlc.arg(from_dispute) AND p.state = 'captured' RETURNING p.ref),
told AS (
    INSERT INTO ledger.outbox(dedup, topic, payload, due_at) SELECT sqlc.arg(dedup)::text, sqlc.arg(topic)::text, sqlc.arg(payload)::jsonb, sqlc.arg(due_at)::timestamptz FROM moved
    ON CONFLICT DO NOTHING)
SELECT count(*)::bigint FROM moved;

-- name: SandboxRefundsAre :exec
UPDATE ledger.sandbox_payments SET refunds = sqlc.arg(refunds), updated_at = clock_timestamp() WHERE ref = sqlc.arg(ref);

-- name: SandboxRefund :one
SELECT ledger.sandbox_refund(sqlc.arg(ref)::text, sqlc.arg(id)::uuid, sqlc.arg(amount)::bigint, sqlc.arg(topic)::text, sqlc.arg(sent)::jsonb, sqlc.arg(failed)::jsonb, sqlc.arg(due_at)::timestamptz)::smallint;
