-- +goose Up
-- How what is to end is found. The keys of requests come in order of their end: a small index of blocks does, and costs a flush nothing to speak of.
CREATE INDEX idempotency_end ON ledger.idempotency USING brin (expires_at) WITH (autosummarize = on);
CREATE INDEX orders_client_address ON ledger.orders (created_at) WHERE client_ip IS NOT NULL;
CREATE INDEX outbox_told ON ledger.outbox (done_at) WHERE topic = 'sandbox-webhook';

-- +goose Down
DROP INDEX ledger.idempotency_end, ledger.orders_client_address, ledger.outbox_told;
