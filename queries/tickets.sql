-- Tickets: what lets somebody into an event.

-- name: TicketsOfOrder :many
SELECT t.id, t.order_id, t.event, t.seat, t.type, t.code, t.issued_at, t.voided_at, coalesce(t.void_reason, '')::text AS void_reason, t.transferred, t.owner_ref,
       s.label, s.category, g.section, g.name AS section_name, (h.ticket IS NOT NULL)::boolean AS named, coalesce(h.name, '')::text AS holder, h.document, h.salt,
       f.id AS offer, f.expires_at AS offer_expires_at
  FROM ledger.tickets t
  LEFT JOIN ledger.ticket_holders h ON h.ticket = t.id
  LEFT JOIN ledger.ticket_offers f ON f.ticket = t.id AND f.state = 'open',
       LATERAL (SELECT x.label, x.category, x.segment FROM ledger.seats x WHERE x.event = t.event AND x.seat = t.seat OFFSET 0) s,
       LATERAL (SELECT x.section, x.name FROM ledger.segments x WHERE x.event = t.event AND x.segment = s.segment OFFSET 0) g
 WHERE t.order_id = sqlc.arg(order_id) ORDER BY t.seat, t.issued_at;

-- name: TicketGet :one
SELECT t.id, t.order_id, t.event, t.seat, t.type, t.code, t.issued_at, t.voided_at, coalesce(t.void_reason, '')::text AS void_reason, t.transferred, t.owner_ref,
       s.label, s.category, g.section, g.name AS section_name, (h.ticket IS NOT NULL)::boolean AS named, coalesce(h.name, '')::text AS holder, h.document, h.salt,
       f.id AS offer, f.expires_at AS offer_expires_at
  FROM ledger.tickets t
  LEFT JOIN ledger.ticket_holders h ON h.ticket = t.id
  LEFT JOIN ledger.ticket_offers f ON f.ticket = t.id AND f.state = 'open'
  JOIN ledger.seats s ON s.event = t.event AND s.seat = t.seat JOIN ledger.segments g ON g.event = s.event AND g.segment = s.segment
 WHERE t.id = sqlc.arg(id);

-- name: EventForTickets :one
SELECT uid, starts_at FROM ledger.events WHERE id = sqlc.arg(id);

-- name: TicketRulesGet :one
SELECT coalesce(r.names, 'none')::text AS names, coalesce(r.name_changes, 3)::int AS name_changes, coalesce(r.transfers, 3)::int AS transfers, coalesce(r.changes_end_s, 0)::int AS changes_end_s
  FROM ledger.events e LEFT JOIN ledger.ticket_rules r ON r.event = e.id WHERE e.id = sqlc.arg(event);

-- name: TicketRulesSet :exec
INSERT INTO ledger.ticket_rules(event, names, name_changes, transfers, changes_end_s, updated_at)
VALUES (sqlc.arg(event), sqlc.arg(names), sqlc.arg(name_changes), sqlc.arg(transfers), sqlc.arg(changes_end_s), sqlc.arg(now))
    ON CONFLICT (event) DO UPDATE SET names = excluded.names, name_changes = excluded.name_changes, transfers = excluded.transfers, changes_end_s = excluded.changes_end_s,
       updated_at = excluded.updated_at;

-- How often each line of an order was renamed and changed hands.
-- name: TicketChangesOfOrder :many
SELECT seat, count(*) FILTER (WHERE kind = 'renamed')::int AS renamed, count(*) FILTER (WHERE kind = 'transferred')::int AS transferred
  FROM ledger.ticket_transfers WHERE order_id = sqlc.arg(order_id) GROUP BY seat;

-- The ticket that is live in the place of one, however often it was replaced.
-- name: TicketSuccessor :one
WITH RECURSIVE chain AS (
    SELECT t.id, 0 AS n FROM ledger.tickets t WHERE t.id = sqlc.arg(id)
    UNION ALL
    SELECT x.to_ticket, c.n + 1 FROM chain c JOIN ledger.ticket_transfers x ON x.from_ticket = c.id)
SELECT id FROM chain ORDER BY n DESC LIMIT 1;

-- name: TicketName :one
SELECT ledger.ticket_name(sqlc.arg(ticket)::uuid, sqlc.arg(new_id)::uuid, sqlc.arg(code)::text, sqlc.arg(name)::text, sqlc.narg(document)::bytea, sqlc.arg(salt)::bytea,
    sqlc.arg(document_max)::int, sqlc.arg(force)::boolean, sqlc.arg(fingerprint)::uuid, sqlc.arg(now)::timestamptz)::int AS outcome;

-- name: TicketOfferInsert :one
SELECT ledger.ticket_offer(sqlc.arg(ticket)::uuid, sqlc.arg(offer)::uuid, sqlc.arg(code_hash)::bytea, sqlc.arg(expires_at)::timestamptz, sqlc.arg(now)::timestamptz)::int AS outcome;

-- name: TicketOfferCancel :one
SELECT ledger.ticket_offer_cancel(sqlc.arg(ticket)::uuid, sqlc.arg(offer)::uuid, sqlc.arg(now)::timestamptz)::int AS outcome;

-- The offer of a code, and whether its ticket may change now, as ledger.ticket_lock has it.
-- name: TicketOfferByCode :one
SELECT f.id, f.ticket, f.state, f.expires_at, t.order_id, t.event, t.seat, t.type, (t.voided_at IS NOT NULL)::boolean AS void, (o.state IN (4, 7))::boolean AS changeable
  FROM ledger.ticket_offers f JOIN ledger.tickets t ON t.id = f.ticket JOIN ledger.orders o ON o.id = t.order_id
 WHERE f.code_hash = sqlc.arg(code_hash)::bytea;

-- name: TicketOfferGet :one
SELECT id, ticket, state, expires_at FROM ledger.ticket_offers WHERE id = sqlc.arg(id);

-- name: TicketAccept :one
SELECT ledger.ticket_accept(sqlc.arg(offer)::uuid, sqlc.arg(new_id)::uuid, sqlc.arg(code)::text, sqlc.arg(owner)::text, sqlc.arg(request)::uuid, sqlc.arg(now)::timestamptz)::int AS outcome;

-- name: HoldersErase :one
SELECT ledger.holders_erase(sqlc.arg(order_id)::uuid, sqlc.arg(now)::timestamptz)::bigint AS erased;

-- name: HolderErase :one
SELECT ledger.holder_erase(sqlc.arg(ticket)::uuid, sqlc.arg(now)::timestamptz)::bigint AS erased;

-- name: HoldersExpire :one
SELECT ledger.holders_expire(sqlc.arg(before)::timestamptz, sqlc.arg(count)::int, sqlc.arg(now)::timestamptz)::bigint AS erased;

-- The tickets of an event that let somebody in, for its gates.
-- name: TicketsForGate :many
SELECT t.id, t.seat, t.code, coalesce(h.name, '')::text AS holder, h.document, h.salt
  FROM ledger.tickets t LEFT JOIN ledger.ticket_holders h ON h.ticket = t.id AND h.erased_at IS NULL WHERE t.event = sqlc.arg(event) AND t.voided_at IS NULL;

-- What was revoked after a place in the list: in order of time and id.
-- name: TicketsRevoked :many
SELECT id, voided_at::timestamptz AS voided_at, void_reason::text AS reason FROM ledger.tickets
 WHERE event = sqlc.arg(event) AND voided_at IS NOT NULL AND (voided_at, id) > (sqlc.arg(after)::timestamptz, sqlc.arg(after_id)::uuid)
 ORDER BY voided_at, id LIMIT sqlc.arg(count);

-- Locks tickets in order of id, so that of two gates at once one is first.
-- name: CheckinLock :many
SELECT t.id, coalesce(t.void_reason, '')::text AS void_reason FROM ledger.tickets t WHERE t.id = ANY (sqlc.arg(tickets)::uuid[]) AND t.event = sqlc.arg(event)
 ORDER BY t.id FOR NO KEY UPDATE;

-- name: CheckinsOf :many
SELECT ticket, gate, at, offline, again, request FROM ledger.checkins WHERE ticket = ANY (sqlc.arg(tickets)::uuid[]) ORDER BY ticket, at, gate;

-- name: CheckinInsert :exec
INSERT INTO ledger.checkins(ticket, gate, at, offline, again, api_key, request)
SELECT s.ticket, s.gate, s.at, sqlc.arg(offline), s.again, sqlc.arg(api_key), sqlc.narg(request)
  FROM (SELECT unnest(sqlc.arg(tickets)::uuid[]) AS ticket, unnest(sqlc.arg(gates)::text[]) AS gate, unnest(sqlc.arg(ats)::timestamptz[]) AS at, unnest(sqlc.arg(doubles)::boolean[]) AS again) s
    ON CONFLICT (ticket, gate, at) DO NOTHING;

-- name: InvoicesMake :one
SELECT ledger.invoices_make(sqlc.arg(order_id)::uuid, sqlc.arg(now)::timestamptz)::int AS made;

-- name: InvoicesOfOrder :many
SELECT series, number, kind, refund, currency, net, tax, issuer, at FROM ledger.invoices WHERE order_id = sqlc.arg(order_id) ORDER BY kind DESC, at, number;

-- name: LinesOfOrder :many
SELECT seat, refund FROM ledger.order_lines WHERE order_id = sqlc.arg(order_id) AND refund IS NOT NULL;

-- name: InvoicesDue :one
SELECT (x.t).made::int AS made, (x.t).last_order::uuid AS last_order
  FROM (SELECT ledger.invoices_due(sqlc.arg(after)::uuid, sqlc.arg(count)::int, sqlc.arg(wait)::boolean, sqlc.arg(now)::timestamptz) AS t OFFSET 0) x;

-- name: InvoiceIssuerSet :exec
INSERT INTO ledger.invoice_series(series, issuer) VALUES (sqlc.arg(series), sqlc.arg(issuer)) ON CONFLICT (series) DO UPDATE SET issuer = excluded.issuer;

-- Tickets that people hold, beside what the ledger has of them and of their seats.
-- name: TicketsOutside :many
SELECT w.n::int AS n, (t.id IS NOT NULL)::boolean AS found, coalesce(t.seat = w.seat AND t.event = e.id, false)::boolean AS same, t.voided_at, e.slug, s.label, s.state, s.hold, s.order_id
  FROM (SELECT unnest(sqlc.arg(tickets)::uuid[]) AS ticket, unnest(sqlc.arg(events)::uuid[]) AS event, unnest(sqlc.arg(seats)::bigint[]) AS seat,
               generate_series(1, cardinality(sqlc.arg(tickets)::uuid[])) AS n) w
  LEFT JOIN ledger.tickets t ON t.id = w.ticket
  LEFT JOIN ledger.events e ON e.uid = w.event
  LEFT JOIN ledger.seats s ON s.event = e.id AND s.seat = w.seat
 ORDER BY w.n;
