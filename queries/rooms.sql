-- Waiting rooms. Functions are in ledger/migrations/00006_rooms.sql.

-- Enters a room, once.
-- name: RoomInsert :execrows
INSERT INTO ledger.rooms(room, number, part, settings) VALUES (sqlc.arg(room), sqlc.arg(number), sqlc.arg(part), sqlc.arg(settings))
    ON CONFLICT (room) DO NOTHING;

-- name: RoomGet :one
SELECT room, number, part, settings, session, epoch, fence, seq, edition, created_at FROM ledger.rooms WHERE room = sqlc.arg(room);

-- name: RoomList :many
SELECT room, number, part, settings, session, epoch, fence, seq, edition, created_at FROM ledger.rooms ORDER BY room;

-- name: RoomOpen :one
SELECT ledger.room_open(sqlc.arg(part)::int, sqlc.arg(session)::bigint, sqlc.arg(epoch)::bigint, sqlc.arg(room)::text)::bigint;

-- name: RoomAppend :one
SELECT ledger.room_append(sqlc.arg(part)::int, sqlc.arg(session)::bigint, sqlc.arg(epoch)::bigint, sqlc.arg(room)::text, sqlc.arg(fence)::bigint,
       sqlc.arg(seq)::bigint, sqlc.arg(digest)::bytea, sqlc.arg(body)::bytea, sqlc.arg(edition)::int, sqlc.arg(tids)::bytea, sqlc.arg(log)::bytea[],
       sqlc.arg(now)::timestamptz)::int;

-- name: RoomCompact :one
SELECT ledger.room_compact(sqlc.arg(room)::text, sqlc.arg(fence)::bigint, sqlc.arg(seq)::bigint, sqlc.arg(body)::bytea, sqlc.arg(now)::timestamptz)::int;

-- name: RoomSnapshot :one
SELECT seq, body FROM ledger.room_snapshots WHERE room = sqlc.arg(room);

-- name: RoomBatches :many
SELECT seq, digest, body FROM ledger.room_batches WHERE room = sqlc.arg(room) AND seq > sqlc.arg(after) ORDER BY seq;

-- name: RoomLobby :many
SELECT first, tids FROM ledger.room_lobby WHERE room = sqlc.arg(room) AND edition = sqlc.arg(edition) AND first >= sqlc.arg(from_first) ORDER BY first LIMIT sqlc.arg(max_rows);

-- name: RoomFencesJump :execrows
UPDATE ledger.rooms SET fence = fence + sqlc.arg(jump)::bigint;

-- Rooms whose rows do not fit together: batches after the snapshot without a gap, each under an epoch that was claimed, and as much in lobby and log as
-- was counted.
-- name: ReconcileRooms :many
WITH batches AS (
    SELECT b.room, count(*) AS n, min(b.seq) AS first, max(b.seq) AS last,
           count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM ledger.part_epochs e JOIN ledger.rooms x ON x.part = e.part WHERE x.room = b.room AND e.epoch = b.epoch)) AS unowned
      FROM ledger.room_batches b GROUP BY b.room),
told AS (
    SELECT l.room, l.edition, sum(length(l.tids) / 16) AS n FROM ledger.room_lobby l GROUP BY l.room, l.edition),
entries AS (
    SELECT g.room, count(*) AS n, max(g.n) AS last FROM ledger.room_log g GROUP BY g.room)
SELECT r.room, r.seq, coalesce(s.seq, 0)::bigint AS snapshot, coalesce(b.n, 0)::bigint AS batches, coalesce(b.first, 0)::bigint AS first, coalesce(b.last, 0)::bigint AS last,
       coalesce(b.unowned, 0)::bigint AS unowned, r.edition, r.lobby, coalesce(t.n, 0)::bigint AS told, r.entries, coalesce(g.n, 0)::bigint AS logged
  FROM ledger.rooms r LEFT JOIN ledger.room_snapshots s ON s.room = r.room LEFT JOIN batches b ON b.room = r.room
  LEFT JOIN told t ON t.room = r.room AND t.edition = r.edition LEFT JOIN entries g ON g.room = r.room
 WHERE r.seq <> coalesce(s.seq, 0) + coalesce(b.n, 0) OR b.first <> coalesce(s.seq, 0) + 1 OR b.last <> r.seq OR b.unowned > 0
    OR r.lobby <> coalesce(t.n, 0) OR r.entries <> coalesce(g.n, 0) OR r.entries <> coalesce(g.last + 1, 0)
 ORDER BY r.room LIMIT @max_rows;

-- name: ReconcileRoomsRows :one
SELECT count(*) FROM ledger.room_batches;

-- name: RoomLog :many
SELECT n, at, entry FROM ledger.room_log WHERE room = sqlc.arg(room) AND n >= sqlc.arg(from_n) ORDER BY n LIMIT sqlc.arg(max_rows);
