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
