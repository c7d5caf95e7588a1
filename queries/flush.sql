-- Ownership and the flush. The time of a session is the database's own: a node's clock decides nothing here.

-- name: Flush :one
SELECT ledger.flush(
    sqlc.arg(session), sqlc.arg(batch), sqlc.arg(now), sqlc.arg(counts)::int[],
    sqlc.arg(w_part)::int[], sqlc.arg(w_epoch)::bigint[], sqlc.arg(w_seq)::bigint[], sqlc.arg(w_lo)::int[], sqlc.arg(w_hi)::int[], sqlc.arg(w_digest)::bytea[],
    sqlc.arg(o_w)::int[], sqlc.arg(o_kind)::smallint[], sqlc.arg(o_event)::int[], sqlc.arg(o_segment)::int[], sqlc.arg(o_area)::boolean[], sqlc.arg(o_quantity)::int[], sqlc.arg(o_hold)::uuid[], sqlc.arg(o_generation)::int[],
    sqlc.arg(o_scope)::uuid[], sqlc.arg(o_key)::uuid[], sqlc.arg(o_fingerprint)::uuid[], sqlc.arg(o_order)::uuid[], sqlc.arg(o_attempt)::int[], sqlc.arg(o_free)::boolean[],
    sqlc.arg(o_deadline)::timestamptz[], sqlc.arg(o_max)::timestamptz[], sqlc.arg(o_refused)::smallint[],
    sqlc.arg(o_q_lo)::int[], sqlc.arg(o_q_hi)::int[], sqlc.arg(q_op)::int[], sqlc.arg(q_dimension)::int[], sqlc.arg(q_key)::uuid[], sqlc.arg(q_limit)::int[], sqlc.arg(q_seat)::bigint[],
    sqlc.arg(s_op)::int[], sqlc.arg(s_seat)::bigint[], sqlc.arg(s_ver)::int[], sqlc.arg(s_from)::smallint[], sqlc.arg(s_to)::smallint[], sqlc.arg(s_type)::smallint[],
    sqlc.arg(n_op)::int[], sqlc.arg(n_buyer)::text[], sqlc.arg(n_currency)::text[], sqlc.arg(n_ip)::text[],
    sqlc.arg(l_op)::int[], sqlc.arg(l_seat)::bigint[], sqlc.arg(l_type)::smallint[], sqlc.arg(l_face)::bigint[], sqlc.arg(l_fee)::bigint[], sqlc.arg(l_tax)::bigint[],
    sqlc.arg(g_op)::int[], sqlc.arg(g_other)::int[], sqlc.arg(t_op)::int[])::bytea;

-- name: FlushConflictInsert :exec
INSERT INTO ledger.flush_conflicts(batch, reason, work) VALUES (sqlc.arg(batch), sqlc.arg(reason), sqlc.arg(work));

-- name: SessionOpen :one
INSERT INTO ledger.sess(node, api_addr, internal_addr, expires_at)
VALUES (sqlc.arg(node), sqlc.arg(api_addr), sqlc.arg(internal_addr), clock_timestamp() + sqlc.arg(ttl_ms)::bigint * interval '1 millisecond')
RETURNING id;

-- name: SessionRenew :one
UPDATE ledger.sess SET expires_at = clock_timestamp() + sqlc.arg(ttl_ms)::bigint * interval '1 millisecond'
 WHERE id = sqlc.arg(id) AND NOT dead AND expires_at > clock_timestamp()
RETURNING id;

-- name: Clock :one
SELECT clock_timestamp()::timestamptz AS at, ledger.server_identity()::text AS server;

-- name: SessionsAlive :many
SELECT node FROM ledger.sess WHERE NOT dead AND expires_at > clock_timestamp() ORDER BY node;

-- name: SessionsForget :exec
UPDATE ledger.sess SET dead = true WHERE NOT dead;

-- name: SessionNumberJump :one
SELECT setval(pg_get_serial_sequence('ledger.sess', 'id'), nextval(pg_get_serial_sequence('ledger.sess', 'id')) + sqlc.arg(jump)::bigint)::bigint;

-- name: PartEpochsJump :execrows
UPDATE ledger.part SET session = 0, epoch = epoch + sqlc.arg(jump)::bigint, jumped = jumped + sqlc.arg(jump)::bigint;

-- name: SessionEnd :exec
UPDATE ledger.sess SET dead = true WHERE id = sqlc.arg(id);

-- A claim locks first and decides in a statement of its own. In one statement, a row that another node claimed while this one waited would be
-- judged by the new session's number and the old session's row, and taken from a live owner. Rows that a flush has locked are left for the
-- next claim.
-- name: PartLock :many
SELECT p.part FROM ledger.part p WHERE p.part = ANY(sqlc.arg(parts)::int[]) ORDER BY p.part FOR NO KEY UPDATE OF p SKIP LOCKED;

-- Rows that are free, whose session is over, or whose session's node is the caller itself: so a restart takes its own back at once.
-- name: PartClaim :many
WITH claimed AS (
    UPDATE ledger.part p SET session = sqlc.arg(session), epoch = p.epoch + 1
     WHERE p.part = ANY(sqlc.arg(parts)::int[])
       AND NOT EXISTS (SELECT 1 FROM ledger.sess s WHERE s.id = p.session AND NOT s.dead AND s.expires_at > clock_timestamp() AND s.node <> sqlc.arg(node))
       AND EXISTS (SELECT 1 FROM ledger.sess me WHERE me.id = sqlc.arg(session) AND NOT me.dead AND me.expires_at > clock_timestamp())
    RETURNING p.part, p.epoch, p.applied_seq),
noted AS (
    INSERT INTO ledger.part_epochs(part, epoch, session, start_seq) SELECT part, epoch, sqlc.arg(session), applied_seq FROM claimed)
SELECT part, epoch, applied_seq FROM claimed ORDER BY part;

-- A planned hand-off: the end of ownership and the remaining life of the holds in one statement, under the epoch. Whoever waits for one of the
-- partitions hears of it with the commit.
-- name: PartRelease :many
WITH released AS (
    UPDATE ledger.part p SET session = 0
      FROM (SELECT unnest(sqlc.arg(parts)::int[]) AS part, unnest(sqlc.arg(epochs)::bigint[]) AS epoch) w
     WHERE p.part = w.part AND p.epoch = w.epoch AND p.session = sqlc.arg(session)
    RETURNING p.part),
lives AS (
    UPDATE ledger.holds h SET remaining_ms = l.remaining_ms
      FROM (SELECT unnest(sqlc.arg(holds)::uuid[]) AS id, unnest(sqlc.arg(remaining)::bigint[]) AS remaining_ms) l, released r
     WHERE h.id = l.id AND h.state = 1 AND h.part = r.part AND h.segment > 0),
told AS (
    SELECT pg_notify('ledger_part_released', string_agg(part::text, ',' ORDER BY part)) AS done FROM released HAVING count(*) > 0)
SELECT part FROM released, told ORDER BY part;

-- name: PartOwners :many
SELECT p.part, p.epoch, p.session, s.node, s.api_addr, s.internal_addr, (NOT s.dead AND s.expires_at > clock_timestamp())::boolean AS live
  FROM ledger.part p JOIN ledger.sess s ON s.id = p.session ORDER BY p.part;

