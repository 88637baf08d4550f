/* mail/timestamp.h: a moment as people write it: RFC 3339, or relative to now. No I/O, no clock, no
 * locale, no time zone of the host. */
#ifndef MAIL_TIMESTAMP_H
#define MAIL_TIMESTAMP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_NONE      0 /* "no moment": an entry without a limit */
#define TIMESTAMP_TEXT_SIZE sizeof "9999-12-31T23:59:59Z"

/* Reads an RFC 3339 date ("2026-09-01": its 00:00) or date-time ("2026-09-01T06:00:00+02:00";
 * 'T' may be a blank, seconds and zone may be missing: UTC when no zone is given). Years 1970 to
 * 9999; a leap second counts as the second after it; a fraction is cut off. Or "+180d", "-12h", "+2w":
 * so many days, hours or weeks after or before now; refused if now is TIMESTAMP_NONE. Returns 0 with
 * *out in seconds since 1970 (never TIMESTAMP_NONE); or -1 with *out untouched and err (EX_DATAERR). */
int timestamp_parse(int64_t *out, const char *text, int64_t now, struct error *err);

/* Writes when as "2026-09-01T04:00:00Z" into out[size]; "" for TIMESTAMP_NONE. size is at least
 * TIMESTAMP_TEXT_SIZE. */
void timestamp_format(char *out, size_t size, int64_t when);

#endif
