/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mail/envelope.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *argument, *mailbox, *rest;
} paths[] = {
    {"<al@old.example>", "al@old.example", ""},
    {"<al@old.example> NOTIFY=NEVER", "al@old.example", " NOTIFY=NEVER"},
    {"al@old.example", "al@old.example", ""},
    {"al@old.example NOTIFY=NEVER", "al@old.example", " NOTIFY=NEVER"},
    {"<@a.example,@b.example:al@old.example>", "al@old.example", ""},
    {"@a.example:al@old.example", "al@old.example", ""},
    {"<\"a>b\"@old.example>", "\"a>b\"@old.example", ""},
    {"\"a b\"@old.example", "\"a b\"@old.example", ""},
    {"<\"a\\\">b\"@old.example>", "\"a\\\">b\"@old.example", ""},
    {"<\"a\\", "<\"a\\", ""},
    {"<\"@a:b\"@old.example>", "\"@a:b\"@old.example", ""},
    {"<>", "", ""},
    {"<", "<", ""},
    {"", "", ""},
};
START_TEST(a_path_and_its_mailbox)
{
    size_t whole = envelope_path_length(paths[_i].argument), length = whole;
    const char *mailbox = envelope_mailbox(paths[_i].argument, &length);
    ck_assert_str_eq(paths[_i].argument + whole, paths[_i].rest);
    ck_assert_uint_eq(length, strlen(paths[_i].mailbox));
    ck_assert_int_eq(strncmp(mailbox, paths[_i].mailbox, length), 0);
}
END_TEST

static const struct {
    const char *args[5], *name, *found;
} parameters[] = {
    {{"<a@b>", "NOTIFY=NEVER", "ORCPT=rfc822;x"}, "ORCPT", "ORCPT=rfc822;x"},
    {{"<a@b>", "notify=never"}, "NOTIFY", "notify=never"},
    {{"<a@b> SIZE=10  SMTPUTF8"}, "SMTPUTF8", "SMTPUTF8"},
    {{"<a@b> SMTPUTF8 SIZE=10", "SMTPUTF8"}, "SIZE", "SIZE=10"},
    {{"<a@b>", "SMTPUTF8X", "XSMTPUTF8"}, "SMTPUTF8", NULL},
    {{"<\"SMTPUTF8 \"@b>"}, "SMTPUTF8", NULL},
    {{"<a@b>", "", " "}, "SIZE", NULL},
    {{"<a@b>"}, "SIZE", NULL},
    {{""}, "SIZE", NULL},
};
START_TEST(a_parameter_is_found_wherever_it_stands)
{
    size_t length = 0;
    char **args = (char **)parameters[_i].args; /* only read */
    const char *found = envelope_parameter(args, parameters[_i].name, &length);
    if (parameters[_i].found == NULL) {
        ck_assert_ptr_null(found);
        return;
    }
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(length, strlen(parameters[_i].found));
    ck_assert_int_eq(strncmp(found, parameters[_i].found, length), 0);
}
END_TEST

static const struct {
    const char *mailbox, *parameter;
} orcpts[] = {
    {"Al@old.example", "ORCPT=rfc822;Al@old.example"},
    {"al+x=y@old.example", "ORCPT=rfc822;al+2Bx+3Dy@old.example"},
    {"\"a b\"@old.example", "ORCPT=rfc822;\"a+20b\"@old.example"},
    {"a\\b@old.example", "ORCPT=rfc822;a\\b@old.example"},
    {"j\xc3\xb6rg@x", "ORCPT=utf-8;j\xc3\xb6rg@x"},
    {"j\xc3\xb6rg+y@x", NULL},
    {"j\xc3\xb6r=g@x", NULL},
    {"\"j\xc3\xb6 rg\"@x", NULL},
    {"\"j\xc3\xb6\\rg\"@x", NULL},
};
START_TEST(an_original_recipient)
{
    char text[ENVELOPE_ORCPT_SIZE(64)];
    int rc = envelope_orcpt(text, orcpts[_i].mailbox, strlen(orcpts[_i].mailbox));
    ck_assert_int_eq(rc, orcpts[_i].parameter == NULL ? -1 : 0);
    if (rc == 0)
        ck_assert_str_eq(text, orcpts[_i].parameter);
}
END_TEST

START_TEST(an_original_recipient_needs_no_more_room_than_is_said)
{
    char mailbox[32], text[ENVELOPE_ORCPT_SIZE(sizeof mailbox)];
    memset(mailbox, '+', sizeof mailbox);
    ck_assert_int_eq(envelope_orcpt(text, mailbox, sizeof mailbox), 0);
    ck_assert_uint_eq(strlen(text), sizeof text - 1);
}
END_TEST

Suite *envelope_suite(void)
{
    Suite *suite = suite_create("envelope");
    TCase *tcase = tcase_create("envelope");
    tcase_add_loop_test(tcase, a_path_and_its_mailbox, 0, ROWS(paths));
    tcase_add_loop_test(tcase, a_parameter_is_found_wherever_it_stands, 0, ROWS(parameters));
    tcase_add_loop_test(tcase, an_original_recipient, 0, ROWS(orcpts));
    tcase_add_test(tcase, an_original_recipient_needs_no_more_room_than_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}
