/* SPDX-License-Identifier: BSD-2-Clause */
#include "mail/timestamp.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#define LAST 253402300799 /* 9999-12-31T23:59:59Z */

static int wrong(struct error *err, const char *text, int64_t now)
{
    return error_set(err, EX_DATAERR, "no date or time '%.60s': write 2026-09-01%s", text,
                     now == TIMESTAMP_NONE ? " or 2026-09-01T06:00:00Z"
                                           : ", 2026-09-01T06:00:00Z, +180d, -12h or +2w");
}

/* Reads exactly count digits; returns -1 if there are fewer. */
static int digits(const char **at, int count)
{
    int number = 0;
    for (; count > 0; count--, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        number = number * 10 + (**at - '0');
    }
    return number;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static int read_date(struct tm *out, const char **at)
{
    int year = digits(at, 4);
    if (year < 1970 || *(*at)++ != '-')
        return -1;
    int month = digits(at, 2);
    if (month < 1 || month > 12 || *(*at)++ != '-')
        return -1;
    int day = digits(at, 2);
    if (day < 1 || day > days_in(year, month))
        return -1;
    *out = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return 0;
}

/* Reads "06:30"; returns it in seconds, or -1. */
static int read_minutes(const char **at)
{
    int hour = digits(at, 2);
    if (hour < 0 || hour > 23 || *(*at)++ != ':')
        return -1;
    int minute = digits(at, 2);
    return minute < 0 || minute > 59 ? -1 : hour * 3600 + minute * 60;
}

static int read_clock(struct tm *out, const char **at)
{
    int seconds = read_minutes(at);
    if (seconds < 0)
        return -1;
    out->tm_hour = seconds / 3600;
    out->tm_min = seconds / 60 % 60;
    if (**at != ':')
        return 0;
    (*at)++;
    out->tm_sec = digits(at, 2);
    if (out->tm_sec < 0 || out->tm_sec > 60)
        return -1;
    if (**at == '.') {
        (*at)++;
        if (digits(at, 1) < 0)
            return -1;
        *at += strspn(*at, "0123456789");
    }
    return 0;
}

/* Reads "Z", "+02:00", or nothing, in seconds east of UTC. */
static int read_zone(int *out, const char **at)
{
    *out = 0;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return 0;
    }
    if (**at != '+' && **at != '-')
        return 0;
    int sign = *(*at)++ == '-' ? -1 : 1;
    int seconds = read_minutes(at);
    if (seconds < 0)
        return -1;
    *out = sign * seconds;
    return 0;
}

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 'h': return 3600;
    case 'd': return 24 * 3600;
    case 'w': return 7 * 24 * 3600;
    default: return 0;
    }
}

/* "+180d" */
static int parse_relative(int64_t *out, const char *text, int64_t now, struct error *err)
{
    size_t length = strspn(text + 1, "0123456789");
    int64_t unit = length == 0 ? 0 : unit_seconds(text[1 + length]), count = 0;
    if (now == TIMESTAMP_NONE || unit == 0 || text[2 + length] != '\0')
        return wrong(err, text, now);
    for (size_t i = 1; i <= length && count <= LAST; i++)
        count = 10 * count + (text[i] - '0');
    int64_t when = *text == '-' ? now - count * unit : now + count * unit;
    if (count > LAST || when <= TIMESTAMP_NONE || when > LAST)
        return error_set(err, EX_DATAERR, "'%.60s' is out of range: write one in 1970 to 9999",
                         text);
    *out = when;
    return 0;
}

int timestamp_parse(int64_t *out, const char *text, int64_t now, struct error *err)
{
    if (*text == '+' || *text == '-')
        return parse_relative(out, text, now, err);

    struct tm parts;
    const char *at = text;
    int zone = 0;

    if (read_date(&parts, &at) != 0)
        return wrong(err, text, now);
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at++;
        if (read_clock(&parts, &at) != 0 || read_zone(&zone, &at) != 0)
            return wrong(err, text, now);
    }
    int64_t when = (int64_t)timegm(&parts) - zone;
    if (*at != '\0' || when <= TIMESTAMP_NONE)
        return wrong(err, text, now);
    *out = when;
    return 0;
}

void timestamp_format(char *out, size_t size, int64_t when)
{
    struct tm parts;
    time_t seconds = (time_t)when;
    out[0] = '\0';
    if (when != TIMESTAMP_NONE && gmtime_r(&seconds, &parts) != NULL)
        (void)strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
