-- +goose Up
-- That transfers land in an open day is asked once for each statement that posts, and no longer once for each row: a paid order posts four, and many orders
-- are decided in one call.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ledger.only_open_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_day date;
BEGIN
    FOR v_day IN SELECT DISTINCT p.day FROM posted p ORDER BY 1 LOOP
        PERFORM 1 FROM ledger.business_days WHERE day = v_day AND closed_at IS NULL FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'ledger: the business day % is closed or unknown, nothing can be posted to it', v_day USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
-- +goose StatementEnd
DROP TRIGGER only_open_day ON ledger.transfers;
CREATE TRIGGER only_open_day AFTER INSERT ON ledger.transfers REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION ledger.only_open_day();

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ledger.only_open_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM ledger.business_days WHERE day = NEW.day AND closed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger: the business day % is closed or unknown, nothing can be posted to it', NEW.day USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
DROP TRIGGER only_open_day ON ledger.transfers;
CREATE TRIGGER only_open_day BEFORE INSERT ON ledger.transfers FOR EACH ROW EXECUTE FUNCTION ledger.only_open_day();
