-- +goose Up
-- The last of the first release, for it grants rights on all that the others make; a later migration grants those on its own tables.
-- Group roles with as few rights as their work needs; nobody logs in as one. docs/operate.md says how to make logins that have them. Roles belong to the
-- whole server: where another database of it has made them, they are there already. The owner of the schema is for migrations only.
-- +goose StatementBegin
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['ledger_stockd', 'ledger_checkout', 'ledger_finance', 'ledger_closer', 'ledger_audit'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL; -- another migration made it just now
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the role % is missing, and % may not make roles', r, current_user
                        USING HINT = 'Run as an administrator: CREATE ROLE ' || r || ' NOLOGIN; or give the migrating role CREATEROLE.';
            END;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd
REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO ledger_stockd, ledger_checkout, ledger_finance, ledger_closer, ledger_audit;

-- stockd: stock, rooms, and what is on sale. It sees no money, and posts none. What is put on sale with which seats is written once: the columns that
-- say so may not be changed.
GRANT SELECT ON ledger.charts, ledger.events, ledger.price_tiers, ledger.sections, ledger.catalog_version, ledger.sess, ledger.part, ledger.part_epochs, ledger.segments, ledger.seats,
    ledger.holds, ledger.quota, ledger.idempotency, ledger.grants, ledger.seat_movements, ledger.sales, ledger.flush_batches, ledger.flush_conflicts, ledger.waitlist, ledger.api_keys,
    ledger.audit_log, ledger.order_states, ledger.order_transitions, ledger.orders, ledger.order_lines, ledger.order_events, ledger.rooms, ledger.room_snapshots, ledger.room_batches,
    ledger.room_lobby, ledger.room_log TO ledger_stockd;
GRANT INSERT ON ledger.charts, ledger.events, ledger.price_tiers, ledger.sections, ledger.sess, ledger.part_epochs, ledger.segments, ledger.seats, ledger.holds, ledger.quota, ledger.idempotency,
    ledger.grants, ledger.seat_movements, ledger.sales, ledger.flush_batches, ledger.flush_conflicts, ledger.waitlist, ledger.audit_log, ledger.orders, ledger.order_lines, ledger.order_events,
    ledger.rooms, ledger.room_snapshots, ledger.room_batches, ledger.room_lobby, ledger.room_log TO ledger_stockd;
GRANT UPDATE ON ledger.catalog_version, ledger.sess, ledger.holds, ledger.idempotency, ledger.waitlist, ledger.rooms, ledger.room_snapshots TO ledger_stockd;
GRANT UPDATE (name, state, ver, opens_at, starts_at, venue, room, hold_ttl_s, max_hold_ttl_s, limit_tid, limit_account, limit_document) ON ledger.events TO ledger_stockd;
GRANT UPDATE (session, epoch, jumped, applied_seq, head_hash) ON ledger.part TO ledger_stockd;
GRANT UPDATE (capacity, held, paying, sold) ON ledger.segments TO ledger_stockd;
GRANT UPDATE (state, ver, type, hold, generation, order_id, attempt) ON ledger.seats TO ledger_stockd;
GRANT UPDATE (n) ON ledger.quota TO ledger_stockd;
GRANT UPDATE (taken_part, taken_seq) ON ledger.grants TO ledger_stockd;
GRANT UPDATE (ended_seq) ON ledger.sales TO ledger_stockd;
GRANT UPDATE (state, ver, updated_at) ON ledger.orders TO ledger_stockd;
GRANT DELETE ON ledger.idempotency, ledger.room_batches TO ledger_stockd;

-- checkout: orders, payments, tickets and postings; it reads the books for the finance page, and moves no seat. opened_at of a business day is there because a shared lock needs a right to change
-- something, and closed_at has to stay the closer's.
-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'v') LOOP
        IF t NOT IN ('api_keys', 'idempotency') THEN
            EXECUTE format('GRANT SELECT ON ledger.%I TO ledger_checkout', t);
        END IF;
        -- Those who keep and check the books read everything but keys, and the people behind the pseudonyms.
        IF t NOT IN ('api_keys', 'ticket_holders', 'payment_event_bodies') THEN
            EXECUTE format('GRANT SELECT ON ledger.%I TO ledger_finance, ledger_closer, ledger_audit', t);
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd
GRANT INSERT ON ledger.order_events, ledger.payments, ledger.payment_events, ledger.payment_event_results, ledger.payment_event_bodies, ledger.payment_names, ledger.refunds, ledger.disputes, ledger.late_payments,
    ledger.sandbox_payments, ledger.sandbox_refunds, ledger.tickets, ledger.checkins, ledger.ticket_holders, ledger.ticket_offers, ledger.ticket_transfers, ledger.ticket_rules, ledger.outbox, ledger.accounts, ledger.mass_refunds,
    ledger.transfers, ledger.audit_log TO ledger_checkout;
GRANT UPDATE ON ledger.payments, ledger.refunds, ledger.disputes, ledger.late_payments, ledger.sandbox_payments, ledger.sandbox_refunds, ledger.ticket_holders, ledger.ticket_offers, ledger.ticket_rules, ledger.mass_refunds, ledger.outbox TO ledger_checkout;
GRANT INSERT ON ledger.invoice_series, ledger.invoices TO ledger_checkout;
GRANT UPDATE (last, issuer) ON ledger.invoice_series TO ledger_checkout;
GRANT UPDATE (hold, state, ver, attempt, paying_until, ask_at, updated_at) ON ledger.orders TO ledger_checkout;
GRANT UPDATE (seat, refund) ON ledger.order_lines TO ledger_checkout;
GRANT UPDATE (order_id, attempt) ON ledger.holds TO ledger_checkout;
GRANT UPDATE (voided_at, void_reason) ON ledger.tickets TO ledger_checkout;
GRANT UPDATE (state, ver, starts_at, cancelled_at, refunds_until) ON ledger.events TO ledger_checkout;
GRANT UPDATE (opened_at) ON ledger.business_days TO ledger_checkout;

-- What is past its time, and what is erased. A lock on a row asks for the right to update something in it.
GRANT DELETE ON ledger.waitlist TO ledger_stockd;
GRANT DELETE ON ledger.payment_event_bodies, ledger.outbox TO ledger_checkout;
GRANT UPDATE (received_at) ON ledger.payment_event_bodies TO ledger_checkout;
GRANT UPDATE (client_ip, buyer_ref) ON ledger.orders TO ledger_checkout;
GRANT UPDATE (owner_ref) ON ledger.tickets TO ledger_checkout;

-- finance: imports settlements, recognises revenue and records payouts, by functions with the rights of their owner, and reads. closer: closes days, by such a function, and writes what it
-- signs. audit: reads.
REVOKE EXECUTE ON FUNCTION ledger.settlement_file, ledger.settlement_take, ledger.event_recognise, ledger.payout_record, ledger.close_open_day FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.settlement_file, ledger.settlement_take, ledger.event_recognise, ledger.payout_record TO ledger_finance;
GRANT EXECUTE ON FUNCTION ledger.close_open_day TO ledger_closer;
GRANT INSERT ON ledger.merkle_hashes, ledger.day_closings, ledger.account_day_balances, ledger.day_closing_parts TO ledger_closer;

-- +goose Down
GRANT EXECUTE ON FUNCTION ledger.settlement_file, ledger.settlement_take, ledger.event_recognise, ledger.payout_record, ledger.close_open_day TO PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM ledger_stockd, ledger_checkout, ledger_finance, ledger_closer, ledger_audit;
REVOKE ALL ON SCHEMA ledger FROM ledger_stockd, ledger_checkout, ledger_finance, ledger_closer, ledger_audit;
