-- Settlements, closed days, and what finance reads. Functions and views are in ledger/migrations/00009_finance.sql.

-- No row: this file was imported before.
-- name: SettlementFile :one
SELECT coalesce(ledger.settlement_file(sqlc.arg(provider)::text, sqlc.arg(name)::text, sqlc.arg(sha256)::bytea, sqlc.arg(lines)::int, sqlc.arg(by)::text), 0)::bigint AS id;

-- name: SettlementFileBySum :one
SELECT name, lines, imported_by, imported_at FROM ledger.settlement_files WHERE provider = sqlc.arg(provider) AND sha256 = sqlc.arg(sha256);

-- name: SettlementTake :many
SELECT (x.t).line_no::int AS line_no, (x.t).balance_txn::text AS balance_txn, (x.t).other_file::text AS other_file, (x.t).other_line::int AS other_line
  FROM (SELECT ledger.settlement_take(sqlc.arg(file)::bigint, sqlc.arg(numbers)::int[], sqlc.arg(txns)::text[], sqlc.arg(categories)::text[], sqlc.arg(refs)::text[], sqlc.arg(payouts)::text[],
        sqlc.arg(gross)::bigint[], sqlc.arg(fees)::bigint[], sqlc.arg(currencies)::text[], sqlc.arg(moments)::timestamptz[]) AS t) x;

-- What a file brought, by category and currency.
-- name: SettlementFileLines :many
SELECT category, currency, count(*)::bigint AS n, sum(gross)::bigint AS gross, sum(fee)::bigint AS fee, sum(net)::bigint AS net
  FROM ledger.settlement_lines WHERE file = sqlc.arg(file) GROUP BY 1, 2 ORDER BY 1, 2;

-- Payments by verdict: how many, and what of them the provider has not settled.
-- name: SettlementSums :many
SELECT provider::text AS provider, currency::text AS currency, verdict::text AS verdict, count(*)::bigint AS n, sum(ledger_net - settled_net)::bigint AS open
  FROM ledger.v_settlement_breaks GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- name: SettlementBreaks :many
SELECT provider::text AS provider, provider_ref::text AS provider_ref, currency::text AS currency, coalesce(order_id::text, '')::text AS order_id, coalesce(captured, 0)::bigint AS captured, coalesce(settled, 0)::bigint AS settled,
       refunded::bigint AS refunded, settled_refunded::bigint AS settled_refunded, disputed::bigint AS disputed, settled_disputed::bigint AS settled_disputed, at::timestamptz AS at, verdict::text AS verdict
  FROM ledger.v_settlement_breaks WHERE verdict NOT IN ('matched', 'in_transit') ORDER BY 1, 2, 3 LIMIT sqlc.arg(count);

-- What a provider says it paid out together is what it paid out.
-- name: PayoutBreaks :many
SELECT p.provider, p.provider_ref::text AS payout, p.currency, (-p.gross)::bigint AS paid, s.net::bigint AS net
  FROM (SELECT provider, provider_ref, currency, sum(gross)::bigint AS gross FROM ledger.settlement_lines WHERE category = 'payout' GROUP BY 1, 2, 3) p
  JOIN (SELECT provider, payout_ref, currency, sum(net) AS net FROM ledger.settlement_lines WHERE payout_ref IS NOT NULL AND category <> 'payout' GROUP BY 1, 2, 3) s
    ON s.provider = p.provider AND s.payout_ref = p.provider_ref AND s.currency = p.currency
 WHERE s.net <> -p.gross ORDER BY 1, 2, 3 LIMIT sqlc.arg(count);

-- name: ClearingBalances :many
SELECT substr(b.account, 6)::text AS provider, b.currency, b.balance, coalesce(s.net, 0)::bigint AS at_provider
  FROM ledger.v_trial_balance b
  LEFT JOIN (SELECT l.provider, l.currency, sum(l.net) AS net FROM ledger.settlement_lines l GROUP BY 1, 2) s ON s.provider = substr(b.account, 6) AND s.currency = b.currency
 WHERE b.account LIKE '1100:%' ORDER BY 1, 2;

-- Postings on a clearing account that are about no payment and no settlement.
-- name: ClearingUnknown :many
SELECT transfer, provider::text AS provider, source, currency, amount::bigint AS amount FROM ledger.v_clearing
 WHERE kind = 'unknown' OR (kind <> 'settlement' AND provider_ref IS NULL) ORDER BY 1 LIMIT sqlc.arg(count);

-- name: SettlementLineCount :one
SELECT count(*)::bigint FROM ledger.settlement_lines;

-- Days, in order, with what is signed of them.
-- name: BusinessDays :many
SELECT d.day, d.opened_at, d.closed_at, (c.day IS NOT NULL)::boolean AS signed, coalesce(c.transfers, (SELECT count(*) FROM ledger.transfers t WHERE t.day = d.day))::bigint AS transfers,
       coalesce(c.tree_size, 0)::bigint AS tree_size, coalesce(c.breaks, 0)::int AS breaks, coalesce(c.accepted, '')::text AS accepted, coalesce(c.checkpoint, '')::text AS checkpoint,
       coalesce(c.signed_by, '')::text AS signed_by, c.signed_at
  FROM ledger.business_days d LEFT JOIN ledger.day_closings c ON c.day = d.day ORDER BY d.day;

-- name: CloseOpenDay :one
SELECT ledger.close_open_day(sqlc.arg(day)::date, sqlc.arg(today)::date, sqlc.arg(now)::timestamptz)::boolean;

-- Keeps two closings apart.
-- name: ClosingLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('ticketrush/closing', 0));

-- name: LastClosing :one
SELECT day, tree_size, tree_root, checkpoint FROM ledger.day_closings ORDER BY day DESC LIMIT 1;

-- name: ClosingGet :one
SELECT day, transfers, tree_size, tree_root, breaks, coalesce(accepted, '')::text AS accepted, checkpoint, signed_by, signed_at FROM ledger.day_closings WHERE day = sqlc.arg(day);

-- name: Closings :many
SELECT day, transfers, tree_size, tree_root, checkpoint FROM ledger.day_closings ORDER BY day;

-- Hashes of the leaves of a day, in order of id.
-- name: TransferLeaves :many
SELECT t.id, sha256('\x00'::bytea || ledger.transfer_leaf(t))::bytea AS hash FROM ledger.transfers t
 WHERE t.day = sqlc.arg(day) AND t.id > sqlc.arg(after)::bigint ORDER BY t.id LIMIT sqlc.arg(count);

-- name: MerkleInsert :exec
INSERT INTO ledger.merkle_hashes(idx, hash) SELECT sqlc.arg(first)::bigint + h.i - 1, h.hash FROM unnest(sqlc.arg(hashes)::bytea[]) WITH ORDINALITY h(hash, i);

-- name: MerkleGet :many
SELECT idx, hash FROM ledger.merkle_hashes WHERE idx = ANY(sqlc.arg(indexes)::bigint[]);

-- The balances of a day: what the accounts had after the last signed day, and what the day moved.
-- name: BalancesInsert :exec
INSERT INTO ledger.account_day_balances(day, account, currency, opening, debits, credits, closing)
SELECT sqlc.arg(day)::date, coalesce(b.account, m.account), coalesce(b.currency, m.currency), coalesce(b.closing, 0), coalesce(m.debits, 0), coalesce(m.credits, 0),
       coalesce(b.closing, 0) + coalesce(m.debits, 0) - coalesce(m.credits, 0)
  FROM (SELECT account, currency, closing FROM ledger.account_day_balances WHERE day = (SELECT max(c.day) FROM ledger.day_closings c WHERE c.day < sqlc.arg(day)::date)) b
  FULL JOIN (SELECT x.account, x.currency, sum(x.debit)::bigint AS debits, sum(x.credit)::bigint AS credits
               FROM (SELECT t.debit AS account, t.currency, t.amount AS debit, 0::bigint AS credit FROM ledger.transfers t WHERE t.day = sqlc.arg(day)::date
                     UNION ALL SELECT t.credit, t.currency, 0, t.amount FROM ledger.transfers t WHERE t.day = sqlc.arg(day)::date) x GROUP BY 1, 2) m ON m.account = b.account AND m.currency = b.currency;

-- name: ClosingPartsInsert :one
WITH p AS (INSERT INTO ledger.day_closing_parts(day, part, seq, head) SELECT sqlc.arg(day)::date, x.part, x.applied_seq, x.head_hash FROM ledger.part x WHERE x.applied_seq > 0 RETURNING part, seq, head)
SELECT sha256(coalesce(string_agg(int4send(p.part) || int8send(p.seq) || p.head, ''::bytea ORDER BY p.part), ''::bytea))::bytea AS digest FROM p;

-- name: ClosingInsert :exec
INSERT INTO ledger.day_closings(day, transfers, tree_size, tree_root, breaks, accepted, report, checkpoint, signed_by, signed_at)
VALUES (sqlc.arg(day), sqlc.arg(transfers), sqlc.arg(tree_size), sqlc.arg(tree_root), sqlc.arg(breaks), nullif(sqlc.arg(accepted)::text, ''), sqlc.arg(report), sqlc.arg(checkpoint), sqlc.arg(signed_by), sqlc.arg(signed_at));

-- name: TransferGet :one
SELECT id, source, leg, debit, credit, currency, amount, order_id, day, effective_at, coalesce(reverses, 0)::bigint AS reverses, recorded_at FROM ledger.transfers WHERE id = sqlc.arg(id);

-- Where a transfer stands among those of its day, from 0.
-- name: TransferPlace :one
SELECT count(*)::bigint FROM ledger.transfers WHERE day = sqlc.arg(day) AND id < sqlc.arg(id);

-- What closed days differ in from what was kept of each of their transfers: rows that were changed, added or taken away since.
-- name: ClosedTransferBreaks :many
SELECT coalesce(t.id, 0)::bigint AS id, coalesce(t.day, '1970-01-01'::date)::date AS day, coalesce(t.n, m.n)::bigint AS leaf
  FROM (SELECT x.id, x.day, row_number() OVER (ORDER BY x.day, x.id) - 1 AS n, sha256('\x00'::bytea || ledger.transfer_leaf(x)) AS hash
          FROM ledger.transfers x WHERE x.day IN (SELECT c.day FROM ledger.day_closings c)) t
  FULL JOIN (SELECT g.n, h.hash FROM generate_series(0, (SELECT max(c.tree_size) FROM ledger.day_closings c) - 1) g(n)
               JOIN ledger.merkle_hashes h ON h.idx = 2 * g.n - bit_count(g.n::bit(64))) m ON m.n = t.n
 WHERE m.hash IS DISTINCT FROM t.hash ORDER BY 3 LIMIT sqlc.arg(count);

-- Balances of closed days that are not the sums of the day's transfers.
-- name: ClosedBalanceBreaks :many
SELECT coalesce(b.day, m.day)::date AS day, coalesce(b.account, m.account)::text AS account, coalesce(b.currency, m.currency)::text AS currency,
       coalesce(b.debits, 0)::bigint AS debits, coalesce(b.credits, 0)::bigint AS credits, coalesce(m.debits, 0)::bigint AS sum_debits, coalesce(m.credits, 0)::bigint AS sum_credits
  FROM (SELECT y.day, y.account, y.currency, y.debits, y.credits FROM ledger.account_day_balances y) b
  FULL JOIN (SELECT x.day, x.account, x.currency, sum(x.debit)::bigint AS debits, sum(x.credit)::bigint AS credits
               FROM (SELECT t.day, t.debit AS account, t.currency, t.amount AS debit, 0::bigint AS credit FROM ledger.transfers t
                     UNION ALL SELECT t.day, t.credit, t.currency, 0, t.amount FROM ledger.transfers t) x
              WHERE x.day IN (SELECT c.day FROM ledger.day_closings c) GROUP BY 1, 2, 3) m ON m.day = b.day AND m.account = b.account AND m.currency = b.currency
 WHERE (coalesce(b.debits, 0), coalesce(b.credits, 0)) IS DISTINCT FROM (coalesce(m.debits, 0), coalesce(m.credits, 0)) ORDER BY 1, 2, 3 LIMIT sqlc.arg(count);

-- Partitions whose chain is not the one that was signed at the last closing.
-- name: ClosedPartBreaks :many
SELECT p.day, p.part, p.seq FROM ledger.day_closing_parts p LEFT JOIN ledger.flush_batches f ON f.part = p.part AND f.seq = p.seq
 WHERE p.day = (SELECT max(c.day) FROM ledger.day_closings c) AND f.hash IS DISTINCT FROM p.head ORDER BY 2 LIMIT sqlc.arg(count);

-- Exports are streamed row by row, so their callers use these texts and not the generated methods. Everything is text, for nobody needs it as
-- anything else; times are in the session's zone, UTC. The columns are those of ledger/finance/export_kinds.go.
-- name: ExportTransfers :many
SELECT t.id::text, t.day::text, t.source, t.leg::text, t.debit, t.credit, t.currency, t.amount::text, t.order_id::text, t.effective_at::text, t.recorded_at::text, t.reverses::text
  FROM ledger.transfers t
 WHERE t.day BETWEEN sqlc.arg(first_day)::date AND sqlc.arg(last_day)::date
   AND (sqlc.arg(event)::int = 0 OR t.order_id IN (SELECT o.id FROM ledger.orders o WHERE o.event = sqlc.arg(event)::int))
 ORDER BY t.day, t.id;

-- name: ExportMovements :many
SELECT m.part::text, m.seq::text, m.row_no::text, e.slug, m.seat::text, s.label, m.seat_ver::text, m.kind::text, m.from_state::text, m.to_state::text, m.hold::text, m.order_id::text, m.attempt::text,
       e.currency, m.price::text, m.occurred_at::text, m.recorded_at::text
  FROM ledger.seat_movements m JOIN ledger.events e ON e.id = m.event LEFT JOIN ledger.seats s ON s.event = m.event AND s.seat = m.seat
 WHERE m.occurred_at >= sqlc.arg(first_day)::date AND m.occurred_at < sqlc.arg(last_day)::date + 1 AND (sqlc.arg(event)::int = 0 OR m.event = sqlc.arg(event)::int)
 ORDER BY m.part, m.seq, m.row_no;

-- name: ExportOrders :many
SELECT o.id::text, e.slug, n.name, o.attempt::text, o.buyer_ref, o.currency, o.total::text, coalesce(l.seats, 0)::text, coalesce(p.captured, 0)::text, coalesce(p.refunded, 0)::text,
       o.created_at::text, o.updated_at::text
  FROM ledger.orders o JOIN ledger.events e ON e.id = o.event JOIN ledger.order_states n ON n.state = o.state
  LEFT JOIN (SELECT x.order_id, count(*) AS seats FROM ledger.order_lines x GROUP BY 1) l ON l.order_id = o.id
  LEFT JOIN (SELECT y.order_id, sum(y.captured) AS captured, sum(y.refunded) AS refunded FROM ledger.payments y GROUP BY 1) p ON p.order_id = o.id
 WHERE o.created_at >= sqlc.arg(first_day)::date AND o.created_at < sqlc.arg(last_day)::date + 1 AND (sqlc.arg(event)::int = 0 OR o.event = sqlc.arg(event)::int)
 ORDER BY o.created_at, o.id;

-- name: ExportSettlement :many
SELECT s.provider, s.balance_txn, s.category, s.provider_ref, s.payout_ref, s.currency, s.gross::text, s.fee::text, s.net::text, s.occurred_at::text, f.name, s.line_no::text
  FROM ledger.settlement_lines s JOIN ledger.settlement_files f ON f.id = s.file
 WHERE s.occurred_at >= sqlc.arg(first_day)::date AND s.occurred_at < sqlc.arg(last_day)::date + 1 AND sqlc.arg(event)::int = 0
 ORDER BY s.occurred_at, s.provider, s.balance_txn;

-- Tables of the finance page. They are read as text, column by column; a column whose name ends in _minor is shown in major units of the row's currency, and what
-- is in the column detail is where a row leads to.
-- name: FinanceDays :many
SELECT d.day::text AS day, CASE WHEN d.closed_at IS NULL THEN 'open' WHEN c.day IS NULL THEN 'closed, not signed' ELSE 'signed' END AS state,
       coalesce(c.transfers, (SELECT count(*) FROM ledger.transfers t WHERE t.day = d.day))::text AS postings, coalesce(c.breaks::text, '') AS breaks, coalesce(c.accepted, '') AS accepted,
       coalesce(c.signed_by, '') AS signed_by, coalesce(c.signed_at::text, '') AS signed_at
  FROM ledger.business_days d LEFT JOIN ledger.day_closings c ON c.day = d.day ORDER BY d.day DESC LIMIT sqlc.arg(count);

-- name: FinanceTrialBalance :many
SELECT account, currency, debits::text AS debits_minor, credits::text AS credits_minor, balance::text AS balance_minor FROM ledger.v_trial_balance ORDER BY 1, 2 LIMIT sqlc.arg(count);

-- name: FinanceClearing :many
SELECT provider::text AS provider, currency, balance::text AS balance_minor, in_transit::text AS in_transit_minor, at_provider::text AS at_provider_minor, broken::text AS in_breaks_minor,
       unexplained::text AS unexplained_minor FROM ledger.v_clearing_accounts ORDER BY 1, 2 LIMIT sqlc.arg(count);

-- name: FinanceSettlementBreaks :many
SELECT replace(verdict, '_', ' ') AS verdict, provider::text AS provider, provider_ref::text AS payment, currency::text AS currency, coalesce(captured, 0)::text AS captured_minor, coalesce(settled, 0)::text AS settled_minor,
       refunded::text AS refunded_minor, settled_refunded::text AS settled_refunds_minor, disputed::text AS disputed_minor, settled_disputed::text AS settled_disputes_minor,
       'payment ' || provider || ' ' || provider_ref AS detail
  FROM ledger.v_settlement_breaks WHERE verdict NOT IN ('matched', 'in_transit') ORDER BY 1, 2, 3 LIMIT sqlc.arg(count);

-- name: FinanceOrderBreaks :many
SELECT replace(verdict, '_', ' ') AS verdict, event, order_id::text AS "order", state, currency, due::text AS due_minor, captured::text AS captured_minor, refunded::text AS refunded_minor,
       refunds_under_way::text AS on_its_way_minor, 'order ' || order_id AS detail
  FROM ledger.v_order_money WHERE verdict NOT IN ('ok', 'to_capture', 'under_way') ORDER BY 1, 2, 3 LIMIT sqlc.arg(count);

-- name: FinanceSeatBreaks :many
SELECT b.problem, e.slug AS event, coalesce(s.label, b.seat::text) AS seat, b.order_id::text AS "order", 'order ' || b.order_id AS detail
  FROM ledger.v_seat_order_breaks b JOIN ledger.events e ON e.id = b.event LEFT JOIN ledger.seats s ON s.event = b.event AND s.seat = b.seat ORDER BY 1, 2, 3 LIMIT sqlc.arg(count);

-- name: FinanceInvoiceBreaks :many
SELECT CASE problem WHEN 'missing' THEN 'numbers missing' WHEN 'counter' THEN 'counter put back' ELSE 'not what its lines say' END AS problem, series, number::text AS number, until::text AS until,
       coalesce(currency, '') AS currency, coalesce(net::text, '') AS net_minor, coalesce(tax::text, '') AS tax_minor, coalesce(lines_net::text, '') AS lines_net_minor,
       coalesce(lines_tax::text, '') AS lines_tax_minor, coalesce('order ' || order_id, 'series ' || series) AS detail
  FROM ledger.v_invoice_breaks v ORDER BY v.series, v.number, 1 LIMIT sqlc.arg(count);

-- name: FinanceInvoiceSeries :many
SELECT i.series, i.currency, (count(*) FILTER (WHERE i.refund IS NULL))::text AS invoices, (count(*) FILTER (WHERE i.refund IS NOT NULL))::text AS credit_notes,
       sum(CASE WHEN i.refund IS NULL THEN i.net ELSE -i.net END)::text AS net_minor, sum(CASE WHEN i.refund IS NULL THEN i.tax ELSE -i.tax END)::text AS tax_minor,
       max(i.number)::text AS last_number, 'series ' || i.series AS detail
  FROM ledger.invoices i GROUP BY i.series, i.currency ORDER BY 1, 2 LIMIT sqlc.arg(count);

-- What orders brought and what went back, over time; width in seconds.
-- name: FinanceSales :many
SELECT (floor(extract(epoch FROM t.effective_at) / sqlc.arg(width)::bigint) * sqlc.arg(width)::bigint)::bigint AS at, t.currency,
       coalesce(sum(t.amount) FILTER (WHERE t.debit = '1200' AND t.reverses IS NULL), 0)::bigint AS sold,
       coalesce(sum(t.amount) FILTER (WHERE t.credit = '2500' AND t.debit <> '2900'), 0)::bigint AS refunded
  FROM ledger.transfers t WHERE t.debit = '1200' OR t.credit = '2500' GROUP BY 1, 2 ORDER BY 1, 2;

-- name: FinanceSpan :one
SELECT coalesce(extract(epoch FROM max(effective_at) - min(effective_at)), 0)::bigint FROM ledger.transfers WHERE debit = '1200' OR credit = '2500';

-- name: PaymentOrder :one
SELECT p.order_id FROM ledger.payments p LEFT JOIN ledger.payment_names n ON n.payment = p.id AND n.provider = sqlc.arg(provider)
 WHERE p.provider = sqlc.arg(provider) AND (p.provider_ref = sqlc.arg(ref) OR n.name = sqlc.arg(ref)) LIMIT 1;

-- name: DetailOrder :many
SELECT o.id::text AS "order", e.slug AS event, n.name AS state, o.currency, o.total::text AS total_minor, o.buyer_ref AS buyer, o.created_at::text AS created_at, o.updated_at::text AS updated_at
  FROM ledger.orders o JOIN ledger.events e ON e.id = o.event JOIN ledger.order_states n ON n.state = o.state WHERE o.id = sqlc.arg(order_id);

-- name: DetailHistory :many
SELECT h.at::text AS at, a.name AS from_state, b.name AS to_state, h.event, h.attempt::text AS attempt, h.reason
  FROM ledger.order_events h JOIN ledger.order_states a ON a.state = h.from_state JOIN ledger.order_states b ON b.state = h.to_state WHERE h.order_id = sqlc.arg(order_id) ORDER BY h.ver;

-- name: DetailSeats :many
SELECT s.label AS seat, CASE s.state WHEN 0 THEN 'available' WHEN 1 THEN 'held' WHEN 2 THEN 'paying' ELSE 'sold' END AS now, (s.order_id = o.id)::text AS by_this_order, o.currency,
       l.face::text AS face_minor, l.fee::text AS fee_minor, l.tax::text AS tax_minor, coalesce(l.refund::text, '') AS ended_by,
       coalesce((SELECT string_agg(CASE WHEN t.voided_at IS NULL THEN 'valid' ELSE t.void_reason END, ', ' ORDER BY t.issued_at) FROM ledger.tickets t WHERE t.order_id = o.id AND t.seat = l.seat), '') AS tickets
  FROM ledger.orders o JOIN ledger.order_lines l ON l.order_id = o.id JOIN ledger.seats s ON s.event = o.event AND s.seat = l.seat WHERE o.id = sqlc.arg(order_id) ORDER BY l.seat;

-- name: DetailMovements :many
SELECT m.occurred_at::text AS at, s.label AS seat, m.seat_ver::text AS version,
       (ARRAY['hold', 'extend', 'pin', 'unpin', 'release', 'expire', 'sell', 'refund', 'grant out', 'grant in', 'order', 'note', 'leg', 'unleg'])[m.kind] AS kind, m.part::text AS partition, m.seq::text AS batch
  FROM ledger.orders o JOIN ledger.order_lines l ON l.order_id = o.id JOIN ledger.seat_movements m ON m.event = o.event AND m.seat = l.seat AND (m.order_id = o.id OR m.hold = o.hold)
  JOIN ledger.seats s ON s.event = o.event AND s.seat = l.seat WHERE o.id = sqlc.arg(order_id) ORDER BY m.occurred_at, m.seat, m.seat_ver LIMIT 200;

-- name: DetailPayments :many
SELECT p.provider, p.provider_ref AS payment, p.attempt::text AS attempt, p.state, p.placed::text AS pays_the_order, p.currency, p.amount::text AS amount_minor, p.captured::text AS captured_minor,
       p.refunded::text AS refunded_minor FROM ledger.payments p WHERE p.order_id = sqlc.arg(order_id) ORDER BY p.created_at;

-- name: DetailFacts :many
SELECT e.recorded_at::text AS told_at, e.kind, coalesce(e.currency, '') AS currency, coalesce(e.amount::text, '') AS amount_minor, coalesce(r.outcome, '') AS outcome, coalesce(r.detail, '') AS result, e.event_id AS id
  FROM ledger.payment_events e LEFT JOIN ledger.payment_event_results r ON r.provider = e.provider AND r.event_id = e.event_id
 WHERE e.provider = sqlc.arg(provider) AND e.provider_ref = sqlc.arg(ref) ORDER BY e.recorded_at;

-- name: DetailTransfers :many
SELECT t.id::text AS id, t.day::text AS day, t.debit, t.credit, t.currency, t.amount::text AS amount_minor, t.source, t.effective_at::text AS effective_at FROM ledger.transfers t
 WHERE t.order_id = sqlc.arg(order_id) ORDER BY t.id;

-- name: DetailOrphanTransfers :many
SELECT t.id::text AS id, t.day::text AS day, t.debit, t.credit, t.currency, t.amount::text AS amount_minor, t.source, t.effective_at::text AS effective_at FROM ledger.transfers t
 WHERE t.id IN (SELECT c.transfer FROM ledger.v_clearing c WHERE c.provider = sqlc.arg(provider)::text AND c.provider_ref = sqlc.arg(ref)::text) ORDER BY t.id;

-- name: DetailSettlement :many
SELECT s.occurred_at::text AS at, s.category, s.currency, s.gross::text AS gross_minor, s.fee::text AS fee_minor, s.net::text AS net_minor, s.balance_txn AS txn, coalesce(s.payout_ref, '') AS payout, f.name AS file, s.line_no::text AS line
  FROM ledger.settlement_lines s JOIN ledger.settlement_files f ON f.id = s.file
 WHERE s.provider = sqlc.arg(provider)::text AND (s.provider_ref = sqlc.arg(ref)::text
       OR s.provider_ref IN (SELECT n.name FROM ledger.payment_names n JOIN ledger.payments p ON p.id = n.payment WHERE p.provider = sqlc.arg(provider)::text AND p.provider_ref = sqlc.arg(ref)::text)) ORDER BY 1;

-- name: DetailInvoices :many
SELECT i.series, i.number::text AS number, replace(i.kind, '_', ' ') AS kind, i.at::text AS at, i.currency, i.net::text AS net_minor, i.tax::text AS tax_minor, coalesce(i.refund::text, '') AS for_refund
  FROM ledger.invoices i WHERE i.order_id = sqlc.arg(order_id) ORDER BY i.series, i.number;

-- The documents beside what is missing of a series, and its last ones.
-- name: DetailSeries :many
SELECT i.number::text AS number, replace(i.kind, '_', ' ') AS kind, i.at::text AS at, i.currency, i.net::text AS net_minor, i.tax::text AS tax_minor, 'order ' || i.order_id AS detail
  FROM ledger.invoices i WHERE i.series = sqlc.arg(series)::text
 ORDER BY EXISTS (SELECT 1 FROM ledger.v_invoice_breaks v WHERE v.series = i.series AND v.problem = 'missing' AND i.number IN (v.number - 1, v.until + 1)) DESC, i.number DESC
 LIMIT sqlc.arg(count);
