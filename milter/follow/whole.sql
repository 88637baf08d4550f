-- SPDX-License-Identifier: BSD-2-Clause
-- Behind head.sql, before rows.sql in one transaction. At most four hosts read all rows at once.
SELECT 0, 0, version, nonce, known::text, replica::text, empty::text, whole::text, accepted::text, gone_since::text,
    whole_since::text,
    CASE WHEN pg_try_advisory_xact_lock((7814::bigint << 32) | '@.moved_version'::regclass::oid::bigint) THEN true
        WHEN pg_try_advisory_xact_lock((7815::bigint << 32) | '@.moved_version'::regclass::oid::bigint) THEN true
        WHEN pg_try_advisory_xact_lock((7816::bigint << 32) | '@.moved_version'::regclass::oid::bigint) THEN true
        ELSE pg_try_advisory_xact_lock((7817::bigint << 32) | '@.moved_version'::regclass::oid::bigint) END
FROM head
