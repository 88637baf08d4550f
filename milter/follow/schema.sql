-- SPDX-License-Identifier: BSD-2-Clause
-- The store of milter-moved, for PostgreSQL 13 or later: movedctl schema pgsql | psql -v ON_ERROR_STOP=1 -d DATABASE
--
-- Write to the table moved as to any other. Each transaction that changes it gets a version, in the order in which
-- transactions commit, and with it the old addresses it changed: movedctl follow asks for those, and for nothing else.
-- Running this again changes nothing that is there.

BEGIN;
SET LOCAL client_min_messages = warning;

-- moved_follow reads, for the hosts; moved_admin changes entries. Neither can log in: grant them to roles that can, or
-- ALTER ROLE moved_follow LOGIN PASSWORD '...'.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'moved_follow') THEN
        CREATE ROLE moved_follow NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'moved_admin') THEN
        CREATE ROLE moved_admin NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS @SCHEMA@;
SET LOCAL search_path = @SCHEMA@, pg_temp;

-- ---- the entries: milter-moved.conf(5) and movedctl(8) say what the columns mean

CREATE TABLE IF NOT EXISTS moved (
    old_address text COLLATE "C" PRIMARY KEY, -- as movedctl list writes it: user@domain, @domain, @.domain
    new_address text,                         -- none: no forwarding address
    action text,                              -- none: reject
    valid_from timestamptz,
    valid_until timestamptz,
    forward_until timestamptz,
    disclose text,
    note text,
    CONSTRAINT "old_address must not be empty"
        CHECK (old_address <> ''),
    CONSTRAINT "old_address must have at most 1000 octets"
        CHECK (octet_length(old_address) <= 1000),
    CONSTRAINT "new_address must differ from old_address"
        CHECK (new_address <> old_address),
    CONSTRAINT "action must be reject, forward or stay"
        CHECK (action IN ('reject', 'forward', 'stay')),
    CONSTRAINT "action forward needs a new_address"
        CHECK (action <> 'forward' OR coalesce(new_address, '') <> ''),
    CONSTRAINT "action stay takes no new_address and no forward_until"
        CHECK (action <> 'stay' OR (coalesce(new_address, '') = '' AND forward_until IS NULL)),
    CONSTRAINT "valid_until must be after valid_from"
        CHECK (valid_until > valid_from OR NOT isfinite(valid_from) OR NOT isfinite(valid_until)),
    CONSTRAINT "disclose must be anyone, trusted or nobody"
        CHECK (disclose IN ('', 'anyone', 'trusted', 'nobody')),
    CONSTRAINT "note must have at most 1000 octets"
        CHECK (octet_length(note) <= 1000)
);

-- ---- the versions: written by the triggers alone

CREATE TABLE IF NOT EXISTS moved_format (format integer PRIMARY KEY);
INSERT INTO moved_format SELECT 1 WHERE NOT EXISTS (SELECT FROM moved_format);

CREATE SEQUENCE IF NOT EXISTS moved_number AS bigint;

-- A transaction is named by its id and its beginning: ids begin again where a dump is restored on another server. The
-- nonce tells two versions of one number apart: a standby that missed the last commits gives their numbers again.
CREATE TABLE IF NOT EXISTS moved_version (
    version bigint PRIMARY KEY,
    nonce uuid NOT NULL,
    began timestamptz NOT NULL,
    transaction bigint NOT NULL,
    stamped timestamptz NOT NULL,
    author text,
    program text
);
CREATE INDEX IF NOT EXISTS moved_version_stamped ON moved_version (stamped);
INSERT INTO moved_version
    SELECT nextval('moved_number'), gen_random_uuid(), transaction_timestamp(), 0, clock_timestamp(), session_user, 'schema'
    WHERE NOT EXISTS (SELECT FROM moved_version);

-- What a transaction changed. kind: k an old address; t the transaction itself; w all of the table; a accepts what is gone.
CREATE TABLE IF NOT EXISTS moved_key (
    began timestamptz NOT NULL,
    transaction bigint NOT NULL,
    kind "char" NOT NULL,
    old_address text COLLATE "C" NOT NULL,
    PRIMARY KEY (began, transaction, kind, old_address)
);
CREATE INDEX IF NOT EXISTS moved_key_mark ON moved_key (began, transaction) WHERE kind IN ('a', 'w');

-- After a statement: notes the old addresses it changed, or, above 100,000 and for TRUNCATE, that it may be any.
CREATE OR REPLACE FUNCTION moved_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this bigint := pg_current_xact_id()::text::bigint;
    rows bigint := 100001;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO rows FROM (SELECT FROM after_rows LIMIT 100001) r;
    ELSIF TG_OP IN ('UPDATE', 'DELETE') THEN
        SELECT count(*) INTO rows FROM (SELECT FROM before_rows LIMIT 100001) r;
    END IF;
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    IF rows > 100000 THEN
        INSERT INTO moved_key VALUES (transaction_timestamp(), this, 'w', '') ON CONFLICT DO NOTHING;
    ELSE
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            INSERT INTO moved_key SELECT transaction_timestamp(), this, 'k', r.old_address FROM after_rows r
                ON CONFLICT DO NOTHING;
        END IF;
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            INSERT INTO moved_key SELECT transaction_timestamp(), this, 'k', r.old_address FROM before_rows r
                ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    INSERT INTO moved_key VALUES (transaction_timestamp(), this, 't', '') ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

-- After a row that logical replication brings: it fires no statement triggers.
CREATE OR REPLACE FUNCTION moved_note_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    this bigint := pg_current_xact_id()::text::bigint;
BEGIN
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO moved_key VALUES (transaction_timestamp(), this, 'k', NEW.old_address) ON CONFLICT DO NOTHING;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO moved_key VALUES (transaction_timestamp(), this, 'k', OLD.old_address) ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO moved_key VALUES (transaction_timestamp(), this, 't', '') ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

-- At COMMIT, once a transaction. The lock is held until the commit is done, so versions are seen in their order, on a
-- standby too. Rows of another server's transaction were stamped there. Versions are kept for 30 days, and the last one
-- before that: a host in step has it.
CREATE OR REPLACE FUNCTION moved_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    kept bigint;
    keys bigint;
BEGIN
    IF NEW.transaction <> pg_current_xact_id()::text::bigint OR NEW.began <> transaction_timestamp() THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock((7813::bigint << 32) | 'moved_version'::regclass::oid::bigint);
    SELECT count(*) INTO keys FROM (
        SELECT FROM moved_key k WHERE k.began = NEW.began AND k.transaction = NEW.transaction AND k.kind = 'k' LIMIT 100001) l;
    IF keys > 100000 THEN
        DELETE FROM moved_key k WHERE k.began = NEW.began AND k.transaction = NEW.transaction AND k.kind = 'k';
        INSERT INTO moved_key VALUES (NEW.began, NEW.transaction, 'w', '') ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO moved_version VALUES (
        nextval('moved_number'), gen_random_uuid(), NEW.began, NEW.transaction, clock_timestamp(),
        coalesce(nullif(current_setting('moved.author', true), ''), session_user),
        coalesce(nullif(current_setting('moved.program', true), ''), current_setting('application_name')));
    -- Elsewhere it could fail with a serialization error that the writer has not earned.
    IF current_setting('transaction_isolation') = 'read committed' THEN
        SELECT v.version INTO kept FROM moved_version v
            WHERE v.stamped < clock_timestamp() - interval '30 days' ORDER BY v.stamped DESC LIMIT 1;
        IF FOUND THEN
            WITH pruned AS (DELETE FROM moved_version v WHERE v.version < kept RETURNING v.began, v.transaction)
            DELETE FROM moved_key k USING pruned p WHERE k.began = p.began AND k.transaction = p.transaction;
        END IF;
    END IF;
    PERFORM pg_notify('moved', '');
    RETURN NULL;
END
$$;

-- movedctl follow --accept: a version which says that what is gone is meant to be gone.
CREATE OR REPLACE FUNCTION moved_accept() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    INSERT INTO moved_key VALUES
        (transaction_timestamp(), pg_current_xact_id()::text::bigint, 'a', ''),
        (transaction_timestamp(), pg_current_xact_id()::text::bigint, 't', '')
        ON CONFLICT DO NOTHING
$$;

DROP TRIGGER IF EXISTS moved_inserted ON moved;
DROP TRIGGER IF EXISTS moved_updated ON moved;
DROP TRIGGER IF EXISTS moved_deleted ON moved;
DROP TRIGGER IF EXISTS moved_truncated ON moved;
DROP TRIGGER IF EXISTS moved_replicated ON moved;
DROP TRIGGER IF EXISTS moved_stamped ON moved_key;
CREATE TRIGGER moved_inserted AFTER INSERT ON moved REFERENCING NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION moved_note();
CREATE TRIGGER moved_updated AFTER UPDATE ON moved REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION moved_note();
CREATE TRIGGER moved_deleted AFTER DELETE ON moved REFERENCING OLD TABLE AS before_rows
    FOR EACH STATEMENT EXECUTE FUNCTION moved_note();
CREATE TRIGGER moved_truncated AFTER TRUNCATE ON moved
    FOR EACH STATEMENT EXECUTE FUNCTION moved_note();
CREATE TRIGGER moved_replicated AFTER INSERT OR UPDATE OR DELETE ON moved
    FOR EACH ROW EXECUTE FUNCTION moved_note_row();
CREATE CONSTRAINT TRIGGER moved_stamped AFTER INSERT ON moved_key DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kind = 't') EXECUTE FUNCTION moved_stamp();
ALTER TABLE moved ENABLE ALWAYS TRIGGER moved_inserted;
ALTER TABLE moved ENABLE ALWAYS TRIGGER moved_updated;
ALTER TABLE moved ENABLE ALWAYS TRIGGER moved_deleted;
ALTER TABLE moved ENABLE ALWAYS TRIGGER moved_truncated;
ALTER TABLE moved ENABLE REPLICA TRIGGER moved_replicated;
ALTER TABLE moved_key ENABLE ALWAYS TRIGGER moved_stamped;

-- ---- rights

REVOKE ALL ON FUNCTION moved_accept() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moved_accept() TO moved_admin;
-- Only where it is needed: before PostgreSQL 15 the schema public is not the owner of the database's to grant.
DO $$
BEGIN
    IF NOT (has_schema_privilege('moved_follow', current_schema(), 'USAGE')
            AND has_schema_privilege('moved_admin', current_schema(), 'USAGE')) THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO moved_follow, moved_admin', current_schema());
    END IF;
    -- movedctl sends its rows into a temporary table.
    IF NOT has_database_privilege('moved_admin', current_database(), 'TEMPORARY') THEN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO moved_admin', current_database());
    END IF;
END
$$;
GRANT SELECT ON moved, moved_format, moved_version, moved_key TO moved_follow, moved_admin;
GRANT INSERT, UPDATE, DELETE ON moved TO moved_admin;

COMMIT;
