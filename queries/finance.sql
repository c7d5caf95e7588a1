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

-- Verdicts over all payments, with how many of each.
-- name: SettlementVerdicts :many
SELECT verdict::text AS verdict, count(*)::bigint AS n FROM ledger.v_settlement_breaks GROUP BY 1 ORDER BY 1;

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

-- name: ClearingAccounts :many
SELECT provider::text AS provider, currency, balance, in_transit, broken, at_provider, unexplained FROM ledger.v_clearing_accounts ORDER BY 1, 2;

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

-- name: Balances :many
SELECT account, currency, opening, debits, credits, closing FROM ledger.account_day_balances WHERE day = sqlc.arg(day) ORDER BY account, currency;

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
