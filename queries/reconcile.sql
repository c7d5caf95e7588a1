-- What must be true of the stock, asked of one snapshot. Each query returns the rows that are not as they should be; event 0 means all.

-- name: ReconcileSegments :many
WITH counted AS (
    SELECT s.event, s.segment, count(*) AS seats, count(*) FILTER (WHERE s.state = 0) AS available, count(*) FILTER (WHERE s.state = 1) AS held,
           count(*) FILTER (WHERE s.state = 2) AS paying, count(*) FILTER (WHERE s.state = 3) AS sold
      FROM ledger.seats s WHERE @event::int = 0 OR s.event = @event GROUP BY s.event, s.segment)
SELECT g.event, g.segment, g.area, g.capacity, g.held, g.paying, g.sold,
       coalesce(c.seats, 0)::bigint AS seats_total, coalesce(c.available, 0)::bigint AS seats_available, coalesce(c.held, 0)::bigint AS seats_held,
       coalesce(c.paying, 0)::bigint AS seats_paying, coalesce(c.sold, 0)::bigint AS seats_sold
  FROM ledger.segments g LEFT JOIN counted c ON c.event = g.event AND c.segment = g.segment
 WHERE (@event::int = 0 OR g.event = @event)
   AND (coalesce(c.held, 0) <> g.held OR coalesce(c.paying, 0) <> g.paying OR coalesce(c.sold, 0) <> g.sold
        OR (NOT g.area AND coalesce(c.available, 0) + g.held + g.paying + g.sold <> g.capacity)
        OR g.held + g.paying + g.sold > g.capacity)
 ORDER BY g.event, g.segment LIMIT @max_rows;

-- name: ReconcileSegmentsRows :one
SELECT count(*) FROM ledger.segments g WHERE @event::int = 0 OR g.event = @event;

-- name: ReconcileSequences :many
WITH batches AS (
    SELECT b.part, count(*) AS n, max(b.seq) AS last FROM ledger.flush_batches b GROUP BY b.part),
epochs AS (
    SELECT e.part, count(*) AS n, max(e.epoch) AS last FROM ledger.part_epochs e GROUP BY e.part)
SELECT p.part, p.applied_seq, p.epoch, p.jumped, p.session, coalesce(b.n, 0)::bigint AS batches, coalesce(b.last, 0)::bigint AS last_seq,
       coalesce(e.n, 0)::bigint AS claims, coalesce(e.last, 0)::bigint AS last_epoch
  FROM ledger.part p LEFT JOIN batches b ON b.part = p.part LEFT JOIN epochs e ON e.part = p.part
 WHERE p.applied_seq <> coalesce(b.last, 0) OR p.applied_seq <> coalesce(b.n, 0) OR p.epoch - p.jumped <> coalesce(e.n, 0)
    OR coalesce(e.last, 0) > p.epoch OR ((p.jumped = 0 OR p.session <> 0) AND coalesce(e.last, 0) <> p.epoch) -- after a restore nobody may have claimed it yet
 ORDER BY p.part LIMIT @max_rows;

-- Hold rows against the seats that name them.
-- name: ReconcileHolds :many
WITH kept AS (
    SELECT s.hold, s.event, s.segment, count(*) FILTER (WHERE s.state IN (1, 2)) AS kept, count(*) FILTER (WHERE s.state = 3) AS sold
      FROM ledger.seats s
     WHERE s.hold IS NOT NULL AND (@event::int = 0 OR s.event = @event) AND NOT EXISTS (SELECT 1 FROM ledger.holds w WHERE w.id = s.hold AND w.segment = 0)
     GROUP BY s.hold, s.event, s.segment),
rows AS (
    SELECT h.id, h.event, h.segment, h.state, h.quantity FROM ledger.holds h WHERE h.segment > 0 AND (@event::int = 0 OR h.event = @event))
SELECT coalesce(h.id, k.hold)::uuid AS id, coalesce(h.event, k.event)::int AS event, coalesce(h.segment, k.segment)::int AS segment, coalesce(h.state, -1)::smallint AS state,
       coalesce(h.quantity, 0)::int AS quantity, coalesce(k.kept, 0)::bigint AS kept, coalesce(k.sold, 0)::bigint AS sold
  FROM rows h FULL JOIN kept k ON k.hold = h.id AND k.event = h.event AND k.segment = h.segment
 WHERE h.id IS NULL OR (h.state = 1 AND coalesce(k.kept, 0) <> h.quantity) OR (h.state <> 1 AND coalesce(k.kept, 0) > 0)
 ORDER BY 2, 1 LIMIT @max_rows;

-- The rows of holds over several segments against the seats that name them. Legs follow their row, so what does not fit is allowed for a minute
-- after the row was decided; a hold that is held has all of its seats at once, but for those that were sold and given back while the others are being sold.
-- name: ReconcileWide :many
WITH legs AS (
    SELECT s.hold, s.event, s.generation, s.segment, s.state, count(*) AS n
      FROM ledger.seats s JOIN ledger.holds h ON h.id = s.hold AND h.segment = 0
     WHERE s.state > 0 AND (@event::int = 0 OR s.event = @event) GROUP BY s.hold, s.event, s.generation, s.segment, s.state),
counted AS (
    SELECT h.id, h.event, h.state, h.try, h.quantity, (h.decided_at < clock_timestamp() - interval '1 minute') AS old,
           (h.deadline < clock_timestamp() - interval '1 minute') AS overdue,
           coalesce(sum(l.n) FILTER (WHERE l.state IN (1, 2) AND l.generation = h.try), 0) AS kept,
           coalesce(sum(l.n) FILTER (WHERE l.state = 3 AND l.generation = h.try), 0) AS sold,
           (SELECT count(*) FROM ledger.sales x WHERE x.order_id = h.order_id AND x.hold = h.id AND x.ended_seq IS NOT NULL) AS back,
           coalesce(sum(l.n) FILTER (WHERE l.generation <> h.try), 0) AS former,
           coalesce(sum(l.n) FILTER (WHERE l.segment <> ALL (h.legs) AND l.generation = h.try), 0) AS elsewhere
      FROM ledger.holds h LEFT JOIN legs l ON l.hold = h.id AND l.event = h.event
     WHERE h.segment = 0 AND (@event::int = 0 OR h.event = @event)
     GROUP BY h.id)
SELECT c.id, c.event, c.state, c.try, c.quantity, c.kept::bigint AS kept, c.sold::bigint AS sold, c.former::bigint AS former, c.elsewhere::bigint AS elsewhere
  FROM counted c
 WHERE (c.state = 0 AND (c.overdue OR c.kept > c.quantity OR c.sold > 0))
    OR (c.state = 1 AND c.kept + c.sold + c.back <> c.quantity)
    OR (c.state = 2 AND (c.sold > 0 OR (c.kept > 0 AND c.old)))
    OR (c.state = 3 AND c.kept > 0 AND c.old)
    OR (c.former > 0 AND c.old) OR c.elsewhere > 0
 ORDER BY c.event, c.id LIMIT @max_rows;

-- name: ReconcileHoldsRows :one
SELECT count(*) FROM ledger.holds h WHERE @event::int = 0 OR h.event = @event;

-- A buyer's counter against their holds, pins and sales. A document counts its seat, the others the whole hold, without what was sold of it and given back:
-- the seats of a hold over several segments are sold one after the other, and some may come back before the last is.
-- name: ReconcileQuota :many
WITH sold AS (
    SELECT x.hold, x.event, count(*) FILTER (WHERE x.ended_seq IS NULL) AS n, count(*) FILTER (WHERE x.ended_seq IS NOT NULL) AS back
      FROM ledger.sales x WHERE @event::int = 0 OR x.event = @event GROUP BY x.hold, x.event),
due AS (
    SELECT k.event, k.dimension, k.key,
           sum(CASE WHEN k.dimension <> 3 THEN k.n
                    WHEN k.whole THEN (NOT EXISTS (SELECT 1 FROM ledger.sales x WHERE x.event = k.event AND x.seat = k.seat AND x.hold = k.id AND x.ended_seq IS NOT NULL))::int
                    ELSE (EXISTS (SELECT 1 FROM ledger.sales x WHERE x.event = k.event AND x.seat = k.seat AND x.hold = k.id AND x.ended_seq IS NULL))::int END) AS n
      FROM (SELECT h.id, h.event, CASE h.state WHEN 3 THEN s.n ELSE h.quantity - coalesce(s.back, 0) END AS n, h.state <> 3 AS whole,
                   unnest(h.quota_dims) AS dimension, unnest(h.quota_keys) AS key, unnest(h.quota_seats) AS seat
              FROM ledger.holds h LEFT JOIN sold s ON s.hold = h.id AND s.event = h.event
             WHERE (h.state IN (0, 1) OR (h.state = 3 AND s.n > 0)) AND (@event::int = 0 OR h.event = @event)) k
     GROUP BY k.event, k.dimension, k.key),
kept AS (SELECT q.event, q.dimension, q.key, q.n FROM ledger.quota q WHERE q.n <> 0 AND (@event::int = 0 OR q.event = @event))
SELECT coalesce(q.event, d.event)::int AS event, coalesce(q.dimension, d.dimension)::smallint AS dimension, coalesce(q.key, d.key)::uuid AS key,
       coalesce(q.n, 0)::int AS counter, coalesce(d.n, 0)::bigint AS due
  FROM kept q FULL JOIN due d ON d.event = q.event AND d.dimension = q.dimension AND d.key = q.key
 WHERE coalesce(q.n, 0) <> coalesce(d.n, 0)
 ORDER BY 1, 2, 3 LIMIT @max_rows;

-- The seats of holds with documents for which not exactly one document stands: they would not give back what they took. What was dropped, or is still
-- being tried, gives back as a whole.
-- name: ReconcileDocuments :many
WITH documents AS (
    SELECT k.id, k.seat FROM (
        SELECT h.id, unnest(h.quota_dims) AS dimension, unnest(h.quota_seats) AS seat FROM ledger.holds h
         WHERE h.state IN (1, 3) AND 3 = ANY (h.quota_dims) AND (@event::int = 0 OR h.event = @event)) k
     WHERE k.dimension = 3)
SELECT h.id, h.event, s.seat, count(d.id) AS documents
  FROM ledger.holds h JOIN ledger.seats s ON s.event = h.event AND s.hold = h.id LEFT JOIN documents d ON d.id = h.id AND d.seat = s.seat
 WHERE h.state IN (1, 3) AND 3 = ANY (h.quota_dims) AND s.state > 0 AND (h.segment > 0 OR s.generation = h.try) AND (@event::int = 0 OR h.event = @event)
 GROUP BY h.id, h.event, s.seat HAVING count(d.id) <> 1
 ORDER BY 2, 1, 3 LIMIT @max_rows;

-- name: ReconcileQuotaRows :one
SELECT count(*) FROM ledger.quota q WHERE @event::int = 0 OR q.event = @event;

-- Partitions that have a segment or a batch or a movement.
-- name: ReconcileParts :many
SELECT p.part, p.applied_seq, p.head_hash FROM ledger.part p
 WHERE CASE WHEN @event::int <> 0 THEN EXISTS (SELECT 1 FROM ledger.segments g WHERE g.part = p.part AND g.event = @event)
            ELSE p.applied_seq > 0 OR EXISTS (SELECT 1 FROM ledger.segments g WHERE g.part = p.part) OR EXISTS (SELECT 1 FROM ledger.flush_batches b WHERE b.part = p.part)
                 OR EXISTS (SELECT 1 FROM ledger.seat_movements m WHERE m.part = p.part) END
 ORDER BY p.part;

-- name: ReconcileTenures :many
SELECT e.part, e.epoch, e.start_seq FROM ledger.part_epochs e WHERE e.part BETWEEN @first_part::int AND @last_part::int ORDER BY e.part, e.epoch;

-- name: BatchPage :many
SELECT b.part, b.seq, b.epoch, b.batch, b.digest, b.outcomes, b.prev_hash, b.hash FROM ledger.flush_batches b
 WHERE (b.part, b.seq) > (@part::int, @after::bigint) AND b.part <= @last_part::int ORDER BY b.part, b.seq LIMIT @max_rows;

-- Movements after one batch, up to another, in their order. The columns are those of ledger/reconcile/record.go; small numbers that are never negative
-- share one, because each call of a function for each row counts.
-- name: MovementPage :one
SELECT coalesce(string_agg(int8send(m.part::bigint << 32 | m.row_no) || int8send(m.seq) || int8send(m.epoch) || int8send(m.event::bigint << 32 | m.seat_ver) || int8send(m.seat)
       || int8send(m.kind::bigint << 32 | (m.from_state::bigint << 16) | m.to_state) || int4send(m.attempt) || int8send(m.price) || timestamptz_send(m.occurred_at)
       || uuid_send(m.hold) || coalesce(uuid_send(m.order_id), '\x00000000000000000000000000000000'::bytea), ''::bytea), ''::bytea)::bytea AS movements
  FROM (SELECT x.part, x.seq, x.row_no, x.epoch, x.event, x.seat, x.seat_ver, x.kind, x.from_state, x.to_state, x.attempt, x.price, x.occurred_at, x.hold, x.order_id
          FROM ledger.seat_movements x
         WHERE (x.part, x.seq) > (@part::int, @after::bigint) AND (x.part, x.seq) <= (@last_part::int, @last_seq::bigint) ORDER BY x.part, x.seq, x.row_no) m;

-- Seats that were ever moved, of the segments of partitions.
-- name: SeatPage :one
SELECT coalesce(string_agg(int4send(s.event) || int8send(s.seat) || int2send(s.state) || int4send(s.ver) || int4send(s.attempt)
       || coalesce(uuid_send(s.hold), '\x00000000000000000000000000000000'::bytea) || coalesce(uuid_send(s.order_id), '\x00000000000000000000000000000000'::bytea), ''::bytea), ''::bytea)::bytea AS seats
  FROM ledger.segments g JOIN ledger.seats s ON s.event = g.event AND s.seat >= g.segment::bigint << 24 AND s.seat < (g.segment + 1)::bigint << 24
 WHERE g.part BETWEEN @first_part::int AND @last_part::int AND (@event::int = 0 OR g.event = @event) AND (s.ver > 0 OR s.state > 0);

-- name: SalePage :one
SELECT coalesce(string_agg(int4send(x.event) || int8send(x.seat) || int4send(x.sold_ver) || int4send(x.part) || int8send(x.sold_seq) || int8send(coalesce(x.ended_seq, 0)) || int8send(x.price)
       || uuid_send(x.order_id) || uuid_send(x.hold), ''::bytea), ''::bytea)::bytea AS sales
  FROM ledger.segments g JOIN ledger.sales x ON x.event = g.event AND x.seat >= g.segment::bigint << 24 AND x.seat < (g.segment + 1)::bigint << 24
 WHERE g.part BETWEEN @first_part::int AND @last_part::int AND (@event::int = 0 OR g.event = @event);

-- name: StockRows :one
SELECT (SELECT count(*) FROM ledger.seat_movements m WHERE @event::int = 0 OR m.event = @event)::bigint AS movements, (SELECT count(*) FROM ledger.flush_batches)::bigint AS batches,
       (SELECT count(*) FROM ledger.seats s WHERE (s.ver > 0 OR s.state > 0) AND (@event::int = 0 OR s.event = @event))::bigint AS seats,
       (SELECT count(*) FROM ledger.sales x WHERE @event::int = 0 OR x.event = @event)::bigint AS sales;

-- name: SnapshotExport :one
SELECT pg_export_snapshot()::text;

-- name: FlushConflictCount :one
SELECT count(*) FROM ledger.flush_conflicts;

-- name: ReconcileTotals :one
SELECT clock_timestamp()::timestamptz AS at,
       coalesce(sum(g.opened), 0)::bigint AS capacity, coalesce(sum(g.held), 0)::bigint AS held, coalesce(sum(g.paying), 0)::bigint AS paying, coalesce(sum(g.sold), 0)::bigint AS sold
  FROM ledger.segments g WHERE @event::int = 0 OR g.event = @event;

-- name: ReconcilePartsRows :one
SELECT count(*) FROM ledger.part WHERE epoch > 0;

-- A segment's capacity is what it opened with, without what it gave, with what it took; and the capacities of an area and its grants under way are
-- what the area opened with.
-- name: ReconcileGrants :many
WITH moved AS (
    SELECT x.event, x.from_seg AS segment, -x.n AS n FROM ledger.grants x WHERE @event::int = 0 OR x.event = @event
    UNION ALL
    SELECT x.event, x.to_seg, x.n FROM ledger.grants x WHERE x.taken_part IS NOT NULL AND (@event::int = 0 OR x.event = @event)),
net AS (SELECT m.event, m.segment, sum(m.n) AS n FROM moved m GROUP BY m.event, m.segment)
SELECT g.event, g.segment, g.opened, g.capacity, coalesce(n.n, 0)::bigint AS moved
  FROM ledger.segments g LEFT JOIN net n ON n.event = g.event AND n.segment = g.segment
 WHERE (@event::int = 0 OR g.event = @event) AND g.opened + coalesce(n.n, 0) <> g.capacity
 ORDER BY g.event, g.segment LIMIT @max_rows;

-- name: ReconcileAreas :many
WITH under AS (
    SELECT a.event, a.home, sum(x.n) AS n FROM ledger.grants x JOIN ledger.segments a ON a.event = x.event AND a.segment = x.to_seg
     WHERE x.taken_part IS NULL AND (@event::int = 0 OR x.event = @event) GROUP BY a.event, a.home)
SELECT g.event, g.home, sum(g.opened)::bigint AS opened, sum(g.capacity)::bigint AS capacity, coalesce(max(u.n), 0)::bigint AS under_way
  FROM ledger.segments g LEFT JOIN under u ON u.event = g.event AND u.home = g.home
 WHERE @event::int = 0 OR g.event = @event
 GROUP BY g.event, g.home HAVING sum(g.capacity) + coalesce(max(u.n), 0) <> sum(g.opened)
 ORDER BY g.event, g.home LIMIT @max_rows;

-- Each end of a grant was written by a batch that is there, in the partition of the segment at that end.
-- name: ReconcileGrantBatches :many
SELECT x.id, x.event, x.from_seg, x.to_seg, x.n FROM ledger.grants x
  LEFT JOIN ledger.segments a ON a.event = x.event AND a.segment = x.from_seg
  LEFT JOIN ledger.segments b ON b.event = x.event AND b.segment = x.to_seg
 WHERE (@event::int = 0 OR x.event = @event)
   AND (a.segment IS NULL OR b.segment IS NULL OR a.home <> b.home OR a.part <> x.given_part OR b.part <> coalesce(x.taken_part, b.part)
        OR NOT EXISTS (SELECT 1 FROM ledger.flush_batches f WHERE f.part = x.given_part AND f.seq = x.given_seq)
        OR (x.taken_part IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ledger.flush_batches f WHERE f.part = x.taken_part AND f.seq = x.taken_seq)))
 ORDER BY x.event, x.id LIMIT @max_rows;

-- name: ReconcileGrantsRows :one
SELECT ((SELECT count(*) FROM ledger.segments g WHERE @event::int = 0 OR g.event = @event)
      + (SELECT count(*) FROM ledger.grants x WHERE @event::int = 0 OR x.event = @event))::bigint;
