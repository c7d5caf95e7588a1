-- +goose Up
-- Orders, payments, tickets and money. The order row decides; seats can only follow.
-- States of an order: 1 pending_payment, 2 paying, 3 paid, 4 issued, 5 expired, 6 cancelled, 7 refunding, 8 refunded, 9 disputed, 10 stuck.

-- ------------------------------------------------------------------ the state machine, as data
CREATE TABLE ledger.order_states (
    state smallint PRIMARY KEY,
    name  text NOT NULL UNIQUE
);
INSERT INTO ledger.order_states VALUES (0, 'none'), (1, 'pending_payment'), (2, 'paying'), (3, 'paid'), (4, 'issued'), (5, 'expired'), (6, 'cancelled'),
    (7, 'refunding'), (8, 'refunded'), (9, 'disputed'), (10, 'stuck');

CREATE TABLE ledger.order_transitions (
    from_state smallint NOT NULL REFERENCES ledger.order_states,
    event      text NOT NULL,
    to_state   smallint NOT NULL REFERENCES ledger.order_states,
    PRIMARY KEY (from_state, event, to_state)
);
CREATE UNIQUE INDEX order_transitions_pair ON ledger.order_transitions (from_state, to_state, event);
INSERT INTO ledger.order_transitions(from_state, event, to_state) VALUES
    (0, 'open', 1),
    (1, 'pay_start', 2), (1, 'deadline', 5), (1, 'cancel', 6),
    (2, 'pay_ok', 3), (2, 'pay_fail', 1), (2, 'pay_fail', 5), (2, 'deadline', 3), (2, 'deadline', 5), (2, 'deadline', 10), (2, 'no_seats', 7),
    (3, 'capture_fail', 6), (3, 'cancel', 7), (3, 'issue', 4), (3, 'dispute', 9),
    (4, 'cancel', 7), (4, 'dispute', 9),
    (5, 'pay_ok', 2),
    (6, 'pay_ok', 2),
    (7, 'refund_ok', 8), (7, 'refund_ok', 4), (7, 'cancel', 7),
    (9, 'dispute_won', 3), (9, 'dispute_won', 4), (9, 'dispute_lost', 8),
    (10, 'pay_ok', 3), (10, 'pay_fail', 5), (10, 'deadline', 5);

CREATE TABLE ledger.orders (
    id           uuid PRIMARY KEY,
    event        int NOT NULL REFERENCES ledger.events,
    hold         uuid NOT NULL,
    state        smallint NOT NULL REFERENCES ledger.order_states,
    ver          int NOT NULL CHECK (ver > 0),
    attempt      int NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    buyer_ref    text NOT NULL,                              -- a pseudonym
    total        bigint NOT NULL CHECK (total >= 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    hold_until   timestamptz NOT NULL,                       -- for information: the hold's own deadline counts
    paying_until timestamptz,
    ask_at       timestamptz,                                -- while it is stuck: when its provider is asked again
    client_ip    inet,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (id, ver, state)
) WITH (fillfactor = 80);
-- A hold has one open order at most.
CREATE UNIQUE INDEX orders_one_open_per_hold ON ledger.orders (hold) WHERE state NOT IN (5, 6);
CREATE INDEX orders_paying ON ledger.orders (paying_until) WHERE state = 2;
CREATE INDEX orders_paid ON ledger.orders (updated_at) WHERE state = 3;

CREATE TABLE ledger.order_lines (
    order_id uuid NOT NULL,
    seat     bigint NOT NULL,
    type     smallint NOT NULL,
    face     bigint NOT NULL CHECK (face >= 0),
    fee      bigint NOT NULL CHECK (fee >= 0),
    tax      bigint NOT NULL CHECK (tax >= 0),
    refund   uuid,                                           -- null: the line is live; else the refund, or the dispute, that ended it
    PRIMARY KEY (order_id, seat)
);

-- The history. Each row refers to the one before it, so an illegal or forked history cannot be written; the order refers to its last row, so
-- the projection cannot drift.
CREATE TABLE ledger.order_events (
    order_id   uuid NOT NULL,
    ver        int NOT NULL CHECK (ver > 0),
    prev_ver   int,
    from_state smallint NOT NULL,
    to_state   smallint NOT NULL,
    event      text NOT NULL,
    attempt    int NOT NULL DEFAULT 0,
    reason     text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,
    PRIMARY KEY (order_id, ver),
    UNIQUE (order_id, ver, to_state),
    CHECK ((ver = 1) = (prev_ver IS NULL)),
    CHECK ((ver = 1) = (from_state = 0)),
    CHECK (prev_ver = ver - 1),
    FOREIGN KEY (order_id, prev_ver, from_state) REFERENCES ledger.order_events (order_id, ver, to_state),
    FOREIGN KEY (from_state, to_state, event) REFERENCES ledger.order_transitions (from_state, to_state, event)
);
ALTER TABLE ledger.orders ADD CONSTRAINT orders_last_event FOREIGN KEY (id, ver, state)
    REFERENCES ledger.order_events (order_id, ver, to_state) DEFERRABLE INITIALLY DEFERRED;

-- ------------------------------------------------------------------ payments
CREATE TABLE ledger.payments (
    id           uuid PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES ledger.orders,
    attempt      int NOT NULL CHECK (attempt > 0),
    provider     text NOT NULL,
    provider_ref text NOT NULL,
    pay_url      text NOT NULL,
    key          uuid NOT NULL,                              -- of the request that began it: a late copy of it finds this payment
    amount       bigint NOT NULL CHECK (amount >= 0),
    currency     text NOT NULL,
    -- created, authorized, captured, failed, voided, refunded
    state        text NOT NULL CHECK (state IN ('created', 'authorized', 'captured', 'failed', 'voided', 'refunded')),
    placed       boolean NOT NULL DEFAULT false,             -- this payment pays its order
    captured     bigint NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <= amount),
    refunded     bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (provider, provider_ref),
    UNIQUE (order_id, attempt, provider),
    CHECK (refunded <= captured)
);
CREATE UNIQUE INDEX payments_one_placed ON ledger.payments (order_id) WHERE placed;

-- What providers told, always accepted; append-only.
CREATE TABLE ledger.payment_events (
    provider       text NOT NULL,
    event_id       text NOT NULL,
    provider_ref   text NOT NULL,
    kind           text NOT NULL,
    amount         bigint,
    currency       text,
    provider_at    timestamptz,
    payload        jsonb,
    payload_sha256 bytea NOT NULL CHECK (length(payload_sha256) = 32),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, event_id)
);
CREATE TABLE ledger.payment_event_results (
    provider text NOT NULL,
    event_id text NOT NULL,
    outcome  text NOT NULL CHECK (outcome IN ('applied', 'ignored', 'orphan', 'conflict')),
    detail   text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, event_id),
    FOREIGN KEY (provider, event_id) REFERENCES ledger.payment_events
);

-- Money that goes back: for lines of an order (lines), or of a payment that pays nothing.
CREATE TABLE ledger.refunds (
    id          uuid PRIMARY KEY,
    payment     uuid NOT NULL REFERENCES ledger.payments,
    order_id    uuid NOT NULL REFERENCES ledger.orders,
    lines       boolean NOT NULL,
    amount      bigint NOT NULL CHECK (amount >= 0),
    currency    text NOT NULL,
    reason      text NOT NULL,
    actor       text NOT NULL DEFAULT '',                    -- who decided it: buyer, an API key's name, or the machine
    fingerprint uuid,                                        -- of the request that asked for it
    state       text NOT NULL CHECK (state IN ('decided', 'sent', 'failed')),
    key         uuid NOT NULL UNIQUE,                        -- the provider's idempotency key: the id, another one after each failure
    failures    int NOT NULL DEFAULT 0,
    mass        uuid,                                        -- the mass refund of an event that it belongs to
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX refunds_order ON ledger.refunds (order_id);
CREATE INDEX refunds_payment ON ledger.refunds (payment);
CREATE INDEX refunds_open ON ledger.refunds (updated_at) WHERE state <> 'sent';

-- The built-in provider's own books. A real provider keeps them elsewhere.
CREATE TABLE ledger.sandbox_payments (
    ref         text PRIMARY KEY,
    payment     uuid NOT NULL UNIQUE,
    order_id    uuid NOT NULL,
    amount      bigint NOT NULL,
    currency    text NOT NULL,
    return_url  text NOT NULL,
    webhook_url text NOT NULL,
    pay_by      timestamptz NOT NULL,                        -- until when the shop waits
    -- pending: the buyer has paid, and the bank takes its time
    state       text NOT NULL CHECK (state IN ('created', 'pending', 'authorized', 'captured', 'failed', 'voided', 'refunded')),
    refunded    bigint NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    refunds     text NOT NULL DEFAULT 'send' CHECK (refunds IN ('send', 'refuse', 'fail')), -- what becomes of the next one
    dispute     text NOT NULL DEFAULT '' CHECK (dispute IN ('', 'opened', 'won', 'lost')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE ledger.sandbox_refunds (
    id     uuid PRIMARY KEY,                                 -- the shop's: asking twice is one refund
    ref    text NOT NULL REFERENCES ledger.sandbox_payments,
    amount bigint NOT NULL CHECK (amount > 0),
    state  text NOT NULL CHECK (state IN ('sent', 'failed')),
    tries  int NOT NULL DEFAULT 1
);

-- ------------------------------------------------------------------ tickets
CREATE TABLE ledger.tickets (
    id        uuid PRIMARY KEY,
    order_id  uuid NOT NULL REFERENCES ledger.orders,
    event     int NOT NULL,
    seat      bigint NOT NULL,
    sold_ver  int NOT NULL,
    type      smallint NOT NULL,
    code      text NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    voided_at timestamptz,
    void_reason text CHECK (void_reason IN ('refunded', 'reissued', 'transferred', 'charged_back', 'cancelled')),
    CHECK ((voided_at IS NULL) = (void_reason IS NULL)),
    FOREIGN KEY (event, seat, sold_ver) REFERENCES ledger.sales
);
CREATE UNIQUE INDEX tickets_one_live_per_seat ON ledger.tickets (event, seat) WHERE voided_at IS NULL;
CREATE INDEX tickets_order ON ledger.tickets (order_id);

CREATE TABLE ledger.checkins (
    ticket uuid NOT NULL REFERENCES ledger.tickets,
    gate   text NOT NULL,
    at     timestamptz NOT NULL,
    PRIMARY KEY (ticket, gate, at)
);

-- ------------------------------------------------------------------ money: one row is one debit and one credit
CREATE TABLE ledger.accounts (
    account  text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    name     text NOT NULL,
    PRIMARY KEY (account, currency)
);

CREATE TABLE ledger.business_days (
    day       date PRIMARY KEY,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz
);
CREATE UNIQUE INDEX business_days_one_open ON ledger.business_days ((true)) WHERE closed_at IS NULL;
INSERT INTO ledger.business_days(day) VALUES ((clock_timestamp() AT TIME ZONE 'UTC')::date);

CREATE TABLE ledger.transfers (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL,                              -- the cause, see docs/finance.md
    leg          smallint NOT NULL,
    debit        text NOT NULL,
    credit       text NOT NULL,
    currency     text NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    order_id     uuid,
    day          date NOT NULL REFERENCES ledger.business_days,
    effective_at timestamptz NOT NULL,
    reverses     bigint UNIQUE REFERENCES ledger.transfers,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (source, leg),
    CHECK (debit <> credit),
    FOREIGN KEY (debit, currency) REFERENCES ledger.accounts (account, currency),
    FOREIGN KEY (credit, currency) REFERENCES ledger.accounts (account, currency)
);
CREATE INDEX transfers_order ON ledger.transfers (order_id) WHERE order_id IS NOT NULL;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.order_events FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.payment_events FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfers FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();

-- +goose Down
DROP TABLE ledger.transfers, ledger.business_days, ledger.accounts, ledger.checkins, ledger.tickets, ledger.sandbox_refunds, ledger.sandbox_payments, ledger.refunds,
    ledger.payment_event_results, ledger.payment_events, ledger.payments CASCADE;
ALTER TABLE ledger.orders DROP CONSTRAINT orders_last_event;
DROP TABLE ledger.order_events, ledger.order_lines, ledger.orders, ledger.order_transitions, ledger.order_states;
