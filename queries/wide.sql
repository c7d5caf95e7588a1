-- Holds over several segments. Functions are in ledger/migrations/00005_wide.sql.

-- name: WideBegin :one
SELECT ledger.wide_begin(sqlc.arg(id)::uuid, sqlc.arg(event)::int, sqlc.arg(part)::int, sqlc.arg(legs)::int[], sqlc.arg(quantity)::int,
       sqlc.arg(dims)::int[], sqlc.arg(keys)::uuid[], sqlc.arg(limits)::int[], sqlc.arg(scope)::uuid, sqlc.arg(key)::uuid, sqlc.arg(fingerprint)::uuid,
       sqlc.arg(try_ms)::bigint, sqlc.arg(now)::timestamptz)::int;

-- name: WideCommit :one
SELECT ledger.wide_commit(sqlc.arg(id)::uuid, sqlc.arg(try)::int, sqlc.arg(seats)::bigint[], sqlc.arg(deadline)::timestamptz, sqlc.arg(max_expires)::timestamptz,
       sqlc.arg(scope)::uuid, sqlc.arg(key)::uuid, sqlc.arg(fingerprint)::uuid, sqlc.arg(now)::timestamptz)::int;

-- name: WideDrop :one
SELECT ledger.wide_drop(sqlc.arg(id)::uuid, sqlc.arg(try)::int, sqlc.arg(overdue)::boolean, sqlc.arg(now)::timestamptz)::boolean;

-- name: WideExtend :one
SELECT ledger.wide_extend(sqlc.arg(id)::uuid, sqlc.arg(deadline)::timestamptz, sqlc.arg(scope)::uuid, sqlc.arg(key)::uuid, sqlc.arg(fingerprint)::uuid, sqlc.arg(now)::timestamptz)::int;

-- name: WideEnd :one
SELECT ledger.wide_end(sqlc.arg(id)::uuid, sqlc.arg(order_id)::uuid, sqlc.arg(expire)::boolean, sqlc.arg(scope)::uuid, sqlc.arg(key)::uuid, sqlc.arg(fingerprint)::uuid,
       sqlc.arg(now)::timestamptz)::int;

-- name: WideOrder :one
SELECT ledger.wide_order(sqlc.arg(id)::uuid, sqlc.arg(order_id)::uuid, sqlc.arg(buyer)::text, sqlc.arg(currency)::text, sqlc.arg(ip)::text,
       sqlc.arg(seats)::bigint[], sqlc.arg(types)::smallint[], sqlc.arg(faces)::bigint[], sqlc.arg(fees)::bigint[], sqlc.arg(taxes)::bigint[],
       sqlc.arg(scope)::uuid, sqlc.arg(key)::uuid, sqlc.arg(fingerprint)::uuid, sqlc.arg(now)::timestamptz)::int;

-- What the rows say of holds, and whether the time that each has is over by the ledger's clock.
-- name: WideRows :many
SELECT h.id, h.state, h.try, (h.deadline <= clock_timestamp())::boolean AS due FROM ledger.holds h WHERE h.id = ANY(@ids::uuid[]) AND h.segment = 0 ORDER BY h.id;

-- name: WideLost :many
SELECT h.id FROM ledger.holds h WHERE h.state = 0 AND h.deadline <= clock_timestamp() ORDER BY h.deadline LIMIT @max_rows;
