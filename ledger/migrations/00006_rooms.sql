-- +goose Up
-- Waiting rooms. What a room decides is a sequence of batches; its owner is whoever owns the room's partition. A room is opened for each life of
-- an owner, under the fence of its partition, and that opening's number is the fence of all that the owner writes afterwards.
CREATE TABLE ledger.rooms (
    room       text PRIMARY KEY CHECK (room ~ '^[a-z0-9][a-z0-9-]{0,31}$'),
    number     bigint NOT NULL UNIQUE CHECK (number BETWEEN 0 AND 4294967295), -- what its passes carry
    part       int NOT NULL REFERENCES ledger.part,
    settings   jsonb NOT NULL,                               -- as they were when it was entered
    session    bigint NOT NULL DEFAULT 0,                    -- of the owner that opened it last
    epoch      bigint NOT NULL DEFAULT 0,
    fence      bigint NOT NULL DEFAULT 0,                    -- how often it was opened
    seq        bigint NOT NULL DEFAULT 0,                    -- of the last batch; gap-free for ever
    digest     bytea NOT NULL DEFAULT '',                    -- of the last batch
    edition    int NOT NULL DEFAULT 0,                       -- of the last batch
    lobby      bigint NOT NULL DEFAULT 0,                    -- tids of the edition
    entries    bigint NOT NULL DEFAULT 0,                    -- of its log
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
CREATE INDEX rooms_part ON ledger.rooms (part);

CREATE TABLE ledger.room_snapshots (                         -- the room after the batch seq; earlier batches are not needed any more
    room text PRIMARY KEY REFERENCES ledger.rooms,
    seq  bigint NOT NULL,
    body bytea NOT NULL,
    at   timestamptz NOT NULL
);

CREATE TABLE ledger.room_batches (
    room   text NOT NULL,
    seq    bigint NOT NULL,
    epoch  bigint NOT NULL,
    fence  bigint NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    body   bytea NOT NULL,
    PRIMARY KEY (room, seq)
);

CREATE TABLE ledger.room_lobby (                             -- append-only: who was in the draw, in the order in which it was told
    room    text NOT NULL,
    edition int NOT NULL,
    first   bigint NOT NULL,                                 -- index of the first of these tids
    tids    bytea NOT NULL CHECK (length(tids) > 0 AND length(tids) % 16 = 0),
    PRIMARY KEY (room, edition, first)
);

CREATE TABLE ledger.room_log (                               -- append-only: what anybody may check
    room  text NOT NULL,
    n     bigint NOT NULL,                                   -- from 0, without a gap
    at    timestamptz NOT NULL,
    entry bytea NOT NULL,
    PRIMARY KEY (room, n)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.room_lobby FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.room_log FOR EACH STATEMENT EXECUTE FUNCTION ledger.forbid_mutation();

-- The lock of all that follows: part, then room. The part row is locked FOR SHARE: that keeps anybody from claiming it until the commit, as a plain read or
-- FOR KEY SHARE would not, and two rooms of one partition do not wait for each other. A flush of the partition's stock waits for the commit of one small
-- batch, and the other way round.

-- +goose StatementBegin
-- Whether a session owns a partition under an epoch; if so, until the end of the transaction.
CREATE FUNCTION ledger.room_owned(p_part int, p_session bigint, p_epoch bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM 1 FROM ledger.part p WHERE p.part = p_part AND p.session = p_session AND p.epoch = p_epoch AND p_session <> 0 FOR SHARE OF p;
    RETURN FOUND;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Begins an owner's life: from here on nothing that an earlier one has sent is written any more, also not of the same session. What the room has is read
-- in a new statement after it. Returns the fence; 0: the partition is not the session's, or has no such room.
CREATE FUNCTION ledger.room_open(p_part int, p_session bigint, p_epoch bigint, p_room text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_fence bigint := 0;
BEGIN
    IF ledger.room_owned(p_part, p_session, p_epoch) THEN
        UPDATE ledger.rooms r SET fence = r.fence + 1, session = p_session, epoch = p_epoch WHERE r.room = p_room AND r.part = p_part RETURNING r.fence INTO v_fence;
    END IF;
    RETURN coalesce(v_fence, 0);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Appends one batch, with the tids of the lobby and the entries of the log that belong to it. Returns 1: written; 2: was written before (the same
-- number with the same digest); 0: somebody else owns the room, or owns it anew; 3: another batch has the number, or numbers are left out.
CREATE FUNCTION ledger.room_append(p_part int, p_session bigint, p_epoch bigint, p_room text, p_fence bigint, p_seq bigint, p_digest bytea, p_body bytea,
    p_edition int, p_tids bytea, p_log bytea[], p_now timestamptz) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r record;
    v_lobby bigint;
BEGIN
    IF NOT ledger.room_owned(p_part, p_session, p_epoch) THEN RETURN 0; END IF;
    SELECT x.seq, x.digest, x.edition, x.lobby, x.entries INTO r FROM ledger.rooms x WHERE x.room = p_room AND x.part = p_part AND x.fence = p_fence FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 0; END IF;
    IF r.seq = p_seq AND r.digest = p_digest THEN RETURN 2; END IF;
    IF r.seq <> p_seq - 1 THEN RETURN 3; END IF;
    v_lobby := CASE WHEN r.edition = p_edition THEN r.lobby ELSE 0 END;
    UPDATE ledger.rooms SET seq = p_seq, digest = p_digest, edition = p_edition, lobby = v_lobby + length(p_tids) / 16, entries = r.entries + cardinality(p_log) WHERE room = p_room;
    INSERT INTO ledger.room_batches(room, seq, epoch, fence, digest, body) VALUES (p_room, p_seq, p_epoch, p_fence, p_digest, p_body);
    IF length(p_tids) > 0 THEN
        INSERT INTO ledger.room_lobby(room, edition, first, tids) VALUES (p_room, p_edition, v_lobby, p_tids);
    END IF;
    IF cardinality(p_log) > 0 THEN
        INSERT INTO ledger.room_log(room, n, at, entry) SELECT p_room, r.entries + e.i - 1, p_now, e.entry FROM unnest(p_log) WITH ORDINALITY e(entry, i);
    END IF;
    RETURN 1;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Puts a snapshot in the place of the batches up to it. It changes nothing that anybody was told, so the room's fence is enough and the partition is not locked:
-- a snapshot may be large. The first one of a room counts as its first batch. Returns as room_append.
CREATE FUNCTION ledger.room_compact(p_room text, p_fence bigint, p_seq bigint, p_body bytea, p_now timestamptz) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_seq bigint;
BEGIN
    SELECT x.seq INTO v_seq FROM ledger.rooms x WHERE x.room = p_room AND x.fence = p_fence FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 0; END IF;
    IF v_seq = 0 THEN
        UPDATE ledger.rooms SET seq = p_seq WHERE room = p_room;
    ELSIF v_seq <> p_seq THEN
        RETURN 3;
    END IF;
    INSERT INTO ledger.room_snapshots(room, seq, body, at) VALUES (p_room, p_seq, p_body, p_now)
        ON CONFLICT (room) DO UPDATE SET seq = excluded.seq, body = excluded.body, at = excluded.at;
    DELETE FROM ledger.room_batches b WHERE b.room = p_room AND b.seq <= p_seq;
    RETURN 1;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger.room_compact, ledger.room_append, ledger.room_open, ledger.room_owned;
DROP TABLE ledger.room_log, ledger.room_lobby, ledger.room_batches, ledger.room_snapshots, ledger.rooms;
