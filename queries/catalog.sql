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
