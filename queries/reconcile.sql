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

-- The last movement of each seat against the seat.
-- name: ReconcileReplay :many
WITH newest AS (
    SELECT m.event, m.seat, max(m.seat_ver) AS ver FROM ledger.seat_movements m WHERE @event::int = 0 OR m.event = @event GROUP BY m.event, m.seat),
last AS (
    SELECT m.event, m.seat, m.seat_ver, m.to_state, m.hold, m.order_id, m.attempt
      FROM newest n JOIN ledger.seat_movements m ON m.event = n.event AND m.seat = n.seat AND m.seat_ver = n.ver),
touched AS (
    SELECT s.event, s.seat, s.label, s.state, s.ver, s.hold, s.order_id, s.attempt
      FROM ledger.seats s WHERE (@event::int = 0 OR s.event = @event) AND (s.ver > 0 OR s.state > 0))
SELECT coalesce(t.event, l.event)::int AS event, coalesce(t.seat, l.seat)::bigint AS seat, coalesce(t.label, '')::text AS label,
       coalesce(t.state, -1)::smallint AS state, coalesce(t.ver, -1)::int AS ver, coalesce(t.hold::text, '')::text AS hold,
       coalesce(t.order_id::text, '')::text AS order_id, coalesce(t.attempt, 0)::int AS attempt,
       coalesce(l.to_state, -1)::smallint AS journal_state, coalesce(l.seat_ver, -1)::int AS journal_ver, coalesce(l.hold::text, '')::text AS journal_hold,
       coalesce(l.order_id::text, '')::text AS journal_order_id, coalesce(l.attempt, 0)::int AS journal_attempt
  FROM touched t FULL JOIN last l ON l.event = t.event AND l.seat = t.seat
 WHERE t.seat IS NULL OR l.seat IS NULL OR t.state <> l.to_state OR t.ver <> l.seat_ver
    OR (t.state > 0 AND t.hold IS DISTINCT FROM l.hold)
    OR (t.state > 1 AND (t.order_id IS DISTINCT FROM l.order_id OR t.attempt <> l.attempt))
 ORDER BY 1, 2 LIMIT @max_rows;

-- name: ReconcileReplayRows :one
SELECT count(*) FROM ledger.seats s WHERE (@event::int = 0 OR s.event = @event) AND (s.ver > 0 OR s.state > 0);

-- Each movement against the one before it of the same seat.
-- name: ReconcileMovements :many
SELECT x.part, x.seq, x.row_no, x.event, x.seat, x.seat_ver, x.kind, x.from_state, x.hold::text AS hold,
       coalesce(x.prev_ver, 0)::int AS prev_ver, coalesce(x.prev_state, 0)::smallint AS prev_state, coalesce(x.prev_hold::text, '')::text AS prev_hold
  FROM (SELECT m.part, m.seq, m.row_no, m.event, m.seat, m.seat_ver, m.kind, m.from_state, m.to_state, m.hold,
               lag(m.seat_ver) OVER w AS prev_ver, lag(m.to_state) OVER w AS prev_state, lag(m.hold) OVER w AS prev_hold
          FROM ledger.seat_movements m WHERE @event::int = 0 OR m.event = @event
        WINDOW w AS (PARTITION BY m.event, m.seat ORDER BY m.seat_ver)) x
 WHERE x.seat_ver <> coalesce(x.prev_ver, 0) + 1 OR x.from_state <> coalesce(x.prev_state, 0) OR (x.from_state > 0 AND x.hold <> x.prev_hold)
 ORDER BY x.event, x.seat, x.seat_ver LIMIT @max_rows;

-- name: ReconcileMovementsRows :one
SELECT count(*) FROM ledger.seat_movements m WHERE @event::int = 0 OR m.event = @event;

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

-- Each batch was written under the epoch that owned the partition then, and its movements under the same.
-- name: ReconcileEpochs :many
WITH tenures AS (
    SELECT e.part, e.epoch, e.start_seq, lead(e.start_seq) OVER (PARTITION BY e.part ORDER BY e.epoch) AS end_seq FROM ledger.part_epochs e)
SELECT b.part, b.seq, b.epoch, coalesce(e.start_seq, -1)::bigint AS start_seq, coalesce(e.end_seq, -1)::bigint AS end_seq
  FROM ledger.flush_batches b LEFT JOIN tenures e ON e.part = b.part AND e.epoch = b.epoch
 WHERE e.start_seq IS NULL OR b.seq <= e.start_seq OR b.seq > e.end_seq
 ORDER BY b.part, b.seq LIMIT @max_rows;

-- name: ReconcileEpochsRows :one
SELECT count(*) FROM ledger.flush_batches;

-- name: ReconcileMovementEpochs :many
SELECT m.part, m.seq, m.row_no, m.epoch, coalesce(b.epoch, -1)::bigint AS batch_epoch
  FROM ledger.seat_movements m LEFT JOIN ledger.flush_batches b ON b.part = m.part AND b.seq = m.seq
 WHERE b.epoch IS NULL OR b.epoch <> m.epoch
 ORDER BY m.part, m.seq, m.row_no LIMIT @max_rows;

-- Sold seats against live sales.
-- name: ReconcileSales :many
WITH sold AS (SELECT s.event, s.seat, s.ver, s.order_id, s.hold FROM ledger.seats s WHERE s.state = 3 AND (@event::int = 0 OR s.event = @event)),
live AS (SELECT x.event, x.seat, x.sold_ver, x.order_id, x.hold FROM ledger.sales x WHERE x.ended_seq IS NULL AND (@event::int = 0 OR x.event = @event))
SELECT coalesce(s.event, l.event)::int AS event, coalesce(s.seat, l.seat)::bigint AS seat, coalesce(s.ver, -1)::int AS seat_ver, coalesce(l.sold_ver, -1)::int AS sold_ver,
       coalesce(s.order_id::text, '')::text AS seat_order_id, coalesce(l.order_id::text, '')::text AS sale_order_id
  FROM sold s FULL JOIN live l ON l.event = s.event AND l.seat = s.seat
 WHERE s.seat IS NULL OR l.seat IS NULL OR s.ver <> l.sold_ver OR s.order_id <> l.order_id OR s.hold <> l.hold
 ORDER BY 1, 2 LIMIT @max_rows;

-- name: ReconcileSalesRows :one
SELECT count(*) FROM ledger.sales x WHERE @event::int = 0 OR x.event = @event;

-- Sales against the movements that made and ended them.
-- name: ReconcileSaleMovements :many
WITH sells AS (SELECT m.event, m.seat, m.seat_ver, m.part, m.seq, m.order_id, m.hold, m.price FROM ledger.seat_movements m WHERE m.kind = 7 AND (@event::int = 0 OR m.event = @event)),
ends AS (SELECT m.event, m.seat, m.seat_ver, m.seq FROM ledger.seat_movements m WHERE m.kind = 8 AND (@event::int = 0 OR m.event = @event)),
sales AS (SELECT x.event, x.seat, x.sold_ver, x.part, x.sold_seq, x.ended_seq, x.order_id, x.hold, x.price FROM ledger.sales x WHERE @event::int = 0 OR x.event = @event)
SELECT coalesce(m.event, x.event)::int AS event, coalesce(m.seat, x.seat)::bigint AS seat, coalesce(m.seat_ver, x.sold_ver)::int AS ver,
       coalesce(m.seq, -1)::bigint AS journal_seq, coalesce(x.sold_seq, -1)::bigint AS sold_seq, coalesce(e.seq, -1)::bigint AS journal_ended_seq,
       coalesce(x.ended_seq, -1)::bigint AS ended_seq, coalesce(m.price, -1)::bigint AS journal_price, coalesce(x.price, -1)::bigint AS price,
       coalesce(m.order_id::text, '')::text AS journal_order_id, coalesce(x.order_id::text, '')::text AS order_id
  FROM sells m FULL JOIN sales x ON x.event = m.event AND x.seat = m.seat AND x.sold_ver = m.seat_ver
  LEFT JOIN ends e ON e.event = coalesce(m.event, x.event) AND e.seat = coalesce(m.seat, x.seat) AND e.seat_ver = coalesce(m.seat_ver, x.sold_ver) + 1
 WHERE m.seat IS NULL OR x.seat IS NULL OR m.seq <> x.sold_seq OR m.part <> x.part OR m.order_id <> x.order_id OR m.hold <> x.hold OR m.price <> x.price
    OR e.seq IS DISTINCT FROM x.ended_seq
 ORDER BY 1, 2, 3 LIMIT @max_rows;

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
-- after the row was decided; a hold that is held has all of its seats at once.
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
           coalesce(sum(l.n) FILTER (WHERE l.generation <> h.try), 0) AS former,
           coalesce(sum(l.n) FILTER (WHERE l.segment <> ALL (h.legs) AND l.generation = h.try), 0) AS elsewhere
      FROM ledger.holds h LEFT JOIN legs l ON l.hold = h.id AND l.event = h.event
     WHERE h.segment = 0 AND (@event::int = 0 OR h.event = @event)
     GROUP BY h.id)
SELECT c.id, c.event, c.state, c.try, c.quantity, c.kept::bigint AS kept, c.sold::bigint AS sold, c.former::bigint AS former, c.elsewhere::bigint AS elsewhere
  FROM counted c
 WHERE (c.state = 0 AND (c.overdue OR c.kept > c.quantity OR c.sold > 0))
    OR (c.state = 1 AND c.kept + c.sold <> c.quantity)
    OR (c.state = 2 AND (c.sold > 0 OR (c.kept > 0 AND c.old)))
    OR (c.state = 3 AND c.kept > 0 AND c.old)
    OR (c.former > 0 AND c.old) OR c.elsewhere > 0
 ORDER BY c.event, c.id LIMIT @max_rows;

-- name: ReconcileHoldsRows :one
SELECT count(*) FROM ledger.holds h WHERE @event::int = 0 OR h.event = @event;

-- A buyer's counter against their holds, pins and sales. A document counts its seat, the others the whole hold.
-- name: ReconcileQuota :many
WITH counts AS (
    SELECT h.id, h.event, h.quantity AS n, true AS whole FROM ledger.holds h WHERE h.state IN (0, 1) AND (@event::int = 0 OR h.event = @event)
    UNION ALL
    SELECT x.hold, x.event, count(*), false FROM ledger.sales x JOIN ledger.holds h ON h.id = x.hold
     WHERE x.ended_seq IS NULL AND h.state = 3 AND (@event::int = 0 OR x.event = @event) GROUP BY x.hold, x.event),
due AS (
    SELECT k.event, k.dimension, k.key,
           sum(CASE WHEN k.dimension <> 3 THEN k.n WHEN k.whole OR EXISTS (SELECT 1 FROM ledger.sales x WHERE x.event = k.event AND x.seat = k.seat AND x.hold = k.id AND x.ended_seq IS NULL) THEN 1 ELSE 0 END) AS n
      FROM (SELECT c.id, c.event, c.n, c.whole, unnest(h.quota_dims) AS dimension, unnest(h.quota_keys) AS key, unnest(h.quota_seats) AS seat
              FROM counts c JOIN ledger.holds h ON h.id = c.id) k
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

-- name: ReconcileParts :many
SELECT p.part, p.applied_seq, p.head_hash FROM ledger.part p
 WHERE p.applied_seq > 0 AND (@event::int = 0 OR EXISTS (SELECT 1 FROM ledger.segments g WHERE g.part = p.part AND g.event = @event))
 ORDER BY p.part;

-- Batches with the movements of each, packed as Postgres sends records, in no order: the row's number and then what ledger/digest.go sums. One value for
-- each batch, because reading a row of eleven columns costs the client more than making its hash.
-- name: BatchRange :many
SELECT b.part, b.seq, b.epoch, b.batch, b.digest, b.outcomes, b.prev_hash, b.hash, coalesce(m.rows, ''::bytea)::bytea AS moves
  FROM (SELECT x.part, x.seq, x.epoch, x.batch, x.digest, x.outcomes, x.prev_hash, x.hash FROM ledger.flush_batches x
         WHERE (x.part, x.seq) > (@part::int, @after::bigint) AND x.part <= @last_part::int ORDER BY x.part, x.seq LIMIT @max_rows) b,
       LATERAL (SELECT string_agg(record_send(ROW(y.row_no, y.event, y.seat, y.seat_ver, y.kind, y.from_state, y.to_state, y.hold, y.order_id, y.attempt, y.occurred_at)), ''::bytea) AS rows
                  FROM ledger.seat_movements y WHERE y.part = b.part AND y.seq = b.seq) m
 ORDER BY b.part, b.seq;

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
