-- What is on sale. Each change bumps catalog_version, which nodes poll.

-- name: CatalogVersion :one
SELECT ver FROM ledger.catalog_version;

-- name: CatalogBump :exec
UPDATE ledger.catalog_version SET ver = ver + 1;

-- name: ChartInsert :one
INSERT INTO ledger.charts(uid, name, digest, body) VALUES (@uid, @name, @digest, @body) RETURNING id;

-- name: ChartGet :one
SELECT id, uid, name, digest, body FROM ledger.charts WHERE id = @id;

-- name: ChartByUID :one
SELECT id, uid, name, digest, body FROM ledger.charts WHERE uid = @uid;

-- name: EventInsert :one
INSERT INTO ledger.events(uid, slug, name, chart, state, opens_at, starts_at, venue, currency, room, hold_ttl_s, max_hold_ttl_s, limit_tid, limit_account, limit_document, refunds_until, organiser)
VALUES (@uid, @slug, @name, @chart, @state, sqlc.narg(opens_at), @starts_at, @venue, @currency, @room, @hold_ttl_s, @max_hold_ttl_s, @limit_tid, @limit_account, @limit_document, sqlc.narg(refunds_until), nullif(@organiser::text, ''))
RETURNING id;

-- name: EventUpdate :one
UPDATE ledger.events SET state = @state, name = @name, opens_at = sqlc.narg(opens_at), ver = ver + 1 WHERE id = @id AND ver = @ver RETURNING ver;

-- name: EventList :many
SELECT id, uid, slug, name, chart, state, ver, opens_at, starts_at, venue, currency, room, hold_ttl_s, max_hold_ttl_s, limit_tid, limit_account, limit_document, refunds_until,
       coalesce(organiser, '')::text AS organiser, cancelled_at, recognised_at FROM ledger.events ORDER BY id;

-- name: SectionInsert :exec
INSERT INTO ledger.sections(event, section, name) SELECT @event::int, unnest(@sections::text[]), unnest(@names::text[]);

-- name: TierInsert :exec
INSERT INTO ledger.price_tiers(event, category, type, category_name, type_name, face, fee, tax)
SELECT @event::int, unnest(@categories::smallint[]), unnest(@types::smallint[]), unnest(@category_names::text[]), unnest(@type_names::text[]),
       unnest(@faces::bigint[]), unnest(@fees::bigint[]), unnest(@taxes::bigint[]);

-- name: TierList :many
SELECT event, category, type, category_name, type_name, face, fee, tax FROM ledger.price_tiers ORDER BY event, category, type;

-- name: SegmentInsert :exec
INSERT INTO ledger.segments(event, segment, part, section, name, area, score, home, opened, capacity)
SELECT @event::int, unnest(@segments::int[]), unnest(@parts::int[]), unnest(@sections::text[]), unnest(@names::text[]), unnest(@areas::boolean[]),
       unnest(@scores::double precision[]), unnest(@homes::int[]), unnest(@capacities::int[]), unnest(@capacities::int[]);

-- name: SegmentList :many
SELECT event, segment, part, section, name, area, score, home, opened FROM ledger.segments ORDER BY event, segment;

-- name: SeatInsert :exec
INSERT INTO ledger.seats(event, seat, segment, label, category)
SELECT @event::int, unnest(@seats::bigint[]), unnest(@segments::int[]), unnest(@labels::text[]), unnest(@categories::smallint[]);

-- name: APIKeyInsert :exec
INSERT INTO ledger.api_keys(id, name, person, scopes, hash) VALUES (@id, @name, @person, @scopes::text[], @hash);

-- name: APIKeyByHash :one
SELECT id, name, person, scopes FROM ledger.api_keys WHERE hash = @hash AND revoked_at IS NULL;

-- name: AuditInsert :exec
INSERT INTO ledger.audit_log(actor, action, subject, detail, from_addr) VALUES (@actor, @action, @subject, sqlc.narg(detail), sqlc.narg(from_addr));

-- The audit log of an event, of its orders, holds and tickets; subject is what the log calls the event.
-- name: AuditOfEvent :many
SELECT a.id, a.at, a.actor, a.action, a.subject, a.detail, a.from_addr FROM ledger.audit_log a
 WHERE a.id > @after::bigint AND CASE
           WHEN a.subject ~ '^ord_[0-9a-f-]{36}$' THEN EXISTS (SELECT 1 FROM ledger.orders o WHERE o.id = substr(a.subject, 5)::uuid AND o.event = @event::int)
           WHEN a.subject ~ '^hold_[0-9a-f-]{36}$' THEN EXISTS (SELECT 1 FROM ledger.holds h WHERE h.id = substr(a.subject, 6)::uuid AND h.event = @event::int)
           WHEN a.subject ~ '^tkt_[0-9a-f-]{36}$' THEN EXISTS (SELECT 1 FROM ledger.tickets t WHERE t.id = substr(a.subject, 5)::uuid AND t.event = @event::int)
           ELSE a.subject = @subject::text END
 ORDER BY a.id LIMIT @max_rows;

-- Each segment with what its live sales cost.
-- name: SegmentSales :many
SELECT g.segment, g.section, g.name, g.capacity, g.held, g.paying, g.sold, x.amount::bigint AS amount
  FROM ledger.segments g, LATERAL (SELECT coalesce(sum(s.price), 0) AS amount FROM ledger.sales s
         WHERE s.event = g.event AND s.seat >= g.segment::bigint << 24 AND s.seat < (g.segment + 1)::bigint << 24 AND s.ended_seq IS NULL OFFSET 0) x
 WHERE g.event = @event ORDER BY g.segment;

-- Seats that are not free, by category and type of ticket, with what the sold ones cost.
-- name: TariffSales :many
SELECT s.category, s.type, count(*) FILTER (WHERE s.state = 1)::bigint AS held, count(*) FILTER (WHERE s.state = 2)::bigint AS paying, count(*) FILTER (WHERE s.state = 3)::bigint AS sold,
       coalesce(sum(x.price), 0)::bigint AS amount
  FROM ledger.seats s LEFT JOIN ledger.sales x ON x.event = s.event AND x.seat = s.seat AND x.ended_seq IS NULL
 WHERE s.event = @event AND s.state > 0 GROUP BY 1, 2 ORDER BY 1, 2;
