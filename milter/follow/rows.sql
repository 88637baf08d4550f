-- SPDX-License-Identifier: BSD-2-Clause
COPY (
    SELECT old_address, new_address, action,
        CASE WHEN isfinite(valid_from) THEN to_char(valid_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
        CASE WHEN isfinite(valid_until) THEN to_char(valid_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
        CASE WHEN isfinite(forward_until) THEN to_char(forward_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
        disclose, note
    FROM @.moved
) TO STDOUT
