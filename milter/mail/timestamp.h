/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/timestamp.h: parses and formats a time: RFC 3339, or relative to now. No I/O, no clock, no locale, no local time
 * zone. */
#ifndef MAIL_TIMESTAMP_H
#define MAIL_TIMESTAMP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_NONE 0 /* "no moment": an entry without a limit */
/* 9999-12-31T23:59:59Z: RFC 3339 has four digits for the year */
#define TIMESTAMP_LAST      253402300799
#define TIMESTAMP_TEXT_SIZE sizeof "9999-12-31T23:59:59Z"

/* Parses an RFC 3339 date ("2026-09-01", 00:00 of it) or date-time ("2026-09-01T06:00:00+02:00"; a blank may stand for
 * the 'T'; seconds and zone are optional, the default is UTC). Years 1970 to 9999; a leap second counts as the next
 * second; a fraction is ignored. Also "+180d", "-12h", "+2w": days, hours or weeks from now, refused if now is
 * TIMESTAMP_NONE. Returns 0 with *out in seconds since 1970 (never TIMESTAMP_NONE); or -1 with *out unchanged and err
 * (EX_DATAERR). */
int timestamp_parse(int64_t *out, const char *text, int64_t now, struct error *err);

/* Formats when as "2026-09-01T04:00:00Z" in out[size]; "" for TIMESTAMP_NONE. size is at least TIMESTAMP_TEXT_SIZE. */
void timestamp_format(char *out, size_t size, int64_t when);

#endif
