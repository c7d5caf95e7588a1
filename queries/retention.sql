-- What ends by itself, and what is erased when somebody asks for it: the only file in which rows are deleted. It deletes from payment_event_bodies,
-- idempotency, outbox and waitlist. None of these is hashed, chained or append-only, and no check of a reconciliation counts their old rows.
-- Deletions by age take a bounded number of rows and leave alone what another node has taken.

-- name: BodiesEnd :execrows
-- @sqlc-vet-disable no-delete
DELETE FROM ledger.payment_event_bodies b USING (
    SELECT x.provider, x.event_id FROM ledger.payment_event_bodies x WHERE x.received_at <= sqlc.arg(before)::timestamptz ORDER BY x.received_at LIMIT sqlc.arg(count) FOR UPDATE SKIP LOCKED) d
 WHERE b.provider = d.provider AND b.event_id = d.event_id;

-- Keys of requests. A key that made a hold or an order stays with it: the same key would make the same id again, and that is taken.
-- name: IdempotencyEnd :execrows
-- @sqlc-vet-disable no-delete
DELETE FROM ledger.idempotency i USING (
    SELECT x.scope, x.key FROM ledger.idempotency x
     WHERE x.expires_at <= sqlc.arg(now)::timestamptz AND (x.kind IN (2, 5, 12) OR NOT EXISTS (SELECT 1 FROM ledger.holds h WHERE h.id = x.hold))
     LIMIT sqlc.arg(count) FOR UPDATE SKIP LOCKED) d
 WHERE i.scope = d.scope AND i.key = d.key;

-- Messages of the sandbox that were told.
-- name: OutboxMessagesEnd :execrows
-- @sqlc-vet-disable no-delete
DELETE FROM ledger.outbox o USING (
    SELECT x.id FROM ledger.outbox x WHERE x.topic = 'sandbox-webhook' AND x.done_at <= sqlc.arg(before)::timestamptz LIMIT sqlc.arg(count) FOR UPDATE SKIP LOCKED) d
 WHERE o.id = d.id;

-- Who waited for an event that has begun.
-- name: WaitlistEnd :execrows
-- @sqlc-vet-disable no-delete
DELETE FROM ledger.waitlist w USING (
    SELECT x.event, x.tid FROM ledger.waitlist x JOIN ledger.events e ON e.id = x.event WHERE e.starts_at <= sqlc.arg(now)::timestamptz LIMIT sqlc.arg(count) FOR UPDATE OF x SKIP LOCKED) d
 WHERE w.event = d.event AND w.tid = d.tid;

-- name: ClientAddressesEnd :execrows
UPDATE ledger.orders o SET client_ip = NULL FROM (
    SELECT x.id FROM ledger.orders x WHERE x.client_ip IS NOT NULL AND x.created_at <= sqlc.arg(before)::timestamptz ORDER BY x.created_at LIMIT sqlc.arg(count) FOR NO KEY UPDATE SKIP LOCKED) d
 WHERE o.id = d.id;

-- name: OrdersOfBuyer :many
SELECT o.id, o.state, e.starts_at FROM ledger.orders o JOIN ledger.events e ON e.id = o.event WHERE o.buyer_ref = sqlc.arg(buyer) AND o.buyer_ref <> '' ORDER BY o.created_at;

-- Locks the order first, as all do that change its tickets.
-- name: OrderToErase :many
SELECT o.id, o.state, e.starts_at FROM ledger.orders o JOIN ledger.events e ON e.id = o.event WHERE o.id = sqlc.arg(id) FOR NO KEY UPDATE OF o;

-- A ticket with those before and after it that are the same owner's: live says that one of them lets somebody in. Locks its order first.
-- name: TicketToErase :many
SELECT o.id, e.starts_at, EXISTS (SELECT 1 FROM ledger.ticket_chain(t.id) c JOIN ledger.tickets x ON x.id = c.ticket WHERE x.voided_at IS NULL)::boolean AS live
  FROM ledger.tickets t JOIN ledger.orders o ON o.id = t.order_id JOIN ledger.events e ON e.id = t.event WHERE t.id = sqlc.arg(id) FOR NO KEY UPDATE OF o;

-- Tickets that were given to an account.
-- name: TicketsOfOwner :many
SELECT id FROM ledger.tickets WHERE owner_ref = sqlc.arg(owner) AND owner_ref <> '' ORDER BY issued_at, id;

-- name: OrderForget :execrows
UPDATE ledger.orders SET client_ip = NULL, buyer_ref = '' WHERE id = sqlc.arg(id) AND (client_ip IS NOT NULL OR buyer_ref <> '');

-- Tickets that changed hands are somebody else's.
-- name: OwnersForget :execrows
UPDATE ledger.tickets SET owner_ref = '' WHERE order_id = sqlc.arg(order_id) AND NOT transferred AND owner_ref <> '';

-- name: OwnerForget :execrows
UPDATE ledger.tickets t SET owner_ref = '' FROM ledger.ticket_chain(sqlc.arg(ticket)::uuid) c WHERE t.id = c.ticket AND t.owner_ref <> '';

-- name: BodiesErase :execrows
-- @sqlc-vet-disable no-delete
DELETE FROM ledger.payment_event_bodies b USING ledger.payment_events e
 WHERE e.provider = b.provider AND e.event_id = b.event_id
   AND EXISTS (SELECT 1 FROM ledger.payments p LEFT JOIN ledger.payment_names n ON n.payment = p.id
                WHERE p.order_id = sqlc.arg(order_id) AND p.provider = e.provider AND (p.provider_ref = e.provider_ref OR n.name = e.provider_ref));

-- name: OutboxMessagesErase :execrows
-- @sqlc-vet-disable no-delete
DELETE FROM ledger.outbox x WHERE x.topic = 'sandbox-webhook' AND x.done_at IS NOT NULL
   AND EXISTS (SELECT 1 FROM ledger.sandbox_payments p WHERE p.order_id = sqlc.arg(order_id) AND x.dedup LIKE 'sandbox-webhook:' || p.ref || '%');

-- name: ReturnAddressesForget :execrows
UPDATE ledger.sandbox_payments SET return_url = '' WHERE order_id = sqlc.arg(order_id) AND return_url <> '';
