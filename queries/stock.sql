-- What an owner loads, and reads about holds and requests.

-- name: SegmentsOfParts :many
SELECT event, segment, part, area, home, capacity, held, paying, sold FROM ledger.segments WHERE part = ANY(@parts::int[]) ORDER BY event, segment;

-- name: SegmentsByID :many
SELECT event, segment, part, area, home, capacity, held, paying, sold FROM ledger.segments
 WHERE event = @event AND segment = ANY(@segments::int[]) ORDER BY segment;

-- Seats that were ever touched; the others are as the chart says. A unit of an area that is free again is spent, and tells the counter.
-- name: SeatsOfSegments :many
SELECT s.event, s.seat, s.state, s.ver, s.type, s.hold, s.generation, s.order_id, s.attempt
  FROM (SELECT unnest(@events::int[]) AS event, unnest(@segments::bigint[]) AS segment) w
  JOIN ledger.seats s ON s.event = w.event AND s.seat >= w.segment << 24 AND s.seat < (w.segment + 1) << 24
 WHERE s.ver > 0 ORDER BY s.event, s.seat;

-- name: HoldsOfSegments :many
SELECT sqlc.embed(h)
  FROM (SELECT unnest(@events::int[]) AS event, unnest(@segments::int[]) AS segment, unnest(@parts::int[]) AS part) w
  JOIN ledger.holds h ON h.part = w.part AND h.event = w.event AND h.segment = w.segment
 WHERE h.state IN (0, 1) ORDER BY h.id;

-- The holds of sold seats have ended, but for one over several segments, which is not sold everywhere yet; what they count against limits is needed when the seats are refunded.
-- name: HoldsOfSales :many
SELECT sqlc.embed(h) FROM ledger.holds h WHERE h.id = ANY(@ids::uuid[]) AND (h.state = 3 OR h.segment = 0) ORDER BY h.id;

-- The rows of holds over several segments, whatever their state: a leg that has not followed yet has to.
-- name: HoldsOfLegs :many
SELECT sqlc.embed(h) FROM ledger.holds h WHERE h.id = ANY(@ids::uuid[]) AND h.segment = 0 ORDER BY h.id;

-- name: HoldGet :one
SELECT sqlc.embed(h) FROM ledger.holds h WHERE h.id = @id;

-- name: SeatsOfHold :many
SELECT event, seat, label, category, state, ver, type, order_id, attempt FROM ledger.seats
 WHERE event = @event AND seat BETWEEN @low AND @high AND hold = @hold ORDER BY seat;

-- What was written with the row of a hold over several segments is in no batch: its outcome is that it was applied.
-- name: IdempotencyGet :one
SELECT i.fingerprint, i.kind, i.hold, i.order_id, i.refused, i.row_no, coalesce(b.outcomes, int2send(i.outcome))::bytea AS outcomes
  FROM ledger.idempotency i LEFT JOIN ledger.flush_batches b ON b.part = i.part AND b.seq = i.seq AND i.seq > 0
 WHERE i.scope = @scope AND i.key = @key;

-- name: SettingsOfServer :one
SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit, current_setting('server_version_num')::int AS version,
       current_setting('default_transaction_isolation') AS isolation, pg_is_in_recovery() AS recovery;

-- What was given and not taken: a crash came between, or it is on its way just now.
-- name: GrantsUntaken :many
SELECT id, event, from_seg, to_seg, n FROM ledger.grants WHERE taken_part IS NULL ORDER BY event, to_seg, id LIMIT @max_rows;
