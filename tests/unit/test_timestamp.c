/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mail/timestamp.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *text;
    int64_t when;
    const char *back;
} good[] = {
    {"2026-09-01", 1788220800, "2026-09-01T00:00:00Z"},
    {"2026-09-01T06:00:00+02:00", 1788235200, "2026-09-01T04:00:00Z"},
    {"2026-09-01 06:00", 1788242400, "2026-09-01T06:00:00Z"},
    {"2026-09-01t06:00:00.75z", 1788242400, "2026-09-01T06:00:00Z"},
    {"2024-02-29T23:59:60Z", 1709251200, "2024-03-01T00:00:00Z"},
    {"2026-08-31T22:00:00-05:30", 1788233400, "2026-09-01T03:30:00Z"},
    {"1970-01-02", 86400, "1970-01-02T00:00:00Z"},
    {"9999-12-31T23:59:59Z", 253402300799, "9999-12-31T23:59:59Z"},
};
START_TEST(moments_are_read_and_written)
{
    int64_t when = -1;
    char text[TIMESTAMP_TEXT_SIZE];
    struct error err;
    ck_assert_msg(timestamp_parse(&when, good[_i].text, 1, &err) == 0, "%s", err.text);
    ck_assert_int_eq(when, good[_i].when);
    timestamp_format(text, sizeof text, when);
    ck_assert_str_eq(text, good[_i].back);
}
END_TEST

static const char *const bad[] = {
    "",
    "tomorrow",
    "2026-13-01",
    "2026-02-29",
    "2026-00-01",
    "2026-09-31",
    "2026-9-1",
    "2026-09-01T24:00",
    "2026-09-01T06:60",
    "2026-09-01T06:00:61",
    "20260901",
    "2026-09-01T06",
    "2026-09-01T06:00+25:00",
    "2026-09-01x",
    "2026-09-01T06:00:00.",
    "2026-09-01T06:00 +02:00",
    "+180d", /* of a file: relative to what? */
};
START_TEST(what_is_no_moment_is_refused)
{
    int64_t when = 7;
    struct error err;
    ck_assert_msg(timestamp_parse(&when, bad[_i], TIMESTAMP_NONE, &err) == -1, "%s", bad[_i]);
    ck_assert_int_eq(when, 7);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_nonnull(strstr(err.text, ": write 2026-09-01"));
}
END_TEST

static const char *const out_of_range[] = {
    "0000-01-01",
    "1969-12-31",
    "1969-12-31T23:59:59Z",
    "1970-01-01",
    "1970-01-01T01:00+02:00",
    "9999-12-31T23:59:59-00:01",
};
START_TEST(a_moment_out_of_range_is_named_as_such)
{
    int64_t when = 7;
    struct error err;
    ck_assert_msg(timestamp_parse(&when, out_of_range[_i], TIMESTAMP_NONE, &err) == -1, "%s",
                  out_of_range[_i]);
    ck_assert_int_eq(when, 7);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_nonnull(strstr(err.text, "is out of range: write one after 1970-01-01"));
}
END_TEST

#define NOW 1788220800
static const struct {
    const char *text;
    int64_t when; /* TIMESTAMP_NONE: refused */
} relative[] = {
    {"+180d", NOW + 180 * 86400},
    {"-30d", NOW - 30 * 86400},
    {"+12h", NOW + 12 * 3600},
    {"-2w", NOW - 14 * 86400},
    {"+0d", NOW},
    {"+0000000000000000000000000001h", NOW + 3600},
    {"-20000d", NOW - 20000 * INT64_C(86400)},
    {"-21000d", TIMESTAMP_NONE},
    {"+3000000d", TIMESTAMP_NONE},
    {"+99999999999999999999d", TIMESTAMP_NONE},
    {"+253402300799w", TIMESTAMP_NONE},
    {"+d", TIMESTAMP_NONE},
    {"+", TIMESTAMP_NONE},
    {"-", TIMESTAMP_NONE},
    {"+5", TIMESTAMP_NONE},
    {"5d", TIMESTAMP_NONE},
    {"+5m", TIMESTAMP_NONE},
    {"+5D", TIMESTAMP_NONE},
    {"+5d ", TIMESTAMP_NONE},
    {"+-5d", TIMESTAMP_NONE},
    {"+1.5d", TIMESTAMP_NONE},
    {"+1w2d", TIMESTAMP_NONE},
};
START_TEST(a_moment_may_be_relative_to_now)
{
    int64_t when = TIMESTAMP_NONE;
    struct error err;
    int rc = timestamp_parse(&when, relative[_i].text, NOW, &err);
    ck_assert_msg(when == relative[_i].when, "%s: %lld", relative[_i].text, (long long)when);
    ck_assert_int_eq(rc, when == TIMESTAMP_NONE ? -1 : 0);
    if (rc != 0)
        ck_assert_msg(strstr(err.text, ": write ") != NULL, "%s", err.text);
}
END_TEST

START_TEST(no_moment_is_an_empty_text)
{
    char text[TIMESTAMP_TEXT_SIZE] = "x";
    timestamp_format(text, sizeof text, TIMESTAMP_NONE);
    ck_assert_str_eq(text, "");
}
END_TEST

Suite *timestamp_suite(void)
{
    Suite *suite = suite_create("timestamp");
    TCase *tcase = tcase_create("timestamp");
    tcase_add_loop_test(tcase, moments_are_read_and_written, 0, ROWS(good));
    tcase_add_loop_test(tcase, what_is_no_moment_is_refused, 0, ROWS(bad));
    tcase_add_loop_test(tcase, a_moment_out_of_range_is_named_as_such, 0, ROWS(out_of_range));
    tcase_add_loop_test(tcase, a_moment_may_be_relative_to_now, 0, ROWS(relative));
    tcase_add_test(tcase, no_moment_is_an_empty_text);
    suite_add_tcase(suite, tcase);
    return suite;
}
