-- Orders, sales, tickets, payments and postings against each other. Each query returns the rows that do not fit.

-- A sold seat belongs to an order that has a live line for it, or to one whose job to free it is under way.
-- name: BreaksOfSoldOrders :many
SELECT s.event, s.seat, s.order_id, coalesce(o.state, 0)::smallint AS state
  FROM ledger.sales s LEFT JOIN ledger.orders o ON o.id = s.order_id LEFT JOIN ledger.order_lines l ON l.order_id = s.order_id AND l.seat = s.seat
 WHERE s.ended_seq IS NULL AND (sqlc.arg(event)::int = 0 OR s.event = sqlc.arg(event))
   AND NOT coalesce(o.state IN (3, 4, 7, 9) AND l.seat IS NOT NULL AND l.refund IS NULL, false)
   AND NOT EXISTS (SELECT 1 FROM ledger.outbox x WHERE x.dedup = 'unsell:' || coalesce(l.refund, s.order_id)::text AND x.done_at IS NULL AND x.dead_at IS NULL)
 ORDER BY 1, 2;

-- A paid order's seat is sold, or pinned by it for seconds at most; the seat of an issued order's live line is sold.
-- name: BreaksOfPaidOrders :many
SELECT o.id, l.seat, o.state, coalesce(s.state, 0)::smallint AS seat_state
  FROM ledger.orders o JOIN ledger.order_lines l ON l.order_id = o.id
  LEFT JOIN ledger.seats s ON s.event = o.event AND s.seat = l.seat AND s.order_id = o.id
 WHERE o.state IN (3, 4, 7, 9) AND l.refund IS NULL AND (sqlc.arg(event)::int = 0 OR o.event = sqlc.arg(event))
   AND NOT coalesce(s.state = 3 OR (o.state IN (3, 9) AND s.state = 2 AND o.updated_at > sqlc.arg(before)::timestamptz), false)
 ORDER BY 1, 2;

-- A pin belongs to an order that is paying or was just decided, or has ended and its seats are being freed.
-- name: BreaksOfPins :many
SELECT s.event, s.seat, s.order_id, coalesce(o.state, 0)::smallint AS state
  FROM ledger.seats s LEFT JOIN ledger.orders o ON o.id = s.order_id
 WHERE s.state = 2 AND (sqlc.arg(event)::int = 0 OR s.event = sqlc.arg(event))
   AND NOT coalesce(o.state IN (2, 10) OR o.updated_at > sqlc.arg(before)::timestamptz, false)
 ORDER BY 1, 2;

-- A live ticket for each live line of an order that was issued, and no other.
-- name: BreaksOfTickets :many
SELECT coalesce(o.id, t.order_id)::uuid AS order_id, coalesce(o.seat, t.seat)::bigint AS seat, (t.order_id IS NOT NULL)::boolean AS has_ticket
  FROM (SELECT x.id, x.event, l.seat FROM ledger.orders x JOIN ledger.order_lines l ON l.order_id = x.id
         WHERE l.refund IS NULL AND (x.state IN (4, 7) OR x.state = 9 AND EXISTS (SELECT 1 FROM ledger.disputes d WHERE d.order_id = x.id AND d.state = 'open' AND d.from_state = 4))
           AND (sqlc.arg(event)::int = 0 OR x.event = sqlc.arg(event))) o
  FULL JOIN (SELECT order_id, event, seat FROM ledger.tickets WHERE voided_at IS NULL AND (sqlc.arg(event)::int = 0 OR event = sqlc.arg(event))) t ON t.order_id = o.id AND t.event = o.event AND t.seat = o.seat
 WHERE o.id IS NULL OR t.order_id IS NULL ORDER BY 1, 2;

-- An order's total is its lines; a paid one has one placed payment of that amount; an issued one is captured in full. What was sent back of a payment
-- is its refunds.
-- name: BreaksOfTotals :many
SELECT o.id, o.state, o.total, coalesce(l.total, 0)::bigint AS lines, coalesce(p.amount, 0)::bigint AS paid, coalesce(p.captured, 0)::bigint AS captured
  FROM ledger.orders o
  LEFT JOIN (SELECT order_id, sum(face + fee + tax) AS total FROM ledger.order_lines GROUP BY 1) l ON l.order_id = o.id
  LEFT JOIN ledger.payments p ON p.order_id = o.id AND p.placed
  LEFT JOIN (SELECT payment, sum(amount) FILTER (WHERE state = 'sent') AS sent FROM ledger.refunds GROUP BY 1) r ON r.payment = p.id
 WHERE (sqlc.arg(event)::int = 0 OR o.event = sqlc.arg(event))
   AND (o.total <> coalesce(l.total, 0) OR (o.state IN (3, 4, 9) AND coalesce(p.amount, -1) <> o.total) OR (o.state = 4 AND coalesce(p.captured, -1) <> o.total)
        OR (p.captured > 0 AND p.refunded <> coalesce(r.sent, 0)))
 ORDER BY 1;

-- Postings of an order: what was recognised is its total when it was ever paid, and nothing else; what was captured is posted; what is owed back is its
-- lines that were refunded.
-- name: BreaksOfPostings :many
SELECT o.id, o.state, o.total, coalesce(t.recognised, 0)::bigint AS recognised, coalesce(t.settled, 0)::bigint AS settled, coalesce(p.captured, 0)::bigint AS captured,
       coalesce(t.returned, 0)::bigint AS returned, coalesce(l.refunded, 0)::bigint AS refunded
  FROM ledger.orders o
  LEFT JOIN (SELECT order_id,
                    sum(CASE WHEN debit = '1200' THEN amount WHEN credit = '1200' AND reverses IS NOT NULL THEN -amount ELSE 0 END) AS recognised,
                    sum(CASE WHEN credit = '1200' AND debit LIKE '1100:%' AND reverses IS NULL THEN amount ELSE 0 END) AS settled,
                    sum(CASE WHEN credit = '2500' AND debit <> '2900' AND reverses IS NULL THEN amount ELSE 0 END) AS returned
               FROM ledger.transfers GROUP BY 1) t ON t.order_id = o.id
  LEFT JOIN (SELECT order_id, sum(captured) AS captured FROM ledger.payments WHERE placed GROUP BY 1) p ON p.order_id = o.id
  LEFT JOIN (SELECT x.order_id, sum(x.face + x.fee + x.tax) AS refunded FROM ledger.order_lines x JOIN ledger.refunds r ON r.id = x.refund AND r.lines GROUP BY 1) l ON l.order_id = o.id
 WHERE (sqlc.arg(event)::int = 0 OR o.event = sqlc.arg(event))
   AND (coalesce(t.recognised, 0) <> CASE WHEN o.state IN (3, 4, 9) OR o.state IN (7, 8) AND p.order_id IS NOT NULL THEN o.total ELSE 0 END OR coalesce(t.settled, 0) <> coalesce(p.captured, 0)
        OR coalesce(t.returned, 0) <> CASE WHEN p.order_id IS NULL THEN 0 ELSE coalesce(l.refunded, 0) END)
 ORDER BY 1;

-- A refund that is not sent has a call under way; its amount is its lines'; an order is refunding as long as there is one, and refunded when nothing of it
-- is left. A provider may take back that it has sent one: then the order has ended, or is issued, all the same.
-- name: BreaksOfRefunds :many
SELECT r.id, r.order_id, r.state, r.amount, coalesce(l.total, 0)::bigint AS lines, o.state AS order_state
  FROM ledger.refunds r JOIN ledger.orders o ON o.id = r.order_id
  LEFT JOIN (SELECT refund, sum(face + fee + tax) AS total FROM ledger.order_lines WHERE refund IS NOT NULL GROUP BY 1) l ON l.refund = r.id
 WHERE (sqlc.arg(event)::int = 0 OR o.event = sqlc.arg(event))
   AND ((r.lines AND coalesce(l.total, -1) <> r.amount)
     OR (r.state <> 'sent' AND NOT EXISTS (SELECT 1 FROM ledger.outbox x WHERE x.dedup = 'refund:' || r.id::text AND x.done_at IS NULL AND x.dead_at IS NULL))
     OR (r.lines AND r.state = 'decided' AND o.state <> 7)
     OR (o.state = 7 AND NOT EXISTS (SELECT 1 FROM ledger.refunds x WHERE x.order_id = o.id AND x.lines AND x.state <> 'sent'))
     OR (o.state = 8 AND EXISTS (SELECT 1 FROM ledger.order_lines x WHERE x.order_id = o.id AND x.refund IS NULL)))
 ORDER BY 1;

-- Money that is with a payment and belongs to nothing: authorised or captured, not placed, while no call to give it back is on its way.
-- name: BreaksOfLooseMoney :many
SELECT p.id, p.order_id, p.state, p.amount FROM ledger.payments p
 WHERE p.state IN ('authorized', 'captured') AND NOT p.placed
   AND NOT EXISTS (SELECT 1 FROM ledger.outbox x WHERE x.dedup = 'void:' || p.id::text AND x.dead_at IS NULL)
   AND NOT EXISTS (SELECT 1 FROM ledger.late_payments l WHERE l.payment = p.id AND l.state IN ('looking', 'offered', 'accepted'))
   AND NOT EXISTS (SELECT 1 FROM ledger.refunds r JOIN ledger.outbox x ON x.dedup = 'refund:' || r.id::text WHERE r.payment = p.id AND x.dead_at IS NULL) ORDER BY 1;

-- What is owed for orphans and second payments (2900) and to buyers (2500) is zero but for refunds that are on their way.
-- name: BreaksOfSuspense :many
SELECT b.account, b.currency, b.balance, b.pending FROM (
    SELECT a.account, a.currency,
           ((SELECT coalesce(sum(t.amount), 0) FROM ledger.transfers t WHERE t.credit = a.account AND t.currency = a.currency)
          - (SELECT coalesce(sum(t.amount), 0) FROM ledger.transfers t WHERE t.debit = a.account AND t.currency = a.currency))::bigint AS balance,
           (CASE a.account
                WHEN '2500' THEN (SELECT coalesce(sum(r.amount), 0) FROM ledger.refunds r WHERE r.state <> 'sent' AND r.currency = a.currency
                                   AND EXISTS (SELECT 1 FROM ledger.transfers t WHERE t.source = 'refund:' || r.id::text))
                ELSE (SELECT coalesce(sum((x.payload ->> 'amount')::bigint), 0) FROM ledger.outbox x
                       WHERE x.topic = 'orphan' AND (x.payload ->> 'posted')::boolean AND x.done_at IS NULL AND x.dead_at IS NULL AND x.payload ->> 'currency' = a.currency)
            END)::bigint AS pending
      FROM ledger.accounts a WHERE a.account IN ('2500', '2900')) b
 WHERE b.balance <> b.pending ORDER BY 1, 2;

-- What each account has, by currency; debits and credits add up to the same by construction, so this is for people.
-- name: TrialBalance :many
SELECT a.account, a.currency, coalesce(b.debits, 0)::bigint AS debits, coalesce(b.credits, 0)::bigint AS credits
  FROM ledger.accounts a LEFT JOIN ledger.v_trial_balance b ON b.account = a.account AND b.currency = a.currency ORDER BY 1, 2;

-- name: OrderTotals :one
SELECT count(*) FILTER (WHERE o.state IN (3, 4, 7, 9))::bigint AS paid_orders,
       (SELECT count(*) FROM ledger.order_lines l JOIN ledger.orders x ON x.id = l.order_id WHERE x.state IN (3, 4, 7, 9) AND l.refund IS NULL AND (sqlc.arg(event)::int = 0 OR x.event = sqlc.arg(event)))::bigint AS paid_seats,
       (SELECT count(*) FROM ledger.tickets t WHERE t.voided_at IS NULL AND (sqlc.arg(event)::int = 0 OR t.event = sqlc.arg(event)))::bigint AS tickets,
       coalesce(sum(o.total) FILTER (WHERE o.state IN (3, 4, 7, 9)), 0)::bigint AS amount
  FROM ledger.orders o WHERE sqlc.arg(event)::int = 0 OR o.event = sqlc.arg(event);

-- name: InvoiceCount :one
SELECT count(*)::bigint FROM ledger.invoices;

-- Numbers are of a series, which events share: they are always looked at as a whole.
-- name: BreaksOfInvoices :many
SELECT v.problem::text AS problem, v.series, v.number::bigint AS number, v.until::bigint AS until, v.order_id, coalesce(v.currency, '')::text AS currency, coalesce(v.net, 0)::bigint AS net, coalesce(v.tax, 0)::bigint AS tax,
       coalesce(v.lines_net, 0)::bigint AS lines_net, coalesce(v.lines_tax, 0)::bigint AS lines_tax
  FROM ledger.v_invoice_breaks v WHERE sqlc.arg(event)::int = 0 OR v.event IS NULL OR v.event = sqlc.arg(event)::int ORDER BY v.series, v.number, v.problem LIMIT sqlc.arg(count);
