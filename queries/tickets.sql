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
