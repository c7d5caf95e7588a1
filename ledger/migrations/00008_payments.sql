-- +goose Up
-- What belongs to payment providers beside the orders: what they sent, other names of payments, the sandbox's refunds.

-- Calls that were given up wait for people.
CREATE INDEX outbox_dead ON ledger.outbox (id) WHERE done_at IS NULL AND dead_at IS NOT NULL;

-- What providers sent, byte by byte, for people who must look into a payment. It holds personal data: payment_events has its hash, and lives on without it.
CREATE TABLE ledger.payment_event_bodies (
    provider    text NOT NULL,
    event_id    text NOT NULL,
    body        bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
);
CREATE INDEX payment_event_bodies_end ON ledger.payment_event_bodies (received_at);

-- Keeps the bodies of facts that have one. Returns nothing, zero bytes, so that it can stand in one expression with payment_take.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_bodies(e_provider text[], e_id text[], e_body bytea[], p_now timestamptz) RETURNS bytea LANGUAGE sql AS $$
    INSERT INTO ledger.payment_event_bodies(provider, event_id, body, received_at)
        SELECT b.provider, b.id, b.body, p_now FROM unnest(e_provider, e_id, e_body) b(provider, id, body) WHERE length(b.body) > 0
         ORDER BY b.provider, b.id ON CONFLICT DO NOTHING;
    SELECT ''::bytea
$$;
-- +goose StatementEnd

-- Names that a provider has for a payment beside the one under which it is kept: Stripe tells of a PaymentIntent where we know a Checkout Session.
CREATE TABLE ledger.payment_names (
    provider text NOT NULL,
    name     text NOT NULL,
    payment  uuid NOT NULL REFERENCES ledger.payments,
    PRIMARY KEY (provider, name)
);

-- The name under which a payment is kept, by any of its names or by its id; NULL: it is not ours. The names are kept.
-- +goose StatementBegin
CREATE FUNCTION ledger.payment_named(p_provider text, p_name text, p_also text, p_payment uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_payment uuid;
    v_ref text;
BEGIN
    SELECT id, provider_ref INTO v_payment, v_ref FROM ledger.payments WHERE provider = p_provider AND provider_ref = p_name;
    IF NOT FOUND THEN
        SELECT id, provider_ref INTO v_payment, v_ref FROM ledger.payments WHERE id = p_payment AND provider = p_provider;
    END IF;
    IF NOT FOUND THEN
        SELECT y.id, y.provider_ref INTO v_payment, v_ref FROM ledger.payment_names n JOIN ledger.payments y ON y.id = n.payment
         WHERE n.provider = p_provider AND n.name IN (p_name, p_also) LIMIT 1;
    END IF;
    IF NOT FOUND THEN RETURN NULL; END IF;
    INSERT INTO ledger.payment_names(provider, name, payment) SELECT p_provider, n, v_payment FROM unnest(ARRAY[p_name, p_also]) n
     WHERE n NOT IN ('', v_ref) ON CONFLICT DO NOTHING;
    RETURN v_ref;
END $$;
-- +goose StatementEnd

-- A refund at the sandbox: sent, or failed, as its page was told, with the message about it. One that failed may be asked for again. Returns 0 taken,
-- 1 sent before, 2 refused, 3 the payment has not so much captured money left, 4 no such payment.
-- +goose StatementBegin
CREATE FUNCTION ledger.sandbox_refund(p_ref text, p_id uuid, p_amount bigint, p_topic text, p_sent jsonb, p_failed jsonb, p_due timestamptz) RETURNS smallint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    y record;
    v_fails boolean;
    v_tries int;
BEGIN
    SELECT x.* INTO y FROM ledger.sandbox_payments x WHERE x.ref = p_ref FOR UPDATE;
    IF NOT FOUND THEN RETURN 4; END IF;
    IF EXISTS (SELECT 1 FROM ledger.sandbox_refunds r WHERE r.id = p_id AND r.state = 'sent') THEN RETURN 1; END IF;
    IF y.state <> 'captured' OR p_amount <= 0 OR p_amount > y.amount - y.refunded THEN RETURN 3; END IF;
    IF y.refunds = 'refuse' THEN RETURN 2; END IF;
    v_fails := y.refunds = 'fail';
    INSERT INTO ledger.sandbox_refunds AS r (id, ref, amount, state) VALUES (p_id, p_ref, p_amount, CASE WHEN v_fails THEN 'failed' ELSE 'sent' END)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, tries = r.tries + 1 RETURNING r.tries INTO v_tries;
    IF NOT v_fails THEN
        UPDATE ledger.sandbox_payments SET refunded = refunded + p_amount, state = CASE WHEN refunded + p_amount = amount THEN 'refunded' ELSE state END,
            updated_at = clock_timestamp() WHERE ref = p_ref;
    END IF;
    INSERT INTO ledger.outbox(dedup, topic, payload, due_at)
        VALUES (p_topic || ':refund:' || p_id || ':' || v_tries, p_topic, CASE WHEN v_fails THEN p_failed ELSE p_sent END, p_due) ON CONFLICT DO NOTHING;
    RETURN 0;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger.sandbox_refund, ledger.payment_named, ledger.payment_bodies;
DROP INDEX ledger.outbox_dead;
DROP TABLE ledger.payment_names, ledger.payment_event_bodies;
