-- Tickets: what lets somebody into an event.

-- name: TicketsOfOrder :many
SELECT t.id, t.order_id, t.event, t.seat, t.type, t.code, t.issued_at, t.voided_at, s.label, s.category, g.section, g.name AS section_name
  FROM ledger.tickets t, LATERAL (SELECT x.label, x.category, x.segment FROM ledger.seats x WHERE x.event = t.event AND x.seat = t.seat OFFSET 0) s,
       LATERAL (SELECT x.section, x.name FROM ledger.segments x WHERE x.event = t.event AND x.segment = s.segment OFFSET 0) g
 WHERE t.order_id = sqlc.arg(order_id) ORDER BY t.seat;

-- name: TicketGet :one
SELECT t.id, t.order_id, t.event, t.seat, t.type, t.code, t.issued_at, t.voided_at, s.label, s.category, g.section, g.name AS section_name
  FROM ledger.tickets t JOIN ledger.seats s ON s.event = t.event AND s.seat = t.seat JOIN ledger.segments g ON g.event = s.event AND g.segment = s.segment
 WHERE t.id = sqlc.arg(id);

-- name: EventForTickets :one
SELECT uid, starts_at FROM ledger.events WHERE id = sqlc.arg(id);

-- Tickets that people hold, beside what the ledger has of them and of their seats.
-- name: TicketsOutside :many
SELECT w.n::int AS n, (t.id IS NOT NULL)::boolean AS found, coalesce(t.seat = w.seat AND t.event = e.id, false)::boolean AS same, t.voided_at, e.slug, s.label, s.state, s.hold, s.order_id
  FROM (SELECT unnest(sqlc.arg(tickets)::uuid[]) AS ticket, unnest(sqlc.arg(events)::uuid[]) AS event, unnest(sqlc.arg(seats)::bigint[]) AS seat,
               generate_series(1, cardinality(sqlc.arg(tickets)::uuid[])) AS n) w
  LEFT JOIN ledger.tickets t ON t.id = w.ticket
  LEFT JOIN ledger.events e ON e.uid = w.event
  LEFT JOIN ledger.seats s ON s.event = e.id AND s.seat = w.seat
 ORDER BY w.n;
