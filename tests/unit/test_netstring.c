/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/netstring.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *text;
    enum netstring_result result;
    size_t length, total;
} frames[] = {
    {"5:hello,", NETSTRING_WHOLE, 5, 8},
    {"5:hello,3:", NETSTRING_WHOLE, 5, 8},
    {"0:,", NETSTRING_WHOLE, 0, 3},
    {"", NETSTRING_PART, 0, 0},
    {"12", NETSTRING_PART, 0, 0},
    {"5:hell", NETSTRING_PART, 5, 8},
    {"5:hello", NETSTRING_PART, 5, 8},
    {"100000:", NETSTRING_PART, 100000, 100008},
    {"5:hello;", NETSTRING_BAD, 0, 0},
    {"5 :hello,", NETSTRING_BAD, 0, 0},
    {":hello,", NETSTRING_BAD, 0, 0},
    {"-1:,", NETSTRING_BAD, 0, 0},
    {"05:hello,", NETSTRING_BAD, 0, 0},
    {"100001:", NETSTRING_BAD, 0, 0},
    {"99999999999999999999999:", NETSTRING_BAD, 0, 0},
    {"GET / HTTP/1.1", NETSTRING_BAD, 0, 0},
};
START_TEST(a_frame)
{
    struct netstring got;
    ck_assert_int_eq(netstring_parse(&got, frames[_i].text, strlen(frames[_i].text)),
                     frames[_i].result);
    if (frames[_i].result == NETSTRING_BAD)
        return;
    ck_assert_uint_eq(got.length, frames[_i].length);
    ck_assert_uint_eq(got.total, frames[_i].total);
    if (frames[_i].result == NETSTRING_WHOLE)
        ck_assert_ptr_eq(got.payload, strchr(frames[_i].text, ':') + 1);
}
END_TEST

START_TEST(what_is_written_is_a_frame)
{
    char out[16];
    ck_assert_uint_eq(netstring_write(out, 8, "hello", 5), 8);
    ck_assert_mem_eq(out, "5:hello,", 8);
    ck_assert_uint_eq(netstring_write(out, 7, "hello", 5), 0);
    ck_assert_uint_eq(netstring_write(out, sizeof out, "", 0), 3);
    ck_assert_mem_eq(out, "0:,", 3);
}
END_TEST

Suite *netstring_suite(void)
{
    Suite *suite = suite_create("netstring");
    TCase *tcase = tcase_create("netstring");
    tcase_add_loop_test(tcase, a_frame, 0, ROWS(frames));
    tcase_add_test(tcase, what_is_written_is_a_frame);
    suite_add_tcase(suite, tcase);
    return suite;
}
