-- +goose Up
-- The schema of stock: what is on sale, who owns it, who holds it, and the journal of every movement.
-- States of a seat: 0 available, 1 held, 2 paying, 3 sold. Kinds of a movement: 1 hold, 2 extend, 3 pin, 4 unpin, 5 release, 6 expire,
-- 7 sell, 8 refund, 9 grant_out, 10 grant_in, 13 leg, 14 unleg; 11 order and 12 note move no seat and stand in flush_batches only.
CREATE SCHEMA IF NOT EXISTS ledger;

-- ------------------------------------------------------------------ what is on sale
CREATE TABLE ledger.charts (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid        uuid NOT NULL UNIQUE,
    name       text NOT NULL,
    digest     bytea NOT NULL CHECK (length(digest) = 32),   -- sha256 of body
    body       bytea NOT NULL,                               -- ticketrush-chart/1, as it was imported
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ledger.events (
    id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid            uuid NOT NULL UNIQUE,
    slug           text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name           text NOT NULL,
    chart          int NOT NULL REFERENCES ledger.charts,
    state          text NOT NULL CHECK (state IN ('draft', 'on_sale', 'paused', 'closed')),
    ver            int NOT NULL DEFAULT 1,
    opens_at       timestamptz,                              -- null: on sale as soon as the state says so
    starts_at      timestamptz NOT NULL,
    venue          text NOT NULL DEFAULT '',
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    room           text NOT NULL DEFAULT '',                 -- the waiting room whose pass a hold needs; empty: none
    hold_ttl_s     int NOT NULL CHECK (hold_ttl_s BETWEEN 5 AND 86400),
    max_hold_ttl_s int NOT NULL CHECK (max_hold_ttl_s >= hold_ttl_s),
    limit_tid      int NOT NULL CHECK (limit_tid >= 0),      -- 0: no limit
    limit_account  int NOT NULL CHECK (limit_account >= 0),
    limit_document int NOT NULL CHECK (limit_document >= 0),
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ledger.price_tiers (
    event         int NOT NULL REFERENCES ledger.events,
    category      smallint NOT NULL,
    type          smallint NOT NULL,
    category_name text NOT NULL,
    type_name     text NOT NULL,
    face          bigint NOT NULL CHECK (face >= 0),
    fee           bigint NOT NULL CHECK (fee >= 0),
    tax           bigint NOT NULL CHECK (tax >= 0),
    PRIMARY KEY (event, category, type)
);

CREATE TABLE ledger.sections (
    event   int NOT NULL REFERENCES ledger.events,
    section text NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (event, section)
);

-- One row, bumped with each change of what is on sale, so that nodes can poll one number.
CREATE TABLE ledger.catalog_version (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    ver  bigint NOT NULL
);
INSERT INTO ledger.catalog_version(ver) VALUES (1);

-- ------------------------------------------------------------------ who owns what
CREATE TABLE ledger.sess (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node          text NOT NULL,
    api_addr      text NOT NULL,
    internal_addr text NOT NULL,
    expires_at    timestamptz NOT NULL,
    dead          boolean NOT NULL DEFAULT false,
    opened_at     timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- Which server this is, and how often one was made the primary, or restored to an earlier time: then what memory has may not be in the ledger.
CREATE FUNCTION ledger.server_identity() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT c.system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system() c
$$;
CREATE INDEX sess_live ON ledger.sess (node) WHERE NOT dead;

CREATE TABLE ledger.part (
    part        int PRIMARY KEY CHECK (part BETWEEN 0 AND 4095),
    session     bigint NOT NULL DEFAULT 0,                   -- 0: nobody
    epoch       bigint NOT NULL DEFAULT 0,
    jumped      bigint NOT NULL DEFAULT 0,                   -- by how much restores have raised the epoch: the rest of it are claims
    applied_seq bigint NOT NULL DEFAULT 0,                   -- gap-free for ever, never reset
    head_hash   bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(head_hash) = 32)
) WITH (fillfactor = 40);
INSERT INTO ledger.part(part) SELECT generate_series(0, 4095);

CREATE TABLE ledger.part_epochs (                            -- append-only: who owned what, when
    part       int NOT NULL,
    epoch      bigint NOT NULL,
    session    bigint NOT NULL,
    start_seq  bigint NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (part, epoch)
);

-- ------------------------------------------------------------------ stock
CREATE TABLE ledger.segments (
    event    int NOT NULL REFERENCES ledger.events,
    segment  int NOT NULL CHECK (segment > 0),
    part     int NOT NULL REFERENCES ledger.part,
    section  text NOT NULL,
    name     text NOT NULL,
    area     boolean NOT NULL,
    score    double precision NOT NULL,
    home     int NOT NULL,                                   -- where the last places of an area are sold: its first segment; else the segment itself
    opened   int NOT NULL CHECK (opened > 0),                -- what it was put on sale with
    capacity int NOT NULL CHECK (capacity >= 0),             -- what it has now: opened, without what it gave to others of its area, with what it took
    held     int NOT NULL DEFAULT 0 CHECK (held >= 0),
    paying   int NOT NULL DEFAULT 0 CHECK (paying >= 0),
    sold     int NOT NULL DEFAULT 0 CHECK (sold >= 0),
    PRIMARY KEY (event, segment),
    FOREIGN KEY (event, section) REFERENCES ledger.sections,
    CONSTRAINT segments_no_oversell CHECK (held + paying + sold <= capacity),
    CHECK (area OR home = segment)
) WITH (fillfactor = 40);
CREATE INDEX segments_part ON ledger.segments (part);
CREATE INDEX segments_home ON ledger.segments (event, home);
-- The label of an area's unit is the area's name and the unit's number.
CREATE UNIQUE INDEX segments_area_name ON ledger.segments (event, name) WHERE area;

-- A projection of the journal. Seat = segment << 24 | index. Units of an area are rows as well, inserted when they are first held; their
-- numbers are never used again.
CREATE TABLE ledger.seats (
    event      int NOT NULL,
    seat       bigint NOT NULL,
    segment    int NOT NULL,
    label      text NOT NULL,
    category   smallint NOT NULL,
    state      smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 3),
    ver        int NOT NULL DEFAULT 0 CHECK (ver >= 0),
    type       smallint NOT NULL DEFAULT 0,
    hold       uuid,
    generation int NOT NULL DEFAULT 0,
    order_id   uuid,
    attempt    int NOT NULL DEFAULT 0,
    PRIMARY KEY (event, seat),
    UNIQUE (event, label),
    FOREIGN KEY (event, segment) REFERENCES ledger.segments,
    CHECK (seat >> 24 = segment),
    CHECK ((state = 0) = (hold IS NULL)),
    CHECK ((state >= 2) = (order_id IS NOT NULL))
) WITH (fillfactor = 60);
-- No index on hold or order_id on purpose: they change with each movement, and an index would turn the cheap in-page updates into writes to
-- every index. Find a hold's seats in the range of its segment, an order's by the primary key through order_lines.

-- States of a hold: 0 trying, 1 held, 2 dropped, 3 ended. A hold ends when its seats are free again or sold; while they are pinned it is held.
-- A hold over several segments, a wide one, has the segment 0 and its segments in legs; its row decides, and its seats (whose generation is the try)
-- follow. See 00005_wide.sql.
CREATE TABLE ledger.holds (
    id             uuid PRIMARY KEY,
    event          int NOT NULL,
    segment        int NOT NULL,
    part           int NOT NULL,                             -- who owns the segment; of a wide hold: whom its id names
    state          smallint NOT NULL CHECK (state BETWEEN 0 AND 3),
    try            int NOT NULL DEFAULT 1,
    legs           int[] NOT NULL DEFAULT '{}',
    decided_at     timestamptz,                              -- of a wide hold: the last change of its state
    generation     int NOT NULL,
    quantity       int NOT NULL CHECK (quantity > 0),
    quota_dims     int[] NOT NULL,                           -- not smallint: lib/pq cannot read arrays of it
    quota_keys     uuid[] NOT NULL,
    quota_limits   int[] NOT NULL,
    quota_seats    bigint[] NOT NULL,                        -- the seat that a document stands for, 0: not taken yet; of other limits 0
    deadline       timestamptz NOT NULL,                     -- while it is trying: from when on anybody may drop it
    max_expires_at timestamptz NOT NULL,
    remaining_ms   bigint,                                   -- written at a planned hand-off
    order_id       uuid,
    attempt        int NOT NULL DEFAULT 0,
    CHECK (cardinality(quota_dims) = cardinality(quota_keys) AND cardinality(quota_dims) = cardinality(quota_limits) AND cardinality(quota_dims) = cardinality(quota_seats)),
    CHECK ((segment = 0) = (cardinality(legs) > 0))
) WITH (fillfactor = 70);
CREATE INDEX holds_live ON ledger.holds (part) WHERE state IN (0, 1);
-- What is still being tried and may yet give back what it counts against limits: few rows, read when somebody is over a limit.
CREATE INDEX holds_trying ON ledger.holds (event) WHERE state = 0;

CREATE TABLE ledger.quota (
    event     int NOT NULL,
    dimension smallint NOT NULL,                             -- 1 tid, 2 account, 3 document; the key is a hash
    key       uuid NOT NULL,
    n         int NOT NULL,                                  -- no CHECK: it would fire on the proposed row of a netted release
    PRIMARY KEY (event, dimension, key)
) WITH (fillfactor = 70);

CREATE TABLE ledger.idempotency (
    scope       uuid NOT NULL,
    key         uuid NOT NULL,
    fingerprint uuid NOT NULL,
    part        int NOT NULL,
    seq         bigint NOT NULL,                             -- 0: written with the row of a wide hold, in no batch
    row_no      int NOT NULL,                                -- from 0, in the outcomes of (part, seq)
    kind        smallint NOT NULL,
    hold        uuid NOT NULL,
    order_id    uuid,
    refused     smallint NOT NULL,                           -- the final refusal that a note recorded; 0 none
    outcome     smallint NOT NULL DEFAULT 0,                 -- with seq 0: what it was refused with
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

-- Capacity moved between segments of an area, double entry: given under the donor's fence, taken once under the receiver's. What is given and not
-- taken is under way, and belongs to the area all the same.
CREATE TABLE ledger.grants (
    id         uuid PRIMARY KEY,
    event      int NOT NULL,
    from_seg   int NOT NULL,
    to_seg     int NOT NULL,
    n          int NOT NULL CHECK (n > 0),
    given_part int NOT NULL,
    given_seq  bigint NOT NULL,
    taken_part int,
    taken_seq  bigint,
    CHECK ((taken_part IS NULL) = (taken_seq IS NULL)),
    CHECK (from_seg <> to_seg)
);
CREATE INDEX grants_untaken ON ledger.grants (event, to_seg) WHERE taken_part IS NULL;

-- ------------------------------------------------------------------ the journal, append-only
CREATE TABLE ledger.seat_movements (
    part        int NOT NULL,
    seq         bigint NOT NULL,
    row_no      int NOT NULL,
    epoch       bigint NOT NULL,
    event       int NOT NULL,
    seat        bigint NOT NULL,
    seat_ver    int NOT NULL CHECK (seat_ver > 0),
    kind        smallint NOT NULL,
    from_state  smallint NOT NULL,
    to_state    smallint NOT NULL,
    hold        uuid NOT NULL,
    order_id    uuid,
    attempt     int NOT NULL DEFAULT 0,
    price       bigint NOT NULL CHECK (price >= 0),
    occurred_at timestamptz NOT NULL,                        -- decided by the owner
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (part, seq, row_no),
    CONSTRAINT seat_movements_seat_ver UNIQUE (event, seat, seat_ver),
    -- Kind, from and to as digits: hold 0→1, extend 1→1, pin 1→2 and 2→2, unpin 2→0 and 2→1, release and expire 1→0, sell 2→3, refund 3→0,
    -- leg 0→1, unleg 1→0 and 2→0.
    -- In this form because Postgres reads the text of a check again in each statement, so that a long one costs more than the row.
    CONSTRAINT seat_movements_legal CHECK (from_state BETWEEN 0 AND 9 AND to_state BETWEEN 0 AND 9
        AND kind * 100 + from_state * 10 + to_state IN (101, 211, 312, 322, 420, 421, 510, 610, 723, 830, 1301, 1410, 1420)),
    CHECK ((kind IN (3, 4, 7, 8)) = (order_id IS NOT NULL))
);

-- The last line: at most one live sale per seat.
CREATE TABLE ledger.sales (
    event     int NOT NULL,
    seat      bigint NOT NULL,
    sold_ver  int NOT NULL,
    order_id  uuid NOT NULL,
    hold      uuid NOT NULL,
    price     bigint NOT NULL CHECK (price >= 0),
    part      int NOT NULL,
    sold_seq  bigint NOT NULL,
    ended_seq bigint CHECK (ended_seq > sold_seq),
    PRIMARY KEY (event, seat, sold_ver)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX sales_one_live_per_seat ON ledger.sales (event, seat) WHERE ended_seq IS NULL;
CREATE INDEX sales_order ON ledger.sales (order_id);

-- One row for each (part, seq), also when nothing moved. The chain cannot fork.
CREATE TABLE ledger.flush_batches (
    part        int NOT NULL,
    seq         bigint NOT NULL CHECK (seq > 0),
    epoch       bigint NOT NULL,
    batch       uuid NOT NULL,
    digest      bytea NOT NULL CHECK (length(digest) >= 32), -- of what was asked, made by the caller: of the whole, then 16 bytes for each operation's moves
    outcomes    bytea NOT NULL,                              -- int2, big endian, one for each operation
    prev_hash   bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash        bytea NOT NULL CHECK (length(hash) = 32),
    meta        jsonb,
    source_addr inet,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (part, seq),
    CONSTRAINT flush_batches_no_fork UNIQUE (part, prev_hash)
);

-- Batches that a constraint refused: a bug, kept for people to look at. Nothing of them was acknowledged.
CREATE TABLE ledger.flush_conflicts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch       uuid NOT NULL,
    reason      text NOT NULL,
    work        jsonb NOT NULL,
    detected_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- ------------------------------------------------------------------ around it
CREATE TABLE ledger.waitlist (
    event      int NOT NULL REFERENCES ledger.events,
    tid        uuid NOT NULL,
    quantity   int NOT NULL CHECK (quantity > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (event, tid)
);

CREATE TABLE ledger.outbox (                                 -- calls to make after a commit
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedup      text NOT NULL UNIQUE,
    topic      text NOT NULL,
    payload    jsonb NOT NULL,
    attempts   int NOT NULL DEFAULT 0,
    due_at     timestamptz NOT NULL,
    done_at    timestamptz,
    dead_at    timestamptz,
    last_error text
);
CREATE INDEX outbox_due ON ledger.outbox (due_at) WHERE done_at IS NULL AND dead_at IS NULL;

CREATE TABLE ledger.api_keys (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    person     text NOT NULL,
    scopes     text[] NOT NULL,
    hash       bytea NOT NULL UNIQUE CHECK (length(hash) = 32),  -- sha256 of the key
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz
);

CREATE TABLE ledger.audit_log (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     text NOT NULL,
    action    text NOT NULL,
    subject   text NOT NULL,
    detail    jsonb,
    from_addr inet
);

-- +goose StatementBegin
CREATE FUNCTION ledger.forbid_mutation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger: % on the append-only table %.% is forbidden', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd
-- Triggers and not rules: a rule would forbid ON CONFLICT.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seat_movements FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.flush_batches FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.part_epochs FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit_log FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger.grants FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
-- The last line: a grant is taken once.
CREATE TRIGGER taken_once BEFORE UPDATE ON ledger.grants FOR EACH ROW WHEN (OLD.taken_part IS NOT NULL) EXECUTE FUNCTION ledger.forbid_mutation();

-- +goose Down
DROP SCHEMA ledger CASCADE;
