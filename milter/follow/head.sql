-- SPDX-License-Identifier: BSD-2-Clause
-- What the store is to a host that has the version $1 with the nonce $2; $3: the version after which an acceptance counts.
-- "@." stands for the schema. OFFSET 0 keeps the planner from reading all of a table for a few of its rows, which are too
-- new for its statistics. No expression may fail on any row that somebody may have written: it would hold up all others.
WITH mine AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM @.moved_version v WHERE v.version = $1::bigint AND v.nonce::text = $2) AS known
), newest AS MATERIALIZED (
    SELECT v.version, v.nonce::text AS nonce FROM @.moved_version v ORDER BY v.version DESC LIMIT 1
), since AS MATERIALIZED (
    SELECT v.* FROM @.moved_version v, mine WHERE mine.known AND v.version > $1::bigint
), accepted AS MATERIALIZED (
    SELECT max(v.version) AS version FROM @.moved_version v, LATERAL (
        SELECT FROM @.moved_key k WHERE k.began = v.began AND k.transaction = v.transaction AND k.kind = 'a' OFFSET 0) k
    WHERE v.version > $3::bigint
), later AS MATERIALIZED (
    SELECT v.* FROM @.moved_version v, accepted a WHERE v.version > a.version
), key_since AS (
    SELECT k.kind, k.old_address, s.version FROM since s, LATERAL (
        SELECT * FROM @.moved_key k WHERE k.began = s.began AND k.transaction = s.transaction OFFSET 0) k
), key_later AS (
    SELECT k.kind, k.old_address FROM later s, LATERAL (
        SELECT * FROM @.moved_key k WHERE k.began = s.began AND k.transaction = s.transaction OFFSET 0) k
), head AS MATERIALIZED (
    SELECT newest.version, newest.nonce, mine.known, pg_is_in_recovery() AS replica,
        NOT EXISTS (SELECT FROM @.moved) AS empty,
        -- More changes than these would be sorted for longer than the host waits.
        EXISTS (SELECT FROM key_since k WHERE k.kind = 'w')
            OR (SELECT count(*) FROM (SELECT FROM key_since LIMIT 300001) l) > 300000 AS whole,
        coalesce(accepted.version, 0) AS accepted,
        (SELECT count(DISTINCT k.old_address) FROM key_later k WHERE k.kind = 'k'
            AND NOT EXISTS (SELECT FROM @.moved m WHERE m.old_address = k.old_address)) AS gone_since,
        EXISTS (SELECT FROM key_later k WHERE k.kind = 'w') AS whole_since
    FROM newest, mine, accepted
)
