/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/printable.h"

#include <stdio.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *why, *text, *shown;
} rows[] = {
    {"nothing", "", ""},
    {"ASCII", " az~", " az~"},
    {"C0", "a\x01\x1b[2J\r\n\tb", "a??[2J???b"},
    {"DEL", "a\x7f", "a?"},
    {"C1", "\xc2\x80 \xc2\x85 \xc2\x9b \xc2\x9f", "?? ?? ?? ??"},
    {"the first behind C1", "\xc2\xa0", "\xc2\xa0"},
    {"C1 as an octet",
     "\x9b"
     "2J",
     "?2J"},
    {"letters", "J\xc3\xb6rg \xe6\x97\xa5 \xf0\x9f\x98\x80",
     "J\xc3\xb6rg \xe6\x97\xa5 \xf0\x9f\x98\x80"},
    {"separators", "\xe2\x80\xa8 \xe2\x80\xa9 \xe2\x80\xa7", "??? ??? \xe2\x80\xa7"},
    {"overrides", "\xe2\x80\xae \xe2\x81\xa6 \xe2\x80\x8f \xd8\x9c", "??? ??? ??? ??"},
    {"a character that is cut", "a\xe2\x80", "a??"},
    {"a surrogate", "\xed\xa0\x80", "???"},
    {"an overlong form", "\xc0\x8a \xe0\x82\x9b", "?? ???"},
    {"no UTF-8", "\xff\xfe", "??"},
};
START_TEST(what_a_terminal_would_obey_is_not_shown)
{
    char text[64];
    snprintf(text, sizeof text, "%s", rows[_i].text);
    printable_make(text);
    ck_assert_msg(strcmp(text, rows[_i].shown) == 0, "%s: %s", rows[_i].why, text);
}
END_TEST

START_TEST(a_character_beyond_the_end_is_not_read)
{
    ck_assert_uint_eq(printable_length("\xc3\xb6", 2), 2);
    ck_assert_uint_eq(printable_length("\xc3\xb6", 1), 0);
    ck_assert_uint_eq(printable_length("", 0), 0);
}
END_TEST

Suite *printable_suite(void)
{
    Suite *suite = suite_create("printable");
    TCase *tcase = tcase_create("printable");
    tcase_add_loop_test(tcase, what_a_terminal_would_obey_is_not_shown, 0, ROWS(rows));
    tcase_add_test(tcase, a_character_beyond_the_end_is_not_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
