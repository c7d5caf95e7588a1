-- +goose Up
-- What belongs to payment providers beside the orders: the sandbox's refunds.

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
DROP FUNCTION ledger.sandbox_refund;
