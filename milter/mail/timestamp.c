/* SPDX-License-Identifier: BSD-2-Clause */
#include "mail/timestamp.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int wrong(struct error *err, const char *text, int64_t now)
{
    return error_set(err, EX_DATAERR, "no date or time '%.60s': write 2026-09-01%s", text,
                     now == TIMESTAMP_NONE ? " or 2026-09-01T06:00:00Z"
                                           : ", 2026-09-01T06:00:00Z, +180d, -12h or +2w");
}

/* Reads as strptime(3) does, and moves *at to the end of that. The text has to look like the picture, in which 0 stands for a
 * digit: strptime alone would also take blanks, signs and single digits. */
static bool take(const char **at, const char *picture, const char *format, struct tm *out)
{
    for (size_t i = 0; picture[i] != '\0'; i++)
        if (picture[i] == '0' ? !isdigit((unsigned char)(*at)[i]) : (*at)[i] != picture[i])
            return false;
    const char *end = strptime(*at, format, out);
    *at = end == NULL ? *at : end;
    return end != NULL;
}

static bool take_clock(const char **at, struct tm *out)
{
    if (!take(at, "00:00", "%H:%M", out))
        return false;
    if (**at == ':' && (!take(at, ":00", ":%S", out) || out->tm_sec > 60))
        return false;
    if (**at != '.')
        return true;
    size_t digits = strspn(++*at, "0123456789");
    *at += digits;
    return digits > 0;
}

/* Reads "Z", "+02:00", or nothing, in seconds east of UTC. */
static bool take_zone(const char **at, int *out)
{
    struct tm zone = {0};
    char sign = **at;
    if (sign == 'Z' || sign == 'z' || sign == '+' || sign == '-')
        (*at)++;
    bool fits = (sign != '+' && sign != '-') || take(at, "00:00", "%H:%M", &zone);
    *out = (sign == '-' ? -60 : 60) * (60 * zone.tm_hour + zone.tm_min);
    return fits;
}

static int set(int64_t *out, int64_t when, const char *text, struct error *err)
{
    if (when <= TIMESTAMP_NONE || when > TIMESTAMP_LAST)
        return error_set(err, EX_DATAERR,
                         "'%.60s' is out of range: write one after 1970-01-01, up to 9999-12-31",
                         text);
    *out = when;
    return 0;
}

/* "+180d" */
static int parse_relative(int64_t *out, const char *text, int64_t now, struct error *err)
{
    size_t length = strspn(text + 1, "0123456789");
    char name = text[1 + length];
    int64_t unit = name == 'h' ? 3600 : name == 'd' ? 24 * 3600 : name == 'w' ? 7 * 24 * 3600 : 0;
    if (now == TIMESTAMP_NONE || length == 0 || unit == 0 || text[2 + length] != '\0')
        return wrong(err, text, now);
    int64_t count = strtoll(text + 1, NULL, 10); /* a longer number becomes LLONG_MAX */
    int64_t seconds = count > TIMESTAMP_LAST ? TIMESTAMP_LAST : count * unit;
    return set(out, *text == '-' ? now - seconds : now + seconds, text, err);
}

int timestamp_parse(int64_t *out, const char *text, int64_t now, struct error *err)
{
    struct tm parts = {0};
    const char *at = text;
    int zone = 0;

    if (*text == '+' || *text == '-')
        return parse_relative(out, text, now, err);
    bool fits = take(&at, "0000-00-00", "%Y-%m-%d", &parts);
    struct tm same = parts;
    (void)timegm(&same); /* makes September 31 an October 1 */
    fits = fits && same.tm_mday == parts.tm_mday;
    if (fits && (*at == 'T' || *at == 't' || *at == ' ')) {
        at++;
        fits = take_clock(&at, &parts) && take_zone(&at, &zone);
    }
    int64_t when = (int64_t)timegm(&parts) - zone;
    return fits && *at == '\0' ? set(out, when, text, err) : wrong(err, text, now);
}

void timestamp_format(char *out, size_t size, int64_t when)
{
    struct tm parts;
    time_t seconds = (time_t)when;
    out[0] = '\0';
    if (when != TIMESTAMP_NONE && gmtime_r(&seconds, &parts) != NULL)
        (void)strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
