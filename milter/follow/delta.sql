-- SPDX-License-Identifier: BSD-2-Clause
-- Behind head.sql. ord: 0 the head, 1 an old address that is gone, 2 a version, and then (sub 1) what it changed, as it is
-- now. An infinite date is no bound; one that RFC 3339 cannot say makes a bad row, not an error here.
, key AS MATERIALIZED (
    SELECT k.old_address, max(k.version) AS version FROM key_since k
    WHERE k.kind = 'k' AND NOT (SELECT whole FROM head) GROUP BY k.old_address
), now AS MATERIALIZED (
    SELECT key.version, key.old_address, m.old_address IS NOT NULL AS present, m.new_address, m.action,
        m.valid_from, m.valid_until, m.forward_until, m.disclose, m.note
    FROM key LEFT JOIN LATERAL (SELECT * FROM @.moved m WHERE m.old_address = key.old_address OFFSET 0) m ON true
)
SELECT 0 AS ord, 0 AS sub, version, nonce, known::text, replica::text, empty::text, whole::text, accepted::text,
    gone_since::text, whole_since::text, NULL FROM head
UNION ALL
SELECT 1, 0, 0, old_address, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM now WHERE NOT present
UNION ALL
SELECT 2, 0, version, nonce::text, author, program, NULL, NULL, NULL, NULL, NULL, NULL FROM since
    WHERE NOT (SELECT whole FROM head)
UNION ALL
SELECT 2, 1, version, old_address, present::text, new_address, action,
    CASE WHEN isfinite(valid_from) THEN to_char(valid_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
    CASE WHEN isfinite(valid_until) THEN to_char(valid_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
    CASE WHEN isfinite(forward_until) THEN to_char(forward_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
    disclose, note FROM now
ORDER BY ord, version, sub
