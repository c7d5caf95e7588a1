-- +goose Up
-- Tickets after they were issued: names, reissues, transfers. A ticket never changes; it is voided, and another one is issued for the same line of the
-- same order, so that whatever ends the line finds the ticket that is live. Lock order: the order, then its tickets, then an offer.

-- What holds for the tickets of an event. Without a row: no names, three transfers, until the start.
CREATE TABLE ledger.ticket_rules (
    event         int PRIMARY KEY REFERENCES ledger.events,
    names         text NOT NULL CHECK (names IN ('none', 'optional', 'required')),
    name_changes  int NOT NULL CHECK (name_changes >= 0),    -- of each line, after the first name
    transfers     int NOT NULL CHECK (transfers >= 0),       -- of each line
    changes_end_s int NOT NULL CHECK (changes_end_s >= 0),   -- so long before the start no name changes and no ticket changes hands
    updated_at    timestamptz NOT NULL
);
CREATE FUNCTION ledger.ticket_rules_of(p_event int) RETURNS TABLE (names text, name_changes int, transfers int, ends_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT coalesce(r.names, 'none'), coalesce(r.name_changes, 3), coalesce(r.transfers, 3), e.starts_at - make_interval(secs => coalesce(r.changes_end_s, 0))
      FROM ledger.events e LEFT JOIN ledger.ticket_rules r ON r.event = e.id WHERE e.id = p_event
$$;

-- transferred: it belongs to who accepted it, and the order's bearer does not see it. owner_ref: a pseudonym of their account; empty where there is none.
ALTER TABLE ledger.tickets ADD COLUMN transferred boolean NOT NULL DEFAULT false, ADD COLUMN owner_ref text NOT NULL DEFAULT '';
CREATE INDEX tickets_voided ON ledger.tickets (event, voided_at, id) WHERE voided_at IS NOT NULL;

-- Whom a ticket is bound to. Personal data stand here and nowhere else; all three are taken away by erasure. The ticket's code has a hash over them, which
-- says nothing to anybody once the salt is gone.
CREATE TABLE ledger.ticket_holders (
    ticket    uuid PRIMARY KEY REFERENCES ledger.tickets,
    name      text CHECK (length(name) BETWEEN 1 AND 200),
    document  bytea CHECK (length(document) = 16),           -- a keyed hash; null: none was asked for
    salt      bytea CHECK (length(salt) = 16),
    set_at    timestamptz NOT NULL,
    erased_at timestamptz,
    CHECK ((name IS NULL) = (erased_at IS NOT NULL)),
    CHECK ((salt IS NULL) = (erased_at IS NOT NULL)),
    CHECK (erased_at IS NULL OR document IS NULL)
);
CREATE INDEX ticket_holders_document ON ledger.ticket_holders (document) WHERE document IS NOT NULL;

-- An offer of a ticket to whoever has the code, of which only the hash is kept.
CREATE TABLE ledger.ticket_offers (
    id          uuid PRIMARY KEY,
    ticket      uuid NOT NULL REFERENCES ledger.tickets,
    code_hash   bytea NOT NULL UNIQUE CHECK (length(code_hash) = 32),
    state       text NOT NULL CHECK (state IN ('open', 'accepted', 'cancelled')),
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    accepted_by uuid,                                        -- the request that accepted it: the same one again is answered again
    CHECK ((state = 'open') = (ended_at IS NULL)),
    CHECK ((state = 'accepted') = (accepted_by IS NOT NULL))
);
CREATE UNIQUE INDEX ticket_offers_one_open ON ledger.ticket_offers (ticket) WHERE state = 'open';

-- Every ticket that took the place of another. Append-only.
CREATE TABLE ledger.ticket_transfers (
    to_ticket   uuid PRIMARY KEY REFERENCES ledger.tickets,
    from_ticket uuid NOT NULL UNIQUE REFERENCES ledger.tickets,
    order_id    uuid NOT NULL,
    seat        bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('named', 'renamed', 'transferred')),
    offer       uuid UNIQUE REFERENCES ledger.ticket_offers,
    from_ref    text NOT NULL,
    to_ref      text NOT NULL,
    fingerprint uuid NOT NULL,                               -- of the request
    at          timestamptz NOT NULL,
    CHECK ((kind = 'transferred') = (offer IS NOT NULL))
);
CREATE INDEX ticket_transfers_line ON ledger.ticket_transfers (order_id, seat);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.ticket_transfers FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();

-- Locks a ticket's order and says whether the ticket may change now: 0 yes, -1 there is none, 2 it is void, 3 its order is under dispute, or ended.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_lock(p_ticket uuid) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_state smallint;
BEGIN
    SELECT o.state INTO v_state FROM ledger.orders o WHERE o.id = (SELECT t.order_id FROM ledger.tickets t WHERE t.id = p_ticket) FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF EXISTS (SELECT 1 FROM ledger.tickets t WHERE t.id = p_ticket AND t.voided_at IS NOT NULL) THEN RETURN 2; END IF;
    RETURN CASE WHEN v_state IN (4, 7) THEN 0 ELSE 3 END; -- refunding: another part of it
END $$;
-- +goose StatementEnd

-- Voids a ticket and issues another one in its place. An offer of the old one ends.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_replace(p_ticket uuid, p_new uuid, p_code text, p_kind text, p_offer uuid, p_owner text, p_fingerprint uuid, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t ledger.tickets;
BEGIN
    UPDATE ledger.tickets x SET voided_at = p_now, void_reason = CASE WHEN p_kind = 'transferred' THEN 'transferred' ELSE 'reissued' END WHERE x.id = p_ticket RETURNING x.* INTO t;
    UPDATE ledger.ticket_offers SET state = 'cancelled', ended_at = p_now WHERE ticket = p_ticket AND state = 'open';
    INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code, issued_at, transferred, owner_ref)
        VALUES (p_new, t.order_id, t.event, t.seat, t.sold_ver, t.type, p_code, p_now, t.transferred OR p_kind = 'transferred',
                CASE WHEN p_kind = 'transferred' THEN p_owner ELSE t.owner_ref END);
    INSERT INTO ledger.ticket_transfers(to_ticket, from_ticket, order_id, seat, kind, offer, from_ref, to_ref, fingerprint, at)
        VALUES (p_new, p_ticket, t.order_id, t.seat, p_kind, p_offer, t.owner_ref, CASE WHEN p_kind = 'transferred' THEN p_owner ELSE t.owner_ref END, p_fingerprint, p_now);
END $$;
-- +goose StatementEnd

-- Binds a ticket to somebody. p_new and p_code are the ticket that takes its place. p_force leaves out deadline and limits. Returns 0 done, 1 done before
-- under this id, 8 the ticket is this person's already, -1, 2, 3 as ticket_lock, 4 the event's tickets have no names, 5 too late, 6 changed too often,
-- 7 the id was used for another wish, 9 the document has as many tickets as it may.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_name(p_ticket uuid, p_new uuid, p_code text, p_name text, p_document bytea, p_salt bytea, p_document_max int, p_force boolean, p_fingerprint uuid,
    p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_lock int := ledger.ticket_lock(p_ticket);
    t record;
    r record;
    h record;
    v_named boolean;
    v_before uuid;
BEGIN
    SELECT x.fingerprint INTO v_before FROM ledger.ticket_transfers x WHERE x.to_ticket = p_new;
    IF FOUND THEN RETURN CASE WHEN v_before = p_fingerprint THEN 1 ELSE 7 END; END IF;
    IF v_lock <> 0 THEN RETURN v_lock; END IF;
    SELECT x.* INTO t FROM ledger.tickets x WHERE x.id = p_ticket;
    SELECT x.* INTO r FROM ledger.ticket_rules_of(t.event) x;
    IF r.names = 'none' THEN RETURN 4; END IF;
    SELECT x.name, x.document, x.erased_at INTO h FROM ledger.ticket_holders x WHERE x.ticket = p_ticket;
    v_named := FOUND; -- also when it was erased since
    IF h.name = p_name AND h.document IS NOT DISTINCT FROM p_document THEN RETURN 8; END IF;
    IF NOT p_force THEN
        IF p_now > r.ends_at THEN RETURN 5; END IF;
        IF v_named AND (SELECT count(*) FROM ledger.ticket_transfers x WHERE x.order_id = t.order_id AND x.seat = t.seat AND x.kind = 'renamed') >= r.name_changes THEN RETURN 6; END IF;
    END IF;
    IF p_document_max > 0 AND p_document IS NOT NULL THEN
        -- Two tickets for one document at once are counted one after the other.
        PERFORM pg_advisory_xact_lock(('x' || encode(substr(p_document, 1, 8), 'hex'))::bit(64)::bigint);
        IF (SELECT count(*) FROM ledger.ticket_holders x JOIN ledger.tickets y ON y.id = x.ticket
             WHERE x.document = p_document AND y.event = t.event AND y.voided_at IS NULL AND y.id <> p_ticket) >= p_document_max THEN RETURN 9; END IF;
    END IF;
    PERFORM ledger.ticket_replace(p_ticket, p_new, p_code, CASE WHEN v_named THEN 'renamed' ELSE 'named' END, NULL, '', p_fingerprint, p_now);
    INSERT INTO ledger.ticket_holders(ticket, name, document, salt, set_at) VALUES (p_new, p_name, p_document, p_salt, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Offers a ticket to whoever has the code. Returns 0 done, 1 done before under this id, -1, 2, 3 as ticket_lock, 5 too late, 6 changed hands too often,
-- 7 the id was used for another ticket, 10 another offer is open.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_offer(p_ticket uuid, p_offer uuid, p_code_hash bytea, p_expires timestamptz, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_lock int := ledger.ticket_lock(p_ticket);
    t record;
    r record;
    v_ticket uuid;
BEGIN
    SELECT x.ticket INTO v_ticket FROM ledger.ticket_offers x WHERE x.id = p_offer;
    IF FOUND THEN RETURN CASE WHEN v_ticket = p_ticket THEN 1 ELSE 7 END; END IF;
    IF v_lock <> 0 THEN RETURN v_lock; END IF;
    SELECT x.* INTO t FROM ledger.tickets x WHERE x.id = p_ticket;
    SELECT x.* INTO r FROM ledger.ticket_rules_of(t.event) x;
    IF p_now > r.ends_at THEN RETURN 5; END IF;
    IF (SELECT count(*) FROM ledger.ticket_transfers x WHERE x.order_id = t.order_id AND x.seat = t.seat AND x.kind = 'transferred') >= r.transfers THEN RETURN 6; END IF;
    UPDATE ledger.ticket_offers SET state = 'cancelled', ended_at = p_now WHERE ticket = p_ticket AND state = 'open' AND expires_at <= p_now;
    IF EXISTS (SELECT 1 FROM ledger.ticket_offers x WHERE x.ticket = p_ticket AND x.state = 'open') THEN RETURN 10; END IF;
    INSERT INTO ledger.ticket_offers(id, ticket, code_hash, state, expires_at, created_at) VALUES (p_offer, p_ticket, p_code_hash, 'open', least(p_expires, r.ends_at), p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Takes an offer back. Returns 0 done, 1 it had ended before, -1 there is none of this ticket, 11 it was accepted.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_offer_cancel(p_ticket uuid, p_offer uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_state text;
BEGIN
    PERFORM ledger.ticket_lock(p_ticket);
    SELECT x.state INTO v_state FROM ledger.ticket_offers x WHERE x.id = p_offer AND x.ticket = p_ticket FOR UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF v_state = 'accepted' THEN RETURN 11; END IF;
    IF v_state = 'cancelled' THEN RETURN 1; END IF;
    UPDATE ledger.ticket_offers SET state = 'cancelled', ended_at = p_now WHERE id = p_offer;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Accepts an offer: the ticket is void and its successor is the recipient's. p_request names who accepts and by which request. Returns 0 done, 1 done
-- before by this request, -1 there is no such offer, 2, 3 as ticket_lock, 5 too late, 11 it was accepted by another request, 12 it has ended.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_accept(p_offer uuid, p_new uuid, p_code text, p_owner text, p_request uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_lock int;
    f ledger.ticket_offers;
BEGIN
    v_lock := ledger.ticket_lock((SELECT x.ticket FROM ledger.ticket_offers x WHERE x.id = p_offer));
    SELECT x.* INTO f FROM ledger.ticket_offers x WHERE x.id = p_offer FOR UPDATE;
    IF NOT FOUND THEN RETURN -1; END IF;
    IF f.state = 'accepted' THEN RETURN CASE WHEN f.accepted_by = p_request THEN 1 ELSE 11 END; END IF;
    IF f.state = 'cancelled' OR f.expires_at <= p_now THEN RETURN 12; END IF;
    IF v_lock <> 0 THEN RETURN v_lock; END IF;
    UPDATE ledger.ticket_offers SET state = 'accepted', ended_at = p_now, accepted_by = p_request WHERE id = p_offer;
    PERFORM ledger.ticket_replace(f.ticket, p_new, p_code, 'transferred', p_offer, p_owner, p_request, p_now);
    RETURN 0;
END $$;
-- +goose StatementEnd

-- Erases whom an order's tickets are, or were, bound to; those that changed hands are their new owner's, and stay. Returns how many it erased.
-- +goose StatementBegin
CREATE FUNCTION ledger.holders_erase(p_order uuid, p_now timestamptz) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (
        UPDATE ledger.ticket_holders h SET name = NULL, document = NULL, salt = NULL, erased_at = p_now
          FROM ledger.tickets t WHERE t.id = h.ticket AND t.order_id = p_order AND NOT t.transferred AND h.erased_at IS NULL RETURNING 1)
    SELECT count(*) FROM gone
$$;
-- +goose StatementEnd

-- A ticket, those that it took the place of, and those that took its place, as far as they are the same owner's.
-- +goose StatementBegin
CREATE FUNCTION ledger.ticket_chain(p_ticket uuid) RETURNS TABLE (ticket uuid) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain(ticket) AS (
        SELECT p_ticket
        UNION
        SELECT CASE WHEN x.to_ticket = c.ticket THEN x.from_ticket ELSE x.to_ticket END
          FROM chain c JOIN ledger.ticket_transfers x ON (x.to_ticket = c.ticket OR x.from_ticket = c.ticket) AND x.kind <> 'transferred')
    SELECT c.ticket FROM chain c
$$;
-- +goose StatementEnd

-- Erases whom the tickets of such a chain are, or were, bound to. Returns how many it erased.
-- +goose StatementBegin
CREATE FUNCTION ledger.holder_erase(p_ticket uuid, p_now timestamptz) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (
        UPDATE ledger.ticket_holders h SET name = NULL, document = NULL, salt = NULL, erased_at = p_now
          FROM ledger.ticket_chain(p_ticket) c WHERE h.ticket = c.ticket AND h.erased_at IS NULL RETURNING 1)
    SELECT count(*) FROM gone
$$;
-- +goose StatementEnd

-- Erases whom the tickets of events that began before a time were bound to, some at a time.
-- +goose StatementBegin
CREATE FUNCTION ledger.holders_expire(p_before timestamptz, p_count int, p_now timestamptz) RETURNS bigint LANGUAGE sql AS $$
    WITH old AS (
        SELECT h.ticket FROM ledger.ticket_holders h JOIN ledger.tickets t ON t.id = h.ticket JOIN ledger.events e ON e.id = t.event
         WHERE h.erased_at IS NULL AND e.starts_at < p_before LIMIT p_count FOR UPDATE OF h SKIP LOCKED),
    gone AS (
        UPDATE ledger.ticket_holders h SET name = NULL, document = NULL, salt = NULL, erased_at = p_now FROM old o WHERE h.ticket = o.ticket RETURNING 1)
    SELECT count(*) FROM gone
$$;
-- +goose StatementEnd

-- ------------------------------------------------------------------ at the gate
-- A scan is its ticket, gate and time. Those that are told at once have the ledger's order; those of a gate without a network come later, with the gate's
-- own time. Append-only.
ALTER TABLE ledger.checkins ADD COLUMN offline boolean NOT NULL, ADD COLUMN again boolean NOT NULL, ADD COLUMN api_key uuid NOT NULL, ADD COLUMN request uuid UNIQUE,
    ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkins FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();

-- ------------------------------------------------------------------ invoices
-- A series of numbers without a gap: one for each organiser, house for those who have none. issuer is what stands at the top of a document.
CREATE TABLE ledger.invoice_series (
    series text PRIMARY KEY CHECK (series ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    issuer text NOT NULL DEFAULT '',
    last   bigint NOT NULL DEFAULT 0 CHECK (last >= 0)
);

-- An invoice for each order whose tickets were issued, a credit note for each refund of its lines. Append-only: what a document says never changes.
CREATE TABLE ledger.invoices (
    series   text NOT NULL REFERENCES ledger.invoice_series,
    number   bigint NOT NULL CHECK (number > 0),
    kind     text NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
    order_id uuid NOT NULL REFERENCES ledger.orders,
    refund   uuid,                                           -- of a credit note; it names its lines
    currency text NOT NULL,
    net      bigint NOT NULL CHECK (net >= 0),
    tax      bigint NOT NULL CHECK (tax >= 0),
    issuer   text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (series, number),
    CHECK ((kind = 'credit_note') = (refund IS NOT NULL))
);
CREATE UNIQUE INDEX invoices_one_per_order ON ledger.invoices (order_id) WHERE refund IS NULL;
CREATE INDEX invoices_order ON ledger.invoices (order_id); -- the other two find only those that they are about
CREATE UNIQUE INDEX invoices_one_per_refund ON ledger.invoices (order_id, refund) WHERE refund IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.invoices FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();

-- Makes the documents that an order lacks, each with the next number of its series, and says how many. The series is locked until the commit: a number
-- that was taken and not used would be a gap. Before its tickets were issued an order has none.
-- +goose StatementBegin
CREATE FUNCTION ledger.invoices_make(p_order uuid, p_now timestamptz) RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o record;
    v_series text;
    v_issuer text;
    v_number bigint;
    v_made int := 0;
    r record;
BEGIN
    SELECT x.id, x.event, x.currency INTO o FROM ledger.orders x WHERE x.id = p_order FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM ledger.tickets t WHERE t.order_id = p_order) THEN RETURN 0; END IF;
    FOR r IN SELECT NULL::uuid AS refund, 'invoice' AS kind, sum(l.face + l.fee)::bigint AS net, sum(l.tax)::bigint AS tax FROM ledger.order_lines l WHERE l.order_id = p_order
             UNION ALL
             (SELECT l.refund, 'credit_note', sum(l.face + l.fee)::bigint, sum(l.tax)::bigint FROM ledger.order_lines l JOIN ledger.refunds f ON f.id = l.refund
               WHERE l.order_id = p_order GROUP BY l.refund, f.created_at ORDER BY f.created_at, l.refund) LOOP
        CONTINUE WHEN EXISTS (SELECT 1 FROM ledger.invoices i WHERE i.order_id = p_order AND i.refund IS NOT DISTINCT FROM r.refund);
        SELECT coalesce(e.organiser, 'house') INTO v_series FROM ledger.events e WHERE e.id = o.event;
        INSERT INTO ledger.invoice_series(series) VALUES (v_series) ON CONFLICT DO NOTHING;
        UPDATE ledger.invoice_series SET last = last + 1 WHERE series = v_series RETURNING last, issuer INTO v_number, v_issuer;
        INSERT INTO ledger.invoices(series, number, kind, order_id, refund, currency, net, tax, issuer, at)
            VALUES (v_series, v_number, r.kind, p_order, r.refund, o.currency, r.net, r.tax, v_issuer, p_now);
        v_made := v_made + 1;
    END LOOP;
    RETURN v_made;
END $$;
-- +goose StatementEnd

-- Makes the documents of at most a number of orders that lack one, after an order in order of id, and says how many it made and which order was the last; the
-- last is all zeros when none is left. One does it at a time: another waits, or is told -1. Orders that somebody works on are left out, for who holds the
-- series must wait for no order.
-- +goose StatementBegin
CREATE FUNCTION ledger.invoices_due(p_after uuid, p_count int, p_wait boolean, p_now timestamptz) RETURNS TABLE (made int, last_order uuid) LANGUAGE plpgsql AS $$
DECLARE
    c_lock constant bigint := hashtextextended('ticketrush/invoices', 0);
    v_ids uuid[];
    v_id uuid;
BEGIN
    made := 0;
    last_order := '00000000-0000-0000-0000-000000000000';
    IF p_wait THEN
        PERFORM pg_advisory_xact_lock(c_lock);
    ELSIF NOT pg_try_advisory_xact_lock(c_lock) THEN
        made := -1;
        RETURN NEXT;
        RETURN;
    END IF;
    v_ids := ARRAY(
        SELECT x.order_id FROM ( -- each part in order of an index, as far as is asked for; OFFSET 0 keeps plans made on an empty table from becoming joins
            (SELECT DISTINCT t.order_id FROM ledger.tickets t WHERE t.order_id > p_after AND NOT EXISTS (SELECT 1 FROM ledger.invoices i WHERE i.order_id = t.order_id AND i.refund IS NULL OFFSET 0)
              ORDER BY 1 LIMIT p_count)
            UNION
            (SELECT DISTINCT f.order_id FROM ledger.refunds f WHERE f.order_id > p_after AND f.lines AND EXISTS (SELECT 1 FROM ledger.tickets t WHERE t.order_id = f.order_id OFFSET 0)
                AND NOT EXISTS (SELECT 1 FROM ledger.invoices i WHERE i.order_id = f.order_id AND i.refund = f.id OFFSET 0) ORDER BY 1 LIMIT p_count)) x
         ORDER BY 1 LIMIT p_count);
    FOR v_id IN SELECT o.id FROM ledger.orders o WHERE o.id = ANY (v_ids) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED LOOP
        made := made + ledger.invoices_make(v_id, p_now);
    END LOOP;
    IF cardinality(v_ids) > 0 THEN last_order := v_ids[cardinality(v_ids)]; END IF;
    RETURN NEXT;
END $$;
-- +goose StatementEnd

-- Numbers that are missing, counters that are not at their last number, and documents that do not say what their order's lines say. It is empty.
CREATE VIEW ledger.v_invoice_breaks AS
SELECT 'missing' AS problem, g.series, g.before + 1 AS number, g.number - 1 AS until, NULL::uuid AS order_id, NULL::int AS event, NULL::text AS currency, NULL::bigint AS net, NULL::bigint AS tax,
       NULL::bigint AS lines_net, NULL::bigint AS lines_tax
  FROM (SELECT n.series, n.number, lag(n.number, 1, 0::bigint) OVER (PARTITION BY n.series ORDER BY n.number) AS before
          FROM (SELECT i.series, i.number FROM ledger.invoices i UNION ALL SELECT s.series, s.last + 1 FROM ledger.invoice_series s) n) g
 WHERE g.number > g.before + 1
UNION ALL
SELECT 'counter', s.series, s.last, max(i.number), NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM ledger.invoice_series s JOIN ledger.invoices i ON i.series = s.series GROUP BY s.series, s.last HAVING max(i.number) > s.last
UNION ALL
SELECT 'amounts', i.series, i.number, i.number, i.order_id, o.event, i.currency, i.net, i.tax, coalesce(sum(l.face + l.fee), 0)::bigint, coalesce(sum(l.tax), 0)::bigint
  FROM ledger.invoices i JOIN ledger.orders o ON o.id = i.order_id
  LEFT JOIN ledger.order_lines l ON l.order_id = i.order_id AND (i.refund IS NULL OR l.refund = i.refund)
 GROUP BY i.series, i.number, o.event, o.currency
HAVING i.net <> coalesce(sum(l.face + l.fee), 0) OR i.tax <> coalesce(sum(l.tax), 0) OR i.currency <> o.currency;
COMMENT ON VIEW ledger.v_invoice_breaks IS 'Invoice numbers that are missing, and documents that do not say what their order''s lines say. It is empty.';

-- +goose Down
DROP VIEW ledger.v_invoice_breaks;
DROP FUNCTION ledger.invoices_due, ledger.invoices_make;
DROP TABLE ledger.invoices, ledger.invoice_series;
DROP TRIGGER append_only ON ledger.checkins;
ALTER TABLE ledger.checkins DROP COLUMN offline, DROP COLUMN again, DROP COLUMN api_key, DROP COLUMN request, DROP COLUMN recorded_at;
DROP FUNCTION ledger.holders_expire, ledger.holder_erase, ledger.ticket_chain, ledger.holders_erase, ledger.ticket_accept, ledger.ticket_offer_cancel, ledger.ticket_offer, ledger.ticket_name,
    ledger.ticket_replace, ledger.ticket_lock, ledger.ticket_rules_of;
DROP TABLE ledger.ticket_transfers, ledger.ticket_offers, ledger.ticket_holders, ledger.ticket_rules;
DROP INDEX ledger.tickets_voided;
ALTER TABLE ledger.tickets DROP COLUMN transferred, DROP COLUMN owner_ref;
