-- +goose Up
-- How an event ends: cancelled (everybody gets their money back), postponed, or held, when its revenue becomes its organiser's and is paid out.
-- Lock order: the mass refund's row, orders by id, payments, the open business day, then the event's row.

-- One row for each event that was cancelled: who is owed what is found among its orders, so that whoever takes over goes on where another stopped.
CREATE TABLE ledger.mass_refunds (
    id          uuid PRIMARY KEY,
    event       int NOT NULL UNIQUE REFERENCES ledger.events,
    reason      text NOT NULL,
    actor       text NOT NULL,
    begun_at    timestamptz NOT NULL,
    finished_at timestamptz                                  -- nothing of the event is paid for, or may still be
);
ALTER TABLE ledger.events ADD CONSTRAINT events_cancelled_are_closed CHECK (cancelled_at IS NULL OR state = 'closed');
CREATE INDEX mass_refunds_open ON ledger.mass_refunds (begun_at) WHERE finished_at IS NULL;
CREATE INDEX orders_event ON ledger.orders (event, id);

-- What was paid out to an organiser, once it was theirs.
CREATE TABLE ledger.payouts (
    id        uuid PRIMARY KEY,
    organiser text NOT NULL,
    currency  text NOT NULL,
    amount    bigint NOT NULL CHECK (amount > 0),
    reference text NOT NULL CHECK (reference <> ''),         -- of the bank transfer
    actor     text NOT NULL,
    paid_at   timestamptz NOT NULL,
    UNIQUE (organiser, reference)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.payouts FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();

-- Cancels an event: it is closed for good, and its mass refund begins. Returns 0 cancelled, 1 cancelled before, -1 no such event, 2 its revenue was
-- recognised: it took place.
-- +goose StatementBegin
CREATE FUNCTION ledger.event_cancel(p_event int, p_mass uuid, p_reason text, p_actor text, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    e ledger.events;
BEGIN
    SELECT x.* INTO e FROM ledger.events x WHERE x.id = p_event FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF e.cancelled_at IS NOT NULL THEN RETURN 1; END IF;
    IF e.recognised_at IS NOT NULL THEN RETURN 2; END IF;
    UPDATE ledger.events SET state = 'closed', cancelled_at = p_now, ver = ver + 1 WHERE id = p_event;
    UPDATE ledger.catalog_version SET ver = ver + 1;
    INSERT INTO ledger.mass_refunds(id, event, reason, actor, begun_at) VALUES (p_mass, p_event, p_reason, p_actor, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Moves an event to another date. p_refunds_until: until when buyers may give their tickets back by themselves; null leaves it. Returns 0 moved,
-- 1 it had this date and this end, -1 no such event, 2 it was cancelled, 3 its revenue was recognised: it took place.
-- +goose StatementBegin
CREATE FUNCTION ledger.event_postpone(p_event int, p_starts_at timestamptz, p_refunds_until timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    e ledger.events;
BEGIN
    SELECT x.* INTO e FROM ledger.events x WHERE x.id = p_event FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF e.cancelled_at IS NOT NULL THEN RETURN 2; END IF;
    IF e.recognised_at IS NOT NULL THEN RETURN 3; END IF;
    IF e.starts_at = p_starts_at AND (p_refunds_until IS NULL OR e.refunds_until IS NOT DISTINCT FROM p_refunds_until) THEN RETURN 1; END IF;
    UPDATE ledger.events SET starts_at = p_starts_at, refunds_until = coalesce(p_refunds_until, refunds_until), ver = ver + 1 WHERE id = p_event;
    UPDATE ledger.catalog_version SET ver = ver + 1;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Decides the refunds of the next orders of a cancelled event, in order of id after p_after, and returns the last one's id. NULL: there are no more, or
-- somebody else is at it. What is refunded, and what can never be paid any more, stays so; so the mass refund has finished when no order of the event is
-- in another state, whatever was under way when it began.
-- +goose StatementBegin
CREATE FUNCTION ledger.mass_refund_step(p_mass uuid, p_after uuid, p_limit int, p_now timestamptz) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    m ledger.mass_refunds;
    v_ids uuid[];
    v_id uuid;
BEGIN
    SELECT x.* INTO m FROM ledger.mass_refunds x WHERE x.id = p_mass AND x.finished_at IS NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT array_agg(o.id ORDER BY o.id) INTO v_ids FROM (
        SELECT x.id FROM ledger.orders x WHERE x.event = m.event AND x.id > p_after AND x.state IN (3, 4, 7)
           AND EXISTS (SELECT 1 FROM ledger.order_lines l WHERE l.order_id = x.id AND l.refund IS NULL) ORDER BY x.id LIMIT p_limit) o;
    IF v_ids IS NULL THEN
        UPDATE ledger.mass_refunds SET finished_at = p_now WHERE id = p_mass
           AND NOT EXISTS (SELECT 1 FROM ledger.orders o WHERE o.event = m.event AND o.state NOT IN (5, 6, 8));
        RETURN NULL;
    END IF;
    PERFORM 1 FROM ledger.orders WHERE id = ANY (v_ids) ORDER BY id FOR NO KEY UPDATE;
    FOREACH v_id IN ARRAY v_ids LOOP
        PERFORM ledger.refund_decide(v_id, md5(p_mass::text || v_id::text)::uuid, p_mass, '{}', m.reason, 'cancelled', m.actor, p_mass, p_now);
    END LOOP;
    RETURN v_id;
END $$;
-- +goose StatementEnd

-- The event took place: what was earned with it is its organiser's, or the house's, and its fees are revenue. What comes in later, such as a payment that
-- was late, is recognised by the next call. Returns 0 posted, 1 there was nothing to post, -1 no such event, 2 it was cancelled, 3 it has not begun,
-- 4 it is still on sale: close it first. With the rights of the schema's owner, as payout_record: finance calls them, and posts nothing else.
-- +goose StatementBegin
CREATE FUNCTION ledger.event_recognise(p_event int, p_now timestamptz) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    e ledger.events;
    r record;
    v_day date := ledger.open_day();
    v_source text;
    v_n int := 0;
BEGIN
    SELECT x.* INTO e FROM ledger.events x WHERE x.id = p_event FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF e.cancelled_at IS NOT NULL THEN RETURN 2; END IF;
    IF e.starts_at > p_now THEN RETURN 3; END IF;
    IF e.state <> 'closed' THEN RETURN 4; END IF;
    UPDATE ledger.events SET recognised_at = coalesce(recognised_at, p_now), recognitions = recognitions + 1 WHERE id = p_event RETURNING recognitions INTO e.recognitions;
    v_source := 'event:' || p_event || ':' || e.recognitions;
    FOR r IN SELECT b.leg, b.account, b.into_account, a.currency, coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.credit = b.account AND t.currency = a.currency), 0)
                    - coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.debit = b.account AND t.currency = a.currency), 0) AS balance
               FROM (VALUES (1, '2400:' || p_event, coalesce('2200:' || e.organiser, '4000')), (2, '2410:' || p_event, '4100')) b(leg, account, into_account)
               JOIN ledger.accounts a ON a.account = b.account ORDER BY b.leg, a.currency LOOP
        CONTINUE WHEN r.balance <= 0;
        v_n := v_n + 1;
        PERFORM ledger.post(v_source, v_n::smallint, r.account, r.into_account, r.currency, r.balance::bigint, NULL, v_day, p_now);
    END LOOP;
    RETURN CASE WHEN v_n > 0 THEN 0 ELSE 1 END;
END $$;
-- +goose StatementEnd

-- What was recognised for an organiser, and what was paid out, is theirs by the difference. Never below what was paid out already.
CREATE VIEW ledger.v_organisers AS
SELECT substr(a.account, 6) AS organiser, a.currency,
       coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.credit = a.account AND t.currency = a.currency AND t.source LIKE 'event:%'), 0)::bigint AS recognised,
       coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.debit = a.account AND t.currency = a.currency AND t.source LIKE 'refund:%'), 0)::bigint AS refunded,
       coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.debit = a.account AND t.currency = a.currency AND t.source LIKE 'payout:%'), 0)::bigint AS paid_out,
       (coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.credit = a.account AND t.currency = a.currency), 0)
      - coalesce((SELECT sum(t.amount) FROM ledger.transfers t WHERE t.debit = a.account AND t.currency = a.currency), 0))::bigint AS owed
  FROM ledger.accounts a WHERE a.account LIKE '2200:%';
COMMENT ON VIEW ledger.v_organisers IS 'One row for each organiser and currency, in minor units: recognised when events took place, refunded since, paid out, and owed, which is the balance of 2200:‹organiser›.';

-- Records a payout to an organiser. Returns 0 recorded, 1 recorded before, 2 the reference was used for another one, 3 more than is owed.
-- +goose StatementBegin
CREATE FUNCTION ledger.payout_record(p_id uuid, p_organiser text, p_currency text, p_amount bigint, p_reference text, p_actor text, p_now timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    p ledger.payouts;
    v_day date := ledger.open_day();
BEGIN
    -- Payouts of an organiser wait for each other here.
    PERFORM 1 FROM ledger.accounts a WHERE a.account = '2200:' || p_organiser AND a.currency = p_currency FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 3; END IF;
    SELECT x.* INTO p FROM ledger.payouts x WHERE x.organiser = p_organiser AND x.reference = p_reference;
    IF FOUND THEN RETURN CASE WHEN (p.currency, p.amount) = (p_currency, p_amount) THEN 1 ELSE 2 END; END IF;
    IF (SELECT o.owed FROM ledger.v_organisers o WHERE o.organiser = p_organiser AND o.currency = p_currency) < p_amount THEN RETURN 3; END IF;
    INSERT INTO ledger.payouts(id, organiser, currency, amount, reference, actor, paid_at) VALUES (p_id, p_organiser, p_currency, p_amount, p_reference, p_actor, p_now);
    PERFORM ledger.post('payout:' || p_id, 1::smallint, '2200:' || p_organiser, '1000', p_currency, p_amount, NULL, v_day, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger.payout_record, ledger.event_recognise, ledger.mass_refund_step, ledger.event_postpone, ledger.event_cancel;
DROP VIEW ledger.v_organisers;
DROP TABLE ledger.payouts, ledger.mass_refunds;
DROP INDEX ledger.orders_event;
ALTER TABLE ledger.events DROP CONSTRAINT events_cancelled_are_closed;
